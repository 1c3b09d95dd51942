import { type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import { checkStyle, normalizeToStyle } from '../kernels/functions/adaptive.ts';
import { checkAxisOption, checkEpsilon, checkRank } from '../kernels/functions/checks.ts';
import { ConfiguredLayer } from './base/configured-layer.ts';
import { maskOfFirst } from './base/mask.ts';
import { type Kwargs, type LayerArgs, listOfShapes, type Shape } from './base/options.ts';
import { registerLayer } from './base/register.ts';
import { pairOf, RepeatedInputs } from './base/repeated-inputs.ts';

/** Options of {@link AdaptiveInstanceNormalization}. */
export interface AdaptiveInstanceNormalizationArgs extends LayerArgs {
  /** The axis of the channels. Default: -1. */
  axis?: number;
  /** Added to the variances. Default: 1e-5. */
  epsilon?: number;
}

/**
 * Adaptive instance normalization (AdaIN): each channel of each example of the content gets the mean and the deviation that it has in the
 * style. There are no weights.
 *
 *     y = (content - mean) / sqrt(variance + epsilon) * sqrt(styleVariance + epsilon) + styleMean
 *
 * Advantages: any style at once; nothing to be trained in the layer itself. Disadvantages: a style is no more than means and
 * deviations of channels; needs a decoder that has been trained with it. Best for style transfer with styles that were not seen
 * in training.
 *
 * Inputs: [content, style], [batch, ..., channels] each, or with the channels at `axis`, of one rank, 2 to 6; the positions of the style
 * may be others. Output: the shape of the content.
 *
 * @example
 * ```js
 * const content = tf.tensor([[[1], [3]]]); // one example, two positions, one channel
 * const style = tf.tensor([[[10], [30], [10], [30]]]);
 * adaptiveInstanceNormalization().apply([content, style]); // [[[10], [30]]]
 * ```
 * @throws if an option is unknown or invalid; when called, if there are not two inputs, or their rank, batch or channels differ
 * @see Huang, Belongie: Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization. 2017, https://arxiv.org/abs/1703.06868
 */
export class AdaptiveInstanceNormalization extends ConfiguredLayer {
  /** In saved models. */
  static readonly className = 'AdaptiveInstanceNormalization';
  /** The axis of the channels. */
  readonly axis: number;
  /** Added to the variances. */
  readonly epsilon: number;
  readonly #repeated = new RepeatedInputs(this);

  constructor(args: AdaptiveInstanceNormalizationArgs = {}) {
    super(args, ['axis', 'epsilon']);
    this.axis = checkAxisOption(this.getClassName(), args.axis ?? -1);
    this.epsilon = checkEpsilon(this.getClassName(), args.epsilon ?? 1e-5);
    this.supportsMasking = true;
  }

  override apply(...[inputs, kwargs]: Parameters<layers.Layer['apply']>): ReturnType<layers.Layer['apply']> {
    return this.#repeated.apply(inputs, (all) => super.apply(all, kwargs));
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const [content, style] = pairOf(this, listOfShapes(inputShape), '[content, style]');
    checkRank(this.getClassName(), content.length);
    checkStyle(this.getClassName(), content, style, this.axis);
    return content;
  }

  override build(inputShape: Shape | Shape[]): void {
    this.computeOutputShape(inputShape);
    this.built = true;
  }

  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const [content, style] = pairOf(this, [inputs].flat(), '[content, style]');
      return normalizeToStyle(this.getClassName(), content, style, this);
    });
  }

  /** The mask of the content. */
  override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor {
    return maskOfFirst(mask);
  }
}

/** Makes an {@link AdaptiveInstanceNormalization}. */
export const adaptiveInstanceNormalization = (args?: AdaptiveInstanceNormalizationArgs) =>
  new AdaptiveInstanceNormalization(args);
registerLayer(AdaptiveInstanceNormalization);
