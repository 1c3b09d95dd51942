/** Numbers as 16-bit floats hold them, on the host. */

/** The nearest 16-bit float but those below 2^-14, which keep their digits: enough to split a number in two. */
function coarse(value: number): number {
  if (value === 0 || !Number.isFinite(value)) return value;
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(value))) - 10);
  return Math.max(-LARGEST, Math.min(Math.round(value / unit) * unit, LARGEST));
}

/** The largest 16-bit float. */
export const LARGEST = 65504;

/** Means as two 16-bit floats each, that add up to them: one would be off by hundredths of a deviation where the mean is ten. */
export function splitMean(means: Float32Array): [large: Float32Array, rest: Float32Array] {
  const large = means.map(coarse);
  return [large, means.map((mean, i) => mean - (large[i] as number))];
}
