/**
 * Brings values near 1, so that their squares stay within the range of floats. The factors are powers of two, which change no
 * digit. Used for what is computed once, and with 16-bit floats.
 */
import { abs, clipByValue, div, floor, log, max, mul, neg, pow, sub, type Tensor } from '@tensorflow/tfjs-core';
import { isHalf } from '../core/registry.ts';
import { constant, withGradient } from '../core/tape.ts';
import { scaleShift } from './scale-shift.ts';

/** Exponents are within -limit and limit, so that 2^limit and 2^-limit are floats with all their digits. */
const limit = () => (isHalf() ? 14 : 126);

/** Whole numbers e, about 2^e <= |x| < 2^(e + 1), but not below `lowest` nor out of range. A constant to every gradient. */
export function exponentOf(x: Tensor, lowest = -limit()): Tensor {
  const [from, to] = [Math.max(lowest, -limit()), limit()];
  return constant(() => clipByValue(floor(div(log(clipByValue(abs(x), 2 ** from, 2 ** to)), Math.LN2)), from, to));
}

/** The exponent of the largest |value| along `axes` (all axes without), which stay as axes of size 1. */
export const largestExponent = (x: Tensor, axes?: number[], lowest?: number): Tensor =>
  constant(() => exponentOf(max(abs(x), axes, true), lowest));

/** x 2^-exponent, for an exponent that brings x near 1. Not for the tape: see `shifted`. */
export const near = (x: Tensor, exponent: Tensor): Tensor => mul(x, pow(2, neg(exponent)));

/**
 * x 2^exponent, differentiable in x. There is one exponent, or one for each index of the first axis or of the last. Results too
 * large for 16-bit floats become the largest of these, unlike with TensorFlow.js's ops, where they become infinite.
 */
export const shifted = (x: Tensor, exponent: Tensor): Tensor =>
  times(
    x,
    constant(() => pow(2, exponent)),
  );

/** As `shifted`, for an exponent that is a sum of up to three, so that 2^exponent may be no float. */
export function shiftedFar(x: Tensor, exponent: Tensor): Tensor {
  const third = constant(() => floor(div(exponent, 3)));
  const rest = constant(() => sub(exponent, mul(third, 2)));
  return shifted(shifted(shifted(x, third), third), rest);
}

/** The exponent of 1 / 2^exponent. */
export const opposite = (exponent: Tensor): Tensor => constant(() => neg(exponent));

function times(x: Tensor, factor: Tensor): Tensor {
  const k = factor.size;
  const size = x.size / k;
  const view = factor.shape.at(-1) === k ? { n: 1, s: size, c: k, groups: k } : { n: k, s: size, c: 1, groups: 1 };
  return withGradient([x], (save) => {
    save([factor]);
    const gradFunc = (dy: Tensor, [factor]: Tensor[]) => times(dy, factor as Tensor);
    return { value: scaleShift(x, { scale: factor }, view), gradFunc };
  });
}
