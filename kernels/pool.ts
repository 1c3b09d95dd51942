/**
 * Moments of several examples or channels together, from the moments of each: small tensors [2, n, c] of means and
 * variances, where the layers that blend statistics do their arithmetic. Everything here is differentiable.
 */
import { add, matMul, mean, mul, reshape, slice, type Tensor, tensor2d, tensor3d } from '@tensorflow/tfjs-core';
import { moments as momentsOf, scaleShift } from './ops.ts';
import type { View } from './view.ts';

/** What is pooled: 1 the examples, as in batch statistics; 2 the channels, as in layer statistics. */
export type PooledAxis = 1 | 2;

/** The means [n, c] of moments [2, n, c], and the moments without them: [0, variance], [2, n, c]. */
export function parted(moments: Tensor): { means: Tensor; variances: Tensor } {
  const [, n, c] = moments.shape as [number, number, number];
  const means = reshape(slice(moments, [0, 0, 0], [1, n, c]), [n, c]);
  return { means, variances: mul(moments, tensor3d([0, 1], [2, 1, 1])) };
}

/**
 * The moments over an axis, [2, 1, c] or [2, n, 1]: the mean of the means; the mean of the variances plus the variance of the
 * means, which unlike a difference of mean squares loses nothing where the means are large.
 */
export function pool({ means, variances }: ReturnType<typeof parted>, axis: PooledAxis): Tensor {
  const between = momentsOf(means, pooledView([1, ...means.shape], axis));
  const within = mean(variances, axis, true);
  return add(reshape(between, within.shape), within);
}

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
