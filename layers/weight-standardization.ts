import type { Tensor } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import { checkEpsilon } from '../kernels/functions/checks.ts';
import { standardizedKernel } from '../kernels/functions/weights.ts';
import type { Kernel } from './base/inner-layer.ts';
import { KernelWrapper, layerFirstArgs, type WrapperArgs } from './base/kernel-wrapper.ts';
import { registerLayer } from './base/register.ts';

/** Options of {@link WeightStandardization}. */
export interface WeightStandardizationArgs extends WrapperArgs {
  /** Added to the variance of the weights of a unit. Default: 1e-10. */
  epsilon?: number;
}

/**
 * Weight standardization, a wrapper: the weights of each output unit of the wrapped layer get mean 0 and variance 1.
 *
 *     w = (v - mean) / sqrt(variance + epsilon)
 *
 * v is the layer's kernel, which is kept and trained; mean and variance are those of the weights of one output unit. epsilon is added to
 * the variance, as in BiT; the paper adds 1e-5 to the root. The same in training and inference. A {@link GroupNormalization} belongs after
 * such layers: together they did in large networks what batch normalization does with large batches.
 *
 * Advantages: makes the loss smoother; brings group normalization up to batch normalization; independent of the batch. Disadvantages: needs a
 * normalization of activations after it; starts by changing what the layer computes. Best for convolutions before group normalization,
 * with small batches.
 *
 * Wraps what {@link WeightNormalization} wraps. {@link removeWeightStandardization} takes the wrapper off.
 *
 * Input and output: those of the wrapped layer, and so are masks and states. Weights: those of the layer.
 *
 * @example
 * ```js
 * const model = tf.sequential({layers: [
 *   weightStandardization({layer: tf.layers.conv2d({filters: 8, kernelSize: 3}), inputShape: [8, 8, 3]}),
 *   groupNormalization({groups: 4}),
 * ]});
 * model.predict(tf.ones([2, 8, 8, 3])).shape; // [2, 6, 6, 8]
 * tf.moments(model.layers[0].effectiveKernels().kernel, [0, 1, 2]).mean.shape; // [8]
 * ```
 * @throws if an option is unknown or invalid, or the layer is a wrapper, model or cell, or conv3dTranspose (which has no
 *   gradient); when built, if it has no kernel
 * @see Qiao, Wang, Liu, Shen, Yuille: Micro-Batch Training with Batch-Channel Normalization and Weight Standardization. 2019,
 *   https://arxiv.org/abs/1903.10520
 */
export class WeightStandardization extends KernelWrapper {
  /** In saved models. */
  static readonly className = 'WeightStandardization';
  /** Added to the variance of the weights of a unit. */
  readonly epsilon: number;

  constructor(given: WeightStandardizationArgs | layers.Layer, options?: Omit<WeightStandardizationArgs, 'layer'>) {
    const args = layerFirstArgs(new.target, given, options);
    super(args, ['epsilon']);
    this.epsilon = checkEpsilon(this.getClassName(), args.epsilon ?? 1e-10);
  }

  protected override buildState(): void {
    // The wrapper has no weights of its own.
  }

  protected override startState(): void {
    // The wrapper has no weights of its own.
  }

  protected override normalizeKernel({ variable, axes }: Kernel): Tensor {
    return standardizedKernel(variable.read(), axes, this.epsilon);
  }
}

/** Makes a {@link WeightStandardization}. */
export const weightStandardization = (
  args: WeightStandardizationArgs | layers.Layer,
  options?: Omit<WeightStandardizationArgs, 'layer'>,
) => new WeightStandardization(args, options);
registerLayer(WeightStandardization);
