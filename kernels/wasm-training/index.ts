/**
 * Kernels that TensorFlow.js's wasm backend lacks for training: the gradients of convolutions, of depthwise convolutions, and of gather
 * (embeddings); and `tf.einsum`, without which graph models with attention do not even predict. They are composed of operations that
 * the backend has. Importing this registers them, before or after `@tensorflow/tfjs-backend-wasm`.
 *
 * @module tfjs-normalizations/kernels/wasm-training
 */
import {
  type Conv2DBackpropInputAttrs,
  getKernel,
  type KernelFunc,
  registerKernel,
  unregisterKernel,
} from '@tensorflow/tfjs-core';
import { fail } from '../core/errors.ts';
import { einsum } from './einsum.ts';
import { conv2DBackpropFilter, depthwiseConv2dNativeBackpropFilter } from './filter-gradient.ts';
import { conv2DBackpropInput, depthwiseConv2dNativeBackpropInput } from './input-gradient.ts';
import { maxPool3DGrad, maxPoolGrad } from './pool-gradient.ts';
import { unsortedSegmentSum } from './segment-sum.ts';

const BACKEND = 'wasm';

const missing: Readonly<Record<string, KernelFunc>> = {
  Conv2DBackpropFilter: conv2DBackpropFilter,
  DepthwiseConv2dNativeBackpropFilter: depthwiseConv2dNativeBackpropFilter,
  DepthwiseConv2dNativeBackpropInput: depthwiseConv2dNativeBackpropInput,
  UnsortedSegmentSum: unsortedSegmentSum,
  Einsum: einsum,
};

// A kernel of TensorFlow.js takes precedence: an earlier one is kept here, and a later registration replaces ours.
for (const [kernelName, kernelFunc] of Object.entries(missing)) {
  if (getKernel(kernelName, BACKEND) === undefined) registerKernel({ kernelName, backendName: BACKEND, kernelFunc });
}

/** With a larger product of strides `conv2DBackpropInput` is slower than TensorFlow.js: it puts too many zeros between values of dy. */
const MOST_STRIDES = 4;

/**
 * Replaces the kernel with which the wasm backend computes the gradient of a convolution with respect to its input, and
 * `tf.conv2dTranspose`, by a convolution with the filter reversed: several times as fast, with the same results up to rounding.
 * The replacement is for the whole process; calling the function again does nothing.
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
  replace('useFastInputGradient', 'Conv2DBackpropInput', (present) => (call) => {
    const [height, width] = [(call.attrs as unknown as Conv2DBackpropInputAttrs).strides].flat();
    const strides = (height as number) * (width ?? (height as number));
    return strides > MOST_STRIDES ? present(call) : conv2DBackpropInput(call);
  });
}

/**
 * Replaces the gradients of max pooling. Those of the wasm backend of TensorFlow.js 4.22 are wrong, without an error, where all
 * values of a window are negative: they miss the largest one. After a ReLU that makes no difference.
 * The replacement is for the whole process; calling the function again does nothing.
 *
 * @throws if the wasm backend is not loaded yet: its own kernels would then replace these
 * @example
 * ```js
 * import '@tensorflow/tfjs-backend-wasm';
 * import { useCorrectMaxPoolGradients } from 'tfjs-normalizations/kernels/wasm-training';
 *
 * useCorrectMaxPoolGradients();
 * await tf.setBackend('wasm');
 * const pool = (x) => tf.sum(tf.maxPool(x, 2, 2, 'valid'));
 * tf.reshape(tf.grad(pool)(tf.tensor4d([-4, -3, -2, -1], [1, 2, 2, 1])), [4]); // [0, 0, 0, 1]
 * await tf.setBackend('cpu');
 * ```
 */
export function useCorrectMaxPoolGradients(): void {
  for (const [kernelName, kernelFunc] of Object.entries({ MaxPoolGrad: maxPoolGrad, MaxPool3DGrad: maxPool3DGrad })) {
    replace('useCorrectMaxPoolGradients', kernelName, () => kernelFunc);
  }
}

/** The kernels that replaced others, so that none is replaced twice. */
const replacements = new Set<KernelFunc>();

/** Replaces a kernel of the backend by one that may call it. Its setup and dispose functions are kept. */
function replace(who: string, kernelName: string, by: (present: KernelFunc) => KernelFunc): void {
  const present = getKernel(kernelName, BACKEND);
  if (present === undefined) {
    fail(
      who,
      `there is no kernel ${kernelName} of the wasm backend to replace; import '@tensorflow/tfjs-backend-wasm' first`,
    );
  }
  if (replacements.has(present.kernelFunc)) return;
  const kernelFunc = by(present.kernelFunc);
  replacements.add(kernelFunc);
  unregisterKernel(kernelName, BACKEND);
  registerKernel({ ...present, kernelFunc });
}
