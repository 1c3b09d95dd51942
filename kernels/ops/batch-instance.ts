/** The small part of batch-instance normalization: scale and shift from moments and rho, and its gradient. */
import { add, div, mul, neg, stack, sub, sum, type Tensor, unstack } from '@tensorflow/tfjs-core';
import type { Blend, HalfOf } from './blend.ts';
import { batchOf, bounded, meanAlong, meanOfBoth, pooledFrom, ratio, sumOf, type Tensors } from './half.ts';
import { pool, poolGrad, scaled, splitMoments } from './pool.ts';
import { reciprocalRoot } from './quotient.ts';

type Parameter = 'gamma' | 'beta' | 'rho';
type BatchInstanceValues = Tensors<
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
      const own = splitMoments(moments);
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

    half,
    epsilon,
  };
}

/**
 *   scale = gamma (1 - rho) + gamma rho q     shift = gamma rho e + beta     q = fI / fB     e = (meanI - meanB) / fB
 *
 * since the batch's xHat is xHat q + e. f = sqrt(variance + epsilon).
 */
const half: HalfOf<Parameter, 'q' | 'e' | 'ofInstance' | 'ofBatch'> = (
  epsilon,
  spread,
  { gamma, beta, rho },
  s,
  moving,
  useBatch,
) => {
  const batch = pooledFrom(spread, batchOf(spread, epsilon, moving, useBatch), epsilon);
  const q = ratio(spread.divisor, batch.divisor);
  const e = ratio(batch.deviation, batch.divisor);
  const gammaRho = mul(gamma, rho);
  const own = sub(gamma, gammaRho);
  const scale = bounded(add(own, mul(gammaRho, q)));
  const shift = bounded(add(mul(gammaRho, e), beta));
  return {
    values: { scale, shift, q, e, ofInstance: div(own, spread.divisor), ofBatch: div(gammaRho, batch.divisor) },

    gradient(h, u, { q, e, ofInstance, ofBatch }, { gamma, rho }) {
      const count = s * (q.shape[0] as number);
      const k = meanOfBoth(h, q, u, e);
      const [meanH, meanK, meanU] = [h, k, u].map((t) => meanAlong(t, 0)) as [Tensor, Tensor, Tensor];
      const parameters = {
        gamma: sumOf(add(mul(sub(1, rho), meanH), mul(rho, meanK)), count),
        beta: sumOf(meanU, count),
        rho: sumOf(mul(gamma, sub(meanK, meanH)), count),
      };
      // Each of the two xHat has the gradient (dy - mean(dy) - xHat mean(dy xHat)) / f; the means of the batch are over n, too.
      const scale = add(ofInstance, ofBatch);
      const a = mul(ofInstance, h);
      if (moving) return { ofX: { u, scale, a, b: neg(mul(ofBatch, u)) }, parameters };
      const b = mul(ofBatch, add(sub(meanU, u), mul(e, meanK)));
      return { ofX: { u, scale, a: add(a, mul(ofBatch, mul(q, meanK))), b }, parameters };
    },
  };
};
