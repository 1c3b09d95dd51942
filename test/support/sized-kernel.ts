/** Kernels of any size of values, the same for the case and for the oracle. */
import { toHalf } from './half-subjects.ts';
import { normals } from './random.ts';

export interface SizedKernel {
  readonly shape: readonly number[];
  /** The last axis numbers the output units. */
  readonly std: number;
  /** In deviations. Default: 0. */
  readonly mean?: number;
  /** The first unit is all zeros. */
  readonly dead?: boolean;
  /** Multiplies the norms: g of weight normalization is the norm of each unit times it. Default: 1. */
  readonly gain?: number;
  /** Everything is rounded to 16-bit floats. */
  readonly half?: boolean;
}

/** kernel, g, u, and gradients of the results: one that suits g, and one for results of length 1. */
export function sizedKernelInputs({ shape, std, mean = 0, dead, gain = 1, half }: SizedKernel) {
  const held = (values: ArrayLike<number>) => Float32Array.from(values, (value) => (half ? toHalf(value) : value));
  const units = shape.at(-1)!;
  const size = shape.reduce((a, b) => a * b, 1);
  const kernel = held(normals(101, size).map((v, i) => (dead && i % units === 0 ? 0 : std * (v + mean))));
  const norms = new Float64Array(units);
  for (let unit = 0; unit < units; unit++) {
    norms[unit] = Math.hypot(...kernel.filter((_, i) => i % units === unit));
  }
  return {
    kernel,
    norms,
    g: held(norms.map((norm, unit) => norm * gain * (unit % 2 ? -1 : 1))),
    u: held(normals(102, units)),
    dy: held(normals(103, size)),
    dyOfUnits: held(normals(103, size).map((v) => v * std)),
  };
}
