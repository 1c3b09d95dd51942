/**
 * Arithmetic on the moments of several examples and channels: small tensors [2, n, c] of means and variances, where the layers
 * that blend statistics do theirs. Everything here is differentiable. Factors and means go by kernels and matrix products, since
 * TensorFlow.js's cpu backend broadcasts and reduces slowly.
 */
import { matMul, reshape, slice, sub, type Tensor, tensor1d, tensor2d } from '@tensorflow/tfjs-core';
import type { View } from '../core/view.ts';
import { moments as momentsOf } from './moments.ts';
import { scaleShift } from './scale-shift.ts';

/** What is pooled: 1 the examples, as in batch statistics; 2 the channels, as in layer statistics. */
export type PooledAxis = 1 | 2;

/** The means [n, c] of moments [2, n, c], and what else there is, with its sign turned: [0, -variance], [2, n, c]. */
export function meansApart(moments: Tensor): { means: Tensor; negated: Tensor } {
  const [, n, c] = moments.shape as [number, number, number];
  const means = reshape(slice(moments, [0, 0, 0], [1, n, c]), [n, c]);
  return { means, negated: scaled(moments, 0, -1) };
}

/** A tensor [2, n, c] with its first half, of the means, times one number and the second, of the variances, times another. */
export function scaled(t: Tensor, ofMeans: number, ofVariances: number): Tensor {
  const c = t.shape[2] as number;
  const scale = tensor1d(new Float32Array(2 * c).fill(ofMeans, 0, c).fill(ofVariances, c));
  return scaleShift(t, { scale }, pooledView(t.shape, 1));
}

/**
 * The moments over an axis, [2, 1, c] or [2, n, 1]: the mean of the means; the mean of the variances plus the variance of the
 * means, which unlike a difference of mean squares loses nothing where the means are large.
 */
export function pool({ means, negated }: ReturnType<typeof meansApart>, axis: PooledAxis): Tensor {
  const between = momentsOf(means, pooledView([1, ...means.shape], axis));
  const within = meanOver(negated, axis);
  return sub(reshape(between, within.shape), within);
}

/** The means over an axis, which stays with size 1. */
export function meanOver(t: Tensor, axis: PooledAxis): Tensor {
  const size = t.shape[axis] as number;
  const shares = new Float32Array(size).fill(1 / size);
  return axis === 1 ? matMul(tensor2d(shares, [1, size]), t) : matMul(t, tensor2d(shares, [size, 1]));
}

/** (t - pooled) times factors, both of the shape of what is pooled along an axis of t [2, n, c]. */
export const centredTimes = (t: Tensor, pooled: Tensor, factors: Tensor, axis: PooledAxis): Tensor =>
  scaleShift(t, { mean: pooled, scale: factors }, pooledView(t.shape, axis));

/**
 * The gradient of `pool` in the moments, [2, n, c].
 *
 * @param share the gradient of the pooled moments divided by the number of what is pooled
 */
export function poolGrad(share: Tensor, moments: Tensor, pooled: Tensor, axis: PooledAxis): Tensor {
  // For the means, share mean + 2 share variance (mean - pooled mean); for the variances, share variance.
  const slope = matMul(tensor2d([0, 2, 0, 0], [2, 2]), reshape(share, [2, -1]));
  return scaleShift(moments, { mean: pooled, scale: slope, shift: share }, pooledView(moments.shape, axis));
}

/** How kernels see moments [k, n, c] to pool them or to give them back what was pooled. */
function pooledView(shape: readonly number[], axis: PooledAxis): View {
  const [k, n, c] = shape as [number, number, number];
  return axis === 1 ? { n: k, s: n, c, groups: c } : { n: k * n, s: c, c: 1, groups: 1 };
}
