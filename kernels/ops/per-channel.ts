/**
 * Operations with statistics or parameters per channel: they bring the axis of the channels last, and choose the view. Nothing is
 * checked here.
 */
import { add, mul, ones, sqrt, stack, sub, type Tensor, unstack, zeros } from '@tensorflow/tfjs-core';
import { constant } from '../core/tape.ts';
import { batchView, groupView, sampleView } from '../core/view.ts';
import { withLast } from './axes.ts';
import type { BatchStatistics } from './batch-statistics.ts';
import { type Blend, type BlendValues, blend } from './blend.ts';
import { conditioned, scaleShiftByCondition } from './condition.ts';
import { type AffineOptions, centred, type Form, onView } from './form.ts';
import { inHalf, type Tensors } from './half.ts';
import { normalizeMasked, renormalizeHalf } from './half-batch.ts';
import { statisticsOf } from './moments.ts';
import { normalize, normalizeWith } from './normalize.ts';
import { ofNothing } from './nothing.ts';
import { maskedMoments, rows } from './reference.ts';
import type { Affine } from './scale-shift.ts';

/**
 * Normalizes each channel over all other axes.
 *
 * @param options gamma and beta, [channels] or [conditions, channels]; a mask, of the shape of x without its channels: the moments
 *   are those of the positions where it is true
 * @param useMoments called with statistics whose first columns are the moments [2, channels], constants to every gradient
 */
export function normalizePerChannel(
  x: Tensor,
  axis: number,
  { gamma, beta, mask }: AffineOptions & { readonly mask?: Tensor | undefined },
  form: Form,
  useMoments: (moments: Tensor) => void,
): Tensor {
  return withLast(x, [axis], (x) => {
    const view = batchView(x.shape);
    const all = conditioned(view, gamma, beta);
    if (!mask || x.size === 0) return normalize(x, gamma, beta, onView(all, form), useMoments);
    if (inHalf()) {
      const isConditional = all !== view;
      const parameters = isConditional ? affineOf(undefined, undefined, view.c) : affineOf(gamma, beta, view.c);
      const y = normalizeMasked(x, mask, view, parameters, form.epsilon, useMoments);
      return isConditional ? scaleShiftByCondition(y, { scale: gamma, shift: beta }, view) : y;
    }
    const moments = maskedMoments(x, mask, view);
    useMoments(moments);
    const [mean, variance] = rows(moments, view.c);
    return scaleShiftByCondition(x, { mean, variance, scale: gamma, shift: beta }, view, form.epsilon);
  });
}

/** gamma, by default ones, and beta, by default zeros. */
const affineOf = (gamma: Tensor | undefined, beta: Tensor | undefined, c: number) => ({
  gamma: gamma ?? ones([c]),
  beta: beta ?? zeros([c]),
});

/**
 * y = (x - mean) / sqrt(variance + epsilon) * scale + shift per channel, with given statistics [channels]; scale and shift are
 * [channels] or [conditions, channels].
 */
export function affinePerChannel(x: Tensor, axis: number, affine: Affine, epsilon: number): Tensor {
  return withLast(x, [axis], (x) => scaleShiftByCondition(x, affine, batchView(x.shape), epsilon));
}

/**
 * As `normalizePerChannel`, with xHat r + d in place of xHat. `correct` gives r and d, the rows of a tensor
 * [2, channels], from the statistics of x; it runs off the tape, so that both are constants to every gradient.
 */
export function renormalizePerChannel(
  x: Tensor,
  axis: number,
  { gamma, beta }: AffineOptions,
  epsilon: number,
  correct: (batch: BatchStatistics) => Tensor,
): Tensor {
  if (x.size === 0) return ofNothing(x.shape, x, gamma, beta);
  return withLast(x, [axis], (x) => {
    const view = batchView(x.shape);
    if (inHalf()) return renormalizeHalf(x, view, affineOf(gamma, beta, view.c), epsilon, correct);
    const statistics = statisticsOf(x, view);
    const corrected = constant(() => {
      const [mean, variance] = rows(statistics, view.c);
      const stddev = sqrt(add(variance, epsilon));
      return correct({ stddev, meanMinus: (movingMean) => sub(mean, movingMean), both: stack([mean, stddev]) });
    });
    const [r, d] = unstack(corrected) as [Tensor, Tensor];
    const scale = gamma ? mul(gamma, r) : r;
    const shift = gamma ? mul(gamma, d) : d;
    return normalizeWith(x, statistics, scale, beta ? add(shift, beta) : shift, onView(view, centred(epsilon)));
  });
}

/**
 * A blend of statistics per example and channel; gamma and beta default to ones and zeros.
 *
 * @param moving mean and variance [channels] that are used in place of the batch's; absent: the batch's own
 * @param useBatch called once with the batch's own moments [2, channels], if they are used; off the tape
 */
export function blendPerChannel<P extends string, Values extends BlendValues>(
  x: Tensor,
  axis: number,
  { gamma, beta, ...others }: AffineOptions & Tensors<P>,
  moving: readonly Tensor[] | undefined,
  form: Blend<P | 'gamma' | 'beta', Values>,
  useBatch?: (moments: Tensor) => void,
): Tensor {
  if (x.size === 0) return ofNothing(x.shape, x, gamma, beta, ...(Object.values(others) as Tensor[]));
  const c = x.shape[axis] as number;
  const all = { ...affineOf(gamma, beta, c), ...others } as Tensors<P | 'gamma' | 'beta'>;
  // Channels right after the batch need not be moved: each channel of each example is a sample of one channel.
  if (axis === 1) return blend(x, c, sampleView(x.shape), all, moving, form, useBatch);
  return withLast(x, [axis], (x) => blend(x, c, groupView(x.shape, c), all, moving, form, useBatch));
}
