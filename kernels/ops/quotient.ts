/**
 * Division where there may be nothing to divide by: with epsilon 0, by the deviation of a group without variance. The quotient
 * is 0 there, and so is its gradient.
 */
import {
  div,
  lessEqual,
  logicalNot,
  mul,
  onesLike,
  rsqrt,
  sqrt,
  square,
  type Tensor,
  reciprocal as tfReciprocal,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { isDivisor, ROUNDING, SMALLEST_F32_DIVISOR } from '../core/numbers.ts';
import { constant } from '../core/tape.ts';

/** x / f, or 0, where f is a divisor to which `epsilon` has been added, or of such divisors. */
export const divide = (x: Tensor, f: Tensor, epsilon: number): Tensor =>
  isDivisor(epsilon) ? div(x, f) : mul(x, careful(f, SMALLEST_F32_DIVISOR, tfReciprocal));

/** 1 / sqrt(sum) of variances with `epsilon` added, or 0. */
export const reciprocalRoot = (sum: Tensor, epsilon: number): Tensor =>
  isDivisor(epsilon) ? rsqrt(sum) : careful(sum, SMALLEST_F32_DIVISOR ** 2, rsqrt);

/** Division by sqrt(sum) of variances with `epsilon` added; the quotient may be 0, as above. */
export function byRoot(sum: Tensor, epsilon: number): (x: Tensor) => Tensor {
  if (!isDivisor(epsilon)) {
    const r = reciprocalRoot(sum, epsilon);
    return (x) => mul(x, r);
  }
  const f = sqrt(sum);
  return (x) => div(x, f);
}

/** `f` of what is more than `least`, which has a finite gradient also where the result is not used. NaN stays NaN. */
function careful(x: Tensor, least: number, f: (x: Tensor) => Tensor): Tensor {
  const isSome = constant(() => logicalNot(lessEqual(x, least)));
  return where(isSome, f(where(isSome, x, onesLike(x))), zerosLike(x));
}

/** A variance, or 0 where it is what rounding leaves of equal values. */
export function unroundedOf(variance: Tensor, mean: Tensor): Tensor {
  const isNone = constant(() => lessEqual(variance, square(mul(mean, Math.sqrt(ROUNDING)))));
  return where(isNone, zerosLike(variance), variance);
}
