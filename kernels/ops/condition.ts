/**
 * Conditional normalization: gamma and beta [conditions, c], with a row for each example, or for each position. Nothing is checked
 * here.
 */
import { mul, ones, reshape, type Tensor } from '@tensorflow/tfjs-core';
import type { View } from '../core/view.ts';
import { inHalf } from './half.ts';
import { type Affine, scaleShift } from './scale-shift.ts';

type Optional = Tensor | undefined;

/** How many rows parameters of c channels have; 1 where there are none. */
const rowsOf = (c: number, gamma: Optional, beta: Optional) => Math.max(gamma?.size ?? c, beta?.size ?? c) / c;

/**
 * The view, with `rowsPerCondition` if gamma or beta has several rows; if both are given, they have equally many. Kernels rely on it that
 * what has neither has no conditions.
 */
export function conditioned(view: View, gamma: Optional, beta: Optional): View {
  if ((gamma === undefined || gamma.size === view.c) && (beta === undefined || beta.size === view.c)) return view;
  return { ...view, rowsPerCondition: (view.n * view.s) / rowsOf(view.c, gamma, beta) };
}

/** Repeats each row of t [rows, c], so that there are `conditions` of them: [conditions, c]. */
export function spread(t: Tensor, conditions: number, c: number): Tensor {
  const given = t.size / c;
  if (given === conditions) return t;
  return reshape(mul(reshape(t, [given, 1, c]), ones([1, conditions / given, 1])), [conditions, c]);
}

/**
 * y = (x - mean) / sqrt(variance + epsilon) * scale + shift with mean and variance [c], and scale and shift [c] or [conditions, c];
 * see `scaleShift`.
 */
export function scaleShiftByCondition(x: Tensor, affine: Affine, view: View, epsilon = 0): Tensor {
  const { mean, variance, scale, shift } = affine;
  const conditions = rowsOf(view.c, scale, shift);
  if (conditions === 1 || x.size === 0) return scaleShift(x, affine, view, epsilon);
  const rows = (view.n * view.s) / conditions;
  const byCondition = { n: conditions, s: rows, c: view.c, groups: view.c };
  // If conditions have several rows, statistics repeated for each of them are small, and one kernel does all. Not with 16-bit
  // floats, for which `scaleShift` is exact with statistics [c] only.
  if (rows > 1 && !inHalf()) {
    const forEach = (t: Optional) => t && spread(t, conditions, view.c);
    return scaleShift(x, { mean: forEach(mean), variance: forEach(variance), scale, shift }, byCondition, epsilon);
  }
  const xHat = mean || variance ? scaleShift(x, { mean, variance }, view, epsilon) : x;
  return scaleShift(xHat, { scale, shift }, byCondition);
}
