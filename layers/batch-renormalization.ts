import { add, square, type Tensor } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import type { AffineOptions } from '../kernels/functions/normalization.ts';
import { mapWeight } from '../kernels/ops/half.ts';
import { affinePerChannel } from '../kernels/ops/per-channel.ts';
import { MovingStatistics } from './base/moving-statistics.ts';
import { type AffineArgs, type Context, Normalization } from './base/normalization.ts';
import type { ConfigDict } from './base/options.ts';
import { registerLayer } from './base/register.ts';
import { checkClipping, type RenormClipping, renormalize } from './base/renormalization.ts';
import { boundsAt, checkRamp, type RampSteps } from './base/renormalization-ramp.ts';

export type { RampSteps, RenormClipping };

/** Options of {@link BatchRenormalization}. */
export interface BatchRenormalizationArgs extends AffineArgs {
  /** The share of the old value in the moving averages. Default: 0.99. */
  momentum?: number;
  /** Added to the variance. Default: 1e-3. */
  epsilon?: number;
  /** The bounds of r and d. Default: {rmax: 3, rmin: 1 / 3, dmax: 5}. */
  renormClipping?: RenormClipping;
  /** When the bounds are reached; null: they hold from the first step. Default: {rmax: [5000, 40000], dmax: [5000, 25000]}. */
  rampSteps?: RampSteps | null;
}

/**
 * Batch renormalization: batch normalization whose training output is corrected towards that of inference, so that small
 * and uneven batches do less harm.
 *
 *     y = ((x - mean) / stddev * r + d) * gamma + beta                stddev = sqrt(variance + epsilon)
 *     r = stddev / moving_stddev within [rmin, rmax]                  d = (mean - moving_mean) / moving_stddev within +-dmax
 *     moving = momentum * moving + (1 - momentum) * batch             for mean and stddev, after r and d were taken
 *
 * r and d are constants to the gradient. In inference moving averages take the place of mean and stddev, and r = 1, d = 0.
 * Training starts as batch normalization: by `rampSteps`, rmax goes from 1 and dmax from 0 to their values. `trainable: false`
 * means inference mode and a frozen state, also in a training call.
 *
 * Advantages: works with small batches; steadier in online learning and on non-i.i.d. data. Disadvantages: more
 * complex; a little slower than batch normalization. Best for training with small batches, online learning,
 * reinforcement learning.
 *
 * Input and output: [batch, ..., channels], or with the channels at `axis`, of rank 2 to 6. Weights: gamma, beta,
 * moving_mean, moving_stddev [channels]; and if there is a ramp, step [], the number of training calls.
 *
 * @example
 * ```js
 * const norm = batchRenormalization({rampSteps: null});
 * const x = tf.tensor([[1], [3]]); // mean 2, stddev 1: r = 1, d = 2
 * norm.apply(x, {training: true}); // [[1], [3]]
 *
 * const slowly = batchRenormalization({rampSteps: {rmax: [100, 800], dmax: [100, 500]}});
 * slowly.apply(x, {training: true}); // [[-1], [1]]
 * ```
 * @throws if an option is unknown or invalid; when called, if the input has not 2 to 6 axes
 *   or is not numeric, or `axis` is out of range, the batch, or of unknown size
 * @see Ioffe: Batch Renormalization: Towards Reducing Minibatch Dependence in Batch-Normalized Models. 2017,
 *   https://arxiv.org/abs/1702.03275
 */
export class BatchRenormalization extends Normalization {
  /** In saved models. */
  static readonly className = 'BatchRenormalization';
  /** The bounds of r and d; an absent rmin is 1 / rmax. */
  readonly renormClipping: Readonly<RenormClipping & Required<Pick<RenormClipping, 'rmax' | 'dmax'>>>;
  /** When the bounds are reached. */
  readonly rampSteps: Readonly<Required<RampSteps>> | null;
  #moving!: MovingStatistics;
  #step: LayerVariable | undefined = undefined;

  constructor(args: BatchRenormalizationArgs = {}) {
    super(args, { options: ['renormClipping', 'rampSteps'], epsilon: 1e-3, momentum: 0.99 });
    const who = this.getClassName();
    this.renormClipping = checkClipping(who, args.renormClipping ?? {});
    this.rampSteps = args.rampSteps === null ? null : checkRamp(who, args.rampSteps ?? {});
  }

  protected override buildState(sizes: number[]): void {
    this.#moving = MovingStatistics.addTo(this, sizes, ['moving_mean', 'moving_stddev']);
    if (this.rampSteps) this.#step = this.addState('step', []);
  }

  protected override normalize(x: Tensor, parameters: AffineOptions, { training }: Context): Tensor {
    const axis = this.frontAxis(x.rank);
    const [mean, stddev] = this.#moving.read();
    if (!training) {
      const variance = mapWeight(stddev, square, (value) => value ** 2);
      return affinePerChannel(x, axis, { mean, variance, scale: parameters.gamma, shift: parameters.beta }, 0);
    }
    return renormalize(x, axis, parameters, {
      epsilon: this.epsilon,
      averages: { mean, stddev },
      bounds: () => boundsAt(this.#step?.read(), this.renormClipping, this.rampSteps),
      follow: (batch) => {
        this.#moving.follow(batch);
        this.#step?.write(add(this.#step.read(), 1));
      },
    });
  }

  /** `rampSteps: null` means no ramp; null in other options stands for undefined, which JSON does not have. */
  static override fromSaved(config: ConfigDict, saved: ConfigDict): ConfigDict {
    return saved.rampSteps === null ? { ...config, rampSteps: null } : config;
  }
}

/** Makes a {@link BatchRenormalization}. */
export const batchRenormalization = (args?: BatchRenormalizationArgs) => new BatchRenormalization(args);
registerLayer(BatchRenormalization);
