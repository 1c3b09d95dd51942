/**
 * Batch statistics where tensors hold 16-bit floats: renormalization, statistics of the positions that a mask leaves, and given
 * statistics. See `half.ts`.
 */
import {
  add,
  cast,
  div,
  mul,
  neg,
  onesLike,
  reshape,
  slice,
  type Tensor,
  tensor,
  tidy,
  unstack,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { type Inputs, SMALLEST_DIVISOR } from '../core/contract.ts';
import { splitMean } from '../core/half-values.ts';
import { constant } from '../core/tape.ts';
import type { View } from '../core/view.ts';
import type { BatchStatistics } from './batch-statistics.ts';
import {
  applied,
  bounded,
  type HalfBlend,
  meanOfBoth,
  onHost,
  pooledFrom,
  rowsOf,
  type Spread,
  spreadFrom,
  spreadOf,
  sumOf,
} from './half.ts';

type Parameters = Readonly<Record<'gamma' | 'beta', Tensor>>;

/** Mean and divisor of a spread, [2, c], as float32 on the host, where moving averages are. */
function meanAndDivisor({ first, offset, divisor }: Spread): Tensor {
  const [firsts, offsets] = [first.dataSync(), offset.dataSync()];
  const both = new Float32Array(2 * firsts.length);
  both.set(firsts.map((value, i) => value + (offsets[i] as number)));
  both.set(divisor.dataSync(), firsts.length);
  return tensor(both, [2, firsts.length]);
}

/** y = (xHat r + d) gamma + beta, where `correct` gives r and d, constants to the gradient. */
export function renormalizeHalf(
  x: Tensor,
  view: View,
  parameters: Parameters,
  epsilon: number,
  correct: (batch: BatchStatistics) => Tensor,
): Tensor {
  const spread = constant(() => spreadOf(x, view, epsilon));
  return applied(x, spread, view, parameters, ({ gamma, beta }) => {
    const rows = rowsOf(spread, [view.c]);
    const [r, d] = unstack(
      correct({
        stddev: rows.divisor,
        meanMinus: (movingMean) => reshape(pooledFrom(rows, onHost(movingMean, undefined), 0).deviation, [view.c]),
        both: meanAndDivisor(rows),
      }),
    ) as [Tensor, Tensor];
    return corrected(r, d, gamma, beta, rows.divisor, view.s);
  });
}

const corrected = (
  r: Tensor,
  d: Tensor,
  gamma: Tensor,
  beta: Tensor,
  divisor: Tensor,
  s: number,
): HalfBlend<'gamma' | 'beta', 'r' | 'd' | 'ofX'> => {
  const scale = bounded(mul(gamma, r));
  return {
    values: { scale, shift: bounded(add(mul(gamma, d), beta)), r, d, ofX: div(scale, divisor) },
    gradient: (h, u, { ofX, r, d }) => ({
      ofX: { u, scale: ofX, a: mul(ofX, h) },
      parameters: { gamma: sumOf(meanOfBoth(h, r, u, d), s), beta: sumOf(u, s) },
    }),
  };
};

/** Batch normalization by the statistics of the positions where `mask` (s values) is true. */
export function normalizeMasked(
  x: Tensor,
  mask: Tensor,
  view: View,
  parameters: Parameters,
  epsilon: number,
  useMoments: (moments: Tensor) => void,
): Tensor {
  return tidy(() => {
    const positions = constant(() => reshape(cast(mask, 'bool'), [view.s, 1]));
    const left = Array.from(positions.dataSync());
    const count = left.filter(Boolean).length;
    const moments = constant(() => maskedMoments(x, positions, left.indexOf(1), count / view.s, view));
    useMoments(moments);
    const spread = constant(() => spreadFrom(moments.dataSync(), view.c, epsilon));
    // Means over all positions are turned into those over the positions that are left.
    const byAll = view.s / Math.max(count, 1);
    const of = ({ gamma, beta }: Parameters): HalfBlend<'gamma' | 'beta', 'ofX'> => ({
      values: { scale: gamma, shift: beta, ofX: div(gamma, rowsOf(spread, [view.c]).divisor) },
      gradient: (h, u, { ofX }) => ({
        ofX: { u: bounded(mul(u, byAll)), scale: ofX, a: bounded(mul(mul(ofX, h), byAll)) },
        parameters: { gamma: sumOf(h, view.s), beta: sumOf(u, view.s) },
      }),
    });
    return applied(x, spread, view, parameters, of, positions);
  });
}

/**
 * The moments [2, c], on the host, of the share p of the positions that the mask leaves. All other positions are filled with a
 * value a; with d = mean - a and v the variance, the moments over all positions are then a + p d and p v + p (1 - p) d^2, which
 * is solved for mean and variance. Two rounds: in the second a is the mean of the first, so that d is small and exact.
 */
function maskedMoments(x: Tensor, positions: Tensor, first: number, share: number, view: View): Tensor {
  const { s, c } = view;
  const moments = new Float32Array(2 * c);
  if (first < 0) return tensor(moments, [2, c]);
  const x2 = reshape(x, [s, c]);
  let other: Float32Array = Float32Array.from(slice(x2, [first, 0], [1, c]).dataSync());
  for (let round = 0; round < 2; round++) {
    const filled = where(positions, x2, add(zerosLike(x2), tensor(other, [1, c])));
    const spread = spreadOf(filled, view, 0).dataSync();
    for (let i = 0; i < c; i++) {
      const [value, offset, deviation] = [i, c + i, 2 * c + i].map((at) => spread[at]) as [number, number, number];
      const distance = (value - (other[i] as number) + offset) / share;
      const variance = deviation > SMALLEST_DIVISOR ? deviation ** 2 : 0;
      moments[i] = (other[i] as number) + distance;
      moments[c + i] = Math.max(variance / share - (1 - share) * distance ** 2, 0);
    }
    other = splitMean(moments.subarray(0, c))[0];
  }
  return tensor(moments, [2, c]);
}

/**
 * y = (x - mean) / sqrt(variance + epsilon) * scale + shift, with the gradients of all that are there, from the means over the
 * positions of dy xHat and dy.
 */
export const affineOfGiven = (
  x: Tensor,
  affine: Omit<Inputs<'ScaleShift', Tensor>, 'x'>,
  view: View,
  epsilon: number,
): Tensor => {
  const { mean, variance, scale, shift } = affine;
  const spread = constant(() => spreadFrom(onHost(mean, variance, 1 - epsilon).dataSync(), view.c, epsilon));
  const given = Object.entries({ mean, variance, scale, shift }).filter(([, t]) => t !== undefined);
  const parameters = Object.fromEntries(given) as Readonly<Record<string, Tensor>>;
  return applied(x, spread, view, parameters, ({ scale, shift }) => {
    const { divisor } = rowsOf(spread, [view.c]);
    const by = scale ?? onesLike(divisor);
    const values = { scale: by, shift: shift ?? zerosLike(divisor), divisor, ofX: div(by, divisor) };
    return {
      values,
      gradient: (h, u, all) => {
        const { ofX, divisor } = all as typeof values;
        const [dscale, dshift] = [sumOf(h, view.s), sumOf(u, view.s)];
        const dmean = () => sumOf(neg(mul(ofX, u)), view.s);
        const dvariance = () => div(sumOf(mul(mul(ofX, h), -0.5), view.s), divisor);
        return {
          ofX: { scale: ofX },
          parameters: {
            ...(mean ? { mean: dmean() } : {}),
            ...(variance ? { variance: dvariance() } : {}),
            ...{ scale: dscale, shift: dshift },
          },
        };
      },
    };
  });
};
