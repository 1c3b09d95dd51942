/** The correction of batch renormalization: how far a batch's statistics are from the averages of many. */
import { maximum, minimum, neg, stack, type Tensor } from '@tensorflow/tfjs-core';
import type { BatchStatistics } from './batch-statistics.ts';
import { copyIfHalf } from './half.ts';
import { divide } from './quotient.ts';

type Bound = Tensor | number | undefined;

/** Bounds of r, and of |d|; one that is absent is no bound. */
export interface CorrectionBounds {
  readonly rmin?: Bound;
  readonly rmax?: Bound;
  readonly dmax?: Bound;
}

/** Averages of mean and standard deviation, [channels] each; a deviation below `smallest` counts as `smallest`. */
export interface Averages {
  readonly mean: Tensor;
  readonly stddev: Tensor;
  readonly smallest?: number;
}

/**
 * r and d, the rows of a tensor [2, channels], each within its bounds:
 *
 *     r = batch stddev / average stddev     d = (batch mean - average mean) / average stddev
 *
 * `epsilon` is that under the root of the batch's deviation.
 */
export function correction(
  batch: BatchStatistics,
  { mean, stddev, smallest }: Averages,
  { rmin, rmax, dmax }: CorrectionBounds,
  epsilon: number,
): Tensor {
  const weight = copyIfHalf(stddev);
  const divisor = smallest === undefined ? weight : maximum(weight, smallest);
  const r = divide(batch.stddev, divisor, epsilon);
  const d = divide(batch.meanMinus(mean), divisor, epsilon);
  const dmin = typeof dmax === 'number' ? -dmax : dmax && neg(dmax);
  return stack([within(r, rmin, rmax), within(d, dmin, dmax)]);
}

function within(x: Tensor, low: Bound, high: Bound): Tensor {
  const above = low === undefined ? x : maximum(x, low);
  return high === undefined ? above : minimum(above, high);
}
