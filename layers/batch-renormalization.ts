import {
  add,
  clipByValue,
  div,
  maximum,
  minimum,
  mul,
  neg,
  reciprocal,
  type serialization,
  slice,
  square,
  stack,
  sub,
  type Tensor,
  unstack,
} from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable } from '@tensorflow/tfjs-layers';
import { fail, show } from '../kernels/core/errors.ts';
import { checkAtLeast, checkKeys } from '../kernels/functions/checks.ts';
import { lent, mapped } from '../kernels/ops/half.ts';
import { affinePerChannel, renormalizePerChannel } from '../kernels/ops/per-channel.ts';
import { divide } from '../kernels/ops/quotient.ts';
import type { Initializer } from './base/identifiers.ts';
import { type AffineArgs, type Context, Normalization } from './base/normalization.ts';
import { savedOptions } from './base/options.ts';
import { registerLayer } from './base/register.ts';

/** Bounds of the correction. */
export interface RenormClipping {
  /** The largest r, at least 1. Default: 3. */
  rmax?: number;
  /** The smallest r, from 0 to 1. Default: 1 / rmax. */
  rmin?: number;
  /** The largest |d|, at least 0. Default: 5. */
  dmax?: number;
}

/** Training calls between which a bound moves from that of batch normalization (r = 1, d = 0) to its own. */
export interface RampSteps {
  /** While rmax goes from 1 to its value. Default: [5000, 40000]. */
  rmax?: [from: number, to: number];
  /** While dmax goes from 0 to its value. Default: [5000, 25000]. */
  dmax?: [from: number, to: number];
}

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
  /** The bounds of r and d; rmin is absent where it is 1 / rmax. */
  readonly renormClipping: Readonly<RenormClipping & Required<Pick<RenormClipping, 'rmax' | 'dmax'>>>;
  /** When the bounds are reached. */
  readonly rampSteps: Readonly<Required<RampSteps>> | null;
  #movingMean!: LayerVariable;
  #movingStddev!: LayerVariable;
  #step: LayerVariable | undefined = undefined;

  constructor(args: BatchRenormalizationArgs = {}) {
    super(args, { options: ['renormClipping', 'rampSteps'], epsilon: 1e-3, momentum: 0.99 });
    const who = this.getClassName();
    this.renormClipping = checkClipping(who, args.renormClipping ?? {});
    this.rampSteps = args.rampSteps === null ? null : checkRamp(who, args.rampSteps ?? {});
  }

  protected override buildState(sizes: number[]): void {
    const add = (name: string, shape: number[], initializer: Initializer) =>
      this.addWeight(name, shape, 'float32', initializer, undefined, false);
    this.#movingMean = add('moving_mean', sizes, initializers.zeros());
    this.#movingStddev = add('moving_stddev', sizes, initializers.ones());
    if (this.rampSteps) this.#step = add('step', [], initializers.zeros());
  }

  protected override normalize(
    x: Tensor,
    gamma: Tensor | undefined,
    beta: Tensor | undefined,
    { training }: Context,
  ): Tensor {
    const axis = this.frontAxis(x.rank);
    if (!training) {
      const variance = mapped(this.#movingStddev.read(), square, (stddev) => stddev ** 2);
      const statistics = { mean: this.#movingMean.read(), variance };
      return affinePerChannel(x, axis, { ...statistics, scale: gamma, shift: beta }, 0);
    }
    return renormalizePerChannel(x, axis, { gamma, beta }, this.epsilon, ({ stddev, apartFrom, both }) => {
      const movingStddev = lent(this.#movingStddev.read());
      const { rmin, rmax, dmin, dmax } = this.#bounds();
      const r = minimum(maximum(divide(stddev, movingStddev, this.epsilon), rmin), rmax);
      const d = minimum(maximum(divide(apartFrom(this.#movingMean.read()), movingStddev, this.epsilon), dmin), dmax);
      this.follow(this.#movingMean, both, 0);
      this.follow(this.#movingStddev, both, 1);
      this.#step?.write(add(this.#step.read(), 1));
      return stack([r, d]);
    });
  }

  /** The bounds of r and d as they are now, on the way from those of batch normalization, 1 and 0, to their own. */
  #bounds(): Record<'rmin' | 'rmax' | 'dmin' | 'dmax', Tensor | number> {
    const { rmax, rmin, dmax } = this.renormClipping;
    if (!this.#step || !this.rampSteps) return { rmin: rmin ?? 1 / rmax, rmax, dmin: -dmax, dmax };
    const [ramps, step] = [[this.rampSteps.rmax, this.rampSteps.dmax], this.#step.read()];
    const starts = ramps.map(([from]) => from);
    const lengths = ramps.map(([from, to]) => to - from);
    const shares = clipByValue(div(sub(step, starts), lengths), 0, 1);
    const [rmaxNow, dmaxNow] = unstack(add(mul(shares, [rmax - 1, dmax]), [1, 0])) as [Tensor, Tensor];
    const rminNow = rmin === undefined ? reciprocal(rmaxNow) : add(mul(slice(shares, 0, 1), rmin - 1), 1);
    return { rmin: rminNow, rmax: rmaxNow, dmin: neg(dmaxNow), dmax: dmaxNow };
  }

  override getConfig(): serialization.ConfigDict {
    const { renormClipping, rampSteps } = this;
    return {
      renormClipping: { ...renormClipping },
      rampSteps: rampSteps && { rmax: [...rampSteps.rmax], dmax: [...rampSteps.dmax] },
      ...super.getConfig(),
    };
  }

  /** null for `rampSteps` is a choice; in other options it is what JSON makes of undefined. */
  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    saved: serialization.ConfigDict,
  ): T {
    const options = savedOptions(saved);
    return new cls(saved.rampSteps === null ? { ...options, rampSteps: null } : options);
  }
}

type Clipping = BatchRenormalization['renormClipping'];

function checkClipping(who: string, given: RenormClipping): Clipping {
  checkKeys(who, 'renormClipping', given, ['rmax', 'rmin', 'dmax']);
  const { rmin } = given;
  const rmax = checkAtLeast(who, 'renormClipping.rmax', given.rmax ?? 3, 1, '3 is usual');
  const dmax = checkAtLeast(who, 'renormClipping.dmax', given.dmax ?? 5, 0, '5 is usual');
  if (rmin === undefined || rmin === null) return { rmax, dmax };
  checkAtLeast(who, 'renormClipping.rmin', rmin, 0, '1 / rmax is usual');
  if (rmin > 1) fail(who, `renormClipping.rmin must be at most 1; received ${rmin}; 1 / rmax is usual`);
  return { rmax, dmax, rmin };
}

/** A float32 counts no further. */
const MOST_STEPS = 2 ** 24;

function checkRamp(who: string, given: RampSteps): Readonly<Required<RampSteps>> {
  checkKeys(who, 'rampSteps', given, ['rmax', 'dmax']);
  const pair = (name: 'rmax' | 'dmax', usual: [number, number]): [number, number] => {
    const steps: readonly number[] = given[name] ?? usual;
    const [from = -1, to = -1, ...more] = Array.isArray(steps) ? steps : [];
    const counts = Number.isInteger(from) && Number.isInteger(to) && more.length === 0;
    if (counts && from >= 0 && to > from && to <= MOST_STEPS) return [from, to];
    return fail(
      who,
      `rampSteps.${name} must be two ascending counts of training calls up to 2^24, [from, to]; received ` +
        `${show(steps)}; [${usual}] is usual, and rampSteps: null is no ramp`,
    );
  };
  return { rmax: pair('rmax', [5000, 40000]), dmax: pair('dmax', [5000, 25000]) };
}

/** Makes a {@link BatchRenormalization}. */
export const batchRenormalization = (args?: BatchRenormalizationArgs) => new BatchRenormalization(args);
registerLayer(BatchRenormalization);
