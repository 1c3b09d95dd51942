import type { Tensor } from '@tensorflow/tfjs-core';
import { fail } from '../kernels/core/errors.ts';
import { checkAnyMomentum, checkBoolean } from '../kernels/functions/checks.ts';
import type { AffineOptions } from '../kernels/functions/normalization.ts';
import { centred } from '../kernels/ops/form.ts';
import type { Identifier, Initializer } from './base/identifiers.ts';
import { type KerasRenormArgs, KerasRenormalization, RENORM_OPTIONS } from './base/keras-renormalization.ts';
import { usableMask } from './base/mask.ts';
import { MovingStatistics } from './base/moving-statistics.ts';
import { type AffineArgs, type Context, Normalization } from './base/normalization.ts';
import { type ConfigDict, withoutOptions } from './base/options.ts';
import { registerLayer } from './base/register.ts';
import { checkKerasClipping, type KerasClipping } from './base/renormalization.ts';

export type { KerasClipping };

/** Options of {@link BatchNormalization}. */
export interface BatchNormalizationArgs extends AffineArgs, KerasRenormArgs {
  /** The share of the old value in the moving averages. Default: 0.99. */
  momentum?: number;
  /** Added to the variance. Default: 1e-3. */
  epsilon?: number;
  /** Where the moving mean starts. Default: zeros. */
  movingMeanInitializer?: Identifier<Initializer>;
  /** Where the moving variance starts. Default: ones. */
  movingVarianceInitializer?: Identifier<Initializer>;
}

/**
 * Batch normalization: each channel is normalized over the batch and all positions; in inference, with moving averages.
 *
 *     y = (x - mean) / sqrt(variance + epsilon) * gamma + beta
 *     moving = momentum * moving + (1 - momentum) * batch        for mean and (biased) variance
 *
 * With `renorm` a training call gives
 *
 *     y = ((x - mean) / stddev * r + d) * gamma + beta                stddev = sqrt(variance + epsilon)
 *     r = stddev / renorm_stddev     d = (mean - renorm_mean) / renorm_stddev
 *
 * r and d, clipped and constants to the gradient, with the averages before their update; epsilon is Keras's in all places.
 *
 * A group without variance gives beta, also where epsilon is 0. An empty batch comes out empty, and changes no average.
 * `trainable: false` means inference mode and frozen averages, also in a training call. A mask of the shape of the input
 * without channels restricts the statistics to the positions where it is true; it comes from `masking` or an embedding with
 * `maskZero` in the same model, for TensorFlow.js brings none into a model within. Class name, config keys and weight names
 * are Keras's.
 *
 * Advantages: speeds up convergence; regularizes; works well with large batches. Disadvantages: fails with small
 * batches; does not suit recurrent networks and sequences of varying length. Best for convolutional and fully
 * connected networks for vision.
 *
 * Input and output: [batch, ..., channels], or with the channels at `axis`, of rank 2 to 6.
 * Weights: gamma, beta, moving_mean, moving_variance and, with `renorm`, moving_stddev, renorm_mean, renorm_stddev [channels].
 *
 * @example
 * ```js
 * const norm = batchNormalization({momentum: 0.9});
 * const x = tf.tensor([[1, 10], [3, 30]]);
 * norm.apply(x, {training: true}); // [[-1, -1], [1, 1]]
 * const [gamma, beta, movingMean, movingVariance] = norm.getWeights();
 * movingMean; // [0.2, 2]
 * ```
 * @throws if an option is unknown or invalid,
 *   or a mask comes with `renorm`; when called, if the input has not 2 to 6 axes or is not numeric, or `axis` is out of
 *   range or of unknown size
 * @see Ioffe, Szegedy: Batch Normalization. 2015, https://arxiv.org/abs/1502.03167
 */
export class BatchNormalization extends Normalization {
  /** In saved models, here and in Keras. */
  static readonly className = 'BatchNormalization';
  /** Whether training calls renormalize. */
  readonly renorm: boolean;
  /** The bounds of r and |d| that were given. */
  readonly renormClipping: Readonly<KerasClipping>;
  /** The share of the old value in the averages that r and d compare with. */
  readonly renormMomentum: number;
  #moving!: MovingStatistics;
  #renormalization: KerasRenormalization | undefined = undefined;

  constructor(args: BatchNormalizationArgs = {}) {
    const initializers = { movingMeanInitializer: 'zeros', movingVarianceInitializer: 'ones' };
    const traits = { epsilon: 1e-3, momentum: 0.99, anyMomentum: true, batch: 'with batch' } as const;
    super(args, { options: RENORM_OPTIONS, initializers, ...traits });
    const who = this.getClassName();
    this.renorm = checkBoolean(who, 'renorm', args.renorm ?? false);
    this.renormClipping = checkKerasClipping(who, args.renormClipping ?? {});
    this.renormMomentum = checkAnyMomentum(who, 'renormMomentum', args.renormMomentum ?? 0.99);
  }

  protected override buildState(sizes: number[]): void {
    this.#moving = MovingStatistics.addTo(this, sizes, undefined, this.ownInitializers);
    if (this.renorm) this.#renormalization = new KerasRenormalization(this, this.#moving, this.ownInitializers);
    // Code written for TensorFlow.js's layer may read its weights by these names.
    const [movingMean, movingVariance] = this.#moving.weights;
    Object.assign(this, { movingMean, movingVariance });
  }

  protected override normalize(x: Tensor, { gamma, beta }: AffineOptions, { training, kwargs }: Context): Tensor {
    const axis = this.frontAxis(x.rank);
    const parameters = { gamma, beta, mask: training ? usableMask(this, x, axis, kwargs) : undefined };
    if (training && this.#renormalization) return this.#renormalization.normalize(x, axis, parameters);
    return this.#moving.normalize(x, axis, parameters, centred(this.epsilon), training);
  }

  /** As in Keras 2, without the options of renormalization if `renorm` is false. */
  override getConfig(): ConfigDict {
    return this.renorm ? super.getConfig() : withoutOptions(super.getConfig(), RENORM_OPTIONS);
  }

  /** Keras also saves the options of virtual batches, of synchronization between devices and of a fused kernel. */
  static override fromSaved(config: ConfigDict): ConfigDict {
    const { virtualBatchSize: size, ...ours } = withoutOptions(config, ['synchronized', 'fused']);
    const remedy = 'save the layer without';
    if (size) fail('BatchNormalization', `virtual batches (virtual_batch_size ${size}) are not supported; ${remedy}`);
    return config.renorm ? ours : withoutOptions(ours, RENORM_OPTIONS);
  }
}

/** Makes a {@link BatchNormalization}. */
export const batchNormalization = (args?: BatchNormalizationArgs) => new BatchNormalization(args);
registerLayer(BatchNormalization, ['BatchNormalizationV1', 'BatchNormalizationV2', 'SyncBatchNormalization']);
