/** Kernels that are compositions of TensorFlow.js's ops, which run on the same backend and are not recorded by a tape. */
import { type KernelFunc, type Tensor, type Tensor4D, tidy } from '@tensorflow/tfjs-core';

/**
 * A kernel for TensorFlow.js's registry. The inputs have rank 4, as TensorFlow.js's ops ensure; all tensors but the result are
 * disposed of.
 */
export function composed<Input extends string, Attrs>(
  body: (inputs: Readonly<Record<Input, Tensor4D>>, attrs: Attrs) => Tensor,
): KernelFunc {
  // KernelFunc has no types for the inputs, which are tensors, nor for the attributes.
  return ({ inputs, attrs }) =>
    tidy(() => body(inputs as unknown as Record<Input, Tensor4D>, attrs as unknown as Attrs));
}
