import type { Tensor } from '@tensorflow/tfjs-core';
import type { AffineOptions } from '../kernels/functions/normalization.ts';
import type { Form } from '../kernels/ops/form.ts';
import { MovingStatistics } from './base/moving-statistics.ts';
import { type BetaArgs, type Context, Normalization } from './base/normalization.ts';
import { registerLayer } from './base/register.ts';

/** Options of {@link MeanOnlyBatchNormalization}. */
export interface MeanOnlyBatchNormalizationArgs extends BetaArgs {
  /** The share of the old value in the moving average. Default: 0.9. */
  momentum?: number;
}

/** Nothing is divided: in training `rescale` is false, in inference there is no variance. So epsilon has no effect. */
const MEAN_ONLY: Form = { epsilon: 1, epsilonPlacement: 'inside', center: true, rescale: false };

/**
 * Mean-only batch normalization: the batch's mean of each channel is subtracted; in inference, its moving average.
 *
 *     y = x - mean + beta
 *     moving = momentum * moving + (1 - momentum) * mean
 *
 * The companion of weight normalization, which gives the scale. `trainable: false` means inference mode and a frozen average,
 * also in a training call.
 *
 * Advantages: cheap to compute; prevents a shift of the mean. Disadvantages: does not normalize the variance, so it
 * is less robust on complex data. Best for large models where the variance need not be normalized.
 *
 * Input and output: [batch, ..., channels], or with the channels at `axis`, of rank 2 to 6. Weights: beta, moving_mean
 * [channels].
 *
 * @example
 * ```js
 * const norm = meanOnlyBatchNormalization();
 * const x = tf.tensor([[1, 10], [3, 30]]);
 * norm.apply(x, {training: true}); // [[-1, -10], [1, 10]]
 * norm.apply(x); // [[0.8, 8], [2.8, 28]]
 * ```
 * @throws if an option is unknown or invalid; when called, if the input has not 2 to 6 axes
 *   or is not numeric, or `axis` is out of range, the batch, or of unknown size
 * @see Salimans, Kingma: Weight Normalization (section 4). 2016, https://arxiv.org/abs/1602.07868
 */
export class MeanOnlyBatchNormalization extends Normalization {
  /** In saved models. */
  static readonly className = 'MeanOnlyBatchNormalization';
  #moving!: MovingStatistics;

  constructor(args: MeanOnlyBatchNormalizationArgs = {}) {
    super(args, { momentum: 0.9, gammaName: null });
  }

  protected override buildState(sizes: number[]): void {
    this.#moving = MovingStatistics.addTo(this, sizes, ['moving_mean']);
  }

  protected override normalize(x: Tensor, parameters: AffineOptions, { training }: Context): Tensor {
    return this.#moving.normalize(x, this.frontAxis(x.rank), parameters, MEAN_ONLY, training);
  }
}

/** Makes a {@link MeanOnlyBatchNormalization}. */
export const meanOnlyBatchNormalization = (args?: MeanOnlyBatchNormalizationArgs) =>
  new MeanOnlyBatchNormalization(args);
registerLayer(MeanOnlyBatchNormalization);
