/**
 * An independent float64 oracle of every kernel of the contract: plain loops over (n, s, c), written from the definitions.
 * It shares nothing with the library but the types of the contract; `oracle.test.ts` proves its gradients numerically.
 */
import type { EpsilonPlacement } from '../../kernels/core/contract.ts';
import type { View } from '../../kernels/core/view.ts';

export type Values = ArrayLike<number>;
type Optional = Values | undefined;

export interface NormalizeOptions {
  readonly view: View;
  readonly epsilon: number;
  readonly epsilonPlacement: EpsilonPlacement;
  readonly center: boolean;
  readonly rescale: boolean;
}

/** Calls `visit(index into x, index of the group's statistics, channel, index into the parameters)` for every element. */
function each(
  { n, s, c, groups, rowsPerCondition = n * s }: View,
  visit: (i: number, group: number, channel: number, parameter: number) => void,
): void {
  let i = 0;
  for (let row = 0; row < n * s; row++) {
    let group = Math.floor(row / s) * groups;
    const firstParameter = Math.floor(row / rowsPerCondition) * c;
    for (let channel = 0; channel < c; group++) {
      for (let k = 0; k < c / groups; k++, channel++) visit(i++, group, channel, firstParameter + channel);
    }
  }
}

/** The mean over each group of what `value` gives: [n * groups]. */
function groupMean(view: View, value: (i: number, group: number, parameter: number) => number): Float64Array {
  const total = new Float64Array(view.n * view.groups);
  each(view, (i, group, _, parameter) => {
    total[group]! += value(i, group, parameter);
  });
  const size = (view.s * view.c) / view.groups;
  return total.map((sum) => sum / size);
}

