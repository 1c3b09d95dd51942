/**
 * What a backend must implement: its kernels, each with its inputs, attributes and outputs. Kernels see flat float32 data and a
 * view, never a shape; they trust their inputs, which the public functions have checked. Every output has the shape given here;
 * `x`-shaped outputs keep the shape of x.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { View } from './view.ts';

/**
 * Where epsilon stands in the divisor f of a group with variance (or mean square) v:
 * 'inside' f = sqrt(v + epsilon); 'outside' f = sqrt(v) + epsilon; 'floor' f = max(sqrt(v), epsilon).
 * 1 / f counts as 0 where f is below 2^-63, the root of the smallest normal float32: with epsilon 0 a group without variance
 * then has y = beta, and nothing is divided by 0. A v that is within the rounding error of equal values counts as 0, too. For both
 * rules numbers.ts has functions: `reciprocal` and `unrounded`.
 */
export type EpsilonPlacement = 'inside' | 'outside' | 'floor';

/**
 * `Normalize`: y = (x - mean) / f * gamma + beta. With a residual, sum = x + residual takes the place of x in the formula, and is
 * an output, too.
 *
 * The statistics are a tensor [2, k] with k >= n * groups. In its first n * groups columns row 0 has the means and row 1 the
 * (biased) variances; further columns are a backend's own: its `NormalizeGrad` is given the same tensor. The means are rounded to
 * float32, so that x minus its mean there still has a mean, which `NormalizeGrad` subtracts, too. With `center` false the
 * mean is 0 and the "variance" the mean square; with `rescale` false f = 1 and row 1 is unspecified.
 */
export interface NormalizeAttrs {
  readonly view: View;
  readonly epsilon: number;
  readonly epsilonPlacement: EpsilonPlacement;
  /** Subtract the mean (false: RMS, Weight, Query-Key). */
  readonly center: boolean;
  /** Divide by f (false: Mean-Only). */
  readonly rescale: boolean;
  /** The statistics are not wanted: neither for a gradient nor for moving averages. Not with a residual. */
  readonly yOnly?: boolean;
}

/**
 * `NormalizeGrad`: with D = gamma dy, means over the group, and xHat = (x - mean) / f,
 *
 *   dx = (D - mean(D) - k xHat mean(D xHat)) / f     dgamma = sum(dy xHat)     dbeta = sum(dy)
 *
 * 'inside': k = 1; 'outside': k = f / sqrt(v), 0 where v = 0; 'floor': k = 1 where sqrt(v) > epsilon, else 0 - and dx = 0
 * in groups where sqrt(v) <= epsilon. `center` false drops mean(D); `rescale` false drops the last term and f = 1. The sums of dgamma
 * and dbeta are over the rows that share gamma and beta. After a residual x is the sum, and `dsum` the gradient of that output: it
 * is added to dx, which then is the gradient of the input x and of the residual.
 */
export interface NormalizeGradAttrs extends NormalizeAttrs {
  /** Whether dgamma and dbeta are wanted. */
  readonly affine: boolean;
}

export interface MomentsAttrs {
  readonly view: View;
  /** Give statistics, as `Normalize` does: a `NormalizeGrad` follows. */
  readonly asStatistics?: boolean;
}

export interface ScaleShiftAttrs {
  readonly view: View;
  /** Used with `variance` only. */
  readonly epsilon: number;
}

export interface BlendAttrs {
  readonly view: View;
}

export interface AverageAttrs {
  readonly row: 0 | 1;
  readonly momentum: number;
}

/**
 * `PowerIteration`: `iterations` times, with n(x) = x / ||x||,
 *
 *   first 'u':  u = n(v w), v = n(u w^T)          first 'v':  v = n(u w^T), u = n(v w)
 *
 * and then sigma = v w u^T, an estimate of the largest singular value of w. Where ||x|| is at most `epsilon`, as for w = 0, the
 * vector keeps its old value. Norms are right even where squares of values are too large or small for a float. NaN stays NaN.
 */
