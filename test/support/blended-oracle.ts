/**
 * The layers that blend statistics, in float64 from their papers: every statistic is taken straight from the elements it is
 * over, none from another, and none of it knows of a view, a moment tensor or a kernel.
 */
import { type Formula, indexAlong, type Setting, type Weights } from './layer-oracle.ts';

type Key = Int32Array;
interface Moments {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/** Mean and biased variance of the elements of equal key. */
function momentsOver(key: Key, x: Float64Array): Moments {
  const length = key.reduce((most, k) => Math.max(most, k), 0) + 1;
  const number = new Float64Array(length);
  for (const k of key) number[k]!++;
  const average = (value: (i: number) => number) => {
    const total = new Float64Array(length);
    for (let i = 0; i < key.length; i++) total[key[i]!]! += value(i);
    return total.map((sum, k) => sum / number[k]!);
  };
  const mean = average((i) => x[i]!);
  return { mean, variance: average((i) => (x[i]! - mean[key[i]!]!) ** 2) };
}

const channelOf = ({ shape, axes }: Setting) => indexAlong(shape, axes);
const movingMoments = (weights: Weights): Moments => ({
  mean: weights.moving_mean!,
  variance: weights.moving_variance!,
});
const follow = (old: Float64Array, batch: Float64Array, { options }: Setting) =>
  old.map((value, k) => (options.momentum as number) * value + (1 - (options.momentum as number)) * batch[k]!);

/** gamma and beta of each element's channel. */
function affine(channel: Key, weights: Weights) {
  return (xHat: number, i: number) => xHat * (weights.gamma?.[channel[i]!] ?? 1) + (weights.beta?.[channel[i]!] ?? 0);
}

const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);

/** Batch and instance normalization, mixed by rho, which lies within [0, 1]. */
export const batchInstance: Formula = (setting) => {
  const { shape, axes, options, training } = setting;
  const channel = channelOf(setting);
  const instance = indexAlong(shape, [0, ...axes]);
  const epsilon = options.epsilon as number;
  return (x, weights) => {
    const rho = weights.rho!;
    const batch = training ? momentsOver(channel, x) : movingMoments(weights);
    const own = momentsOver(instance, x);
    const scaled = affine(channel, weights);
    const y = x.map((value, i) => {
      const [c, k] = [channel[i]!, instance[i]!];
      const byBatch = (value - batch.mean[c]!) / Math.sqrt(batch.variance[c]! + epsilon);
      const byInstance = (value - own.mean[k]!) / Math.sqrt(own.variance[k]! + epsilon);
      return scaled(rho[c]! * byBatch + (1 - rho[c]!) * byInstance, i);
    });
    return { y, state: training ? movedMoments(weights, batch, setting) : {} };
  };
};

const movedMoments = (weights: Weights, batch: Moments, setting: Setting): Weights => ({
  moving_mean: follow(weights.moving_mean!, batch.mean, setting),
  moving_variance: follow(weights.moving_variance!, batch.variance, setting),
});

function softmax(logits: Float64Array): Float64Array {
  const powers = logits.map((value) => Math.exp(value - Math.max(...logits)));
  const total = powers.reduce((a, b) => a + b);
  return powers.map((value) => value / total);
}

/** The sources whose statistics switchable normalization weights, in order. */
export function sourcesOf({ shape, options }: Pick<Setting, 'shape' | 'options'>): string[] {
  const sources = shape.length > 2 ? ['instance', 'layer'] : ['layer'];
  return (options.useBatchStatistics ?? true) ? [...sources, 'batch'] : sources;
}

export const switchable: Formula = (setting) => {
  const { shape, axes, options, training } = setting;
  const channel = channelOf(setting);
  const keys: Record<string, Key> = {
    instance: indexAlong(shape, [0, ...axes]),
    layer: indexAlong(shape, [0]),
    batch: channel,
  };
  const sources = sourcesOf(setting);
  return (x, weights) => {
    const statistics = sources.map((source) => {
      if (source === 'batch' && !training) return movingMoments(weights);
      return momentsOver(keys[source]!, x);
    });
    const [forMean, forVariance] = [softmax(weights.mean_weights!), softmax(weights.variance_weights!)];
    const scaled = affine(channel, weights);
    const y = x.map((value, i) => {
      let [mean, variance] = [0, 0];
      for (const [k, source] of sources.entries()) {
        mean += forMean[k]! * statistics[k]!.mean[keys[source]![i]!]!;
        variance += forVariance[k]! * statistics[k]!.variance[keys[source]![i]!]!;
      }
      return scaled((value - mean) / Math.sqrt(variance + (options.epsilon as number)), i);
    });
    const moves = training && sources.includes('batch');
    return { y, state: moves ? movedMoments(weights, statistics.at(-1)!, setting) : {} };
  };
};

/** r and d of each channel. */
export interface Correction {
  readonly r: Float64Array;
  readonly d: Float64Array;
}

