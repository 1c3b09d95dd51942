/**
 * What TensorFlow.js's wasm backend lacks to train networks: the gradients of convolutions, of depthwise convolutions, and of gather
 * (embeddings). They are composed of the convolutions that the backend has. Importing this registers them, before or after
 * `@tensorflow/tfjs-backend-wasm`.
 *
 * @module tfjs-normalizations/kernels/wasm-training
 */
import { getKernel, type KernelFunc, registerKernel, unregisterKernel } from '@tensorflow/tfjs-core';
import { fail } from '../core/errors.ts';
import { conv2DBackpropFilter, depthwiseConv2dNativeBackpropFilter } from './filter-gradient.ts';
import { conv2DBackpropInput, depthwiseConv2dNativeBackpropInput } from './input-gradient.ts';
import { unsortedSegmentSum } from './segment-sum.ts';

const BACKEND = 'wasm';

const missing: Readonly<Record<string, KernelFunc>> = {
  Conv2DBackpropFilter: conv2DBackpropFilter,
  DepthwiseConv2dNativeBackpropFilter: depthwiseConv2dNativeBackpropFilter,
  DepthwiseConv2dNativeBackpropInput: depthwiseConv2dNativeBackpropInput,
  UnsortedSegmentSum: unsortedSegmentSum,
};

// What TensorFlow.js registers itself, now or later, stays: the last registration counts.
for (const [kernelName, kernelFunc] of Object.entries(missing)) {
  if (getKernel(kernelName, BACKEND) === undefined) registerKernel({ kernelName, backendName: BACKEND, kernelFunc });
}

/**
 * Replaces the kernel with which the wasm backend computes the gradient of a convolution with respect to its input, and
 * `tf.conv2dTranspose`, by a convolution with the filter turned round. The results are the same but for rounding, many times sooner.
 * It counts for the whole process; calling it again does nothing.
 *
 * @throws if the wasm backend is not loaded yet: its own kernel would then replace this one
 * @example
 * ```js
 * import '@tensorflow/tfjs-backend-wasm';
 * import { useFastInputGradient } from 'tfjs-normalizations/kernels/wasm-training';
 *
 * useFastInputGradient();
 * await tf.setBackend('wasm');
 * const y = tf.conv2dTranspose(tf.ones([1, 2, 2, 1]), tf.ones([2, 2, 1, 1]), [1, 3, 3, 1], 1, 'valid');
 * tf.squeeze(y); // [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
 * await tf.setBackend('cpu');
 * ```
 */
export function useFastInputGradient(): void {
  const kernelName = 'Conv2DBackpropInput';
  const present = getKernel(kernelName, BACKEND);
  if (present === undefined) {
    fail(
      'useFastInputGradient',
      `there is no kernel ${kernelName} of the wasm backend to replace; import '@tensorflow/tfjs-backend-wasm' first`,
    );
  }
  if (present.kernelFunc === conv2DBackpropInput) return;
  unregisterKernel(kernelName, BACKEND);
  registerKernel({ kernelName, backendName: BACKEND, kernelFunc: conv2DBackpropInput });
}
