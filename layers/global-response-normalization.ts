import type { Tensor } from '@tensorflow/tfjs-core';
import type { AffineOptions } from '../kernels/functions/normalization.ts';
import { globalResponse } from '../kernels/ops/response.ts';
import type { Identifier, Initializer } from './base/identifiers.ts';
import { type AffineArgs, Normalization } from './base/normalization.ts';
import { checkArgs } from './base/options.ts';
import { registerLayer } from './base/register.ts';

/** Options of {@link GlobalResponseNormalization}. */
export interface GlobalResponseNormalizationArgs extends AffineArgs {
  /** Added to the mean of the responses. Default: 1e-6. */
  epsilon?: number;
  /** Where gamma starts. Default: zeros, with which the layer changes nothing. */
  gammaInitializer?: Identifier<Initializer>;
}

/**
 * Global response normalization of ConvNeXt V2: channels compete by how strongly they respond to the whole example.
 *
 *     g = ||x||     y = gamma x g / (mean(g) + epsilon) + beta + x
 *
 * with the length over the positions of each example and channel, and the mean over the channels. gamma and beta start at zero, so
 * that y is x at first. The same in training and inference. On a GPU of 16-bit floats its gradients are for activations of usual size, about 1:
 * sums of gradients times activations must stay below 65504.
 *
 * Advantages: keeps features from collapsing in self-supervised training; independent of the batch. Disadvantages: made for one place,
 * the wide layer of a ConvNeXt block; adds to another normalization rather than taking its place. Best for ConvNeXt V2.
 *
 * Input and output: any shape of rank 2 to 6, [batch, ..., channels]. Without positions (rank 2) the length is |x|.
 * Weights: gamma, beta [channels].
 *
 * @example
 * ```js
 * const norm = globalResponseNormalization({gammaInitializer: 'ones'});
 * norm.apply(tf.tensor([[[3, 1], [4, 0]]])); // [[[8, 1.333], [10.667, 0]]]
 * ```
 * @throws if an option is unknown or invalid; when called, if the input has not 2 to 6 axes or is not numeric, or `axis` is
 *   out of range, the batch, or of unknown size
 * @see Woo, Debnath, Hu and others: ConvNeXt V2. 2023, https://arxiv.org/abs/2301.00808
 */
export class GlobalResponseNormalization extends Normalization {
  /** In saved models. */
  static readonly className = 'GlobalResponseNormalization';

  constructor(args: GlobalResponseNormalizationArgs = {}) {
    const { gammaInitializer = 'zeros' } = checkArgs(new.target, args);
    super({ ...args, gammaInitializer }, { epsilon: 1e-6 });
  }

  protected override normalize(x: Tensor, parameters: AffineOptions): Tensor {
    return globalResponse(x, this.frontAxis(x.rank), parameters, this.epsilon);
  }
}

/** Makes a {@link GlobalResponseNormalization}. */
export const globalResponseNormalization = (args?: GlobalResponseNormalizationArgs) =>
  new GlobalResponseNormalization(args);
registerLayer(GlobalResponseNormalization);
