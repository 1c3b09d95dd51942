import type { Tensor } from '@tensorflow/tfjs-core';
import { parameters } from '../kernels/functions/parameters.ts';
import { centred } from '../kernels/ops/form.ts';
import { type ConditionalArgs, ConditionalLayer } from './base/conditional-layer.ts';
import { usableMask } from './base/mask.ts';
import { MovingStatistics } from './base/moving-statistics.ts';
import type { Kwargs } from './base/options.ts';
import { registerLayer } from './base/register.ts';
import { isTraining } from './base/training.ts';

/** Options of {@link ConditionalBatchNormalization}. */
export interface ConditionalBatchNormalizationArgs extends ConditionalArgs {
  /** The share of the old value in the moving averages. Default: 0.99. */
  momentum?: number;
  /** Added to the variance. Default: 1e-3. */
  epsilon?: number;
}

/**
 * Conditional batch normalization: batch normalization whose gamma and beta come from a condition, such as a class or a question.
 *
 *     y = (x - mean) / sqrt(variance + epsilon) * gamma + beta
 *     moving = momentum * moving + (1 - momentum) * batch        for mean and (biased) variance
 *
 * mean and variance are those of each channel over the batch and all positions, in inference the moving averages, as in
 * {@link BatchNormalization}, with the same masks. gamma and beta are of each example. `trainable: false` means inference mode.
 *
 * Advantages: a condition reaches every layer of a network at little cost; one network serves many classes. Disadvantages:
 * fails with small batches, as batch normalization does; needs a condition in inference, too. Best for class-conditional
 * generators, and images about which something is asked.
 *
 * Inputs: [x, condition], x [batch, ..., channels], or with the channels at `axis`, of rank 2 to 6, and the condition [batch, width], a
 * class as `tf.oneHot` gives it, or an embedding: gamma is 1 + a projection of it, and beta another. Or [x, gamma, beta], both
 * [batch, channels]. What is of the rank of x counts for each position. Output: the shape of x. Weights: with a condition
 * condition/kernel [width, 2, channels], condition/bias [2, channels]; moving_mean, moving_variance [channels].
 *
 * @example
 * ```js
 * const norm = conditionalBatchNormalization({epsilon: 1e-5});
 * const classes = tf.oneHot(tf.tensor1d([3, 7], 'int32'), 10);
 * norm.apply([tf.tensor([[1, 10], [3, 30]]), classes], {training: true}); // [[-1, -1], [1, 1]]
 * norm.getWeights()[0].shape; // [10, 2, 2]
 * ```
 * @throws if an option is unknown or invalid; when called, if there are not two or three inputs, or one does not fit x: another batch,
 *   rank or number of channels
 * @see de Vries et al.: Modulating early visual processing by language. 2017, https://arxiv.org/abs/1707.00683
 */
export class ConditionalBatchNormalization extends ConditionalLayer {
  /** In saved models. */
  static readonly className = 'ConditionalBatchNormalization';
  #moving!: MovingStatistics;

  constructor(args: ConditionalBatchNormalizationArgs = {}) {
    super(args, { parameters: ['gamma', 'beta'], scaleOffset: 0, epsilon: 1e-3, momentum: 0.99 });
  }

  protected override buildState(channels: number): void {
    this.#moving = MovingStatistics.addTo(this, [channels]);
  }

  protected override transform(x: Tensor, given: readonly Tensor[], axis: number, kwargs: Kwargs): Tensor {
    const training = isTraining(this, kwargs) && !this.frozen;
    const mask = training ? usableMask(this, x, axis, kwargs) : undefined;
    const [gamma, beta] = parameters(this.getClassName(), { gamma: given[0], beta: given[1] }, x.shape, [axis]);
    return this.#moving.normalize(x, axis, { gamma, beta, mask }, centred(this.epsilon), training);
  }
}

/** Makes a {@link ConditionalBatchNormalization}. */
export const conditionalBatchNormalization = (args?: ConditionalBatchNormalizationArgs) =>
  new ConditionalBatchNormalization(args);
registerLayer(ConditionalBatchNormalization);
