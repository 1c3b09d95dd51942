/** The small part of switchable normalization: how moments and two sets of weights make scale and shift, and its gradient. */
import { add, mul, ones, reshape, stack, sub, sum, type Tensor, unstack } from '@tensorflow/tfjs-core';
import type { Blend, Tensors } from './blend.ts';
import { apartFrom, meanOver, type PooledAxis, parted, pool, poolGrad, scaled } from './pool.ts';
import { reciprocalRoot } from './quotient.ts';
import { softmax } from './softmax.ts';

/** Whose statistics: those of the positions of one example and channel, of one example, or of one channel of the batch. */
export type Source = 'instance' | 'layer' | 'batch';
type Parameter = 'gamma' | 'beta' | 'meanWeights' | 'varianceWeights';
type Always = 'mean' | 'scale' | 'shift' | 'moments' | 'rstd' | 'deviation' | 'weights';
/** Of each source its weights for mean and variance, what they make of its moments, and these if pooled. */
export type SwitchableValues = Tensors<Always> & Partial<Tensors<Source | `${Source} weights` | `${Source} product`>>;

const AXES: Readonly<Record<Source, PooledAxis | undefined>> = { instance: undefined, layer: 2, batch: 1 };

/**
 *   scale = gamma r     shift = gamma r deviation + beta     r = 1 / sqrt(variance + epsilon)
 *
 * where mean and variance are averages over `sources`, weighted by the softmax of meanWeights and of varianceWeights, and
 * deviation is the mean of the example, by which x is centred, minus that mean.
 */
export function switchable(epsilon: number, sources: readonly Source[]): Blend<Parameter, SwitchableValues> {
  return {
    forward(moments, { gamma, beta, meanWeights, varianceWeights }, moving) {
      const [, n, c] = moments.shape as [number, number, number];
      const own = parted(moments);
      // All moments are subtracted from [mean, 0] of the example, so that large means cancel before they are weighted.
      const centre = add(moments, own.negated);
      const weights = softmax(stack([meanWeights, varianceWeights]));
      const apart = columns(weights);
      const values: Record<string, Tensor> = {};
      for (const [k, source] of sources.entries()) {
        const axis = AXES[source];
        let shares = apart[k] as Tensor;
        if (axis) {
          const pooled = (source === 'batch' && moving) || pool(own, axis);
          shares = mul(shares, ones(axis === 1 ? [1, c] : [n, 1]));
          values[source] = pooled;
          values[`${source} product`] = apartFrom(centre, pooled, shares, axis);
        } else values[`${source} product`] = mul(own.negated, shares);
        values[`${source} weights`] = shares;
      }
      const blended = sources.map((source) => values[`${source} product`] as Tensor).reduce((a, b) => add(a, b));
      const [deviation, negative] = unstack(blended) as [Tensor, Tensor];
      const rstd = reciprocalRoot(sub(epsilon, negative), epsilon);
      const scale = mul(gamma, rstd);
      const shift = add(mul(scale, deviation), beta);
      return { ...values, mean: own.means, scale, shift, moments, rstd, deviation, weights };
    },

    gradient(dscale, dshift, values, _parameters, isMoving) {
      const { scale, moments, rstd, deviation, weights } = values;
      const dyXHat = mul(add(dscale, mul(dshift, deviation)), rstd);
      // With D the gradient of xHat: dmean = -r sum(D), dvariance = -r^2 / 2 sum(D xHat).
      const dblended = mul(scaled(stack([dshift, mul(dyXHat, rstd)]), -1, -0.5), scale);

      const parts = sources.flatMap((source) => {
        const shares = values[`${source} weights`] as Tensor;
        const axis = AXES[source];
        if (!axis) return mul(dblended, shares);
        if (source === 'batch' && isMoving) return [];
        return poolGrad(mul(shares, meanOver(dblended, axis)), moments, values[source] as Tensor, axis);
      });
      const dmoments = parts.reduce((a, b) => add(a, b)); // the layer's, at least

      // Of softmax w: dlogit = w dw - w sum(w dw); the products are negative.
      const products = sources.map((source) => sum(mul(values[`${source} product`] as Tensor, dblended), [1, 2]));
      const against = stack(products, 1);
      const dlogits = sub(mul(weights, sum(against, 1, true)), against);
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
