import type { Tensor } from '@tensorflow/tfjs-core';
import { checkEpsilon } from '../kernels/functions/checks.ts';
import { rmsNorm } from '../kernels/functions/normalization.ts';
import type { LayerArgs } from './base/options.ts';
import { registerLayer } from './base/register.ts';
import { SingleInputLayer } from './base/single-input-layer.ts';

/** Options of {@link PixelNormalization}. */
export interface PixelNormalizationArgs extends LayerArgs {
  /** The axis of the channels. Default: -1. */
  axis?: number;
  /** Added to the mean square. Default: 1e-8. */
  epsilon?: number;
}

/**
 * Pixel normalization: the channels of each position are divided by the root of their mean square.
 *
 *     y = x / sqrt(mean(x^2) + epsilon)
 *
 * The same in training and inference; no weights.
 *
 * Advantages: keeps the signals of a generator from growing; needs no weights and no batch. Disadvantages: made for generators and less
 * general; forgets how strong a position is. Best for the generators of generative adversarial networks.
 *
 * Input and output: any shape of rank 2 to 6.
 *
 * @example
 * ```js
 * pixelNormalization().apply(tf.tensor([[1, 7], [3, 3]])); // [[0.2, 1.4], [1, 1]]
 * ```
 * @throws if an option is unknown or invalid; when called, if the input has not 2 to 6 axes or is not numeric, or `axis` is out of
 *   range or the batch
 * @see Karras, Aila, Laine, Lehtinen: Progressive Growing of GANs. 2017, https://arxiv.org/abs/1710.10196
 */
export class PixelNormalization extends SingleInputLayer {
  /** In saved models. */
  static readonly className = 'PixelNormalization';
  /** Added to the mean square. */
  readonly epsilon: number;

  constructor(args: PixelNormalizationArgs = {}) {
    super(args, ['epsilon'], {});
    this.epsilon = checkEpsilon(this.getClassName(), args.epsilon ?? 1e-8);
  }

  protected override transform(x: Tensor): Tensor {
    return rmsNorm(x, { axis: this.frontAxes(x.rank), epsilon: this.epsilon, epsilonPlacement: 'inside' });
  }
}

/** Makes a {@link PixelNormalization}. */
export const pixelNormalization = (args?: PixelNormalizationArgs) => new PixelNormalization(args);
registerLayer(PixelNormalization);
