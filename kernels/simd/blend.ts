/**
 * The kernels of the blended form: WebAssembly transforms columns with given coefficients, or sums them. The coefficients, one
 * per channel, are prepared here.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { reciprocal } from '../core/numbers.ts';
import type { View } from '../core/view.ts';
import { PLACEMENTS, padded, wideOf } from './kernels.ts';
import type { Memory, SimdKernel, Window } from './memory.ts';
import { pieceOf, read, rewrite } from './pieces.ts';

/** One value for all channels, or one per channel: n * c of them, or c for all n. */
type Coefficient = Float32Array | number;

export const scaleShift: SimdKernel<'ScaleShift'> = (
  memory,
  { x, mean, variance, scale, shift },
  { view, epsilon },
) => {
  const coefficient = (t: TensorInfo | undefined, absent: number) => (t ? memory.values(t) : absent);
  const gain = coefficient(scale, 1);
  const by = variance ? memory.values(variance).map((v, i) => at(gain, i) * reciprocal(Math.sqrt(v + epsilon))) : gain;
  return [apply(memory, view, x, undefined, [coefficient(mean, 0), by, coefficient(shift, 0)])];
};

export const blendGrad: SimdKernel<'BlendGrad'> = (memory, { dy, x, mean, scale, a, b }, { view }) => {
  const coefficients = [mean, scale, a, b].map((t) => memory.values(t));
  return [apply(memory, view, x, dy, coefficients)];
};

/** In JavaScript: there is one value per channel only. */
export const average: SimdKernel<'Average'> = (memory, { old, moments }, { row, momentum }) => {
  const values = memory.values(moments);
  const start = row * (moments.shape[1] as number);
  const moved = memory.values(old).map((value, i) => momentum * value + (1 - momentum) * (values[start + i] as number));
  return [memory.tensor(old.shape, moved)];
};

export const scaleShiftGrad: SimdKernel<'ScaleShiftGrad'> = (memory, { dy, x, mean }, { view }) => {
  const dscale = new Float32Array(view.n * view.c);
  const dshift = new Float32Array(view.n * view.c);
  if (hasValues(view)) {
    const means = memory.values(mean);
    const columns = new Columns(memory, view, x, dy, undefined);
    const { kernels, form, n, c, size, wide, window } = columns;
    const sums = kernels.sumsOf(form) >>> 0;
    for (let i = 0; i < n; i++) {
      columns.coefficients(i, [means]);
      kernels.clearSums(form);
      read(window, i * size, size, (length) => kernels.columnGradSums(form, window.x, window.dy, length));
      fold(memory.doubles(sums, wide), dshift, i * c, c);
      fold(memory.doubles(sums + 8 * padded(wide), wide), dscale, i * c, c);
    }
  }
  const shape = [view.n, view.c];
  return [memory.tensor(shape, dscale), memory.tensor(shape, dshift)];
};

const hasValues = ({ n, s, c }: View) => n * s * c > 0;

/** Adds up the sums of the columns of each channel: column j belongs to channel j % c. */
function fold(sums: Float64Array, to: Float32Array, from: number, c: number): void {
  for (let channel = 0; channel < c; channel++) {
    let sum = 0;
    for (let column = channel; column < sums.length; column += c) sum += sums[column] as number;
    to[from + channel] = sum;
  }
}

const at = (coefficient: Coefficient, i: number) =>
  typeof coefficient === 'number' ? coefficient : (coefficient[i % coefficient.length] as number);

/**
 * (x - mean) * scale + shift; with dy, dy * scale + (x - mean) * a + b.
 *
 * @param coefficients mean, scale, shift; with dy: mean, scale, a, b
 */
function apply(
  memory: Memory,
  view: View,
  x: TensorInfo,
  dy: TensorInfo | undefined,
  coefficients: readonly Coefficient[],
): TensorInfo {
  if (!hasValues(view)) return memory.tensor(x.shape, new Float32Array(0));
  const columns = new Columns(memory, view, x, dy, x.shape);
  const { kernels, form, n, size, window } = columns;
  const transform = dy
    ? (length: number) => kernels.columnGradAffine(form, window.x, window.dy, window.out, length)
    : (length: number) => kernels.columnAffine(form, window.x, window.out, length);
  for (let i = 0; i < n; i++) {
    columns.coefficients(i, coefficients);
    rewrite(window, i * size, size, transform);
  }
  return window.tensor();
}

/** A view whose columns are transformed or summed, but not normalized, and the window through which they go. */
class Columns {
  /** If samples have one row each, all of them are taken as one sample with a row of n * c channels. */
  readonly n: number;
  readonly c: number;
  readonly size: number;
  readonly wide: number;
  readonly form: number;
  readonly window: Window;
  readonly kernels;
  readonly #memory: Memory;

  constructor(memory: Memory, view: View, x: TensorInfo, dy: TensorInfo | undefined, shape: number[] | undefined) {
    const { s } = view;
    const { kernels } = memory;
    this.#memory = memory;
    this.kernels = kernels;
    this.n = s === 1 ? 1 : view.n;
    this.c = s === 1 ? view.n * view.c : view.c;
    this.size = s * this.c;
    this.wide = wideOf({ s, c: this.c });
    this.form = memory.scratch(kernels.formSize(this.c, this.wide, false) / 4);
    kernels.describe(this.form, s, this.c, this.c, this.wide, 0, 0, false, PLACEMENTS.none, 0, false);
    this.window = memory.window(pieceOf(this.size, this.wide, dy ? 2 : 1), x, dy, shape);
  }

  /** Sets the coefficients of sample i. */
  coefficients(i: number, coefficients: readonly Coefficient[]): void {
    const { kernels, c, wide } = this;
    const memory = this.#memory;
    let address = kernels.coefficientsOf(this.form) >>> 0;
    for (const coefficient of coefficients) {
      if (typeof coefficient === 'number') memory.fill(address, wide, coefficient);
      else {
        const size = Math.min(c, coefficient.length); // less than c if samples of one row share their coefficients
        const from = coefficient.length > c ? i * c : 0;
        for (let column = 0; column < wide; column += size) memory.write(address + 4 * column, coefficient, from, size);
      }
      address += 4 * padded(wide);
    }
  }
}
