/** How these kernels are written: as a composition of TensorFlow.js's ops, which run on the same backend and off every tape. */
import { type KernelFunc, type Tensor, type Tensor4D, tidy } from '@tensorflow/tfjs-core';

/**
 * A kernel for TensorFlow.js's registry, from what it computes. The inputs have rank 4, which the ops of TensorFlow.js have seen
 * to; whatever the composition leaves beside its result is disposed.
 */
export function composed<Input extends string, Attrs>(
  body: (inputs: Readonly<Record<Input, Tensor4D>>, attrs: Attrs) => Tensor,
): KernelFunc {
  // TensorFlow.js's type of a kernel knows inputs and attributes by any name; what it hands over are tensors.
  return ({ inputs, attrs }) =>
    tidy(() => body(inputs as unknown as Record<Input, Tensor4D>, attrs as unknown as Attrs));
}
