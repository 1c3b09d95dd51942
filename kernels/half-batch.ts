/**
 * What is done per channel over the whole batch, where tensors hold 16-bit floats: renormalization, statistics of the positions
 * that a mask leaves, and given statistics. See `half.ts`.
 */
import {
  add,
  cast,
  div,
  greater,
  maximum,
  mean,
  mul,
  neg,
  onesLike,
  reshape,
  sqrt,
  square,
  stack,
  sub,
  type Tensor,
  tensor,
  tidy,
  unstack,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { constant } from './constant.ts';
import { SMALLEST_DIVISOR } from './contract.ts';
import type { BatchStatistics } from './functions.ts';
import {
  applied,
  asSpread,
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
import type { Affine } from './ops.ts';
import type { View } from './view.ts';

type Parameters = Readonly<Record<'gamma' | 'beta', Tensor>>;

/** Moments [2, c] from a mean in two parts and what row 1 is made of: as float32 on the host, where moving averages are. */
function exact(first: Tensor, apart: Tensor, last: Tensor, row1: (value: number) => number): Tensor {
  const [base, rest, of1] = [first.dataSync(), apart.dataSync(), last.dataSync()];
  const moments = new Float32Array(2 * base.length);
  moments.set(base.map((value, i) => value + (rest[i] as number)));
  moments.set(of1.map(row1), base.length);
  return tensor(moments, [2, base.length]);
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
        apartFrom: (movingMean) => reshape(pooledFrom(rows, onHost(movingMean, undefined), 0).deviation, [view.c]),
        both: exact(rows.first, rows.apart, rows.divisor, (divisor) => divisor),
      }),
    ) as [Tensor, Tensor];
    return corrected(r, d, gamma, beta, view.s);
  });
}

const corrected = (
  r: Tensor,
  d: Tensor,
  gamma: Tensor,
  beta: Tensor,
  s: number,
): HalfBlend<'gamma' | 'beta', 'r' | 'd'> => ({
  values: { scale: bounded(mul(gamma, r)), shift: bounded(add(mul(gamma, d), beta)), r, d },
  gradient: (h, u, { scale, r, d }) => ({
    a: mul(scale, h),
    b: mul(scale, u),
    gamma: sumOf(meanOfBoth(h, r, u, d), s),
    beta: sumOf(u, s),
  }),
});

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
    const { spread, share, moments } = masked(x, positions, view, epsilon);
    useMoments(moments);
    const of = ({ gamma, beta }: Parameters): HalfBlend<'gamma' | 'beta', 'share'> => ({
      values: { scale: gamma, shift: beta, share },
      gradient: (h, u, { scale, share }) => ({
        // Means over the positions that are left.
        a: bounded(div(mul(scale, h), share)),
        b: bounded(div(mul(scale, u), share)),
        gamma: sumOf(h, view.s),
        beta: sumOf(u, view.s),
      }),
    });
    return applied(x, spread, view, parameters, of, positions);
  });
}

/**
 * The spread of the positions that are left, of which the share is p: that of all, once the others have about the mean m. It
 * has the variance p v + p (1 - p) d^2, where d is how far m is from the mean, and that is small.
 */
function masked(x: Tensor, positions: Tensor, view: View, epsilon: number) {
  const results = constant(() => {
    const left = mean(cast(positions, 'float32'));
    const share = maximum(left, 2 ** -24);
    const x2 = reshape(x, [view.s, view.c]);
    const about = div(mean(where(positions, x2, zerosLike(x2)), 0), share);
    const { first, apart, divisor } = rowsOf(spreadOf(where(positions, x2, mul(onesLike(x2), about)), view, 0), [
      view.c,
    ]);
    const rest = div(add(sub(first, about), apart), share);
    const deviation = mul(div(divisor, sqrt(share)), cast(greater(left, 0), 'float32'));
    const spread = asSpread({ first: about, apart: rest, divisor: rootOfBoth(deviation, Math.sqrt(epsilon)) });
    return reshape(stack([...unstack(spread), deviation, mul(onesLike(about), share)]), [5, view.c]);
  });
  const [first, apart, divisor, deviation, share] = unstack(results) as [Tensor, Tensor, Tensor, Tensor, Tensor];
  const moments = constant(() => exact(first, apart, deviation, (deviation) => deviation ** 2));
  return { spread: constant(() => asSpread({ first, apart, divisor })), share, moments };
}

/** sqrt(deviation^2 + root^2), whose squares may not fit. */
function rootOfBoth(deviation: Tensor, root: number): Tensor {
  const both = add(deviation, Math.max(root, SMALLEST_DIVISOR));
  const parts = add(square(div(deviation, both)), square(div(root, both)));
  return maximum(mul(both, sqrt(parts)), SMALLEST_DIVISOR);
}

/**
 * The gradient of y = (x - mean) / sqrt(variance + epsilon) * scale + shift, in all that are there, with the means over the
 * positions of dy xHat and dy. `forward` gives y.
 */
export const affineOfGiven = (x: Tensor, affine: Affine, view: View, epsilon: number): Tensor => {
  const { mean, variance, scale, shift } = affine;
  const spread = constant(() => spreadFrom(onHost(mean, variance, 1 - epsilon).dataSync(), view.c, epsilon));
  const given = Object.entries({ mean, variance, scale, shift }).filter(([, t]) => t !== undefined);
  const parameters = Object.fromEntries(given) as Readonly<Record<string, Tensor>>;
  return applied(x, spread, view, parameters, ({ scale, shift }) => {
    const { divisor } = rowsOf(spread, [view.c]) as Spread;
    return {
      values: { scale: scale ?? onesLike(divisor), shift: shift ?? zerosLike(divisor), divisor },
      gradient: (h, u, { scale, divisor }) => {
        const dmean = () => neg(div(mul(scale as Tensor, u), divisor as Tensor));
        const dvariance = () =>
          div(sumOf(div(mul(mul(scale as Tensor, h), -0.5), divisor as Tensor), view.s), divisor as Tensor);
        return {
          ...(mean ? { mean: sumOf(dmean(), view.s) } : {}),
          ...(variance ? { variance: dvariance() } : {}),
          scale: sumOf(h, view.s),
          shift: sumOf(u, view.s),
        };
      },
    };
  });
};
