import { fill, mul, ones, type Tensor } from '@tensorflow/tfjs-core';
import { type AffineOptions, rmsNorm } from '../kernels/functions/normalization.ts';
import { ofNothing } from '../kernels/ops/nothing.ts';
import type { Identifier, Initializer } from './base/identifiers.ts';
import { type AffineArgs, Normalization } from './base/normalization.ts';
import { checkArgs } from './base/options.ts';
import { registerLayer } from './base/register.ts';

/** Options of {@link ScaleNormalization}. */
export interface ScaleNormalizationArgs extends AffineArgs {
  /** The smallest length that is divided by. Default: 1e-5. */
  epsilon?: number;
  /** Add beta, one number, which the paper does not have. Default: false. */
  center?: boolean;
  /** Where gamma, the length g, starts. Default: ones; the paper starts it at the root of the width. */
  gammaInitializer?: Identifier<Initializer>;
}

/**
 * Scale normalization: each vector gets the length g, which is one learned number.
 *
 *     y = g x / max(||x||, epsilon)
 *
 * A vector no longer than epsilon gets no gradient. The paper starts g at the root of the width, as does `gammaInitializer:
 * tf.initializers.constant({value: Math.sqrt(512)})` for a width of 512. The same in training and inference.
 *
 * Advantages: one parameter in place of two for each feature; a little faster than layer normalization; helps translation from little data.
 * Disadvantages: all features share one scale; needs a good start of g. Best for transformers on small data.
 *
 * Input and output: any shape of rank 2 to 6. Weights: gamma [1], that is g, and beta [1].
 *
 * @example
 * ```js
 * scaleNormalization().apply(tf.tensor([[3, 4]])); // [[0.6, 0.8]]
 * ```
 * @throws if an option is unknown or invalid; when called, if the input has not 2 to 6 axes or is not numeric, or `axis` is
 *   out of range, the batch, or of unknown size
 * @see Nguyen, Salazar: Transformers without Tears. 2019, https://arxiv.org/abs/1910.05895
 */
export class ScaleNormalization extends Normalization {
  /** In saved models. */
  static readonly className = 'ScaleNormalization';

  constructor(args: ScaleNormalizationArgs = {}) {
    const { center = false } = checkArgs(new.target, args);
    super({ ...args, center }, { epsilon: 1e-5 });
  }

  /** One g, and one beta if there is. */
  protected override parameterShape(): number[] {
    return [1];
  }

  protected override normalize(x: Tensor, { gamma, beta }: AffineOptions): Tensor {
    if (x.size === 0) return ofNothing(x.shape, x, gamma, beta);
    const { axis, epsilon } = this;
    const width = x.shape.at(axis) as number;
    // The length is the root of the mean square times the root of the width.
    const root = Math.sqrt(width);
    return rmsNorm(x, {
      gamma: mul(gamma ?? ones([1]), fill([width], 1 / root)),
      beta: beta && mul(beta, ones([width])),
      axis,
      epsilon: epsilon / root,
      epsilonPlacement: 'floor',
    });
  }
}

/** Makes a {@link ScaleNormalization}. */
export const scaleNormalization = (args?: ScaleNormalizationArgs) => new ScaleNormalization(args);
registerLayer(ScaleNormalization);
