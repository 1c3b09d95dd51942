import {
  maximum,
  minimum,
  type serialization,
  sqrt,
  square,
  stack,
  sub,
  type Tensor,
  tidy,
} from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { fail } from '../kernels/core/errors.ts';
import { checkAnyMomentum, checkAtLeast, checkBoolean, checkKeys } from '../kernels/functions/checks.ts';
import type { BatchStatistics } from '../kernels/ops/batch-statistics.ts';
import { centred } from '../kernels/ops/form.ts';
import { lent, mapped, varianceFrom } from '../kernels/ops/half.ts';
import { affinePerChannel, normalizePerChannel, renormalizePerChannel } from '../kernels/ops/per-channel.ts';
import { divide } from '../kernels/ops/quotient.ts';
import { describe, type Identifier, type Initializer, resolve } from './base/identifiers.ts';
import { usableMask } from './base/mask.ts';
import { type AffineArgs, type Context, Normalization } from './base/normalization.ts';
import { registerLayer } from './base/register.ts';

/** Options of {@link BatchNormalization}. */
export interface BatchNormalizationArgs extends AffineArgs {
  /** The share of the old value in the moving averages. Default: 0.99. */
  momentum?: number;
  /** Added to the variance. Default: 1e-3. */
  epsilon?: number;
  /** Where the moving mean starts. Default: zeros. */
  movingMeanInitializer?: Identifier<Initializer>;
  /** Where the moving variance starts. Default: ones. */
  movingVarianceInitializer?: Identifier<Initializer>;
  /** Renormalize in training as Keras does, which `BatchRenormalization` does as its paper. Default: false. */
  renorm?: boolean;
  /** With `renorm`: bounds of r and of |d|; one that is absent is no bound. Default: none. */
  renormClipping?: KerasClipping | null;
  /** With `renorm`: the share of the old value in the averages that r and d compare with. Default: 0.99. */
  renormMomentum?: number;
}

/** Keras's bounds of renormalization. */
export interface KerasClipping {
  /** The largest r. Default: none. */
  rmax?: number;
  /** The smallest r. Default: none. */
  rmin?: number;
  /** The largest |d|. Default: none. */
  dmax?: number;
}

/** What renormalization keeps beside the moving mean and variance. */
interface Renorm {
  readonly movingStddev: LayerVariable;
  readonly mean: LayerVariable;
  readonly stddev: LayerVariable;
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
  readonly #movingMeanInitializer: Initializer;
  readonly #movingVarianceInitializer: Initializer;
  #movingMean!: LayerVariable;
  #movingVariance!: LayerVariable;
  /** See the option. */
  readonly renorm: boolean;
  /** The bounds that were given. */
  readonly renormClipping: Readonly<KerasClipping>;
  /** See the option. */
  readonly renormMomentum: number;
  #renormState: Renorm | undefined = undefined;

