/** Statistics of very many values, against float64: how far y and its gradients are off, as shares of the largest value. */
import * as tf from '@tensorflow/tfjs';
import { batchNorm, instanceNorm } from '../../layers/index.ts';
import { normals } from '../support/random.ts';

export interface Large {
  /** Batch statistics of [rows, c], or those of one image [1, rows, c]. */
  readonly of: 'batch' | 'image';
  readonly rows: number;
  readonly c: number;
  readonly mean: number;
}

const EPSILON = 1e-3;

export const errorsOfLarge = ({ of, rows, c, mean }: Large) => {
  const size = rows * c;
  const shape = of === 'batch' ? [rows, c] : [1, rows, c];
  const x = normals(1, size, mean);
  const dy = normals(2, size, 0.5);
  const [input, upstream] = [tf.tensor(x, shape), tf.tensor(dy, shape)];
  const f = (x: tf.Tensor) => (of === 'batch' ? batchNorm(x).y : instanceNorm(x));
  const { value, grad } = tf.valueAndGrad(f)(input, upstream);
  const [y, dx] = [value.dataSync(), grad.dataSync()];
  const worst = { y: 0, dx: 0 };
  const largest = { y: 0, dx: 0 };
  for (let channel = 0; channel < c; channel++) {
    let [sum, squares, sumDy, sumDyXHat] = [0, 0, 0, 0];
    for (let i = channel; i < size; i += c) sum += x[i]!;
    const mu = sum / rows;
    for (let i = channel; i < size; i += c) squares += (x[i]! - mu) ** 2;
    const rstd = 1 / Math.sqrt(squares / rows + EPSILON);
    for (let i = channel; i < size; i += c) {
      sumDy += dy[i]!;
      sumDyXHat += dy[i]! * (x[i]! - mu) * rstd;
    }
    for (let i = channel; i < size; i += c) {
      const xHat = (x[i]! - mu) * rstd;
      const right = { y: xHat, dx: (dy[i]! - sumDy / rows - (xHat * sumDyXHat) / rows) * rstd };
      worst.y = Math.max(worst.y, Math.abs(y[i]! - right.y));
      worst.dx = Math.max(worst.dx, Math.abs(dx[i]! - right.dx));
      largest.y = Math.max(largest.y, Math.abs(right.y));
      largest.dx = Math.max(largest.dx, Math.abs(right.dx));
    }
  }
  tf.dispose([input, upstream, value, grad]);
  return Promise.resolve({ y: worst.y / largest.y, dx: worst.dx / largest.dx });
};
