/** Numbers as 16-bit floats hold them, on the host. */

/** The nearest number with the eleven digits of a 16-bit float, at most `LARGEST`. Below 2^-14 real ones have fewer digits. */
function coarse(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(value))) - 10);
  return Math.max(-LARGEST, Math.min(Math.round(value / unit) * unit, LARGEST));
}

/** The largest 16-bit float. */
export const LARGEST = 65504;

/** Splits each mean into two 16-bit floats that add up to it. One alone has a rounding error of 2^-11 times the mean. */
export function splitMean(means: Float32Array): [large: Float32Array, rest: Float32Array] {
  const large = means.map(coarse);
  return [large, means.map((mean, i) => mean - (large[i] as number))];
}
