/** A sum and its normalization by one kernel each way, and apart: for tests that count what a GPU is told to do. */
import * as tf from '@tensorflow/tfjs';
import { addLayerNorm, addRmsNorm, layerNorm, rmsNorm } from '../../layers/index.ts';
import { normals } from '../support/random.ts';
import type { withTensors } from './tensors.ts';

type Make = Parameters<Parameters<typeof withTensors>[0]>[0];
type Results = readonly [y: tf.Tensor, sum: tf.Tensor];

const FUSED = { layer: addLayerNorm, rms: addRmsNorm };
const APART = { layer: layerNorm, rms: rmsNorm };

/** Forward and gradient into x, residual and gamma, from gradients into both results, of [rows, width]. */
export function fusedAndApart(make: Make, kind: 'layer' | 'rms', rows: number, width: number) {
  const [x, residual, dy, dsum] = [1, 2, 3, 4].map((seed) => make(normals(seed, rows * width), [rows, width]));
  const gamma = make(normals(5, width, 1));
  // The end of both results, which costs nothing itself.
  const end = tf.customGrad(() => ({ value: tf.scalar(0), gradFunc: () => [tf.clone(dy!), tf.clone(dsum!)] }));
  const gradients = (f: (x: tf.Tensor, residual: tf.Tensor, gamma: tf.Tensor) => Results) => () =>
    tf.tidy(() => tf.grads((x, residual, gamma) => end(...f(x!, residual!, gamma!)))([x!, residual!, gamma]));
  return {
    fused: gradients((x, residual, gamma) => {
      const { y, sum } = FUSED[kind](x, residual, { gamma });
      return [y, sum];
    }),
    apart: gradients((x, residual, gamma) => {
      const sum = tf.add(x, residual);
      return [APART[kind](sum, { gamma }), sum];
    }),
  };
}
