import type { serialization, Tensor } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { fail } from '../kernels/checks.ts';
import { affinePerChannel, centred, normalizePerChannel } from '../kernels/functions.ts';
import { describe, type Identifier, type Initializer, resolve } from './identifiers.ts';
import { usableMask } from './mask.ts';
import { type AffineArgs, type Context, Normalization } from './normalization.ts';
import { registerLayer } from './register.ts';

export interface BatchNormalizationArgs extends AffineArgs {
  /** The share of the old value in the moving averages. Default: 0.99. */
  momentum?: number;
  /** Added to the variance. Default: 1e-3. */
  epsilon?: number;
  /** Default: zeros. */
  movingMeanInitializer?: Identifier<Initializer>;
  /** Default: ones. */
  movingVarianceInitializer?: Identifier<Initializer>;
}

/**
 * Batch normalization: each channel is normalized over the batch and all positions; in inference, with moving averages.
 *
 *   y = (x - mean) / sqrt(variance + epsilon) * gamma + beta
 *   moving = momentum * moving + (1 - momentum) * batch        for mean and (biased) variance
 *
 * `trainable: false` means inference mode and frozen averages, also in a training call. A mask of the shape of the input
 * without channels restricts the statistics to the positions where it is true. Class name, config keys and weight names are
 * Keras's.
 *
 * Advantages: speeds up convergence; regularizes; works well with large batches. Disadvantages: fails with small
 * batches; does not suit recurrent networks and sequences of varying length. Best for convolutional and fully
 * connected networks for vision.
 *
 * Input and output: [batch, ..., channels], or with the channels at `axis`, of rank 2 to 6.
 * Weights: gamma, beta, moving_mean, moving_variance [channels].
 *
 * ```js
 * const model = tf.sequential({layers: [
 *   tf.layers.conv2d({filters: 8, kernelSize: 3, useBias: false, inputShape: [28, 28, 1]}),
 *   batchNormalization({momentum: 0.9}),
 * ]});
 * ```
 *
 * Ioffe, Szegedy: Batch Normalization. 2015, https://arxiv.org/abs/1502.03167
 */
export class BatchNormalization extends Normalization {
  static readonly className = 'BatchNormalization';
  private readonly movingMeanInitializer: Initializer;
  private readonly movingVarianceInitializer: Initializer;
  private movingMean!: LayerVariable;
  private movingVariance!: LayerVariable;

  constructor(args: BatchNormalizationArgs = {}) {
    super(args, { options: ['movingMeanInitializer', 'movingVarianceInitializer'], epsilon: 1e-3, momentum: 0.99 });
    const who = this.getClassName();
    this.movingMeanInitializer = resolve(who, 'movingMeanInitializer', args.movingMeanInitializer ?? 'zeros');
    this.movingVarianceInitializer = resolve(
      who,
      'movingVarianceInitializer',
      args.movingVarianceInitializer ?? 'ones',
    );
  }

  protected override buildState(sizes: number[]): void {
    const add = (name: string, initializer: Initializer) =>
      this.addWeight(name, sizes, 'float32', initializer, undefined, false);
    this.movingMean = add('moving_mean', this.movingMeanInitializer);
    this.movingVariance = add('moving_variance', this.movingVarianceInitializer);
  }

  protected override normalize(
    x: Tensor,
    gamma: Tensor | undefined,
    beta: Tensor | undefined,
    context: Context,
  ): Tensor {
    const axis = this.frontAxis(x.rank);
    if (!context.training) {
      const statistics = { mean: this.movingMean.read(), variance: this.movingVariance.read() };
      return affinePerChannel(x, axis, { ...statistics, scale: gamma, shift: beta }, this.epsilon);
    }
    const mask = usableMask(this, x, axis, context.kwargs);
    return normalizePerChannel(x, axis, { gamma, beta, mask }, centred(this.epsilon), (moments) => {
      this.follow(this.movingMean, moments, 0);
      this.follow(this.movingVariance, moments, 1);
    });
  }

  override getConfig(): serialization.ConfigDict {
    return {
      movingMeanInitializer: describe(this.movingMeanInitializer),
      movingVarianceInitializer: describe(this.movingVarianceInitializer),
      ...super.getConfig(),
    };
  }

  /** Keras also saves the options of renormalization, virtual batches and synchronization between devices. */
  static override fromSaved(config: serialization.ConfigDict): serialization.ConfigDict {
    const { renorm, renormClipping, renormMomentum, virtualBatchSize, synchronized, fused, ...ours } = config;
    if (renorm)
      fail(
        'BatchNormalization',
        'the saved option renorm is true, which this class is not for; use BatchRenormalization',
      );
    if (virtualBatchSize) {
      fail(
        'BatchNormalization',
        `virtual batches (virtual_batch_size ${virtualBatchSize}) are not supported; save the layer without`,
      );
    }
    return ours;
  }
}

/** Makes a `BatchNormalization`. */
export const batchNormalization = (args?: BatchNormalizationArgs) => new BatchNormalization(args);
registerLayer(BatchNormalization);
