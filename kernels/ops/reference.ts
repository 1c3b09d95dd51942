/**
 * Every kernel of the contract, composed from ordinary TensorFlow.js ops: the fallback where a backend has no kernels,
 * the path of higher-order gradients (every function here is differentiable), and the reference of tests and benchmarks.
 * Statistics take a corrected second pass: what float32 lost of the mean is subtracted once more.
 */
import {
  abs,
  add,
  cast,
  clone,
  div,
  fill,
  lessEqual,
  logicalNot,
  matMul,
  max,
  mean,
  mul,
  notEqual,
  onesLike,
  reshape,
  slice,
  sqrt,
  square,
  stack,
  sub,
  sum,
  type Tensor,
  unstack,
  where,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import type {
  AverageAttrs,
  MomentsAttrs,
  NormalizeAttrs,
  PowerIterationAttrs,
  ScaleShiftAttrs,
} from '../core/contract.ts';
import { isDivisor } from '../core/numbers.ts';
import { constant } from '../core/tape.ts';
import { conditionsOf, type View } from '../core/view.ts';
import { byRoot, divide, unroundedOf } from './quotient.ts';

type Optional = Tensor | undefined;

/** A shape of x in which the values of a group are along whole axes, and these axes. */
function split({ n, s, c, groups }: View): { shape: number[]; axes: number[] } {
  if (s === 1) return { shape: [n, groups, c / groups], axes: [2] };
  if (groups === c) return { shape: [n, s, c], axes: [1] };
  return { shape: [n, s, groups, c / groups], axes: [1, 3] };
}

/** n * c values as [n, 1, c]: broadcastable to x [n, s, c]. */
const perChannel = (t: Tensor, { n, c }: View) => reshape(t, [n, 1, c]);
const asView = (x: Tensor, { n, s, c }: View) => reshape(x, [n, s, c]);

/** x minus its mean, and the mean; the second subtraction removes what float32 lost of the mean. */
function centre(x: Tensor, axes: number[]): { centred: Tensor; mu: Tensor } {
  const pivot = mean(x, axes, true);
  const once = sub(x, pivot);
  const residual = mean(once, axes, true);
  return { centred: sub(once, residual), mu: add(pivot, residual) };
}

/** xHat and what its gradient needs, in the shape of `split`; statistics keep axes of size 1. */
function standardize(x: Tensor, { view, epsilon, epsilonPlacement, center, rescale }: NormalizeAttrs) {
  const { shape, axes } = split(view);
  const x3 = reshape(x, shape);
  const { centred, mu } = center ? centre(x3, axes) : { centred: x3, mu: undefined };
  if (!rescale) return { xHat: centred, mu, axes };
  const squares = mean(square(centred), axes, true);
  const variance = mu && !isDivisor(epsilon) ? unroundedOf(squares, mu) : squares;
  const quotient = (f: Tensor) => (t: Tensor) => divide(t, f, epsilon);
  if (epsilonPlacement === 'inside') {
    const by = byRoot(add(variance, epsilon), epsilon);
    return { xHat: by(centred), mu, variance, axes, by, k: undefined, isAboveFloor: undefined };
  }
  // The gradient of sqrt at 0 is infinite, and 0 times infinity is NaN: take the root of 1 there, and discard it.
  // Comparisons have no gradient function, so they stay off the tape; these let a NaN pass.
  const positive = constant(() => notEqual(variance, 0));
  const safe = sqrt(where(positive, variance, onesLike(variance)));
  const root = where(positive, safe, zerosLike(safe));
  if (epsilonPlacement === 'outside') {
    const f = add(root, epsilon);
    const k = where(positive, div(f, safe), zerosLike(f));
    const by = quotient(f);
    return { xHat: by(centred), mu, variance, axes, by, k, isAboveFloor: undefined };
  }
  const isAboveFloor = constant(() => logicalNot(lessEqual(root, epsilon)));
  const by = quotient(where(isAboveFloor, root, fill(root.shape, epsilon)));
  return { xHat: by(centred), mu, variance, axes, by, k: undefined, isAboveFloor };
}

/** Means and variances as rows of one tensor [2, n * groups]; what is absent is 0. */
function asMoments(mu: Optional, variance: Optional, { n, groups }: View): Tensor {
  const row = (t: Optional) => (t ? reshape(t, [n * groups]) : zeros([n * groups]));
  return stack([row(mu), row(variance)]);
}

/** x as [conditions, rows, c], to which gamma and beta as [conditions, 1, c] are broadcast. */
const byCondition = (x: Tensor, view: View) => {
  const { n, s, c, rowsPerCondition = n * s } = view;
  return reshape(x, [conditionsOf(view), rowsPerCondition, c]);
};
const perCondition = (t: Tensor, view: View) => reshape(t, [conditionsOf(view), 1, view.c]);

/** See `NormalizeAttrs`. */
export function normalize(x: Tensor, gamma: Optional, beta: Optional, attrs: NormalizeAttrs): [Tensor, Tensor] {
  const { view } = attrs;
  const { xHat, mu, variance } = standardize(x, attrs);
  let y = byCondition(xHat, view);
  if (gamma) y = mul(y, perCondition(gamma, view));
  if (beta) y = add(y, perCondition(beta, view));
  return [reshape(y, x.shape), asMoments(mu, variance, view)];
}

/** See `NormalizeGradAttrs`; takes its moments from x anew, so as to be differentiable itself. */
export function normalizeGrad(dy: Tensor, x: Tensor, gamma: Optional, attrs: NormalizeAttrs): [Tensor, Tensor, Tensor] {
  const { view } = attrs;
  const { xHat, by, k, isAboveFloor, axes } = standardize(x, attrs);
  const dy3 = byCondition(dy, view);
  const over = view.rowsPerCondition === undefined ? [0, 1] : [1];
  const dgamma = sum(mul(dy3, byCondition(xHat, view)), over);
  const dbeta = sum(dy3, over);
  const d = reshape(gamma ? mul(dy3, perCondition(gamma, view)) : dy3, xHat.shape);
  let dx = attrs.center ? sub(d, mean(d, axes, true)) : d;
  if (by) dx = by(sub(dx, mul(k ? mul(xHat, k) : xHat, mean(mul(d, xHat), axes, true))));
  if (isAboveFloor) dx = where(isAboveFloor, dx, zerosLike(dx));
  return [reshape(dx, x.shape), dgamma, dbeta];
}

/** See `Moments` of `Kernels`. */
export function moments(x: Tensor, { view }: MomentsAttrs): Tensor {
  const { shape, axes } = split(view);
  const { centred, mu } = centre(reshape(x, shape), axes);
  return asMoments(mu, unroundedOf(mean(square(centred), axes, true), mu), view);
}

/**
 * Moments [2, c] of a batch view over the positions where `mask` (s values) is true. As in Keras, the number of positions
 * gets 1e-7 added, so that no position gives moments of 0. Masked values may be anything, NaN included.
 */
export function maskedMoments(x: Tensor, mask: Tensor, view: View): Tensor {
  const positions = reshape(cast(mask, 'bool'), [view.s, 1]);
  const kept = (t: Tensor) => where(positions, t, zerosLike(t));
  const count = add(sum(cast(positions, 'float32')), 1e-7);
  const average = (t: Tensor) => div(sum(kept(t), 0), count);
  const x2 = kept(reshape(x, [view.s, view.c]));
  const pivot = average(x2);
  const once = sub(x2, pivot);
  const residual = average(once);
  const mu = add(pivot, residual);
  return asMoments(mu, unroundedOf(average(square(sub(once, residual))), mu), view);
}

/** See `ScaleShift` of `Kernels`. */
export function scaleShift(
  x: Tensor,
  { mean, variance, scale, shift }: { mean?: Optional; variance?: Optional; scale?: Optional; shift?: Optional },
  { view, epsilon }: ScaleShiftAttrs,
): Tensor {
  let y = asView(x, view);
  if (mean) y = sub(y, perChannel(mean, view));
  if (variance) y = byRoot(add(perChannel(variance, view), epsilon), epsilon)(y);
  if (scale) y = mul(y, perChannel(scale, view));
  if (shift) y = add(y, perChannel(shift, view));
  return reshape(y, x.shape);
}

/** See `ScaleShiftGrad` of `Kernels`: dscale and dshift, [n, c]. */
export function scaleShiftGrad(dy: Tensor, x: Tensor, mean: Optional, view: View): [Tensor, Tensor] {
  const dy3 = asView(dy, view);
  const centred = mean ? sub(asView(x, view), perChannel(mean, view)) : asView(x, view);
  return [sum(mul(dy3, centred), 1), sum(dy3, 1)];
}

/** See `BlendGrad` of `Kernels`. */
export function blendGrad(
  dy: Tensor,
  x: Tensor,
  { mean, scale, a, b }: { mean: Tensor; scale: Tensor; a: Tensor; b: Tensor },
  view: View,
): Tensor {
  const centred = sub(asView(x, view), perChannel(mean, view));
  const throughMoments = add(mul(centred, perChannel(a, view)), perChannel(b, view));
  return reshape(add(mul(asView(dy, view), perChannel(scale, view)), throughMoments), x.shape);
}

/** The first `size` values of one row of moments: 0 the means, 1 the variances. */
export const row = (moments: Tensor, index: 0 | 1, size: number): Tensor =>
  reshape(slice(moments, [index, 0], [1, size]), [size]);

/** The means and variances, [groups] each, in statistics [2, k]. */
export const rows = (statistics: Tensor, groups: number): [mean: Tensor, variance: Tensor] =>
  statistics.shape[1] === groups
    ? (unstack(statistics) as [Tensor, Tensor])
    : [row(statistics, 0, groups), row(statistics, 1, groups)];

/** See `Average` of `Kernels`. */
export function average(old: Tensor, moments: Tensor, { row: index, momentum }: AverageAttrs): Tensor {
  return add(mul(old, momentum), mul(row(moments, index, old.size), 1 - momentum));
}

/** See `PowerIterationAttrs`. Not for the tape: u and v are constants to every gradient. */
export function powerIteration(
  w: Tensor,
  u: Tensor,
  v: Tensor,
  { iterations, first, epsilon }: PowerIterationAttrs,
): [u: Tensor, v: Tensor, sigma: Tensor] {
  const unit = (x: Tensor, old: Tensor) => {
    // Squares of very large or small values are no floats: divide by the largest first.
    const largest = max(abs(x));
    const near = div(x, where(notEqual(largest, 0), largest, onesLike(largest)));
    const norm = sqrt(sum(square(near)));
    return where(logicalNot(lessEqual(mul(norm, largest), epsilon)), div(near, norm), old);
  };
  const nextU = () => unit(matMul(v, w), u);
  const nextV = () => unit(matMul(u, w, false, true), v);
  for (let i = 0; i < iterations; i++) {
    if (first === 'u') u = nextU();
    v = nextV();
    if (first === 'v') u = nextU();
  }
  // Clones: without iterations u and v are the inputs, and outputs must be tensors of their own.
  return [clone(u), clone(v), reshape(matMul(matMul(v, w), u, false, true), [])];
}
