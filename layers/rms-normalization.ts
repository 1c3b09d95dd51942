import type { Tensor } from '@tensorflow/tfjs-core';
import type { EpsilonPlacement } from '../kernels/core/contract.ts';
import { checkGammaOffset, checkOneOf } from '../kernels/functions/checks.ts';
import { type AffineOptions, rmsNorm } from '../kernels/functions/normalization.ts';
import { EPSILON_PLACEMENTS } from '../kernels/ops/form.ts';
import { Normalization } from './base/normalization.ts';
import { type ConfigDict, checkArgs, withoutOptions } from './base/options.ts';
import { registerLayer } from './base/register.ts';
import type { LayerNormalizationArgs } from './layer-normalization.ts';

/** Options of {@link RMSNormalization}. */
export interface RMSNormalizationArgs extends Omit<LayerNormalizationArgs, 'rmsScaling'> {
  /** See `epsilonPlacement`. Default: 1e-6. */
  epsilon?: number;
  /** Where epsilon stands in the divisor. Default: 'outside'. */
  epsilonPlacement?: EpsilonPlacement;
  /** Added to gamma: with 1, y = x / rms(x) * (1 + gamma), as in Gemma. Default: 0. */
  gammaOffset?: number;
}

/** The options which Keras's layer lacks, with the values that it has. */
const KERAS = { center: false, scale: true, epsilonPlacement: 'inside', gammaOffset: 0 };

/**
 * Root mean square normalization: layer normalization without a mean.
 *
 *     y = x / (sqrt(mean(x^2)) + epsilon) * gamma + beta
 *
 * `epsilonPlacement` 'inside' divides by sqrt(mean(x^2) + epsilon), as PyTorch and Keras do, and 'floor' by
 * max(sqrt(mean(x^2)), epsilon), which gives rows at or below epsilon the gradient 0. The same in training and inference. gamma
 * and beta have the shape of the listed axes. `gammaOffset` is added to gamma, which then starts at
 * 1 - gammaOffset; without `scale` it has no effect. With `center: false` and 'inside' the layer is Keras's, and its saved config
 * loads there; a config without `center` is Keras's.
 *
 * Advantages: a cheaper layer normalization; saves computation by not subtracting a mean; suits large models.
 * Disadvantages: without a mean subtracted, some tasks become unstable. Best for transformers and large models where
 * efficiency counts.
 *
 * Input and output: any shape of rank 2 to 6. Weights: scale (gamma), beta.
 *
 * @example
 * ```js
 * rmsNormalization().apply(tf.tensor([[1, 1, 1], [3, 4, 0]])); // [[1, 1, 1], [1.039, 1.386, 0]]
 *
 * const keras = rmsNormalization({center: false, epsilonPlacement: 'inside'});
 * keras.apply(tf.ones([1, 3])).shape; // [1, 3]
 * keras.getWeights().length; // 1
 * ```
 * @throws if an option is unknown or invalid, an axis is named twice; when called, if the input has not 2 to 6 axes
 *   or is not numeric, or `axis` is out of range or of unknown size
 * @see Zhang, Sennrich: Root Mean Square Layer Normalization. 2019, https://arxiv.org/abs/1910.07467
 */
export class RMSNormalization extends Normalization<number | number[]> {
  /** In saved models, here and in Keras. */
  static readonly className: string = 'RMSNormalization';
  /** Where epsilon stands in the divisor. */
  readonly epsilonPlacement: EpsilonPlacement;
  /** Added to gamma. */
  readonly gammaOffset: number;

  constructor(args: RMSNormalizationArgs = {}) {
    const axisRule = { axes: true, batch: 'with batch' } as const;
    const { gammaOffset = 0 } = checkArgs(new.target, args);
    checkGammaOffset(new.target.className, gammaOffset, true);
    const given = gammaOffset === 0 ? args : { gammaInitializer: startAt(1 - gammaOffset), ...args };
    super(given, { options: ['epsilonPlacement', 'gammaOffset'], epsilon: 1e-6, gammaName: 'scale', ...axisRule });
    this.gammaOffset = gammaOffset;
    const placement = args.epsilonPlacement ?? 'outside';
    this.epsilonPlacement = checkOneOf(this.getClassName(), 'epsilonPlacement', placement, EPSILON_PLACEMENTS);
  }

  protected override normalize(x: Tensor, { gamma, beta }: AffineOptions): Tensor {
    const { axis, epsilon, epsilonPlacement, gammaOffset } = this;
    return rmsNorm(x, { gamma, beta, axis, epsilon, epsilonPlacement, gammaOffset: gamma ? gammaOffset : 0 });
  }

  /** Without the options that Keras's layer does not have, where it can represent the others. */
  override getConfig(): ConfigDict {
    const config = super.getConfig();
    const ours = Object.keys(config).filter((key) => key in KERAS || /^(gamma|beta)/.test(key));
    return isKeras(config) ? withoutOptions(config, ours) : config;
  }

  /** A config without `center` is Keras's. */
  static override fromSaved(config: ConfigDict): ConfigDict {
    return 'center' in config ? config : { ...config, ...KERAS };
  }
}

/** The initializer of gamma with which y is x / rms(x) at first. */
const startAt = (value: number): ConfigDict => ({ className: 'Constant', config: { value } });

/** Whether Keras's layer, which has but axis and epsilon, can represent these options. */
function isKeras(config: ConfigDict): boolean {
  const initializer = config.gammaInitializer as ConfigDict;
  const plain = initializer.className === 'Ones' && !config.gammaRegularizer && !config.gammaConstraint;
  return plain && Object.entries(KERAS).every(([key, value]) => config[key] === value);
}

/** Makes an {@link RMSNormalization}. */
export const rmsNormalization = (args?: RMSNormalizationArgs) => new RMSNormalization(args);
registerLayer(RMSNormalization);
