import { clipByValue, mul, type Tensor } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import type { AffineOptions } from '../kernels/functions/normalization.ts';
import { batchInstance } from '../kernels/ops/batch-instance.ts';
import { centred } from '../kernels/ops/form.ts';
import { blendPerChannel } from '../kernels/ops/per-channel.ts';
import type { Constraint, Identifier, Initializer } from './base/identifiers.ts';
import { MovingStatistics } from './base/moving-statistics.ts';
import { type AffineArgs, type Context, Normalization } from './base/normalization.ts';
import { registerLayer } from './base/register.ts';

/** Options of {@link BatchInstanceNormalization}. */
export interface BatchInstanceNormalizationArgs extends AffineArgs {
  /** The share of the old value in the moving averages. Default: 0.9. */
  momentum?: number;
  /** Added to the variances. Default: 1e-5. */
  epsilon?: number;
  /** Where rho starts: 1 is batch normalization, 0 instance normalization. Default: ones. */
  rhoInitializer?: Identifier<Initializer>;
}

/**
 * Batch-instance normalization: each channel learns how much of batch and how much of instance normalization it takes.
 *
 *     y = (rho xHatBatch + (1 - rho) xHatInstance) * gamma + beta     xHat = (x - mean) / sqrt(variance + epsilon)
 *     moving = momentum * moving + (1 - momentum) * batch             for mean and (biased) variance
 *
 * The batch's statistics are over the batch and all positions, and in inference moving averages stand for them; the
 * instance's are over the positions of one example, always. rho, one gate per channel, is brought back to [0, 1] after
 * each step of training. The paper trains rho ten times as fast as the other weights, without weight decay.
 * `trainable: false` means inference mode and frozen averages, also in a training call.
 *
 * Advantages: balances statistics of the batch and of the example as needed; adapts to different vision tasks.
 * Disadvantages: two normalizations are more complex than one; the best balance may take tuning. Best for vision
 * tasks such as style transfer and object detection.
 *
 * Input and output: [batch, ..., channels], or with the channels at `axis`, of rank 2 to 6. Without positions (rank 2) the
 * instance's share is 0. Weights: gamma, beta, rho, moving_mean, moving_variance [channels].
 *
 * @example
 * ```js
 * const norm = batchInstanceNormalization({momentum: 0.99, rhoInitializer: tf.initializers.constant({value: 0.5})});
 * norm.apply(tf.randomNormal([4, 8, 8, 3]), {training: true}).shape; // [4, 8, 8, 3]
 * const {rho} = norm.gates(); // [0.5, 0.5, 0.5]
 * ```
 * In training rho falls where the style of the single example is a nuisance, and stays near 1 where it matters.
 * @throws if an option is unknown or invalid; when called, if the input has not 2 to 6 axes
 *   or is not numeric, or `axis` is out of range, the batch, or of unknown size
 * @see Nam, Kim: Batch-Instance Normalization for Adaptively Style-Invariant Neural Networks. 2018,
 *   https://arxiv.org/abs/1805.07925
 */
export class BatchInstanceNormalization extends Normalization {
  /** In saved models. */
  static readonly className = 'BatchInstanceNormalization';
  #rho!: LayerVariable;
  #moving!: MovingStatistics;

  constructor(args: BatchInstanceNormalizationArgs = {}) {
    super(args, { initializers: { rhoInitializer: 'ones' }, epsilon: 1e-5, momentum: 0.9 });
  }

  protected override buildState(sizes: number[]): void {
    const [initializer] = this.ownInitializers;
    this.#rho = this.addWeight('rho', sizes, 'float32', initializer, undefined, true, BETWEEN_0_AND_1);
    this.#moving = MovingStatistics.addTo(this, sizes);
  }

  protected override normalize(x: Tensor, { gamma, beta }: AffineOptions, { training }: Context): Tensor {
    const rho = this.#rho.read();
    const axis = this.frontAxis(x.rank);
    if (x.rank === 2) {
      // Without positions the instance's xHat is 0: what is left is batch normalization, times rho.
      const parameters = { gamma: gamma ? mul(gamma, rho) : rho, beta };
      return this.#moving.normalize(x, axis, parameters, centred(this.epsilon), training);
    }
    const given = training ? undefined : this.#moving.read();
    return blendPerChannel(x, axis, { gamma, beta, rho }, given, batchInstance(this.epsilon), this.#moving.follow);
  }

  /**
   * What the layer has learned to mix.
   *
   * @returns rho, one number from 0 (instance) to 1 (batch) for each channel
   * @throws if the layer is not built
   */
  gates(): {
    /** From 0 (instance) to 1 (batch), one for each channel. */
    rho: number[];
  } {
    this.checkBuilt('gates');
    return { rho: Array.from(this.#rho.read().dataSync()) };
  }
}

/** Keeps rho a share. */
const BETWEEN_0_AND_1 = { apply: (rho: Tensor) => clipByValue(rho, 0, 1) } as Constraint;

/** Makes a {@link BatchInstanceNormalization}. */
export const batchInstanceNormalization = (args?: BatchInstanceNormalizationArgs) =>
  new BatchInstanceNormalization(args);
registerLayer(BatchInstanceNormalization);
