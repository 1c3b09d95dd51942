import { mul, ones, type Tensor } from '@tensorflow/tfjs-core';
import type { EpsilonPlacement } from '../kernels/core/contract.ts';
import { checkOneOf } from '../kernels/functions/checks.ts';
import { type AffineOptions, normalizeGroups } from '../kernels/functions/normalization.ts';
import { EPSILON_PLACEMENTS } from '../kernels/ops/form.ts';
import { type AffineArgs, Normalization } from './base/normalization.ts';
import { type ConfigDict, checkArgs, withoutOptions } from './base/options.ts';
import { registerLayer } from './base/register.ts';

/** Options of {@link InstanceNormalization}. */
export interface InstanceNormalizationArgs extends Omit<AffineArgs, 'axis'> {
  /** The axis of the channels; null: each example is normalized as a whole, with one gamma and one beta. Default: -1. */
  axis?: number | null;
  /** Added to the variance. Default: 1e-3. */
  epsilon?: number;
  /**
   * 'inside' divides by sqrt(variance + epsilon), 'outside' by sqrt(variance) + epsilon, 'floor' by the larger of
   * sqrt(variance) and epsilon, with gradient 0 where that is epsilon. Default: 'inside'.
   */
  epsilonPlacement?: EpsilonPlacement;
}

/**
 * Instance normalization: each channel of each example is normalized by itself, over its positions.
 *
 *     y = (x - mean) / sqrt(variance + epsilon) * gamma + beta
 *
 * The same in training and inference, and at every batch size; the contrast of the input does not reach the output. Without
 * positions (rank 2) the variance is 0 and y is beta.
 *
 * Advantages: right where the statistics of the single example matter; works well for style transfer. Disadvantages:
 * ignores the statistics of the batch; weaker where examples must stay comparable across the batch. Best for style
 * transfer, generative adversarial networks.
 *
 * Input and output: [batch, ..., channels], or with the channels at `axis`, of rank 2 to 6. Weights: gamma, beta [channels];
 * for `axis: null` [1].
 *
 * Models of TensorFlow Addons and keras_contrib load into this class. keras_contrib's has the same name and options, `axis:
 * null` among them, and divides by sqrt(variance) + epsilon: a saved config with all of Keras's keys and without ours,
 * `epsilonPlacement`, is keras_contrib's.
 *
 * @example
 * ```js
 * const norm = instanceNormalization({epsilon: 1e-5});
 * const image = tf.reshape(tf.tensor([1, 2, 3, 4]), [1, 2, 2, 1]);
 * tf.squeeze(norm.apply(image)); // [[-1.342, -0.447], [0.447, 1.342]]
 * tf.squeeze(norm.apply(tf.mul(image, 100))); // [[-1.342, -0.447], [0.447, 1.342]]
 * ```
 * @throws if an option is unknown or invalid; when called, if the input has not 2 to 6 axes
 *   or is not numeric, or `axis` is out of range, the batch, or of unknown size
 * @see Ulyanov, Vedaldi, Lempitsky: Instance Normalization. 2016, https://arxiv.org/abs/1607.08022
 */
export class InstanceNormalization extends Normalization {
  /** In saved models, here and in keras_contrib. */
  static readonly className = 'InstanceNormalization';
  /** Where epsilon stands in the divisor. */
  readonly epsilonPlacement: EpsilonPlacement;
  readonly #whole: boolean;

  constructor(args: InstanceNormalizationArgs = {}) {
    const { axis, ...others } = checkArgs(new.target, args);
    super({ ...others, axis: axis ?? -1 }, { options: ['epsilonPlacement'], epsilon: 1e-3 });
    this.#whole = axis === null;
    const placement = args.epsilonPlacement ?? 'inside';
    this.epsilonPlacement = checkOneOf(this.getClassName(), 'epsilonPlacement', placement, EPSILON_PLACEMENTS);
  }

  protected override parameterShape(sizes: readonly number[]): number[] {
    return this.#whole ? [1] : super.parameterShape(sizes);
  }

  protected override normalize(x: Tensor, { gamma, beta }: AffineOptions): Tensor {
    const { axis, epsilon, epsilonPlacement } = this;
    const whole = this.#whole;
    const channels = x.shape[x.rank - 1] as number;
    const perChannel = (one: Tensor | undefined) => (one && whole ? mul(one, ones([channels])) : one);
    const options = { gamma: perChannel(gamma), beta: perChannel(beta), axis, epsilon, epsilonPlacement };
    return normalizeGroups(this.getClassName(), x, whole ? 1 : -1, options);
  }

  /** The config of a layer with epsilon 'outside' is that of keras_contrib, which has no `epsilonPlacement`. */
  override getConfig(): ConfigDict {
    const config = { ...super.getConfig(), ...(this.#whole ? { axis: null } : {}) };
    return this.epsilonPlacement === 'outside' ? withoutOptions(config, ['epsilonPlacement']) : config;
  }

  /** TensorFlow Addons saves the number of channels as `groups`. Its `axis: null` is not "no axis", unlike ours and keras_contrib's. */
  static override fromSaved(config: ConfigDict, saved: ConfigDict): ConfigDict {
    const { groups, ...options } = config;
    const isContrib = 'gammaConstraint' in saved && !('groups' in saved) && !('epsilonPlacement' in saved);
    if (isContrib) options.epsilonPlacement = 'outside';
    return saved.axis === null && options.epsilonPlacement ? { ...options, axis: null } : options;
  }
}

/** Makes an {@link InstanceNormalization}. */
export const instanceNormalization = (args?: InstanceNormalizationArgs) => new InstanceNormalization(args);
registerLayer(InstanceNormalization, ['Addons>InstanceNormalization']);
