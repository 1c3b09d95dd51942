/**
 * The kernels of the blended forms. Each applies coefficients per column to a matrix, or sums per column over one; only
 * the coefficients, one per channel, are prepared here.
 */
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import type { AverageAttrs, BlendAttrs, MomentsAttrs, ScaleShiftAttrs } from '../contract.ts';
import { PLACEMENTS, padded, wideOf } from '../simd/kernels.ts';
import type { View } from '../view.ts';
import { tensor, valuesOf } from './backend.ts';
import { freshHost, type Host } from './host.ts';
import { describe, forward } from './normalize.ts';
import { pieceOf, Window } from './window.ts';

/** One value for all channels, or one per channel: n * c of them, or c for all n. */
type Coefficient = Float32Array | number;
type Inputs<Name extends string> = Readonly<Record<Name, TensorInfo>>;

export const moments: KernelFunc = ({ inputs, backend, attrs }) => {
  const { x } = inputs as Inputs<'x'>;
  const { view } = attrs as unknown as MomentsAttrs;
  const plain = { view, epsilon: 0, epsilonPlacement: 'inside', center: true, rescale: false } as const;
  const host = freshHost();
  const address = forward(
    host,
    describe(host, plain, undefined, undefined, false),
    view,
    valuesOf(backend, x),
    undefined,
  );
  return tensor(backend, [2, view.n * view.groups], host.read(address, 2 * view.n * view.groups));
};

export const scaleShift: KernelFunc = ({ inputs, backend, attrs }) => {
  const { x, mean, variance, scale, shift } = inputs as Inputs<'x'> &
    Partial<Inputs<'mean' | 'variance' | 'scale' | 'shift'>>;
  const { view, epsilon } = attrs as unknown as ScaleShiftAttrs;
  const coefficient = (t: TensorInfo | undefined, absent: number) => (t ? valuesOf(backend, t) : absent);
  const gain = coefficient(scale, 1);
  const by = variance ? valuesOf(backend, variance).map((v, i) => at(gain, i) / Math.sqrt(v + epsilon)) : gain;
  const y = apply(view, valuesOf(backend, x), undefined, [coefficient(mean, 0), by, coefficient(shift, 0)]);
  return tensor(backend, x.shape, y);
};

export const blendGrad: KernelFunc = ({ inputs, backend, attrs }) => {
  const { dy, x, mean, scale, a, b } = inputs as Inputs<'dy' | 'x' | 'mean' | 'scale' | 'a' | 'b'>;
  const { view } = attrs as unknown as BlendAttrs;
  const coefficients = [mean, scale, a, b].map((t) => valuesOf(backend, t));
  return tensor(backend, x.shape, apply(view, valuesOf(backend, x), valuesOf(backend, dy), coefficients));
};

/** A blend of one row: old * momentum + (moments[row] - 0) * (1 - momentum) + 0. */
export const average: KernelFunc = ({ inputs, backend, attrs }) => {
  const { old, moments } = inputs as Inputs<'old' | 'moments'>;
  const { row, momentum } = attrs as unknown as AverageAttrs;
  const from = valuesOf(backend, old);
  const c = from.length;
  const to = valuesOf(backend, moments).subarray(row * c, (row + 1) * c);
  const values = apply({ n: 1, s: 1, c, groups: c }, to, from, [0, momentum, 1 - momentum, 0]);
  return tensor(backend, old.shape, values);
};

export const scaleShiftGrad: KernelFunc = ({ inputs, backend, attrs }) => {
  const { dy, x, mean } = inputs as Inputs<'dy' | 'x' | 'mean'>;
  const { view } = attrs as unknown as BlendAttrs;
  const { n, s, c } = oneRow(view);
  const size = s * c;
  const dscale = new Float32Array(n * c);
  const dshift = new Float32Array(n * c);
  const means = valuesOf(backend, mean);
  const host = freshHost();
  const { kernels } = host;
  const wide = wideOf(oneRow(view));
  const form = columns(host, oneRow(view));
  const window = new Window(host, pieceOf(size, wide, 2), valuesOf(backend, x), valuesOf(backend, dy), undefined);
  const sums = kernels.sumsOf(form);
  for (let i = 0; i < n; i++) {
    spread(host, kernels.coefficientsOf(form), wide, means, i * c, c);
    kernels.clearSums(form);
    window.read(i * size, size, (length) => kernels.columnGradSums(form, window.x, window.dy, length));
    fold(host.doubles(sums + 8 * padded(wide), wide), dscale, i * c, c);
    fold(host.doubles(sums, wide), dshift, i * c, c);
  }
  return [tensor(backend, [view.n, view.c], dscale), tensor(backend, [view.n, view.c], dshift)];
};

/** Sums of columns, as sums of their channels. */
function fold(sums: Float64Array, to: Float32Array, from: number, c: number): void {
  for (let channel = 0; channel < c; channel++) {
    let sum = 0;
    for (let column = channel; column < sums.length; column += c) sum += sums[column] as number;
    to[from + channel] = sum;
  }
}

/** Samples of one row each are one row of all their channels. */
const oneRow = ({ n, s, c, groups }: View): View => (s === 1 ? { n: 1, s, c: n * c, groups } : { n, s, c, groups });

const at = (coefficient: Coefficient, i: number) =>
  typeof coefficient === 'number' ? coefficient : (coefficient[i % coefficient.length] as number);

/** A form for columns that are not normalized. */
function columns(host: Host, view: View): number {
  const { s, c, groups } = view;
  const wide = wideOf(view);
  const form = host.take(host.kernels.formSize(c, wide, false) / 4);
  host.kernels.describe(form, s, c, groups, wide, 0, 0, false, PLACEMENTS.none, 0, false);
  return form;
}

/** Without dy, (x - mean) * scale + shift; with it, dy * w + (x - mean) * a + b. */
function apply(view: View, x: Float32Array, dy: Float32Array | undefined, coefficients: Coefficient[]): Float32Array {
  const { n, s, c } = oneRow(view);
  const size = s * c;
  const out = new Float32Array(x.length);
  if (x.length === 0) return out;
  const host = freshHost();
  const { kernels } = host;
  const wide = wideOf(oneRow(view));
  const form = columns(host, oneRow(view));
  const window = new Window(host, pieceOf(size, wide, dy ? 2 : 1), x, dy, out);
  const transform = dy
    ? (length: number) => kernels.columnGradAffine(form, window.x, window.dy, window.out, length)
    : (length: number) => kernels.columnAffine(form, window.x, window.out, length);
  for (let i = 0; i < n; i++) {
    let address = kernels.coefficientsOf(form);
    for (const coefficient of coefficients) {
      spread(host, address, wide, coefficient, i * c, c);
      address += 4 * padded(wide);
    }
    window.rewrite(i * size, size, transform);
  }
  return out;
}

/** Writes one value per column: those of the c channels from `from` on, again and again. */
function spread(host: Host, address: number, wide: number, coefficient: Coefficient, from: number, c: number): void {
  if (typeof coefficient === 'number') {
    host.fill(address, wide, coefficient);
    return;
  }
  const size = Math.min(c, coefficient.length); // less than c where samples of one row share their coefficients
  const start = coefficient.length > c ? from : 0;
  for (let column = 0; column < wide; column += size) host.load(address + 4 * column, coefficient, start, size);
}
