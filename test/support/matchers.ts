/** `expect(actual).toBeClose(expected, tolerance)`: element by element, NaN and infinities where expected and only there. */
import { expect } from '@jest/globals';

/** |actual - expected| <= atol + rtol |expected| + ofMax max|expected|. */
export interface Tolerance {
  readonly rtol?: number;
  readonly atol?: number;
  readonly ofMax?: number;
  /** What is compared, for the message. */
  readonly what?: string;
}

type Numbers = ArrayLike<number>;

/** The largest finite |value|. */
function largest(values: Numbers): number {
  let max = 0;
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(values[i]!);
    if (magnitude > max && magnitude < Number.POSITIVE_INFINITY) max = magnitude;
  }
  return max;
}

expect.extend({
  toBeClose(actual: Numbers | undefined, expected: Numbers, { rtol = 0, atol = 0, ofMax = 0, what = '' }: Tolerance) {
    if (actual?.length !== expected.length) {
      return {
        pass: false,
        message: () => `${what} expected ${expected.length} values, received ${actual?.length ?? actual}`,
      };
    }
    const slack = atol + ofMax * largest(expected);
    let worst = { i: 0, excess: 0 };
    let wrong = 0;
    for (let i = 0; i < expected.length; i++) {
      const [a, e] = [actual[i]!, expected[i]!];
      if (Object.is(a, e) || a === e) continue;
      const excess = Number.isFinite(e) ? Math.abs(a - e) / (slack + rtol * Math.abs(e)) : Number.POSITIVE_INFINITY;
      const far = !(excess <= 1);
      if (far) wrong++;
      if (far ? !(worst.excess > excess) : excess > worst.excess) worst = { i, excess };
    }
    const at = `element ${worst.i}: ${actual[worst.i]}, expected ${expected[worst.i]}`;
    return {
      pass: wrong === 0,
      message: () =>
        `${what} ${wrong} of ${expected.length} values out of tolerance (rtol ${rtol}, atol ${atol}, ofMax ${ofMax}); ` +
        `worst ${at}, ${worst.excess.toPrecision(3)} times the tolerance`,
    };
  },
});

declare module 'expect' {
  interface Matchers<R> {
    toBeClose(expected: Numbers, tolerance: Tolerance): R;
  }
}
