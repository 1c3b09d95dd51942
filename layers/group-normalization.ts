import type { Tensor } from '@tensorflow/tfjs-core';
import { fail, show } from '../kernels/core/errors.ts';
import { checkGroups } from '../kernels/functions/checks.ts';
import { type AffineOptions, groupNorm } from '../kernels/functions/normalization.ts';
import { type AffineArgs, Normalization } from './base/normalization.ts';
import { registerLayer } from './base/register.ts';

/** Options of {@link GroupNormalization}. */
export interface GroupNormalizationArgs extends AffineArgs {
  /** The number of groups of consecutive channels; -1: one per channel. Default: 32. */
  groups?: number;
  /** Added to the variance. Default: 1e-3. */
  epsilon?: number;
}

/**
 * Group normalization: each example is normalized by itself, over its positions and groups of consecutive channels.
 *
 *     y = (x - mean) / sqrt(variance + epsilon) * gamma + beta
 *
 * The same in training and inference, and at every batch size. Channel i belongs to group floor(i / (channels / groups)).
 * Class name, config keys and weight names are Keras's.
 *
 * Advantages: works with small batches; effective for visual recognition; hardly depends on the batch size.
 * Disadvantages: the number of groups must be chosen by hand; falls behind batch normalization with large batches.
 * Best for vision models such as residual networks and object detectors.
 *
 * Input and output: [batch, ..., channels], or with the channels at `axis`, of rank 2 to 6. Weights: gamma, beta [channels].
 *
 * @example
 * ```js
 * const norm = groupNormalization({groups: 2, epsilon: 1e-5});
 * norm.apply(tf.tensor([[1, 3, 10, 30]])); // [[-1, 1, -1, 1]]
 *
 * const model = tf.sequential({layers: [
 *   tf.layers.conv2d({filters: 32, kernelSize: 3, inputShape: [28, 28, 1]}),
 *   groupNormalization({groups: 8}),
 * ]});
 * model.outputShape; // [null, 26, 26, 32]
 * ```
 * @throws if an option is unknown or invalid, or `groups` does not divide the
 *   channels; when called, if the input has not 2 to 6 axes
 *   or is not numeric, or `axis` is out of range, the batch, or of unknown size
 * @see Wu, He: Group Normalization. 2018, https://arxiv.org/abs/1803.08494
 */
export class GroupNormalization extends Normalization {
  /** In saved models, here and in Keras. */
  static readonly className = 'GroupNormalization';
  /** The number of groups; -1: one per channel. */
  readonly groups: number;

  constructor(args: GroupNormalizationArgs = {}) {
    super(args, { options: ['groups'], epsilon: 1e-3 });
    this.groups = args.groups ?? 32;
    if (this.groups !== -1 && !(Number.isInteger(this.groups) && this.groups > 0)) {
      fail(
        this.getClassName(),
        `groups must be a positive integer or -1 (one per channel); received ${show(args.groups)}; 32 is usual`,
      );
    }
  }

  protected override checkSizes([channels]: readonly number[]): void {
    checkGroups(this.getClassName(), this.groups, channels as number);
  }

  protected override normalize(x: Tensor, { gamma, beta }: AffineOptions): Tensor {
    const { axis, epsilon, groups } = this;
    return groupNorm(x, { gamma, beta, axis, epsilon, groups });
  }
}

/** Makes a {@link GroupNormalization}. */
export const groupNormalization = (args?: GroupNormalizationArgs) => new GroupNormalization(args);
registerLayer(GroupNormalization, ['Addons>GroupNormalization']);
