/**
 * Means and variances over the groups of a view. TensorFlow does the passes over x; their results, n * c numbers or fewer, are
 * read back and finished here in float64, for all placements of epsilon.
 * Two passes, centred before squared. If a mean is many deviations from 0, its rounding error in float32 matters, and the centred
 * values are centred once more. Ordinary data do not take this pass.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { EpsilonPlacement } from '../core/contract.ts';
import { reciprocal, unrounded } from '../core/numbers.ts';
import type { View } from '../core/view.ts';
import type { Call, Value } from './backend.ts';
import { copiesOf, sumOfCopies, sums, sumsOfSquares } from './sums.ts';

type Numbers = ArrayLike<number>;

/**
 * How TensorFlow sees x, so that the axis to sum over is axis 1: rows [n * groups, d] where a group is contiguous, else
 * columns [n, s, c], whose n * c sums are folded into groups here. Long columns are seen as several, [n, s / copies,
 * copies * c]: that is what keeps sums exact, and ops on x with a number per column are faster the more columns there are.
 */
export interface Layout {
  readonly shape: readonly number[];
  /** The shape of statistics that are broadcast to x. */
  readonly statistics: readonly number[];
  /** The number of equal parts into which each column is cut; each part counts as a column. */
  readonly copies: number;
  /** How many sums are added up to that of a group: its channels, or 1 for rows. */
  readonly fold: number;
  /** Values per group. */
  readonly count: number;
}

export function layoutOf(view: View): Layout {
  const { n, s, c, groups } = view;
  const d = c / groups;
  return s === 1
    ? { shape: [n * groups, d], statistics: [n * groups, 1], copies: 1, fold: 1, count: d }
    : columnsOf(view);
}

function columnsOf({ n, s, c, groups }: View): Layout {
  const d = c / groups;
  const copies = copiesOf(s);
  const columns = copies * c;
  return {
    shape: [n, s / copies, columns],
    statistics: n === 1 ? [columns] : [n, 1, columns],
    copies,
    fold: d,
    count: s * d,
  };
}

/** From the sums over axis 1: the sums per example and channel, n * c. */
export function perChannel(sums: Numbers, { shape, copies }: Layout): Numbers {
  return copies === 1 ? sums : sumOfCopies(sums, { n: shape[0] as number, copies, c: (shape[2] as number) / copies });
}

/** From the sums per example and channel: the means per group. */
export function means(each: Numbers, { fold, count }: Layout): Float64Array {
  const means = new Float64Array(each.length / fold);
  for (let group = 0, i = 0; group < means.length; group++) {
    let sum = 0;
    for (let j = 0; j < fold; j++) sum += each[i++] as number;
    means[group] = sum / count;
  }
  return means;
}

/** The mean of each group of x. */
export const meansOf = (call: Call, x: Value, layout: Layout) => means(perChannel(sums(call, x), layout), layout);

/** The mean square of each group of x. */
export const meanSquares = (call: Call, x: Value, layout: Layout) =>
  means(perChannel(sumsOfSquares(call, x), layout), layout);

/** Numbers per group as a tensor that is broadcast to x. */
export function spread(call: Call, values: Numbers, layout: Layout): Value {
  const { fold } = layout;
  const all = new Float32Array(values.length * fold);
  for (let i = 0; i < values.length; i++) all.fill(values[i] as number, i * fold, (i + 1) * fold);
  return spreadChannels(call, all, layout);
}

/** Numbers per example and channel, n * c or c for all examples, as a tensor that is broadcast to x. */
export function spreadChannels(call: Call, values: Float32Array, { statistics, shape, copies }: Layout): Value {
  if (copies === 1) return call.constant(values, statistics);
  const columns = shape[2] as number;
  const c = columns / copies;
  const all = new Float32Array((shape[0] as number) * columns);
  for (let at = 0; at < all.length; at += columns) {
    const from = (at / copies) % values.length;
    all.set(values.subarray(from, from + c), at);
    for (let done = c; done < columns; done *= 2) all.copyWithin(at + done, at, at + Math.min(done, columns - done));
  }
  return call.constant(all, statistics);
}

/** A parameter [c] as a tensor that is broadcast to x. */
export const parameter = (call: Call, p: Value, layout: Layout) =>
  layout.copies === 1 ? p : spreadChannels(call, Float32Array.from(call.read(p)), layout);