function joined(first: Float64Array, second: Float64Array): Float64Array {
  const both = new Float64Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** Mean and biased variance of each group: [2, n * groups]. */
export function moments(x: Values, view: View): Float64Array {
  const mean = groupMean(view, (i) => x[i]!);
  const variance = groupMean(view, (i, group) => (x[i]! - mean[group]!) ** 2);
  return joined(mean, variance);
}

/** The divisor f of a group whose variance (or mean square) is v, and v itself. */
function statistics(x: Values, { view, epsilon, epsilonPlacement, center, rescale }: NormalizeOptions) {
  const mean = center ? groupMean(view, (i) => x[i]!) : new Float64Array(view.n * view.groups);
  const variance = groupMean(view, (i, group) => (x[i]! - mean[group]!) ** 2);
  const f = variance.map((v) => {
    if (!rescale) return 1;
    if (epsilonPlacement === 'inside') return Math.sqrt(v + epsilon);
    return epsilonPlacement === 'outside' ? Math.sqrt(v) + epsilon : Math.max(Math.sqrt(v), epsilon);
  });
  return { mean, variance, f };
}

/** y = (x - mean) / f * gamma + beta, and the statistics [2, n * groups]. */
export function normalize(x: Values, gamma: Optional, beta: Optional, options: NormalizeOptions) {
  const { mean, variance, f } = statistics(x, options);
  const y = new Float64Array(x.length);
  each(options.view, (i, group, _, parameter) => {
    y[i] = ((x[i]! - mean[group]!) / f[group]!) * (gamma?.[parameter] ?? 1) + (beta?.[parameter] ?? 0);
  });
  return { y, moments: joined(mean, variance) };
}

/** The gradient of sum(y dy): derivative of y by the chain rule, one group at a time, with df/dv written out. */
export function normalizeGrad(dy: Values, x: Values, gamma: Optional, options: NormalizeOptions) {
  const { view, epsilon, epsilonPlacement, center, rescale } = options;
  const { mean, variance, f } = statistics(x, options);
  const conditions = (view.n * view.s) / (view.rowsPerCondition ?? view.n * view.s);
  const dgamma = new Float64Array(view.c * conditions);
  const dbeta = new Float64Array(view.c * conditions);
  each(view, (i, group, _, parameter) => {
    dgamma[parameter]! += (dy[i]! * (x[i]! - mean[group]!)) / f[group]!;
    dbeta[parameter]! += dy[i]!;
  });

  // y depends on x directly (d / f), through the mean, and through v: dv/dx = 2 (x - mean) / size, df/dv by placement.
  const d = (i: number, parameter: number) => dy[i]! * (gamma?.[parameter] ?? 1);
  const dMean = groupMean(view, (i, _, parameter) => d(i, parameter));
  const dCentred = groupMean(view, (i, group, parameter) => d(i, parameter) * (x[i]! - mean[group]!));
  const slope = variance.map((v) => {
    if (!rescale) return 0;
    if (epsilonPlacement === 'inside') return 1 / (2 * Math.sqrt(v + epsilon));
    if (epsilonPlacement === 'outside') return v === 0 ? 0 : 1 / (2 * Math.sqrt(v));
    return Math.sqrt(v) > epsilon ? 1 / (2 * Math.sqrt(v)) : 0;
  });
  const dx = new Float64Array(x.length);
  each(view, (i, group, _, parameter) => {
    const divisor = f[group]!;
    const direct = (d(i, parameter) - (center ? dMean[group]! : 0)) / divisor;
    const throughF = (dCentred[group]! * slope[group]! * 2 * (x[i]! - mean[group]!)) / divisor ** 2;
    const dead = rescale && epsilonPlacement === 'floor' && !(Math.sqrt(variance[group]!) > epsilon);
    dx[i] = dead ? 0 : direct - throughF;
  });
  return { dx, dgamma, dbeta };
}

/** The gradient with respect to x of sum(moments dmoments), dmoments: [2, n * groups]. */
export function momentsGrad(dmoments: Values, x: Values, view: View): Float64Array {
  const count = view.n * view.groups;
  const size = (view.s * view.c) / view.groups;
  const mean = groupMean(view, (i) => x[i]!);
  const dx = new Float64Array(x.length);
  each(view, (i, group) => {
    dx[i] = (dmoments[group]! + 2 * (x[i]! - mean[group]!) * dmoments[count + group]!) / size;
  });
  return dx;
}

/** The index into n * c values per channel, or into c values shared by all n. */
const perChannel = (view: View, values: Values, i: number, channel: number) =>
  values[values.length === view.c ? channel : Math.floor(i / (view.s * view.c)) * view.c + channel]!;

export interface AffineValues {
  readonly mean?: Optional;
  readonly variance?: Optional;
  readonly scale?: Optional;
  readonly shift?: Optional;
}

/** y = (x - mean) / sqrt(variance + epsilon) * scale + shift; what is absent is 0 (mean, shift) or 1. */
export function scaleShift(x: Values, affine: AffineValues, view: View, epsilon = 0): Float64Array {
  const { mean, variance, scale, shift } = affine;
  const y = new Float64Array(x.length);
  each(view, (i, _, channel) => {
    const at = (values: Values) => perChannel(view, values, i, channel);
    y[i] =
      ((x[i]! - (mean ? at(mean) : 0)) / (variance ? Math.sqrt(at(variance) + epsilon) : 1)) * (scale ? at(scale) : 1) +
      (shift ? at(shift) : 0);
  });
  return y;
}

/** dscale = sum over s of dy (x - mean), dshift = sum over s of dy: [n, c] each. */
export function scaleShiftGrad(dy: Values, x: Values, mean: Optional, view: View) {
  const dscale = new Float64Array(view.n * view.c);
  const dshift = new Float64Array(view.n * view.c);
  each(view, (i, _, channel) => {
    const at = Math.floor(i / (view.s * view.c)) * view.c + channel;
    dscale[at]! += dy[i]! * (x[i]! - (mean ? perChannel(view, mean, i, channel) : 0));
    dshift[at]! += dy[i]!;
  });
  return { dscale, dshift };
}

/** dx = dy * scale + (x - mean) * a + b. */
export function blendGrad(
  dy: Values,
  x: Values,
  { mean, scale, a, b }: { mean: Values; scale: Values; a: Values; b: Values },
  view: View,
): Float64Array {
  const dx = new Float64Array(x.length);
  each(view, (i, _, channel) => {
    const at = (values: Values) => perChannel(view, values, i, channel);
    dx[i] = dy[i]! * at(scale) + (x[i]! - at(mean)) * at(a) + at(b);
  });
  return dx;
}

/** momentum * old + (1 - momentum) * moments[row]. */
export function average(old: Values, moments: Values, row: 0 | 1, momentum: number): Float64Array {
  const start = (row * moments.length) / 2;
  return Float64Array.from(old, (value, i) => momentum * value + (1 - momentum) * moments[start + i]!);
}