/** How far a ramp has come at a step. */
const share = (step: number, [from, to]: number[]) => clamp((step - from!) / (to! - from!), 0, 1);

/** r and d, from the batch and the state before the step. */
export function correctionOf(setting: Setting, x: Float64Array, weights: Weights): Correction {
  const { renormClipping, rampSteps, epsilon } = setting.options as {
    renormClipping?: { rmax?: number; rmin?: number; dmax?: number };
    rampSteps?: { rmax?: number[]; dmax?: number[] } | null;
    epsilon: number;
  };
  const { rmax = 3, dmax = 5, rmin } = renormClipping ?? {};
  const step = weights.step?.[0] ?? 0;
  const openR = rampSteps === null ? 1 : share(step, rampSteps?.rmax ?? [5000, 40000]);
  const openD = rampSteps === null ? 1 : share(step, rampSteps?.dmax ?? [5000, 25000]);
  const high = 1 + openR * (rmax - 1);
  const low = rmin === undefined ? 1 / high : 1 + openR * (rmin - 1);
  const { mean, variance } = momentsOver(channelOf(setting), x);
  const stddev = weights.moving_stddev!;
  return {
    r: variance.map((v, c) => clamp(Math.sqrt(v + epsilon) / stddev[c]!, low, high)),
    d: mean.map((m, c) => clamp((m - weights.moving_mean![c]!) / stddev[c]!, -openD * dmax, openD * dmax)),
  };
}

/** r and d as Keras has them: bounds may be absent, and what is divided by has a smallest value. */
export function kerasCorrectionOf(setting: Setting, x: Float64Array, weights: Weights): Correction {
  const { renormClipping, epsilon } = setting.options as {
    renormClipping?: { rmax?: number; rmin?: number; dmax?: number };
    epsilon: number;
  };
  const { rmax = Number.POSITIVE_INFINITY, rmin = 0, dmax = Number.POSITIVE_INFINITY } = renormClipping ?? {};
  const { mean, variance } = momentsOver(channelOf(setting), x);
  const past = weights.renorm_stddev!.map((stddev) => Math.max(stddev, Math.sqrt(epsilon)));
  return {
    r: variance.map((v, c) => clamp(Math.sqrt(v + epsilon) / past[c]!, rmin, rmax)),
    d: mean.map((m, c) => clamp((m - weights.renorm_mean![c]!) / past[c]!, -dmax, dmax)),
  };
}

/** Of Keras's BatchNormalization with `renorm`, a training call. */
export const kerasRenormalization =
  ({ r, d }: Correction): Formula =>
  (setting) => {
    const channel = channelOf(setting);
    const { epsilon, renormMomentum } = setting.options as { epsilon: number; renormMomentum: number };
    const slowly: Setting = { ...setting, options: { ...setting.options, momentum: renormMomentum } };
    return (x, weights) => {
      const batch = momentsOver(channel, x);
      const stddev = batch.variance.map((v) => Math.sqrt(v + epsilon));
      const scaled = affine(channel, weights);
      const y = x.map((value, i) => {
        const c = channel[i]!;
        return scaled(((value - batch.mean[c]!) / stddev[c]!) * r[c]! + d[c]!, i);
      });
      const movingStddev = follow(weights.moving_stddev!, stddev, setting);
      const state: Weights = {
        moving_mean: follow(weights.moving_mean!, batch.mean, setting),
        moving_variance: movingStddev.map((value) => Math.max(value * value - epsilon, 0)),
        moving_stddev: movingStddev,
        renorm_mean: follow(weights.renorm_mean!, batch.mean, slowly),
        renorm_stddev: follow(weights.renorm_stddev!, stddev, slowly),
      };
      return { y, state };
    };
  };

/** With `held`, as in differences of y, r and d do not move with x. */
export const renormalization =
  (held?: Correction): Formula =>
  (setting) => {
    const { options, training } = setting;
    const channel = channelOf(setting);
    return (x, weights) => {
      const scaled = affine(channel, weights);
      const [movingMean, movingStddev] = [weights.moving_mean!, weights.moving_stddev!];
      if (!training) {
        const y = x.map((value, i) => scaled((value - movingMean[channel[i]!]!) / movingStddev[channel[i]!]!, i));
        return { y, state: {} };
      }
      const { r, d } = held ?? correctionOf(setting, x, weights);
      const batch = momentsOver(channel, x);
      const stddev = batch.variance.map((v) => Math.sqrt(v + (options.epsilon as number)));
      const y = x.map((value, i) => {
        const c = channel[i]!;
        return scaled(((value - batch.mean[c]!) / stddev[c]!) * r[c]! + d[c]!, i);
      });
      const state: Weights = {
        moving_mean: follow(movingMean, batch.mean, setting),
        moving_stddev: follow(movingStddev, stddev, setting),
      };
      if (weights.step) state.step = weights.step.map((step) => step + 1);
      return { y, state };
    };
  };