export interface PowerIterationAttrs {
  /** 0: sigma only; u and v come out as they were. */
  readonly iterations: number;
  readonly first: 'u' | 'v';
  readonly epsilon: number;
}

export interface SwapAxesAttrs {
  readonly n: number;
  readonly a: number;
  readonly b: number;
}

/**
 * The kernels by name. `T` is the type of a tensor: `Tensor` in code that runs kernels, `TensorInfo` in code that implements them.
 * Outputs are lists, as in TensorFlow.js.
 */
export interface Kernels<T> {
  /**
   * gamma and beta [c], or [conditions, c] if the view has `rowsPerCondition`; statistics [2, k], absent if `yOnly`; residual and sum
   * of the shape of x, both or neither. See {@link NormalizeAttrs}.
   */
  Normalize: {
    inputs: {
      readonly x: T;
      readonly residual?: T | undefined;
      readonly gamma?: T | undefined;
      readonly beta?: T | undefined;
    };
    attrs: NormalizeAttrs;
    outputs: [y: T] | [y: T, statistics: T] | [y: T, statistics: T, sum: T];
  };
  /**
   * statistics: the output of `Normalize`; dgamma and dbeta, of the shapes of gamma and beta, only if `affine`. See
   * {@link NormalizeGradAttrs}.
   */
  NormalizeGrad: {
    inputs: {
      readonly dy: T;
      readonly dsum?: T | undefined;
      readonly x: T;
      readonly statistics: T;
      readonly gamma?: T | undefined;
    };
    attrs: NormalizeGradAttrs;
    outputs: [dx: T] | [dx: T, dgamma: T, dbeta: T];
  };
  /** moments [2, n * groups]: mean and biased variance; or statistics [2, k]. */
  Moments: {
    inputs: { readonly x: T };
    attrs: MomentsAttrs;
    outputs: [moments: T];
  };
  /**
   * y = (x - mean) / f * scale + shift, with f = sqrt(variance + epsilon), where 1 / f counts as 0 if f is as small as in
   * {@link EpsilonPlacement}. The coefficients have n * c values each (`groups` of the view does not matter); one that is absent is
   * 0 (mean, shift) or 1 (scale, and f).
   */
  ScaleShift: {
    inputs: {
      readonly x: T;
      readonly mean?: T | undefined;
      readonly variance?: T | undefined;
      readonly scale?: T | undefined;
      readonly shift?: T | undefined;
    };
    attrs: ScaleShiftAttrs;
    outputs: [y: T];
  };
  /** dscale = sum_s dy (x - mean) and dshift = sum_s dy, [n, c] each; mean has n * c values. */
  ScaleShiftGrad: {
    inputs: { readonly dy: T; readonly x: T; readonly mean: T };
    attrs: BlendAttrs;
    outputs: [dscale: T, dshift: T];
  };
  /** dx = dy * scale + (x - mean) * a + b; the coefficients have n * c values each. */
  BlendGrad: {
    inputs: { readonly dy: T; readonly x: T; readonly mean: T; readonly scale: T; readonly a: T; readonly b: T };
    attrs: BlendAttrs;
    outputs: [dx: T];
  };
  /** momentum * old + (1 - momentum) * moments[row]; moments [2, k] may be statistics, of which the first old.size columns count. */
  Average: {
    inputs: { readonly old: T; readonly moments: T };
    attrs: AverageAttrs;
    outputs: [average: T];
  };
  /** w [rest, out], u [1, out], v [1, rest], sigma []. See {@link PowerIterationAttrs}. */
  PowerIteration: {
    inputs: { readonly w: T; readonly u: T; readonly v: T };
    attrs: PowerIterationAttrs;
    outputs: [u: T, v: T, sigma: T];
  };
  /**
   * x [n, a, b], of any shape, to [n, b, a]. For backends whose own transpose is slow: TensorFlow.js's takes the time of fifty
   * copies on cpu, and of up to thirty on wasm.
   */
  SwapAxes: {
    inputs: { readonly x: T };
    attrs: SwapAxesAttrs;
    outputs: [y: T];
  };
  /**
   * The spread [3, n * c] of x. This and the next three kernels are only for backends whose tensors may hold 16-bit floats. There
   * a variance overflows if the deviation is 256 or more, and a mean of ten deviations has a rounding error of some thousandths
   * of a deviation. A *spread* avoids both. Its three rows have, for each channel of each example: the first value, which is a
   * 16-bit float already; the mean minus the first value; and the divisor f = sqrt(variance + epsilon), at least
   * `SMALLEST_DIVISOR`. xHat = (x - mean) / f. Results that are too large become +-65504.
   */
  Spread: {
    inputs: { readonly x: T };
    attrs: ScaleShiftAttrs;
    outputs: [spread: T];
  };
  /** y = xHat * scale + shift; scale and shift have n * c values each. */
  Standardize: {
    inputs: { readonly x: T; readonly spread: T; readonly scale: T; readonly shift: T };
    attrs: BlendAttrs;
    outputs: [y: T];
  };
  /** The means over s of dy xHat and of dy, [n, c] each. */
  StandardizeSums: {
    inputs: { readonly dy: T; readonly x: T; readonly spread: T };
    attrs: BlendAttrs;
    outputs: [dyXHat: T, dy: T];
  };
  /**
   * dx = (dy - u) * scale - xHat * a - b; the coefficients have n * c values each. u, the mean of dy, is not a part of b, so that
   * dy - u is exactly 0 where that mean is of one value.
   */
  StandardizeGrad: {
    inputs: {
      readonly dy: T;
      readonly x: T;
      readonly spread: T;
      readonly u: T;
      readonly scale: T;
      readonly a: T;
      readonly b: T;
    };
    attrs: BlendAttrs;
    outputs: [dx: T];
  };
}

