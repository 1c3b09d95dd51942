/** The small part of switchable normalization: scale and shift from moments and two sets of weights, and its gradient. */
import {
  add,
  concat,
  div,
  matMul,
  mul,
  neg,
  ones,
  reshape,
  slice,
  sqrt,
  square,
  stack,
  sub,
  sum,
  type Tensor,
  transpose,
  unstack,
  zerosLike,
} from '@tensorflow/tfjs-core';
import type { Blend, HalfOf } from './blend.ts';
import {
  batchOf,
  bounded,
  meanAlong,
  meanOfBoth,
  pooledFrom,
  pooledOverChannels,
  ratio,
  rowsOf,
  spreadOf,
  sumOf,
  type Tensors,
} from './half.ts';
import { centredTimes, meanOver, type PooledAxis, pool, poolGrad, scaled, splitMoments } from './pool.ts';
import { reciprocalRoot } from './quotient.ts';
import { softmax } from './softmax.ts';

/** Where statistics come from: the positions of one channel of an example, one example, or one channel of the batch. */
export type Source = 'instance' | 'layer' | 'batch';
type Parameter = 'gamma' | 'beta' | 'meanWeights' | 'varianceWeights';
type Always = 'mean' | 'scale' | 'shift' | 'moments' | 'rstd' | 'deviation' | 'weights';
/** For each source: its weights for mean and variance, their product with its moments, and its moments if they are pooled. */
type SwitchableValues = Tensors<Always> & Partial<Tensors<Source | `${Source} weights` | `${Source} product`>>;

const AXES: Readonly<Record<Source, PooledAxis | undefined>> = { instance: undefined, layer: 2, batch: 1 };

/**
 *   scale = gamma r     shift = gamma r deviation + beta     r = 1 / sqrt(variance + epsilon)
 *
 * where mean and variance are averages over `sources`, weighted by the softmax of meanWeights and of varianceWeights, and
 * deviation is the mean by which x is centred, that of the example and channel, minus the averaged mean.
 */
