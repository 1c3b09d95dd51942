/**
 * Arithmetic on small tensors [2, n, c], the means and variances of n examples and c channels, for layers that blend statistics.
 * Everything here is differentiable. Factors are multiplied by kernels, and means taken by matrix products, since TensorFlow.js's
 * cpu backend broadcasts and reduces slowly.
 */
import { matMul, reshape, slice, sub, type Tensor, tensor1d, tensor2d } from '@tensorflow/tfjs-core';
import type { View } from '../core/view.ts';
import { moments as momentsOf } from './moments.ts';
import { scaleShift } from './scale-shift.ts';

/** The axis of [2, n, c] that is pooled: 1, the examples, for batch statistics; 2, the channels, for layer statistics. */
export type PooledAxis = 1 | 2;

/** Splits moments [2, n, c] into the means [n, c] and `negated`, [2, n, c] with the rows 0 and -variance. */
export function splitMoments(moments: Tensor): { means: Tensor; negated: Tensor } {
  const [, n, c] = moments.shape as [number, number, number];
  const means = reshape(slice(moments, [0, 0, 0], [1, n, c]), [n, c]);
  return { means, negated: scaled(moments, 0, -1) };
}

/** A tensor [2, n, c] with its first half, the means, times one number and its second half, the variances, times another. */
export function scaled(t: Tensor, ofMeans: number, ofVariances: number): Tensor {
  const c = t.shape[2] as number;
  const scale = tensor1d(new Float32Array(2 * c).fill(ofMeans, 0, c).fill(ofVariances, c));
  return scaleShift(t, { scale }, pooledView(t.shape, 1));
}

/**
 * The moments over an axis, [2, 1, c] or [2, n, 1]: the mean of the means; the mean of the variances plus the variance of the
 * means, which unlike a difference of mean squares loses nothing where the means are large.
 */
export function pool({ means, negated }: ReturnType<typeof splitMoments>, axis: PooledAxis): Tensor {
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

/** (t - pooled) * factors, where t is [2, n, c], and pooled and factors have size 1 at the axis. */
export const centredTimes = (t: Tensor, pooled: Tensor, factors: Tensor, axis: PooledAxis): Tensor =>
  scaleShift(t, { mean: pooled, scale: factors }, pooledView(t.shape, axis));

/**
 * The gradient of `pool` in the moments, [2, n, c].
 *
 * @param share the gradient of the pooled moments, divided by the size of the axis
 */
export function poolGrad(share: Tensor, moments: Tensor, pooled: Tensor, axis: PooledAxis): Tensor {
  // For the means, share mean + 2 share variance (mean - pooled mean); for the variances, share variance.
  const slope = matMul(tensor2d([0, 2, 0, 0], [2, 2]), reshape(share, [2, -1]));
  return scaleShift(moments, { mean: pooled, scale: slope, shift: share }, pooledView(moments.shape, axis));
}

/** The view of moments [k, n, c] in which one axis is pooled, or values along it meet what was pooled. */
function pooledView(shape: readonly number[], axis: PooledAxis): View {
  const [k, n, c] = shape as [number, number, number];
  return axis === 1 ? { n: k, s: n, c, groups: c } : { n: k * n, s: c, c: 1, groups: 1 };
}
