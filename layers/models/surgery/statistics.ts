/**
 * The statistics that layers keep of data, whatever they keep them as: read and written as mean and variance, merged, and taken of
 * data, in 64-bit floats.
 */
import type { layers } from '@tensorflow/tfjs-layers';
import { lastPartOfName } from '../../base/inner-layer.ts';
import type { Values } from './draft.ts';

/** Mean and (biased) variance of each channel, of `count` values each. */
export interface Statistics {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  readonly count: number;
}

/** The names of weights that hold a statistic, and what each is. */
const KINDS: Readonly<Record<string, 'mean' | 'variance' | 'stddev' | 'count'>> = {
  moving_mean: 'mean',
  moving_variance: 'variance',
  moving_stddev: 'stddev',
  renorm_mean: 'mean',
  renorm_stddev: 'stddev',
};
/** Those of FeatureNormalization, whose other weights have no statistics. */
const KINDS_OF_FEATURES: typeof KINDS = { mean: 'mean', variance: 'variance', count: 'count' };

const kindsOf = (layer: layers.Layer) => (layer.getClassName() === 'Normalization' ? KINDS_OF_FEATURES : KINDS);

/** Whether the layer itself keeps statistics of data. The weights of models and wrappers are those of layers within. */
export const hasStatistics = (layer: layers.Layer): boolean =>
  !('layers' in layer || 'layer' in layer) &&
  layer.weights.some((weight) => kindsOf(layer)[lastPartOfName(weight)] === 'mean');

/** The names of the layer's weights that hold statistics. */
export const statisticNames = (layer: layers.Layer): string[] =>
  layer.weights.map(lastPartOfName).filter((name) => Object.hasOwn(kindsOf(layer), name));

const epsilonOf = (layer: layers.Layer): number => (layer as layers.Layer & { readonly epsilon?: number }).epsilon ?? 0;

/**
 * What a layer keeps, of the values of its weights whose names begin with `prefix`: of FeatureNormalization with its own count, else
 * with `count`. A layer that keeps no variance has 0.
 */
export function statisticsIn(layer: layers.Layer, values: Values, count: number, prefix: string): Statistics {
  const value = (kind: string) => {
    const name = statisticNames(layer).find((name) => name.startsWith(prefix) && kindsOf(layer)[name] === kind);
    return name === undefined ? undefined : values.get(name);
  };
  const mean = value('mean') as Float64Array;
  const variance = value('variance') ?? value('stddev')?.map((stddev) => stddev ** 2 - epsilonOf(layer));
  return { mean, variance: variance ?? mean.map(() => 0), count: value('count')?.[0] || count };
}

/** The values of the layer's weights that hold statistics. */
export function valuesFrom(layer: layers.Layer, { mean, variance, count }: Statistics): Map<string, Float64Array> {
  const of = {
    mean: () => mean,
    variance: () => variance,
    stddev: () => variance.map((value) => Math.sqrt(value + epsilonOf(layer))),
    count: () => Float64Array.of(count),
  };
  return new Map(statisticNames(layer).map((name) => [name, of[kindsOf(layer)[name] as keyof typeof of]()]));
}

/**
 * The statistics of all data together, of those of its parts, as if all had been seen at once: the variance is that within the parts
 * and that of their means.
 *
 *     n = sum n_i      mean = sum n_i mean_i / n      variance = sum n_i (variance_i + (mean_i - mean)^2) / n
 *
 * @see Chan, Golub, LeVeque: Updating Formulae and a Pairwise Algorithm for Computing Sample Variances. 1979
 */
export function merge(parts: readonly Statistics[]): Statistics {
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const [{ mean: first }] = parts as [Statistics];
  const averaged = (value: (part: Statistics, c: number) => number) =>
    first.map((_, c) => parts.reduce((sum, part) => sum + (part.count / count) * value(part, c), 0));
  // Differences to the first mean are small where the means are large and alike.
  const offset = averaged(({ mean }, c) => (mean[c] as number) - (first[c] as number));
  const mean = first.map((value, c) => value + (offset[c] as number));
  const variance = averaged((part, c) => {
    const delta = (part.mean[c] as number) - (mean[c] as number);
    return (part.variance[c] as number) + delta * delta;
  });
  return { mean, variance, count };
}

/** The number of the statistic that a value belongs to, by its place in row-major order; -1 where the value is masked. */
export type IndexOf = (place: number) => number;

/** The indices of statistics that have one for each index of these axes, in their order. */
export function indicesAlong(shape: readonly number[], axes: readonly number[]): { size: number; indexOf: IndexOf } {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  let size = 1;
  const steps = [...axes].reverse().map((axis) => {
    const step = { stride: strides[axis] as number, length: shape[axis] as number, by: size };
    size *= step.length;
    return step;
  });
  const indexOf = (place: number) =>
    steps.reduce((index, { stride, length, by }) => index + (Math.floor(place / stride) % length) * by, 0);
  return { size, indexOf };
}

/** The statistics of values; undefined where no value counts. Two passes: the mean is subtracted before anything is squared. */
export function statisticsOf(values: ArrayLike<number>, size: number, indexOf: IndexOf): Statistics | undefined {
  const [mean, variance] = [new Float64Array(size), new Float64Array(size)];
  const index = Int32Array.from(values, (_, place) => indexOf(place));
  let total = 0;
  for (const [place, at] of index.entries()) {
    if (at < 0) continue;
    mean[at] = (mean[at] as number) + (values[place] as number);
    total++;
  }
  if (total === 0) return undefined;
  // Each statistic is of the same number of values: a mask is the same for all channels.
  const count = total / size;
  for (let at = 0; at < size; at++) mean[at] = (mean[at] as number) / count;
  for (const [place, at] of index.entries()) {
    if (at < 0) continue;
    const deviation = (values[place] as number) - (mean[at] as number);
    variance[at] = (variance[at] as number) + (deviation * deviation) / count;
  }
  return { mean, variance, count };
}