export function switchable(epsilon: number, sources: readonly Source[]): Blend<Parameter, SwitchableValues> {
  return {
    forward(moments, { gamma, beta, meanWeights, varianceWeights }, moving) {
      const [, n, c] = moments.shape as [number, number, number];
      const own = splitMoments(moments);
      // All moments are subtracted from [mean, 0] of the example, so that large means cancel before they are weighted.
      const centre = add(moments, own.negated);
      const weights = softmax(stack([meanWeights, varianceWeights]));
      const ofSources = columns(weights);
      const values: Record<string, Tensor> = {};
      for (const [k, source] of sources.entries()) {
        const axis = AXES[source];
        let shares = ofSources[k] as Tensor;
        if (axis) {
          const pooled = (source === 'batch' && moving) || pool(own, axis);
          shares = mul(shares, ones(axis === 1 ? [1, c] : [n, 1]));
          values[source] = pooled;
          values[`${source} product`] = centredTimes(centre, pooled, shares, axis);
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
      // Never empty: the only source without a part, the moving moments of the batch, is never alone.
      const dmoments = parts.reduce((a, b) => add(a, b));

      // Of softmax w: dlogit = w dw - w sum(w dw); the products are negative.
      const products = sources.map((source) => sum(mul(values[`${source} product`] as Tensor, dblended), [1, 2]));
      const against = stack(products, 1);
      const dlogits = sub(mul(weights, sum(against, 1, true)), against);
      const [meanWeights, varianceWeights] = unstack(dlogits) as [Tensor, Tensor];
      return { dmoments, gamma: sum(dyXHat, 0), beta: sum(dshift, 0), meanWeights, varianceWeights };
    },

    half: half(sources),
    epsilon,
  };
}

type HalfName = 'q' | 'e' | 'weights' | 'divisor' | 'blended' | `${Source} ${'deviation' | 'divisor'}`;

/**
 *   scale = gamma q     shift = gamma e + beta     q = f / F     e = (mean of the example - blended mean) / F
 *
 * with the blended F = sqrt(sum of weight f^2 over the sources).
 */
const half =
  (sources: readonly Source[]): HalfOf<Parameter, HalfName> =>
  (epsilon, spread, { gamma, beta, meanWeights, varianceWeights }, s, moving, useBatch) => {
    const own = { deviation: zerosLike(spread.first), divisor: spread.divisor };
    const statisticsOf = (source: Source) => {
      const axis = AXES[source];
      if (!axis) return own;
      if (axis === 2) return pooledOverChannels(spread);
      return pooledFrom(spread, batchOf(spread, epsilon, moving, useBatch), epsilon);
    };
    const weights = softmax(stack([meanWeights, varianceWeights]));
    const statistics = sources.map((source, k) => ({ source, ...statisticsOf(source), ...shares(weights, k) }));
    // F is computed as the deviation of the numbers +-sqrt(count weight) f, whose mean is 0: f^2 may be no 16-bit float.
    const whole = zerosLike(spread.first);
    const roots = statistics.map(({ divisor, ofVariance }) =>
      add(whole, mul(divisor, sqrt(mul(ofVariance, sources.length)))),
    );
    const numbers = stack([...roots, ...roots.map((root) => neg(root))]);
    const blended = rowsOf(spreadOf(numbers, viewOf(numbers), 0), whole.shape).divisor;
    const deviations = stack(statistics.map(({ deviation }) => add(whole, deviation)));
    const ofMeans = slice(weights, [0, 0], [1, -1]);
    const deviation = reshape(matMul(ofMeans, reshape(deviations, [sources.length, -1])), whole.shape);
    const [q, e] = [ratio(spread.divisor, blended), ratio(deviation, blended)];
    const parts = statistics.flatMap(({ source, deviation, divisor }) => [
      [`${source} deviation`, deviation],
      [`${source} divisor`, divisor],
    ]);
    const scale = bounded(mul(gamma, q));
    const shift = bounded(add(mul(gamma, e), beta));
    const values = { scale, shift, q, e, weights, blended, divisor: spread.divisor, ...Object.fromEntries(parts) };
    return { values, gradient: (h, u, values, { gamma }) => halfGradient(sources, h, u, values, gamma, s, !!moving) };
  };

/** The view of numbers [k, n, c] in which those of one example and channel are positions. */
const viewOf = ({ shape: [k, n, c] }: Tensor) => {
  const all = (n as number) * (c as number);
  return { n: 1, s: k as number, c: all, groups: all };
};

/** Weights [2, sources] of one source for means and for variances, [1, 1] each. */
const shares = (weights: Tensor, k: number) => ({
  ofMean: slice(weights, [0, k], [1, 1]),
  ofVariance: slice(weights, [1, k], [1, 1]),
});

/**
 * D is the gradient of (x - blended mean) / F; `perMean` and `perDivisor` are the means over the positions of D / F and of
 * D (x - blended mean) / F^2. Each source j, with the weight w' for its mean and w for its variance, subtracts from dx
 *
 *   w' mean(perMean) + w mean(perDivisor fj / F) (xHat qj + ej)     qj = f / fj     ej = (mean of the example - its mean) / fj
 *
 * where the means are over the pooled axis; `StandardizeGrad` has subtracted perMean already, as u. The gradients of the logits of
 * the weights are w' sum(D (mean - mean j) / F), and w / 2 sum(D (x - mean) / F (1 - fj^2 / F^2)).
 */
function halfGradient(
  sources: readonly Source[],
  h: Tensor,
  u: Tensor,
  values: Tensors<HalfName>,
  gamma: Tensor,
  s: number,
  isMoving: boolean,
) {
  const { q, e, weights, divisor: f, blended } = values;
  const [n, c] = q.shape as [number, number];
  const k = meanOfBoth(h, q, u, e);
  const [du, dk] = [mul(gamma, u), mul(gamma, k)];
  const [perMean, perDivisor] = [div(du, blended), div(dk, blended)];
  let [a, b] = [zerosLike(q), zerosLike(q)];
  const products: Tensor[] = [];
  for (const [i, source] of sources.entries()) {
    const axis = AXES[source];
    const deviation = values[`${source} deviation`] as Tensor;
    const divisor = values[`${source} divisor`] as Tensor;
    const share = div(divisor, blended);
    const all = (t: Tensor) => meanAlong(bounded(t), [0, 1]);
    products.push(all(mul(du, sub(ratio(deviation, blended), e))), all(mul(mul(dk, 0.5), sub(1, square(share)))));
    const { ofMean, ofVariance } = shares(weights, i);
    if (source === 'batch' && isMoving) {
      b = sub(b, mul(perMean, ofMean));
      continue;
    }
    const over = (t: Tensor) => (axis ? meanAlong(t, axis - 1) : t);
    const variance = mul(over(mul(perDivisor, share)), ofVariance);
    a = add(a, mul(variance, div(f, divisor)));
    b = add(b, add(mul(sub(over(perMean), perMean), ofMean), mul(variance, div(deviation, divisor))));
  }
  const dlogits = mul(weights, transpose(reshape(concat(products, 0), [sources.length, 2])));
  const [meanWeights, varianceWeights] = unstack(sumOf(dlogits, s * n * c)) as [Tensor, Tensor];
  const [dgamma, dbeta] = [k, u].map((t) => sumOf(meanAlong(t, 0), s * n)) as [Tensor, Tensor];
  const parameters = { gamma: dgamma, beta: dbeta, meanWeights, varianceWeights };
  return { ofX: { u, scale: div(gamma, blended), a, b }, parameters };
}

/** Weights [2, sources] as one [2, 1, 1] for each source. The gradient of unstack fails where it gives one tensor. */
function columns(weights: Tensor): Tensor[] {
  const [, k] = weights.shape as [number, number];
  return k === 1 ? [reshape(weights, [2, 1, 1])] : unstack(reshape(weights, [2, k, 1, 1]), 1);
}