/** From this many deviations on the rounding error of a mean matters in values that are centred by it. */
const FAR = 4;

/** Whether centring once is not exact enough in some group, whose mean is large against sqrt(variance + floor). */
export function needsCentring(mean: Numbers, variance: Numbers, floor: number): boolean {
  for (let i = 0; i < mean.length; i++) {
    if ((mean[i] as number) ** 2 > FAR ** 2 * ((variance[i] as number) + floor)) return true;
  }
  return false;
}

/** Rounds that suffice for means of a million deviations. */
export const ROUNDS = 3;

/** xc - mean; adds the mean to `total`, the sum of all means that were subtracted. xc is freed if the call made it. */
export function subtract(call: Call, xc: Value, mean: Numbers, total: Float64Array, layout: Layout): Value {
  const centred = call.replace(xc, call.sub(xc, spread(call, mean, layout)));
  for (let i = 0; i < total.length; i++) total[i] = (total[i] as number) + Math.fround(mean[i] as number);
  return centred;
}

interface Centred {
  readonly xc: Value;
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/** x, of the layout's shape, minus its means. `floor`: see `floorOf`. */
export function centre(call: Call, x: Value, layout: Layout, floor: number): Centred {
  let xc = x;
  let mean = meansOf(call, x, layout);
  const total = new Float64Array(mean.length);
  for (let round = 1; ; round++) {
    xc = subtract(call, xc, mean, total, layout);
    const variance = meanSquares(call, xc, layout);
    if (round === ROUNDS || !needsCentring(mean, variance, floor)) {
      return { xc, mean: total, variance: variance.map((v, i) => unrounded(v, total[i] as number)) };
    }
    mean = meansOf(call, xc, layout);
  }
}

/** As `centre`, with means of 0. */
export function uncentred(call: Call, x: Value, layout: Layout): Centred {
  const variance = meanSquares(call, x, layout);
  return { xc: x, mean: new Float64Array(variance.length), variance };
}

/** x minus the means that the forward kernel has saved in float32. */
export function centreAgain(
  call: Call,
  x: Value,
  { mean, variance }: { readonly mean: Numbers; readonly variance: Numbers },
  layout: Layout,
  floor: number,
): Value {
  const total = new Float64Array(mean.length);
  const xc = subtract(call, x, mean, total, layout);
  if (!needsCentring(mean, variance, floor)) return xc;
  return subtract(call, xc, meansOf(call, xc, layout), total, layout);
}

/** The kernels' moments: means in row 0, variances in row 1. */
export function momentsOf(call: Call, mean: Numbers, variance: Numbers): TensorInfo {
  const k = mean.length;
  const moments = new Float32Array(2 * k);
  moments.set(mean);
  moments.set(variance, k);
  return call.small(moments, [2, k]);
}

interface Form {
  readonly epsilon: number;
  readonly epsilonPlacement: EpsilonPlacement;
}

/** What epsilon adds to the variance in f^2, about. */
export const floorOf = ({ epsilon, epsilonPlacement }: Form) =>
  epsilonPlacement === 'inside' ? epsilon : epsilon ** 2;

/** 1 / f, with the divisor of `EpsilonPlacement`. */
export function reciprocals(variance: Float64Array, { epsilon, epsilonPlacement }: Form): Float64Array {
  const divisor = {
    inside: (v: number) => Math.sqrt(v + epsilon),
    outside: (v: number) => Math.sqrt(v) + epsilon,
    floor: (v: number) => Math.max(Math.sqrt(v), epsilon),
  }[epsilonPlacement];
  return variance.map((v) => reciprocal(divisor(v)));
}

/** The factor k of the gradient. Where it is 0 with 'floor', dx is 0. */
export function factors(variance: Float64Array, { epsilon, epsilonPlacement }: Form): Float64Array {
  const factor = {
    inside: () => 1,
    outside: (v: number) => (v > 0 ? 1 + epsilon / Math.sqrt(v) : v === 0 ? 0 : Number.NaN),
    floor: (v: number) => (Math.sqrt(v) > epsilon ? 1 : 0),
  }[epsilonPlacement];
  return variance.map(factor);
}
