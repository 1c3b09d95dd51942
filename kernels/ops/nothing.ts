/** Results of empty tensors: there is nothing to compute them from, and there are no statistics. */
import { customGrad, type GradSaveFunc, type Tensor, zeros, zerosLike } from '@tensorflow/tfjs-core';

/** Zeros, or a tensor without values, as the result of an operation on these inputs: their gradients are 0. */
export function ofNothing(shape: number[], ...given: (Tensor | undefined)[]): Tensor {
  const inputs = given.filter((t) => t !== undefined);
  const op = customGrad((...args) => {
    const save = args.pop() as GradSaveFunc;
    save(inputs);
    const gradFunc = (_: Tensor, saved: Tensor[]) => saved.map((input) => zerosLike(input));
    return { value: zeros(shape), gradFunc };
  });
  return op(...inputs);
}