  constructor(args: BatchNormalizationArgs = {}) {
    super(args, { options: OWN_OPTIONS, epsilon: 1e-3, momentum: 0.99, batch: 'with batch' });
    const who = this.getClassName();
    this.#movingMeanInitializer = resolve(who, 'movingMeanInitializer', args.movingMeanInitializer ?? 'zeros');
    this.#movingVarianceInitializer = resolve(
      who,
      'movingVarianceInitializer',
      args.movingVarianceInitializer ?? 'ones',
    );
    Object.assign(this, {
      movingMeanInitializer: this.#movingMeanInitializer,
      movingVarianceInitializer: this.#movingVarianceInitializer,
    });
    this.renorm = checkBoolean(who, 'renorm', args.renorm ?? false);
    this.renormClipping = checkClipping(who, args.renormClipping ?? {});
    this.renormMomentum = this.checkMomentum('renormMomentum', args.renormMomentum ?? 0.99);
  }

  /** TensorFlow.js and Keras take any. */
  protected override checkMomentum(name: string, momentum: unknown): number {
    return checkAnyMomentum(this.getClassName(), name, momentum);
  }

  protected override buildState(sizes: number[]): void {
    const add = (name: string, initializer: Initializer) =>
      this.addWeight(name, sizes, 'float32', initializer, undefined, false);
    this.#movingMean = add('moving_mean', this.#movingMeanInitializer);
    this.#movingVariance = add('moving_variance', this.#movingVarianceInitializer);
    // As in TensorFlow.js, for code that reads them.
    Object.assign(this, { movingMean: this.#movingMean, movingVariance: this.#movingVariance });
    if (!this.renorm) return;
    const [movingStddev, mean, stddev] = [
      add('moving_stddev', this.#movingVarianceInitializer),
      add('renorm_mean', this.#movingMeanInitializer),
      add('renorm_stddev', this.#movingVarianceInitializer),
    ];
    tidy(() => {
      for (const one of [movingStddev, stddev]) one.write(sqrt(one.read()));
    });
    this.#renormState = { movingStddev, mean, stddev };
  }

  protected override normalize(
    x: Tensor,
    gamma: Tensor | undefined,
    beta: Tensor | undefined,
    context: Context,
  ): Tensor {
    const axis = this.frontAxis(x.rank);
    if (!context.training) {
      const statistics = { mean: this.#movingMean.read(), variance: this.#movingVariance.read() };
      return affinePerChannel(x, axis, { ...statistics, scale: gamma, shift: beta }, this.epsilon);
    }
    const mask = usableMask(this, x, axis, context.kwargs);
    if (this.#renormState) {
      if (mask) fail(this.getClassName(), `renorm takes no mask; '${this.name}' received one; use renorm: false`);
      const correct = (batch: BatchStatistics) => this.#correct(batch, this.#renormState as Renorm);
      return renormalizePerChannel(x, axis, { gamma, beta }, this.epsilon, correct);
    }
    return normalizePerChannel(x, axis, { gamma, beta, mask }, centred(this.epsilon), (moments) => {
      this.follow(this.#movingMean, moments, 0);
      this.follow(this.#movingVariance, moments, 1);
    });
  }

  /** r and d [2, channels] from the statistics of the batch, and all averages moved. */
  #correct({ stddev, apartFrom, both }: BatchStatistics, renorm: Renorm): Tensor {
    const { epsilon, renormMomentum } = this;
    const { rmin, rmax, dmax } = this.renormClipping;
    const past = maximum(lent(renorm.stddev.read()), Math.sqrt(epsilon));
    const r = clip(divide(stddev, past, epsilon), rmin, rmax);
    const d = clip(divide(apartFrom(renorm.mean.read()), past, epsilon), dmax && -dmax, dmax);
    this.follow(renorm.mean, both, 0, renormMomentum);
    this.follow(renorm.stddev, both, 1, renormMomentum);
    this.follow(this.#movingMean, both, 0);
    this.follow(renorm.movingStddev, both, 1);
    const variance = (stddev: Tensor) => maximum(sub(square(stddev), epsilon), 0);
    this.#movingVariance.write(mapped(renorm.movingStddev.read(), variance, varianceFrom(epsilon)));
    return stack([r, d]);
  }

  /** As Keras 2, which leaves the options of renormalization out where there is none. */
  override getConfig(): serialization.ConfigDict {
    const { renorm, renormClipping, renormMomentum } = this;
    return {
      ...(renorm ? { renorm, renormClipping: { ...renormClipping }, renormMomentum } : {}),
      movingMeanInitializer: describe(this.#movingMeanInitializer),
      movingVarianceInitializer: describe(this.#movingVarianceInitializer),
      ...super.getConfig(),
    };
  }

  /** Keras also saves the options of virtual batches, of synchronization between devices and of a fused kernel. */
  static override fromSaved(config: serialization.ConfigDict): serialization.ConfigDict {
    const { renorm, renormClipping, renormMomentum, virtualBatchSize, synchronized, fused, ...ours } = config;
    if (virtualBatchSize) {
      fail(
        'BatchNormalization',
        `virtual batches (virtual_batch_size ${virtualBatchSize}) are not supported; save the layer without`,
      );
    }
    if (!renorm) return ours;
    const given = Object.entries({ renormClipping, renormMomentum }).filter(([, value]) => value !== undefined);
    return { ...ours, renorm, ...Object.fromEntries(given) } as serialization.ConfigDict;
  }
}

const OWN_OPTIONS = [
  'movingMeanInitializer',
  'movingVarianceInitializer',
  'renorm',
  'renormClipping',
  'renormMomentum',
];

/** Within bounds that may be absent. */
function clip(x: Tensor, low: number | undefined, high: number | undefined): Tensor {
  const above = low === undefined ? x : maximum(x, low);
  return high === undefined ? above : minimum(above, high);
}

function checkClipping(who: string, given: KerasClipping): Readonly<KerasClipping> {
  checkKeys(who, 'renormClipping', given, ['rmax', 'rmin', 'dmax']);
  const usual = 'rmax 3, rmin 1 / 3 and dmax 5 are usual';
  const bounds = Object.entries(given).filter(([, bound]) => bound !== null && bound !== undefined);
  for (const [name, bound] of bounds) checkAtLeast(who, `renormClipping.${name}`, bound, 0, usual);
  const { rmin = 0, rmax = rmin } = given;
  if (rmin > rmax) fail(who, `renormClipping.rmin (${rmin}) must not be above rmax (${rmax}); ${usual}`);
  return Object.fromEntries(bounds);
}

/** Makes a {@link BatchNormalization}. */
export const batchNormalization = (args?: BatchNormalizationArgs) => new BatchNormalization(args);
registerLayer(BatchNormalization, ['BatchNormalizationV1', 'BatchNormalizationV2', 'SyncBatchNormalization']);
