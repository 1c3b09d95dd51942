/** Numbers that every kernel agrees on: what counts as nothing to divide by, and what is rounding. */

/** The root of the smallest normal float32: a divisor that is smaller counts as none, and the quotient is 0. */
export const SMALLEST_F32_DIVISOR = 2 ** -63;

/** Whether an epsilon alone is a divisor, so that no group needs care. */
export const isDivisor = (epsilon: number): boolean => epsilon > SMALLEST_F32_DIVISOR;

/** 1 / f, or 0. */
export const reciprocal = (f: number): number => (f < SMALLEST_F32_DIVISOR ? 0 : 1 / f);

/** Equal values leave a variance of no more than this share of the square of their mean, by rounding. */
export const ROUNDING = 2 ** -66;

/** A variance, or 0 where it is what rounding leaves of equal values. */
export const unrounded = (variance: number, mean: number): number =>
  variance <= mean * mean * ROUNDING ? 0 : variance;

/** The moments in statistics [2, k] of so many groups, which are another backend's where there are columns behind. */
export function momentsIn(statistics: Float32Array, groups: number): Float32Array {
  const k = statistics.length / 2;
  if (k === groups) return statistics;
  const moments = new Float32Array(2 * groups);
  moments.set(statistics.subarray(0, groups));
  moments.set(statistics.subarray(k, k + groups), groups);
  return moments;
}
