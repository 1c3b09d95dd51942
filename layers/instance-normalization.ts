import type { serialization, Tensor } from '@tensorflow/tfjs-core';
import { instanceNorm } from '../kernels/functions.ts';
import { type AffineArgs, Normalization } from './normalization.ts';
import { registerLayer } from './register.ts';

export interface InstanceNormalizationArgs extends AffineArgs {
  /** Added to the variance. Default: 1e-3. */
  epsilon?: number;
}

/**
 * Instance normalization: each channel of each example is normalized by itself, over its positions.
 *
 *   y = (x - mean) / sqrt(variance + epsilon) * gamma + beta
 *
 * The same in training and inference, and at every batch size; the contrast of the input does not reach the output. Without
 * positions (rank 2) the variance is 0 and y is beta.
 *
 * Advantages: right where the statistics of the single example matter; works well for style transfer. Disadvantages:
 * ignores the statistics of the batch; weaker where examples must stay comparable across the batch. Best for style
 * transfer, generative adversarial networks.
 *
 * Input and output: [batch, ..., channels], or with the channels at `axis`, of rank 2 to 6. Weights: gamma, beta [channels].
 *
 * ```js
 * const norm = instanceNormalization({epsilon: 1e-5});
 * const y = norm.apply(tf.randomNormal([1, 8, 8, 3]));
 * ```
 *
 * Ulyanov, Vedaldi, Lempitsky: Instance Normalization. 2016, https://arxiv.org/abs/1607.08022
 */
export class InstanceNormalization extends Normalization {
  static readonly className = 'InstanceNormalization';

  constructor(args: InstanceNormalizationArgs = {}) {
    super(args, { epsilon: 1e-3 });
  }

  protected override normalize(x: Tensor, gamma: Tensor | undefined, beta: Tensor | undefined): Tensor {
    const { axis, epsilon } = this;
    return instanceNorm(x, { gamma, beta, axis, epsilon });
  }

  /** TensorFlow Addons saves the number of channels as `groups`. */
  static override fromSaved({ groups: _, ...config }: serialization.ConfigDict): serialization.ConfigDict {
    return config;
  }
}

/** Makes an `InstanceNormalization`. */
export const instanceNormalization = (args?: InstanceNormalizationArgs) => new InstanceNormalization(args);
registerLayer(InstanceNormalization);
