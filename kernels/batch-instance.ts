/** The small part of batch-instance normalization: how moments and rho make scale and shift, and the gradient of it. */
import { add, mul, stack, sub, sum, type Tensor, unstack } from '@tensorflow/tfjs-core';
import type { Blend, Tensors } from './blend.ts';
import { parted, pool, poolGrad, scaled } from './pool.ts';
import { reciprocalRoot } from './quotient.ts';

type Parameter = 'gamma' | 'beta' | 'rho';
export type BatchInstanceValues = Tensors<
  'mean' | 'scale' | 'shift' | 'moments' | 'batch' | 'rstd' | 'batchRstd' | 'instanceShare' | 'batchShare' | 'deviation'
>;

/**
 *   scale = gamma (1 - rho) rI + gamma rho rB     shift = gamma rho rB (meanI - meanB) + beta     r = 1 / sqrt(variance + epsilon)
 *
 * where I marks the statistics of one example, by whose mean x is centred, and B those of the batch.
 */
export function batchInstance(epsilon: number): Blend<Parameter, BatchInstanceValues> {
  return {
    forward(moments, { gamma, beta, rho }, moving) {
      const own = parted(moments);
      const mean = own.means;
      const batch = moving ?? pool(own, 1);
      const [batchMean, batchVariance] = unstack(batch) as [Tensor, Tensor];
      const rstd = reciprocalRoot(add((unstack(moments) as [Tensor, Tensor])[1], epsilon), epsilon);
      const batchRstd = reciprocalRoot(add(batchVariance, epsilon), epsilon);
      const gammaRho = mul(gamma, rho);
      const instanceShare = sub(gamma, gammaRho);
      const batchShare = mul(gammaRho, batchRstd);
      const deviation = sub(mean, batchMean);
      const scale = add(mul(instanceShare, rstd), batchShare);
      const shift = add(mul(batchShare, deviation), beta);
      return { mean, scale, shift, moments, batch, rstd, batchRstd, instanceShare, batchShare, deviation };
    },

    gradient(dscale, dshift, values, { gamma, rho }, isMoving) {
      const { moments, batch, rstd, batchRstd, instanceShare, batchShare, deviation } = values;
      const dbeta = sum(dshift, 0, true);
      // The sums of dy xHat, once with the statistics of the example and once with those of the batch.
      const dyXHat = mul(dscale, rstd);
      const sumInstance = sum(dyXHat, 0, true);
      const sumBatch = mul(sum(add(dscale, mul(dshift, deviation)), 0, true), batchRstd);
      const difference = sub(sumBatch, sumInstance);
      const dgamma = add(mul(rho, difference), sumInstance);
      const drho = mul(gamma, difference);

      // With D the gradient of xHat: dmean = -r sum(D), dvariance = -r^2 / 2 sum(D xHat).
      const instance = scaled(stack([dshift, mul(dyXHat, rstd)]), -1, -0.5);
      const dmoments = mul(instance, mul(instanceShare, rstd));
      if (isMoving) return { dmoments, gamma: dgamma, beta: dbeta, rho: drho };
      const n = deviation.shape[0] as number;
      const pooled = scaled(stack([dbeta, mul(sumBatch, batchRstd)]), -1 / n, -0.5 / n);
      const share = poolGrad(mul(pooled, batchShare), moments, batch, 1);
      return { dmoments: add(dmoments, share), gamma: dgamma, beta: dbeta, rho: drho };
    },
  };
}
