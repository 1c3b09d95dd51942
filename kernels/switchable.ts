/** The small part of switchable normalization: how moments and two sets of weights make scale and shift, and its gradient. */
import {
  add,
  mean as meanOf,
  mul,
  reshape,
  rsqrt,
  stack,
  sub,
  sum,
  type Tensor,
  tensor3d,
  unstack,
} from '@tensorflow/tfjs-core';
import type { Blend, Tensors } from './blend.ts';
import { type PooledAxis, parted, pool, poolGrad } from './pool.ts';
import { softmax } from './softmax.ts';

/** Whose statistics: those of the positions of one example and channel, of one example, or of one channel of the batch. */
export type Source = 'instance' | 'layer' | 'batch';
type Parameter = 'gamma' | 'beta' | 'meanWeights' | 'varianceWeights';
type Always = 'mean' | 'scale' | 'shift' | 'moments' | 'rstd' | 'offset' | 'weights';
/** Of each source its weights [2, 1, 1] for mean and variance, those times its moments, and its moments if pooled. */
export type SwitchableValues = Tensors<Always> & Partial<Tensors<Source | `${Source} weights` | `${Source} product`>>;

const AXES: Readonly<Record<Source, PooledAxis | undefined>> = { instance: undefined, layer: 2, batch: 1 };

/**
 *   scale = gamma r     shift = beta - gamma r offset     r = 1 / sqrt(variance + epsilon)
 *
 * where mean and variance are averages over `sources`, weighted by the softmax of meanWeights and of varianceWeights, and
 * offset is that mean minus the mean of the example, by which x is centred.
 */
export function switchable(epsilon: number, sources: readonly Source[]): Blend<Parameter, SwitchableValues> {
  return {
    forward(moments, { gamma, beta, meanWeights, varianceWeights }, moving) {
      const own = parted(moments);
      // All means are taken relative to the example's, so that large ones cancel before they are weighted.
      const centre = sub(moments, own.variances);
      const weights = softmax(stack([meanWeights, varianceWeights]));
      const apart = columns(weights);
      const values: Record<string, Tensor> = {};
      for (const [k, source] of sources.entries()) {
        const axis = AXES[source];
        let relative = own.variances;
        if (axis) {
          const pooled = (source === 'batch' && moving) || pool(own, axis);
          values[source] = pooled;
          relative = sub(pooled, centre);
        }
        values[`${source} weights`] = apart[k] as Tensor;
        values[`${source} product`] = mul(relative, apart[k] as Tensor);
      }
      const blended = sources.map((source) => values[`${source} product`] as Tensor).reduce((a, b) => add(a, b));
      const [offset, variance] = unstack(blended) as [Tensor, Tensor];
      const rstd = rsqrt(add(variance, epsilon));
      const scale = mul(gamma, rstd);
      const shift = sub(beta, mul(scale, offset));
      return { ...values, mean: own.means, scale, shift, moments, rstd, offset, weights };
    },

    gradient(dscale, dshift, values, _parameters, isMoving) {
      const { scale, moments, rstd, offset, weights } = values;
      const dyXHat = mul(sub(dscale, mul(dshift, offset)), rstd);
      // With D the gradient of xHat: dmean = -r sum(D), dvariance = -r^2 / 2 sum(D xHat).
      const dblended = mul(mul(stack([dshift, mul(dyXHat, rstd)]), tensor3d([-1, -0.5], [2, 1, 1])), scale);

      const shares = sources.flatMap((source) => {
        const by = values[`${source} weights`] as Tensor;
        const axis = AXES[source];
        if (!axis) return mul(by, dblended);
        if (source === 'batch' && isMoving) return [];
        return poolGrad(mul(by, meanOf(dblended, axis, true)), moments, values[source] as Tensor, axis);
      });
      const dmoments = shares.reduce((a, b) => add(a, b)); // the layer's, at least

      // Of softmax w: dlogit = w dw - w sum(w dw).
      const products = sources.map((source) => sum(mul(values[`${source} product`] as Tensor, dblended), [1, 2]));
      const weighted = stack(products, 1);
      const dlogits = sub(weighted, mul(weights, sum(weighted, 1, true)));
      const [meanWeights, varianceWeights] = unstack(dlogits) as [Tensor, Tensor];
      return { dmoments, gamma: sum(dyXHat, 0), beta: sum(dshift, 0), meanWeights, varianceWeights };
    },
  };
}

/** Weights [2, sources] as one [2, 1, 1] for each source. The gradient of unstack fails where it gives one tensor. */
function columns(weights: Tensor): Tensor[] {
  const [, k] = weights.shape as [number, number];
  return k === 1 ? [reshape(weights, [2, 1, 1])] : unstack(reshape(weights, [2, k, 1, 1]), 1);
}
