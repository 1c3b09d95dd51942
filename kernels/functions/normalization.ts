/**
 * The public functions, for models without layers, and their variants for layers, which take the name that errors begin with.
 * They check the arguments, choose the view and bring axes last; the arithmetic is in the kernels.
 * All are differentiable to any order in x, gamma and beta, and run fused kernels where the backend has them.
 */
import { add, reshape, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { EpsilonPlacement } from '../core/contract.ts';
import { fail } from '../core/errors.ts';
import { batchView, groupView, rowView } from '../core/view.ts';
import { withLast } from '../ops/axes.ts';
import { conditioned } from '../ops/condition.ts';
import { type AffineOptions, centred, EPSILON_PLACEMENTS, type Form, onView } from '../ops/form.ts';
import { normalize, normalizeWithStatistics } from '../ops/normalize.ts';
import { affinePerChannel } from '../ops/per-channel.ts';
import { rows } from '../ops/reference.ts';
import {
  ascending,
  checkAxes,
  checkAxis,
  checkCall,
  checkEpsilon,
  checkGammaOffset,
  checkGroups,
  checkInput,
  checkOneOf,
  checkParameter,
  checkTensor,
  optionNames,
} from './checks.ts';
import { parameters } from './parameters.ts';

export type { AffineOptions } from '../ops/form.ts';

export const LAYER_OPTIONS = optionNames('gamma', 'beta', 'axis', 'epsilon');
export const RMS_OPTIONS = optionNames(...Object.keys(LAYER_OPTIONS), 'epsilonPlacement', 'gammaOffset');
const GROUP_OPTIONS = optionNames(...Object.keys(LAYER_OPTIONS), 'groups');
const BATCH_OPTIONS = optionNames('mean', 'variance', ...Object.keys(LAYER_OPTIONS));

/** Normalizes each vector along `axis`: layer and root mean square normalization, by the form. */
function normalizeRows(
  who: string,
  x: Tensor,
  axis: number | readonly number[],
  options: AffineOptions,
  form: Form,
): Tensor {
  const axes = ascending(checkAxes(who, axis, x.rank, 'with batch'));
  const [gamma, beta] = parameters(who, options, x.shape, axes);
  return withLast(x, axes, (x) => {
    const view = rowView(x.shape, axes.length);
    return normalize(x, gamma, beta, onView(conditioned(view, gamma, beta), form));
  });
}

/**
 * Layer normalization: each example by itself, over the axes `axis`.
 *
 *     y = (x - mean) / sqrt(variance + epsilon) * gamma + beta
 *
 * @param x any shape of rank 2 to 6; int32 and bool are cast to float32
 * @param options `axis` (default -1; one axis or several), `epsilon` (1e-3), `gamma` and `beta`, both with a value for each
 *   index of these axes, in the order of the input; or, for adaptive normalization, such a row for each example, [batch, channels], or
 *   for each position: see {@link AffineOptions}
 * @returns a tensor of the shape of x; a group without variance gives beta, also where epsilon is 0
 * @throws if an axis is out of range or named twice, epsilon is negative, a parameter has another shape, or an option is unknown
 * @example
 * ```js
 * layerNorm(tf.tensor([[1, 2, 3]]), {gamma: tf.tensor([1, 1, 2])}); // [[-1.224, 0, 2.448]]
 * const scale = tf.tensor([[1, 1, 1], [2, 2, 2]]); // one row for each of two examples
 * layerNorm(tf.tensor([[[1, 2, 3]], [[1, 2, 3]]]), {gamma: scale}); // [[[-1.224, 0, 1.224]], [[-2.448, 0, 2.448]]]
 * ```
 * @see Ba, Kiros, Hinton: Layer Normalization. 2016, https://arxiv.org/abs/1607.06450
 */
export function layerNorm(x: Tensor, options?: LayerNormOptions): Tensor;
export function layerNorm(x: Tensor, options: LayerNormOptions = {}, ...more: unknown[]): Tensor {
  checkCall('layerNorm', options, LAYER_OPTIONS, more);
  return normalizeLayer('layerNorm', x, options);
}
/** Options of {@link layerNorm}. */
export interface LayerNormOptions extends AffineOptions {
  /** The axis or axes that are normalized together. Default: -1. */
  readonly axis?: number | readonly number[];
  /** Keeps the divisor from 0. Default: 1e-3; of {@link rmsNorm} 1e-6. */
  readonly epsilon?: number;
}

/** For layers: `layerNorm`, under the name of the layer. */
export function normalizeLayer(who: string, x: Tensor, options: LayerNormOptions): Tensor {
  const { axis = -1, epsilon = 1e-3 } = options;
  return tidy(() => normalizeRows(who, checkInput(who, x), axis, options, centred(checkEpsilon(who, epsilon))));
}

/**
 * Root mean square normalization: layer normalization without a mean.
 *
 *     y = x / (sqrt(mean(x^2)) + epsilon) * gamma + beta
 *
 * @param x any shape of rank 2 to 6; int32 and bool are cast to float32
 * @param options `axis` (default -1; one axis or several), `epsilon` (1e-6), `epsilonPlacement` ('outside' as above;
 *   'inside': sqrt(mean(x^2) + epsilon), as PyTorch and Keras; 'floor': max(sqrt(mean(x^2)), epsilon)), `gamma` and `beta` as
 *   those of {@link layerNorm}, `gammaOffset` (0), which is added to gamma: 1 is Gemma's 1 + gamma
 * @returns a tensor of the shape of x
 * @throws as {@link layerNorm}
 * @example
 * ```js
 * rmsNorm(tf.tensor([[1, 7], [3, 3]])); // [[0.2, 1.4], [1, 1]]
 * rmsNorm(tf.tensor([[1, 7]]), {gamma: tf.tensor([0, 1]), gammaOffset: 1}); // [[0.2, 2.8]]
 * ```
 * @see Zhang, Sennrich: Root Mean Square Layer Normalization. 2019, https://arxiv.org/abs/1910.07467
 */
export function rmsNorm(x: Tensor, options?: RmsNormOptions): Tensor;
export function rmsNorm(x: Tensor, options: RmsNormOptions = {}, ...more: unknown[]): Tensor {
  checkCall('rmsNorm', options, RMS_OPTIONS, more);
  const { axis = -1 } = options;
  return tidy(() => {
    const form = rmsForm('rmsNorm', options);
    return normalizeRows('rmsNorm', checkInput('rmsNorm', x), axis, withOffset('rmsNorm', options), form);
  });
}

export function rmsForm(who: string, { epsilon = 1e-6, epsilonPlacement = 'outside' }: RmsNormOptions): Form {
  checkOneOf(who, 'epsilonPlacement', epsilonPlacement, EPSILON_PLACEMENTS);
  return { epsilon: checkEpsilon(who, epsilon), epsilonPlacement, center: false, rescale: true };
}

/** The parameters with the offset added to gamma. */
export function withOffset(who: string, options: RmsNormOptions): AffineOptions {
  const { gamma, beta, gammaOffset = 0 } = options;
  if (gammaOffset === 0) return options;
  checkGammaOffset(who, gammaOffset, gamma !== undefined);
  return { gamma: add(checkTensor(who, 'gamma', gamma), gammaOffset), beta };
}
/** Options of {@link rmsNorm}. */
export interface RmsNormOptions extends LayerNormOptions {
  /** Where epsilon stands in the divisor. Default: 'outside'. */
  readonly epsilonPlacement?: EpsilonPlacement;
  /** Added to gamma, which then starts at 0: Gemma's 1 + gamma. Default: 0. */
  readonly gammaOffset?: number;
}

/**
 * Group normalization: each example by itself, over its positions and groups of consecutive channels.
 *
 *     y = (x - mean) / sqrt(variance + epsilon) * gamma + beta
 *
 * @param x any shape of rank 2 to 6, [batch, ..., channels]; int32 and bool are cast to float32
 * @param options `groups` (default 32; -1: one per channel), `axis` of the channels (-1), `epsilon` (1e-3), `gamma` and
 *   `beta` [channels], or a row of them per example or position: see {@link AffineOptions}
 * @returns a tensor of the shape of x
 * @throws if groups does not divide the channels, the axis is out of range or 0, epsilon is negative, a parameter has another
 *   size, or an option is unknown
 * @example
 * ```js
 * groupNorm(tf.tensor([[1, 3, 10, 30]]), {groups: 2, epsilon: 1e-5}); // [[-1, 1, -1, 1]]
 * ```
 * @see Wu, He: Group Normalization. 2018, https://arxiv.org/abs/1803.08494
 */
export function groupNorm(x: Tensor, options?: GroupNormOptions): Tensor;
export function groupNorm(x: Tensor, options: GroupNormOptions = {}, ...more: unknown[]): Tensor {
  checkCall('groupNorm', options, GROUP_OPTIONS, more);
  return normalizeGroups('groupNorm', x, options.groups ?? 32, options);
}
/** Options of {@link groupNorm}. */
export interface GroupNormOptions extends InstanceNormOptions {
  /** The number of groups of consecutive channels; -1: one per channel. Default: 32. */
  readonly groups?: number;
}

/**
 * Instance normalization: each channel of each example by itself, over its positions.
 *
 *     y = (x - mean) / sqrt(variance + epsilon) * gamma + beta
 *
 * @param x any shape of rank 2 to 6, [batch, ..., channels]; int32 and bool are cast to float32. Without positions (rank 2)
 *   the variance is 0 and y is beta
 * @param options `axis` of the channels (default -1), `epsilon` (1e-3), `gamma` and `beta` [channels], or a row of
 *   them per example, [batch, channels], or position: see {@link AffineOptions}
 * @returns a tensor of the shape of x
 * @throws if the axis is out of range or 0, epsilon is negative, a parameter has another size, or an option is unknown
 * @example
 * ```js
 * const sequence = tf.tensor([[[1, 10], [3, 30]]]); // one example, two positions, two channels
 * instanceNorm(sequence); // [[[-1, -1], [1, 1]]]
 * ```
 * @see Ulyanov, Vedaldi, Lempitsky: Instance Normalization. 2016, https://arxiv.org/abs/1607.08022
 */
export function instanceNorm(x: Tensor, options?: InstanceNormOptions): Tensor;
export function instanceNorm(x: Tensor, options: InstanceNormOptions = {}, ...more: unknown[]): Tensor {
  checkCall('instanceNorm', options, LAYER_OPTIONS, more);
  return normalizeGroups('instanceNorm', x, -1, options);
}
/** Options of {@link instanceNorm}. */
export interface InstanceNormOptions extends AffineOptions {
  /** The axis of the channels. Default: -1. */
  readonly axis?: number;
  /** Added to the variance. Default: 1e-3. */
  readonly epsilon?: number;
}

/** For layers: `groupNorm`, with the place of epsilon as an option. */
export function normalizeGroups(
  who: string,
  x: Tensor,
  groups: number,
  options: InstanceNormOptions & { readonly epsilonPlacement?: EpsilonPlacement },
): Tensor {
  const { axis = -1, epsilon = 1e-3, epsilonPlacement = 'inside' } = options;
  return tidy(() => {
    const input = checkInput(who, x);
    const form = { ...centred(checkEpsilon(who, epsilon)), epsilonPlacement };
    const axes = [checkAxis(who, axis, input.rank)];
    const [gamma, beta] = parameters(who, options, input.shape, axes);
    return withLast(input, axes, (x) => {
      const c = x.shape[x.rank - 1] as number;
      const view = groupView(x.shape, checkGroups(who, groups, c));
      return normalize(x, gamma, beta, onView(conditioned(view, gamma, beta), form));
    });
  });
}

/**
 * Batch normalization: each channel over the batch and all positions, or with given statistics.
 *
 *     y = (x - mean) / sqrt(variance + epsilon) * gamma + beta
 *
 * Without `mean` and `variance` this is training: they are the (biased) moments of x, the gradient flows through them, and
 * they are returned for moving averages. With both it is inference.
 *
 * @param x any shape of rank 2 to 6, [batch, ..., channels]; int32 and bool are cast to float32
 * @param options `axis` of the channels (default -1), `epsilon` (1e-3), `mean` and `variance` [channels], `gamma` and `beta`
 *   [channels], or a row of them per example, [batch, channels], or position: see {@link AffineOptions}
 * @returns `y`, of the shape of x, and the `mean` and `variance` that were used, [channels]; batch moments are constants to
 *   every gradient, and 0 where x is empty. On a GPU of 16-bit floats the batch's variance is at most 65504, whatever y was made with
 * @throws if only one of mean and variance is given, the axis is out of range, epsilon is negative, a parameter has another
 *   size, or an option is unknown
 * @example
 * ```js
 * const {y, mean, variance} = batchNorm(tf.tensor([[1, 10], [3, 30]]));
 * y; // [[-1, -1], [1, 1]]
 * variance; // [1, 100]
 * batchNorm(tf.tensor([[2, 40]]), {mean, variance}).y; // [[0, 2]]
 * ```
 * @see Ioffe, Szegedy: Batch Normalization. 2015, https://arxiv.org/abs/1502.03167
 */
export function batchNorm(x: Tensor, options?: BatchNormOptions): BatchNormResult;
export function batchNorm(x: Tensor, options: BatchNormOptions = {}, ...more: unknown[]): BatchNormResult {
  const who = 'batchNorm';
  checkCall(who, options, BATCH_OPTIONS, more);
  const { axis = -1, epsilon = 1e-3, mean, variance } = options;
  return tidy(() => {
    const input = checkInput(who, x);
    const channels = checkAxis(who, axis, input.rank, 'with batch');
    const c = input.shape[channels] as number;
    checkEpsilon(who, epsilon);
    const [gamma, beta] = parameters(who, options, input.shape, [channels]);
    if ((mean === undefined) !== (variance === undefined)) {
      fail(who, `mean and variance go together; received only ${mean ? 'mean' : 'variance'}; give both or none`);
    }
    if (mean && variance) {
      // `reshape` makes new tensors: who disposes of the results does not lose the given mean and variance.
      const given = {
        mean: reshape(checkParameter(who, 'mean', mean, c) as Tensor, [c]),
        variance: reshape(checkParameter(who, 'variance', variance, c) as Tensor, [c]),
      };
      return { y: affinePerChannel(input, channels, { ...given, scale: gamma, shift: beta }, epsilon), ...given };
    }
    let statistics: Tensor | undefined;
    const y = withLast(input, [channels], (x) => {
      const attrs = onView(conditioned(batchView(x.shape), gamma, beta), centred(epsilon));
      const [y, ofX] = normalizeWithStatistics(x, gamma, beta, attrs);
      statistics = ofX;
      return y;
    });
    const [batchMean, batchVariance] = rows(statistics as Tensor, c);
    return { y, mean: batchMean, variance: batchVariance };
  });
}
/** Options of {@link batchNorm}. */
export interface BatchNormOptions extends InstanceNormOptions {
  /** The mean [channels] to normalize with, together with `variance`. Default: that of x. */
  readonly mean?: Tensor;
  /** The variance [channels] to normalize with, together with `mean`. Default: that of x, biased. */
  readonly variance?: Tensor;
}
/** What {@link batchNorm} returns. */
export interface BatchNormResult {
  /** The normalized tensor, of the shape of x. */
  y: Tensor;
  /** The mean that was used, [channels]. */
  mean: Tensor;
  /** The (biased) variance that was used, [channels]. */
  variance: Tensor;
}
