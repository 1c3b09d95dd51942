/** Results of empty tensors: there is nothing to compute them from, and there are no statistics. */
import { type Tensor, zeros, zerosLike } from '@tensorflow/tfjs-core';
import { withGradient } from '../core/tape.ts';

/** Zeros, or a tensor without values, as the result of an operation on these inputs: their gradients are 0. */
export function ofNothing(shape: number[], ...given: (Tensor | undefined)[]): Tensor {
  const inputs = given.filter((t) => t !== undefined);
  return withGradient([...inputs], (save) => {
    save(inputs);
    const gradFunc = (_: Tensor, saved: Tensor[]) => saved.map((input) => zerosLike(input));
    return { value: zeros(shape), gradFunc };
  });
}
