/** Division by the standard deviation without centring, as ordinary operations. */
import {
  abs,
  add,
  div,
  max,
  maximum,
  mean,
  mul,
  reshape,
  rsqrt,
  square,
  sub,
  type Tensor,
  tidy,
} from '@tensorflow/tfjs-core';
import { constant } from '../core/tape.ts';

/**
 * x / sqrt(variance + epsilon) * gamma, with the variance about the mean over `axes`, which count from the front, ascending.
 * The deviations are divided by the largest before they are squared, so that half floats hold the squares.
 */
export function divideByDeviation(x: Tensor, gamma: Tensor, axes: readonly number[], epsilon: number): Tensor {
  return tidy(() => {
    const over = [...axes];
    const centred = sub(x, mean(x, over, true));
    const largest = constant(() => maximum(max(abs(centred), over, true), Math.max(Math.sqrt(epsilon), 1e-3)));
    const variance = mean(square(div(centred, largest)), over, true);
    const relative = add(variance, square(div(Math.sqrt(epsilon), largest)));
    // The maximum keeps the root away from 0, where it has no gradient. Below, x is divided in two steps, since the gradient of a
    // division squares the divisor.
    const inverse = rsqrt(maximum(relative, 1e-7));
    const shape = x.shape.map((size, axis) => (axes.includes(axis) ? size : 1));
    return mul(mul(div(x, largest), inverse), reshape(gamma, shape));
  });
}
