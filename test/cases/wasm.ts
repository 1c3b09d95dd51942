/** What only the wasm backend has: builds, and a heap. */
import * as tf from '@tensorflow/tfjs';
import { fused, run } from '../../kernels/core/registry.ts';
import { take, withTensors } from './tensors.ts';

type WasmBackend = tf.KernelBackend & { readonly wasm: { readonly HEAPU8: Uint8Array; readonly PThread?: object } };

/** Which build of the backend runs here, and whether our kernels run on it. */
export const wasmBuild = async (_: Record<string, never>) => {
  const { wasm } = tf.engine().backend as WasmBackend;
  return {
    isThreaded: wasm.PThread !== undefined,
    isShared: Object.prototype.toString.call(wasm.HEAPU8.buffer) === '[object SharedArrayBuffer]',
    fused: fused(),
  };
};

/** 0, 1, 2, ... as [n, a, b], with its last axes swapped by our kernel. */
export const swapAxes = ({ n, a, b }: { readonly n: number; readonly a: number; readonly b: number }) =>
  withTensors(async (make) => {
    const x = make(
      Float32Array.from({ length: n * a * b }, (_, i) => i),
      [n, a, b],
    );
    return take(run('SwapAxes', { x }, { n, a, b })[0]);
  });

type Kernel4D = readonly [number, number, number, number];

/** Gradients that TensorFlow.js's wasm backend lacks, on the chosen backend and on cpu: of convolutions, and of an embedding. */
export const trainingGradients = ({ size, strides }: { readonly size: number; readonly strides: number }) =>
  withTensors(async (make) => {
    await import('../../kernels/wasm-training/index.ts'); // opt-in: not for the other cases
    const wave = (...shape: number[]) =>
      make(
        Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(0.7 * i + shape.length)),
        shape,
      );
    const x = wave(2, size, size, 3) as tf.Tensor4D;
    const filter = (...shape: Kernel4D) => wave(...shape) as tf.Tensor4D;
    const table = wave(7, 5) as tf.Tensor2D;
    const rows = [6, 0, 3, 0, 6];
    const weighted = (y: tf.Tensor) => tf.sum(tf.mul(y, tf.cos(y))) as tf.Scalar;
    const forms: readonly [(w: tf.Tensor4D) => tf.Tensor, tf.Tensor4D][] = [
      [(w) => tf.conv2d(x, w, strides, 'same'), filter(3, 3, 3, 4)],
      [(w) => tf.depthwiseConv2d(x, w, strides, 'valid'), filter(2, 3, 3, 2)],
      [(w) => tf.conv2dTranspose(x, w, [2, size * strides, size * strides, 4], strides, 'same'), filter(3, 3, 4, 3)],
    ];
    const gradients = () =>
      tf.tidy(() => [
        ...forms.map(([f, w]) => tf.grad((w) => weighted(f(w as tf.Tensor4D)))(w)),
        tf.grad((table) => weighted(tf.gather(table, rows)))(table),
      ]);
    const read = async () => {
      const all = gradients();
      return Promise.all(all.map(take));
    };
    const own = tf.getBackend();
    const values = await read();
    await tf.setBackend('cpu');
    const expected = await read();
    await tf.setBackend(own);
    return { values, expected };
  });
