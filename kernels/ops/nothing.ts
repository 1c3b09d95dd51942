/** Results where an input is empty, and has no statistics. */
import { type Tensor, zeros, zerosLike } from '@tensorflow/tfjs-core';
import { withGradient } from '../core/tape.ts';

/** Zeros of the given shape, which may be empty, as the result of an operation on these inputs: their gradients are 0. */
export function ofNothing(shape: number[], ...given: (Tensor | undefined)[]): Tensor {
  const inputs = given.filter((t) => t !== undefined);
  return withGradient([...inputs], (save) => {
    save(inputs);
    const gradFunc = (_: Tensor, saved: Tensor[]) => saved.map((input) => zerosLike(input));
    return { value: zeros(shape), gradFunc };
  });
}
