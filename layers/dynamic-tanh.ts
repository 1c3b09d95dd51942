import type { Tensor } from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable } from '@tensorflow/tfjs-layers';
import type { AffineOptions } from '../kernels/functions/normalization.ts';
import { curve, tanh } from '../kernels/ops/pointwise.ts';
import type { Identifier, Initializer } from './base/identifiers.ts';
import { type AffineArgs, Normalization } from './base/normalization.ts';
import { registerLayer } from './base/register.ts';

/** Options of {@link DynamicTanh}. */
export interface DynamicTanhArgs extends Omit<AffineArgs, 'epsilon'> {
  /** Where alpha starts. Default: the constant 0.5. */
  alphaInitializer?: Identifier<Initializer>;
}

/**
 * Dynamic tanh (DyT): a learned curve in place of a normalization.
 *
 *     y = gamma tanh(alpha x) + beta
 *
 * alpha is one number. No statistics are taken: the same in training and inference.
 *
 * It is no layer normalization under another name. It was published for large vision and language models; in a trial with small language
 * models it was better after 1 million tokens and worse after 118 million (https://arxiv.org/abs/2604.23434). For language models the
 * paper starts alpha larger in attention than elsewhere, and smaller the wider the model is. Compare it with rmsNormalization on your data.
 *
 * Advantages: takes no statistics, so that each value stands by itself; bounds what is far away. Disadvantages: alpha must start well,
 * above all in wide models; can fall behind with more training. Best for transformers in place of layer normalization.
 *
 * Input and output: any shape of rank 2 to 6. Weights: gamma, beta [channels], alpha [1].
 *
 * @example
 * ```js
 * dynamicTanh().apply(tf.tensor([[1, 2], [-1, 100]])); // [[0.462, 0.762], [-0.462, 1]]
 * ```
 * @throws if an option is unknown or invalid; when called, if the input has not 2 to 6 axes or is not numeric, or `axis` is
 *   out of range, the batch, or of unknown size
 * @see Zhu, Chen, He, LeCun, Liu: Transformers without Normalization. 2025, https://arxiv.org/abs/2503.10622
 */
export class DynamicTanh extends Normalization {
  /** In saved models. */
  static readonly className = 'DynamicTanh';
  #alpha!: LayerVariable;

  constructor(args: DynamicTanhArgs = {}) {
    super(args, { initializers: { alphaInitializer: initializers.constant({ value: 0.5 }) } });
  }

  protected override buildState(): void {
    this.#alpha = this.addWeight('alpha', [1], 'float32', this.ownInitializers[0]);
  }

  protected override normalize(x: Tensor, parameters: AffineOptions): Tensor {
    return curve(x, this.frontAxis(x.rank), tanh, { ...parameters, alpha: this.#alpha.read() });
  }
}

/** Makes a {@link DynamicTanh}. */
export const dynamicTanh = (args?: DynamicTanhArgs) => new DynamicTanh(args);
registerLayer(DynamicTanh);
