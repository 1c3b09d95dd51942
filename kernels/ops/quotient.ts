/**
 * Division by divisors that may be 0, as is the deviation of a group without variance if epsilon is 0. The quotient is 0 there,
 * and so is its gradient.
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

/** x / f, or 0 where f is too small; f contains `epsilon`. */
export const divide = (x: Tensor, f: Tensor, epsilon: number): Tensor =>
  isDivisor(epsilon) ? div(x, f) : mul(x, careful(f, SMALLEST_F32_DIVISOR, tfReciprocal));

/** 1 / sqrt(sum), or 0 where the root is too small; sum is a variance plus `epsilon`. */
export const reciprocalRoot = (sum: Tensor, epsilon: number): Tensor =>
  isDivisor(epsilon) ? rsqrt(sum) : careful(sum, SMALLEST_F32_DIVISOR ** 2, rsqrt);

/** A function that divides by sqrt(sum), with the quotient 0 where the root is too small; sum is a variance plus `epsilon`. */
export function byRoot(sum: Tensor, epsilon: number): (x: Tensor) => Tensor {
  if (!isDivisor(epsilon)) {
    const r = reciprocalRoot(sum, epsilon);
    return (x) => mul(x, r);
  }
  const f = sqrt(sum);
  return (x) => div(x, f);
}

/** f(x) where x > least, else 0. The inner `where` keeps gradients finite where f(x) is not used. NaN stays NaN. */
function careful(x: Tensor, least: number, f: (x: Tensor) => Tensor): Tensor {
  const isSome = constant(() => logicalNot(lessEqual(x, least)));
  return where(isSome, f(where(isSome, x, onesLike(x))), zerosLike(x));
}

/** A variance, or 0 where it is what rounding leaves of equal values. */
export function unroundedOf(variance: Tensor, mean: Tensor): Tensor {
  const isNone = constant(() => lessEqual(variance, square(mul(mean, Math.sqrt(ROUNDING)))));
  return where(isNone, zerosLike(variance), variance);
}
