import type { serialization, Tensor } from '@tensorflow/tfjs-core';
import { fail } from '../kernels/checks.ts';
import { layerNorm } from '../kernels/functions.ts';
import { type AffineArgs, Normalization } from './normalization.ts';
import { registerLayer } from './register.ts';

export interface LayerNormalizationArgs extends Omit<AffineArgs, 'axis'> {
  /** The axis or axes that are normalized together. Default: -1. */
  axis?: number | number[];
  /** Added to the variance. Default: 1e-3. */
  epsilon?: number;
}

/**
 * Layer normalization: each example is normalized by itself, over the axes `axis`.
 *
 *   y = (x - mean) / sqrt(variance + epsilon) * gamma + beta
 *
 * The same in training and inference, and at every batch size. gamma and beta have the shape of the listed axes, in the
 * order of the input. Class name, config keys and weight names are Keras's.
 *
 * Advantages: independent of the batch size; works well in recurrent networks and transformers; suits sequences.
 * Disadvantages: costs more computation than batch normalization; less effective in convolutional layers. Best for
 * transformers, recurrent networks, attention models.
 *
 * Input and output: any shape of rank 2 to 6. Weights: gamma, beta.
 *
 * ```js
 * const model = tf.sequential({layers: [
 *   tf.layers.dense({units: 64, inputShape: [16]}),
 *   layerNormalization(),
 * ]});
 * ```
 *
 * Ba, Kiros, Hinton: Layer Normalization. 2016, https://arxiv.org/abs/1607.06450
 */
export class LayerNormalization extends Normalization<number | number[]> {
  static readonly className = 'LayerNormalization';

  constructor(args: LayerNormalizationArgs = {}) {
    super(args, { epsilon: 1e-3, axes: true });
  }

  protected override normalize(x: Tensor, gamma: Tensor | undefined, beta: Tensor | undefined): Tensor {
    const { axis, epsilon } = this;
    return layerNorm(x, { gamma, beta, axis, epsilon });
  }

  static override fromSaved({ rmsScaling, ...config }: serialization.ConfigDict): serialization.ConfigDict {
    if (rmsScaling)
      fail('LayerNormalization', 'rms_scaling, which Keras removed, is not supported; use RMSNormalization');
    return config;
  }
}

/** Makes a `LayerNormalization`. */
export const layerNormalization = (args?: LayerNormalizationArgs) => new LayerNormalization(args);
registerLayer(LayerNormalization);
