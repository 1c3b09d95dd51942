/**
 * What a backend must implement. Kernels see flat float32 data and a view, never a shape; they trust their inputs, which
 * the public functions have checked. Every output has the shape given here; `x`-shaped outputs keep the shape of x.
 */
import type { KernelFunc } from '@tensorflow/tfjs-core';
import type { View } from './view.ts';

/**
 * Where epsilon stands in the divisor f of a group with variance (or mean square) v:
 * 'inside' f = sqrt(v + epsilon); 'outside' f = sqrt(v) + epsilon; 'floor' f = max(sqrt(v), epsilon).
 * 1 / f counts as 0 where f is below 2^-63, the root of the smallest normal float32: so does a group without variance divide
 * by nothing where epsilon is 0, and y is beta. v is 0 where it is no more than what rounding makes of equal values.
 */
export type EpsilonPlacement = 'inside' | 'outside' | 'floor';

/**
 * `Normalize`: y = (x - mean) / f * gamma + beta.
 *
 * inputs   x; gamma? [c]; beta? [c]
 * outputs  y; and, unless `yOnly`, moments [2, n * groups]: row 0 the means, row 1 the (biased) variances. With `center`
 *          false the mean is 0 and the "variance" the mean square; with `rescale` false f = 1 and row 1 is unspecified.
 */
export interface NormalizeAttrs {
  readonly view: View;
  readonly epsilon: number;
  readonly epsilonPlacement: EpsilonPlacement;
  /** Subtract the mean (false: RMS, Weight, Query-Key). */
  readonly center: boolean;
  /** Divide by f (false: Mean-Only). */
  readonly rescale: boolean;
  /** The moments are not wanted: neither for a gradient nor for moving averages. */
  readonly yOnly?: boolean;
}

/**
 * `NormalizeGrad`: with D = gamma dy, means over the group, and xHat = (x - mean) / f,
 *
 *   dx = (D - mean(D) - k xHat mean(D xHat)) / f     dgamma = sum(dy xHat)     dbeta = sum(dy)
 *
 * 'inside': k = 1; 'outside': k = f / sqrt(v), 0 where v = 0; 'floor': k = 1 where sqrt(v) > epsilon, else 0 - and dx = 0
 * in groups where sqrt(v) <= epsilon. `center` false drops mean(D); `rescale` false drops the last term and f = 1.
 *
 * inputs   dy, x; moments of the forward; gamma? [c]
 * outputs  dx; and, if `affine`, dgamma [c], dbeta [c]
 */
export interface NormalizeGradAttrs extends NormalizeAttrs {
  /** Whether dgamma and dbeta are wanted. */
  readonly affine: boolean;
}

/** `Moments`: inputs x; outputs moments [2, n * groups] (mean, biased variance). */
export interface MomentsAttrs {
  readonly view: View;
}

/**
 * `ScaleShift`: y = (x - mean) / sqrt(variance + epsilon) * scale + shift; what is absent is 0 (mean, shift) or 1.
 *
 * inputs   x; mean?, variance?, scale?, shift?: n * c values each (`groups` of the view does not matter)
 */
export interface ScaleShiftAttrs {
  readonly view: View;
  /** Used with `variance` only. */
  readonly epsilon: number;
}

/** `ScaleShiftGrad`: inputs dy, x, mean (n * c values); outputs dscale = sum_s dy (x - mean), dshift = sum_s dy: [n, c]. */
/** `BlendGrad`: dx = dy * scale + (x - mean) * a + b; inputs dy, x; mean, scale, a, b: n * c values each. */
export interface BlendAttrs {
  readonly view: View;
}

/** `Average`: momentum * old + (1 - momentum) * moments[row]; inputs old [k], moments [2, k]; output [k]. */
export interface AverageAttrs {
  readonly row: 0 | 1;
  readonly momentum: number;
}

/**
 * `PowerIteration`: `iterations` times, with n(x) = x / ||x||,
 *
 *   first 'u':  u = n(v w), v = n(u w^T)          first 'v':  v = n(u w^T), u = n(v w)
 *
 * and then sigma = v w u^T, an estimate of the largest singular value of w. A vector stays as it was where its ||x|| is at most
 * `epsilon`, as for w = 0. What a NaN reaches becomes NaN.
 *
 * inputs   w [rest, out]; u [1, out]; v [1, rest]
 * outputs  u, v, sigma []
 */
export interface PowerIterationAttrs {
  /** 0: sigma only; u and v come out as they were. */
  readonly iterations: number;
  readonly first: 'u' | 'v';
  readonly epsilon: number;
}

/** `SwapAxes`: x [n, a, b], of any shape, to [n, b, a]. */
export interface SwapAxesAttrs {
  readonly n: number;
  readonly a: number;
  readonly b: number;
}

/** The kernels that every backend has, without the prefix under which they are registered. */
export type KernelName =
  | 'Normalize'
  | 'NormalizeGrad'
  | 'Moments'
  | 'ScaleShift'
  | 'ScaleShiftGrad'
  | 'BlendGrad'
  | 'Average'
  | 'PowerIteration';

/** Those that a backend has where TensorFlow.js's own are slow: its transpose takes the time of fifty copies on cpu. */
export type OptionalKernelName = 'SwapAxes';

/** One backend's kernels. One of `KernelName` that is missing does not compile. */
export interface KernelSet {
  /** The kernel functions, as TensorFlow.js takes them. */
  readonly kernels: Readonly<Record<KernelName, KernelFunc> & Partial<Record<OptionalKernelName, KernelFunc>>>;
  /** Whether they can run here (WebAssembly SIMD, WebGL 2): asked once per backend object, when first needed. */
  supported(): boolean;
}
