import { softmax, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable } from '@tensorflow/tfjs-layers';
import { checkBoolean } from '../kernels/functions/checks.ts';
import type { AffineOptions } from '../kernels/functions/normalization.ts';
import { blendPerChannel } from '../kernels/ops/per-channel.ts';
import { type Source, switchable } from '../kernels/ops/switchable.ts';
import { MovingStatistics } from './base/moving-statistics.ts';
import { type AffineArgs, type Context, Normalization } from './base/normalization.ts';
import { registerLayer } from './base/register.ts';

/** Options of {@link SwitchableNormalization}. */
export interface SwitchableNormalizationArgs extends AffineArgs {
  /** The share of the old value in the moving averages. Default: 0.9. */
  momentum?: number;
  /** Added to the blended variance. Default: 1e-5. */
  epsilon?: number;
  /** Whether the batch's statistics take part; without them the layer is the same in training and inference. Default: true. */
  useBatchStatistics?: boolean;
}

/** The weight of each source; without the instance at rank 2, without the batch if `useBatchStatistics` is false. */
export type SourceWeights = Partial<Record<Source, number>>;

/**
 * Switchable normalization: the layer learns how to weight instance, layer and batch statistics.
 *
 *     y = (x - sum w mean) / sqrt(sum w' variance + epsilon) * gamma + beta
 *     moving = momentum * moving + (1 - momentum) * batch             for mean and (biased) variance
 *
 * The sums are over instance (the positions of each example and channel), layer (positions and channels of each example) and
 * batch (each channel over everything else; in inference, moving averages), in this order; w = softmax(mean_weights),
 * w' = softmax(variance_weights). `trainable: false` means inference mode and frozen averages, also in a training call.
 *
 * Advantages: adapts to what each layer needs; combines the strengths of batch, instance and layer normalization.
 * Disadvantages: costs more computation; needs further parameters for the weights. Best for deep networks in general,
 * where adapting is the point.
 *
 * Input and output: [batch, ..., channels], or with the channels at `axis`, of rank 2 to 6. Without positions (rank 2) there
 * is no instance: the weights are those of layer and batch. Weights: gamma, beta [channels], mean_weights, variance_weights
 * [sources]; and with batch statistics moving_mean, moving_variance [channels].
 *
 * @example
 * ```js
 * const norm = switchableNormalization();
 * norm.apply(tf.randomNormal([4, 8, 8, 3]), {training: true}).shape; // [4, 8, 8, 3]
 * const {mean} = norm.gates(); // {instance: 1 / 3, layer: 1 / 3, batch: 1 / 3}
 * ```
 * @throws if an option is unknown or invalid; when called, if the input has not 2 to 6 axes
 *   or is not numeric, or `axis` is out of range, the batch, or of unknown size
 * @see Luo, Ren, Peng, Zhang, Li: Differentiable Learning-to-Normalize via Switchable Normalization. 2018,
 *   https://arxiv.org/abs/1806.10779
 */
export class SwitchableNormalization extends Normalization {
  /** In saved models. */
  static readonly className = 'SwitchableNormalization';
  /** Whether the batch's statistics take part. */
  readonly useBatchStatistics: boolean;
  #sources: readonly Source[] = [];
  #meanWeights!: LayerVariable;
  #varianceWeights!: LayerVariable;
  #moving: MovingStatistics | undefined = undefined;

  constructor(args: SwitchableNormalizationArgs = {}) {
    super(args, { options: ['useBatchStatistics'], epsilon: 1e-5, momentum: 0.9 });
    this.useBatchStatistics = checkBoolean(this.getClassName(), 'useBatchStatistics', args.useBatchStatistics ?? true);
  }

  protected override buildState(sizes: number[], rank: number): void {
    const has = { instance: rank > 2, layer: true, batch: this.useBatchStatistics };
    this.#sources = (['instance', 'layer', 'batch'] as const).filter((source) => has[source]);
    const add = (name: string) => this.addWeight(name, [this.#sources.length], 'float32', initializers.ones());
    this.#meanWeights = add('mean_weights');
    this.#varianceWeights = add('variance_weights');
    if (this.useBatchStatistics) this.#moving = MovingStatistics.addTo(this, sizes);
  }

  protected override normalize(x: Tensor, parameters: AffineOptions, { training }: Context): Tensor {
    const [meanWeights, varianceWeights] = [this.#meanWeights.read(), this.#varianceWeights.read()];
    const all = { ...parameters, meanWeights, varianceWeights };
    const given = training ? undefined : this.#moving?.read();
    const form = switchable(this.epsilon, this.#sources);
    return blendPerChannel(x, this.frontAxis(x.rank), all, given, form, this.#moving?.follow);
  }

  /**
   * What the layer has learned to weight.
   *
   * @returns the weights of the sources, which add up to 1: softmax of mean_weights and of variance_weights
   * @throws if the layer is not built
   */
  gates(): {
    /** Whose means, and how much of each. */
    mean: SourceWeights;
    /** Whose variances, and how much of each. */
    variance: SourceWeights;
  } {
    this.checkBuilt('gates');
    const read = (weights: LayerVariable): SourceWeights => {
      const shares = softmax(weights.read()).dataSync();
      return Object.fromEntries(this.#sources.map((source, i) => [source, shares[i]]));
    };
    return tidy(() => ({ mean: read(this.#meanWeights), variance: read(this.#varianceWeights) }));
  }
}

/** Makes a {@link SwitchableNormalization}. */
export const switchableNormalization = (args?: SwitchableNormalizationArgs) => new SwitchableNormalization(args);
registerLayer(SwitchableNormalization);
