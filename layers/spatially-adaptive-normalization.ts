import type { Tensor } from '@tensorflow/tfjs-core';
import { fail } from '../kernels/core/errors.ts';
import { checkOneOf, checkPositiveInteger, checkSize } from '../kernels/functions/checks.ts';
import { normalizeGroups } from '../kernels/functions/normalization.ts';
import { parameters } from '../kernels/functions/parameters.ts';
import { centred } from '../kernels/ops/form.ts';
import { type ConditionalArgs, ConditionalLayer, type Project } from './base/conditional-layer.ts';
import { convolutionsOfMap } from './base/convolution.ts';
import { MovingStatistics } from './base/moving-statistics.ts';
import type { Kwargs, Shape } from './base/options.ts';
import type { ProjectionOptions } from './base/projection.ts';
import { registerLayer } from './base/register.ts';
import { isTraining } from './base/training.ts';

const KINDS = ['batch', 'instance'] as const;

/** Options of {@link SpatiallyAdaptiveNormalization}. */
export interface SpatiallyAdaptiveNormalizationArgs extends ConditionalArgs {
  /** Mean and variance of each channel over the batch and all positions, or over the positions of each example. Default: 'batch'. */
  statistics?: (typeof KINDS)[number];
  /** How many channels the map has between its two convolutions. Default: 128. */
  hiddenUnits?: number;
  /** The share of the old value in the moving averages, for 'batch'. Default: 0.99. */
  momentum?: number;
  /** Added to the variance. Default: 1e-5. */
  epsilon?: number;
}

/**
 * Spatially-adaptive normalization (SPADE): what was normalized gets a scale and a shift for each position from a map, such as a
 * segmentation, which other normalizations would wash away.
 *
 *     y = (x - mean) / sqrt(variance + epsilon) * (1 + gamma) + beta
 *
 * The map is resized to the height and width of x by nearest values; gamma and beta are made of it by a 3 x 3 convolution, relu and
 * another 3 x 3 convolution, to which the options of kernel and bias apply. In inference moving averages replace the batch's statistics.
 *
 * Advantages: keeps what a map says of each position, which normalization would wash away. Disadvantages: two convolutions more
 * for every normalization; needs a map of each image. Best for images from segmentations.
 *
 * Inputs: [x, map], [batch, height, width, channels] and [batch, any height, any width, classes]; or [x, gamma, beta] of any rank from 2
 * to 6 and the channels at `axis`, all of one shape. Output: the shape of x. Weights: with a map hidden/kernel
 * [3, 3, classes, hiddenUnits], hidden/bias, condition/kernel [3, 3, hiddenUnits, 2 channels], condition/bias; with 'batch' moving_mean,
 * moving_variance [channels].
 *
 * @example
 * ```js
 * const norm = spatiallyAdaptiveNormalization({hiddenUnits: 8});
 * const [x, map] = [tf.randomNormal([2, 8, 8, 4]), tf.oneHot(tf.zeros([2, 16, 16], 'int32'), 3)];
 * norm.apply([x, map]).shape; // [2, 8, 8, 4]
 * ```
 * @throws if an option is unknown or invalid; when called, if there are not two or three inputs, or one does not fit x: another batch,
 *   rank or number of channels
 * @see Park, Liu, Wang, Zhu: Semantic Image Synthesis with Spatially-Adaptive Normalization. 2019, https://arxiv.org/abs/1903.07291
 */
export class SpatiallyAdaptiveNormalization extends ConditionalLayer {
  /** In saved models. */
  static readonly className = 'SpatiallyAdaptiveNormalization';
  /** Whether mean and variance are over the batch, or of each example. */
  readonly statistics: (typeof KINDS)[number];
  /** The channels between the two convolutions of a map. */
  readonly hiddenUnits: number;
  #moving: MovingStatistics | undefined = undefined;

  constructor(args: SpatiallyAdaptiveNormalizationArgs = {}) {
    const options = ['statistics', 'hiddenUnits'];
    super(args, { parameters: ['gamma', 'beta'], scaleOffset: 1, epsilon: 1e-5, momentum: 0.99, options });
    this.statistics = checkOneOf(this.getClassName(), 'statistics', args.statistics ?? 'batch', KINDS);
    this.hiddenUnits = checkPositiveInteger(this.getClassName(), 'hiddenUnits', args.hiddenUnits ?? 128, 128);
  }

  protected override buildState(channels: number): void {
    if (this.statistics === 'batch') this.#moving = MovingStatistics.addTo(this, [channels]);
  }

  /** A map is projected by two convolutions instead of a matrix. */
  protected override buildProjection(map: Shape, x: Shape, outputs: readonly number[]): Project {
    // A map that is no row per example has the rank of x.
    if (map.length !== 4 || (this.axis !== -1 && this.axis !== 3)) {
      const rule = 'a map needs x of [batch, height, width, channels]';
      fail(this.getClassName(), `${rule}; received x of [${x}] and a map of [${map}]; give [x, gamma, beta] instead`);
    }
    const classes = checkSize(this.getClassName(), map, 3);
    return convolutionsOfMap(this.addTrained, classes, this.hiddenUnits, outputs, this as unknown as ProjectionOptions);
  }

  protected override transform(x: Tensor, given: readonly Tensor[], axis: number, kwargs: Kwargs): Tensor {
    const who = this.getClassName();
    if (!this.#moving)
      return normalizeGroups(who, x, -1, { gamma: given[0], beta: given[1], axis, epsilon: this.epsilon });
    const [gamma, beta] = parameters(who, { gamma: given[0], beta: given[1] }, x.shape, [axis]);
    const training = isTraining(this, kwargs) && !this.frozen;
    return this.#moving.normalize(x, axis, { gamma, beta }, centred(this.epsilon), training);
  }
}

/** Makes a {@link SpatiallyAdaptiveNormalization}. */
export const spatiallyAdaptiveNormalization = (args?: SpatiallyAdaptiveNormalizationArgs) =>
  new SpatiallyAdaptiveNormalization(args);
registerLayer(SpatiallyAdaptiveNormalization);