/** The smallest divisor of a spread: its reciprocal is a 16-bit float. */
export const SMALLEST_DIVISOR = 2 ** -14;

/** The kernels that a backend may leave out. */
export type OptionalKernelName = 'SwapAxes' | 'Spread' | 'Standardize' | 'StandardizeSums' | 'StandardizeGrad';
/** The kernels that every backend has, without the prefix under which they are registered. */
export type KernelName = Exclude<keyof Kernels<never>, OptionalKernelName>;

export type Name = keyof Kernels<never>;
export type Inputs<K extends Name, T> = Kernels<T>[K]['inputs'];
export type Attrs<K extends Name> = Kernels<never>[K]['attrs'];
export type Outputs<K extends Name, T> = Kernels<T>[K]['outputs'];

/** A kernel as a backend implements it: TensorFlow.js's KernelFunc, with the types of one kernel and one backend. */
export type Kernel<K extends Name, Backend> = (call: {
  readonly inputs: Inputs<K, TensorInfo>;
  readonly attrs: Attrs<K>;
  readonly backend: Backend;
}) => Outputs<K, TensorInfo>;

/** One backend's kernels. A set that lacks one of `KernelName` does not compile. */
export interface KernelSet<Backend = never> {
  /** The kernels by name. */
  readonly kernels: Readonly<
    { [K in KernelName]: Kernel<K, Backend> } & { [K in OptionalKernelName]?: Kernel<K, Backend> }
  >;
  /** Whether the kernels can run here (WebAssembly SIMD, WebGL 2): asked once per backend object, when first needed. */
  supported(): boolean;
  /** What to do when the backend starts, or at once if it has started: maybe more than once. Absent: nothing. */
  start?(backend: Backend): void;
  /**
   * Whether tensors now hold 16-bit floats, of 6e-8 to 65504: the set then has `Spread` and the three kernels after it. Absent:
   * never.
   */
  isHalf?(): boolean;
  /** Whether TensorFlow.js casts integers to float32 without writing floats, and has operations that then give zeros. Absent: it does not. */
  readonly castsInPlace?: boolean;
  /** Which of several implementations this backend object runs, and why, in one line. Absent: there is one of each kernel. */
  describe?(backend: Backend): string;
}
