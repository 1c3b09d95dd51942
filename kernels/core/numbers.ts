/** Limits that all kernels share: the smallest divisor, and the variance that is rounding error. */

/** The root of the smallest normal float32: a divisor that is smaller counts as none, and the quotient is 0. */
export const SMALLEST_F32_DIVISOR = 2 ** -63;

/** Whether epsilon alone makes the divisor of every group large enough, so that none needs a check. */
export const isDivisor = (epsilon: number): boolean => epsilon > SMALLEST_F32_DIVISOR;

/** 1 / f, or 0 where f is too small to divide by. */
export const reciprocal = (f: number): number => (f < SMALLEST_F32_DIVISOR ? 0 : 1 / f);

/** Equal values leave a variance of no more than this share of the square of their mean, by rounding. */
export const ROUNDING = 2 ** -66;

/** A variance, or 0 where it is what rounding leaves of equal values. */
export const unrounded = (variance: number, mean: number): number =>
  variance <= mean * mean * ROUNDING ? 0 : variance;

/** The moments [2, groups] in statistics [2, k]: without the further columns that a backend may have added. */
export function momentsIn(statistics: Float32Array, groups: number): Float32Array {
  const k = statistics.length / 2;
  if (k === groups) return statistics;
  const moments = new Float32Array(2 * groups);
  moments.set(statistics.subarray(0, groups));
  moments.set(statistics.subarray(k, k + groups), groups);
  return moments;
}
