/**
 * The kernels of the blended forms: each transforms columns with given coefficients, or sums them. Only the coefficients,
 * one per channel, are prepared here.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { reciprocal } from '../core/numbers.ts';
import type { View } from '../core/view.ts';
import { PLACEMENTS, padded, wideOf } from '../simd/kernels.ts';
import { kernel, tensor, valuesOf } from './backend.ts';
import { freshHost } from './host.ts';
import { describe, forward } from './normalize.ts';
import { pieceOf, Window } from './window.ts';

/** One value for all channels, or one per channel: n * c of them, or c for all n. */
type Coefficient = Float32Array | number;

export const moments = kernel<'Moments'>(({ inputs: { x }, backend, attrs: { view } }) => {
  const plain = { view, epsilon: 0, epsilonPlacement: 'inside', center: true, rescale: false } as const;
  const host = freshHost();
  const address = forward(
    host,
    describe(host, plain, undefined, undefined, false),
    view,
    valuesOf(backend, x),
    undefined,
  );
  return [tensor(backend, [2, view.n * view.groups], host.read(address, 2 * view.n * view.groups))];
});

export const scaleShift = kernel<'ScaleShift'>(({ inputs, backend, attrs: { view, epsilon } }) => {
  const { x, mean, variance, scale, shift } = inputs;
  const coefficient = (t: TensorInfo | undefined, absent: number) => (t ? valuesOf(backend, t) : absent);
  const gain = coefficient(scale, 1);
  const by = variance
    ? valuesOf(backend, variance).map((v, i) => at(gain, i) * reciprocal(Math.sqrt(v + epsilon)))
    : gain;
  const y = apply(view, valuesOf(backend, x), undefined, [coefficient(mean, 0), by, coefficient(shift, 0)]);
  return [tensor(backend, x.shape, y)];
});

export const blendGrad = kernel<'BlendGrad'>(({ inputs, backend, attrs: { view } }) => {
  const { dy, x, mean, scale, a, b } = inputs;
  const coefficients = [mean, scale, a, b].map((t) => valuesOf(backend, t));
  return [tensor(backend, x.shape, apply(view, valuesOf(backend, x), valuesOf(backend, dy), coefficients))];
});

/** A blend of one row: old * momentum + (moments[row] - 0) * (1 - momentum) + 0. */
export const average = kernel<'Average'>(({ inputs: { old, moments }, backend, attrs: { row, momentum } }) => {
  const from = valuesOf(backend, old);
  const c = from.length;
  const to = valuesOf(backend, moments).subarray(row * c, (row + 1) * c);
  const values = apply({ n: 1, s: 1, c, groups: c }, to, from, [0, momentum, 1 - momentum, 0]);
  return [tensor(backend, old.shape, values)];
});

export const scaleShiftGrad = kernel<'ScaleShiftGrad'>(({ inputs: { dy, x, mean }, backend, attrs: { view } }) => {
  const dscale = new Float32Array(view.n * view.c);
  const dshift = new Float32Array(view.n * view.c);
  const means = valuesOf(backend, mean);
  if (x.shape.every((size) => size > 0)) {
    const columns = new Columns(view, valuesOf(backend, x), valuesOf(backend, dy), undefined);
    const { host, kernels, form, n, c, size, wide, window } = columns;
    const sums = kernels.sumsOf(form);
    for (let i = 0; i < n; i++) {
      columns.coefficients(i, [means]);
      kernels.clearSums(form);
      window.read(i * size, size, (length) => kernels.columnGradSums(form, window.x, window.dy, length));
      fold(host.doubles(sums, wide), dshift, i * c, c);
      fold(host.doubles(sums + 8 * padded(wide), wide), dscale, i * c, c);
    }
  }
  return [tensor(backend, [view.n, view.c], dscale), tensor(backend, [view.n, view.c], dshift)];
});

/** Sums of columns, as sums of their channels. */
function fold(sums: Float64Array, to: Float32Array, from: number, c: number): void {
  for (let channel = 0; channel < c; channel++) {
    let sum = 0;
    for (let column = channel; column < sums.length; column += c) sum += sums[column] as number;
    to[from + channel] = sum;
  }
}

const at = (coefficient: Coefficient, i: number) =>
  typeof coefficient === 'number' ? coefficient : (coefficient[i % coefficient.length] as number);

/** Without dy, (x - mean) * scale + shift; with it, dy * w + (x - mean) * a + b. */
function apply(view: View, x: Float32Array, dy: Float32Array | undefined, coefficients: Coefficient[]): Float32Array {
  const out = new Float32Array(x.length);
  if (x.length === 0) return out;
  const columns = new Columns(view, x, dy, out);
  const { kernels, form, n, size, window } = columns;
  const transform = dy
    ? (length: number) => kernels.columnGradAffine(form, window.x, window.dy, window.out, length)
    : (length: number) => kernels.columnAffine(form, window.x, window.out, length);
  for (let i = 0; i < n; i++) {
    columns.coefficients(i, coefficients);
    window.rewrite(i * size, size, transform);
  }
  return out;
}

/** Columns that are not normalized, and the window through which they go. */
class Columns {
  readonly host = freshHost();
  readonly kernels = this.host.kernels;
  /** Samples of one row each are taken as one row of all their channels. */
  readonly n: number;
  readonly c: number;
  readonly size: number;
  readonly wide: number;
  readonly form: number;
  readonly window: Window;

  constructor(view: View, x: Float32Array, dy: Float32Array | undefined, out: Float32Array | undefined) {
    const { s } = view;
    this.n = s === 1 ? 1 : view.n;
    this.c = s === 1 ? view.n * view.c : view.c;
    this.size = s * this.c;
    this.wide = wideOf({ s, c: this.c });
    this.form = this.host.take(this.kernels.formSize(this.c, this.wide, false) / 4);
    this.kernels.describe(this.form, s, this.c, this.c, this.wide, 0, 0, false, PLACEMENTS.none, 0, false);
    this.window = new Window(this.host, pieceOf(this.size, this.wide, dy ? 2 : 1), x, dy, out);
  }

  /** Sets the coefficients of sample i. */
  coefficients(i: number, coefficients: Coefficient[]): void {
    const { host, kernels, c, wide } = this;
    let address = kernels.coefficientsOf(this.form);
    for (const coefficient of coefficients) {
      if (typeof coefficient === 'number') host.fill(address, wide, coefficient);
      else {
        const size = Math.min(c, coefficient.length); // less than c where samples of one row share their coefficients
        const from = coefficient.length > c ? i * c : 0;
        for (let column = 0; column < wide; column += size) host.load(address + 4 * column, coefficient, from, size);
      }
      address += 4 * padded(wide);
    }
  }
}
