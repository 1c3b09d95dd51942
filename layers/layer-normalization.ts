import type { Tensor } from '@tensorflow/tfjs-core';
import { checkBoolean } from '../kernels/functions/checks.ts';
import { divideByDeviation } from '../kernels/functions/deviation.ts';
import { type AffineOptions, layerNorm } from '../kernels/functions/normalization.ts';
import { type AffineArgs, Normalization } from './base/normalization.ts';
import { type ConfigDict, withoutOptions } from './base/options.ts';
import { registerLayer } from './base/register.ts';

/** Options of {@link LayerNormalization}. */
export interface LayerNormalizationArgs extends Omit<AffineArgs, 'axis'> {
  /** The axis or axes that are normalized together. Default: -1. */
  axis?: number | number[];
  /** Added to the variance. Default: 1e-3. */
  epsilon?: number;
  /** Divide by the deviation without subtracting the mean, and leave beta out: an old option of Keras. Default: false. */
  rmsScaling?: boolean;
}

/**
 * Layer normalization: each example is normalized by itself, over the axes `axis`.
 *
 *     y = (x - mean) / sqrt(variance + epsilon) * gamma + beta
 *
 * With `rmsScaling`, for models of Keras that have it: y = x / sqrt(variance + epsilon) * gamma. That is not the root mean
 * square, since the variance is about the mean; for new models RMSNormalization is meant.
 *
 * The same in training and inference, and at every batch size. gamma and beta have the shape of the axes as `axis` lists them,
 * and their values count in the order of the input, as in TensorFlow.js and Keras. A group without variance gives beta, also
 * where epsilon is 0. Class name, config keys and weight names are Keras's.
 *
 * Advantages: independent of the batch size; works well in recurrent networks and transformers; suits sequences.
 * Disadvantages: costs more computation than batch normalization; less effective in convolutional layers. Best for
 * transformers, recurrent networks, attention models.
 *
 * Input and output: any shape of rank 2 to 6. Weights: gamma, beta.
 *
 * @example
 * ```js
 * const norm = layerNormalization({epsilon: 1e-5});
 * norm.apply(tf.tensor([[1, 2, 3, 4], [10, 20, 30, 40]])); // [[-1.342, -0.447, 0.447, 1.342], [-1.342, -0.447, 0.447, 1.342]]
 *
 * const images = layerNormalization({axis: [1, 2, 3]});
 * images.apply(tf.randomNormal([2, 8, 8, 3])).shape; // [2, 8, 8, 3]
 * images.getWeights()[0].shape; // [8, 8, 3]
 * ```
 * @throws if an option is unknown or invalid, an axis is named twice; when called, if the input has not 2 to 6 axes
 *   or is not numeric, or `axis` is out of range or of unknown size
 * @see Ba, Kiros, Hinton: Layer Normalization. 2016, https://arxiv.org/abs/1607.06450
 */
export class LayerNormalization extends Normalization<number | number[]> {
  /** In saved models, here and in Keras. */
  static readonly className: string = 'LayerNormalization';

  /** Whether the mean is not subtracted. */
  readonly rmsScaling: boolean;

  constructor(args: LayerNormalizationArgs = {}) {
    const scaling = args?.rmsScaling ?? false;
    // Keras then has gamma and no beta, whatever `scale` and `center` say.
    const given = scaling === true ? { ...args, scale: true, center: false } : args;
    super(given, { epsilon: 1e-3, axes: true, batch: 'with batch', options: ['rmsScaling'] });
    this.rmsScaling = checkBoolean(this.getClassName(), 'rmsScaling', scaling);
  }

  protected override normalize(x: Tensor, { gamma, beta }: AffineOptions): Tensor {
    const { axis, epsilon, rmsScaling } = this;
    const options = { gamma, beta, axis, epsilon };
    return rmsScaling ? divideByDeviation(this.getClassName(), x, options) : layerNorm(x, options);
  }

  override getConfig(): ConfigDict {
    return this.rmsScaling ? super.getConfig() : withoutOptions(super.getConfig(), ['rmsScaling']);
  }
}

/** Makes a {@link LayerNormalization}. */
export const layerNormalization = (args?: LayerNormalizationArgs) => new LayerNormalization(args);
registerLayer(LayerNormalization);
