import type { Tensor } from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable } from '@tensorflow/tfjs-layers';
import type { AffineOptions } from '../kernels/functions/normalization.ts';
import { curve, erf } from '../kernels/ops/pointwise.ts';
import type { Identifier, Initializer } from './base/identifiers.ts';
import { type AffineArgs, Normalization } from './base/normalization.ts';
import { registerLayer } from './base/register.ts';

/** Options of {@link DynamicErf}. */
export interface DynamicErfArgs extends Omit<AffineArgs, 'epsilon'> {
  /** Where alpha starts. Default: the constant 0.5. */
  alphaInitializer?: Identifier<Initializer>;
  /** Where the shift s starts. Default: zeros. */
  shiftInitializer?: Identifier<Initializer>;
}

/**
 * Dynamic error function (Derf): a learned curve in place of a normalization, which its authors found better than {@link DynamicTanh}.
 *
 *     y = gamma erf(alpha x + s) + beta
 *
 * alpha and s are one number each. No statistics are taken: the same in training and inference.
 *
 * Advantages: takes no statistics, so that each value stands by itself; fits unseen data better than a dynamic tanh. Disadvantages: young
 * and little tried; alpha must start well. Best for transformers in place of layer normalization.
 *
 * Input and output: any shape of rank 2 to 6. Weights: gamma, beta [channels], alpha [1], shift [1].
 *
 * @example
 * ```js
 * dynamicErf().apply(tf.tensor([[1, 2], [-1, 100]])); // [[0.52, 0.843], [-0.52, 1]]
 * ```
 * @throws if an option is unknown or invalid; when called, if the input has not 2 to 6 axes or is not numeric, or `axis` is
 *   out of range, the batch, or of unknown size
 * @see Chen, Lu, Zhu, Sun, Liu: Stronger Normalization-Free Transformers. 2025, https://arxiv.org/abs/2512.10938
 */
export class DynamicErf extends Normalization {
  /** In saved models. */
  static readonly className = 'DynamicErf';
  #alpha!: LayerVariable;
  #shift!: LayerVariable;

  constructor(args: DynamicErfArgs = {}) {
    const start = initializers.constant({ value: 0.5 });
    super(args, { initializers: { alphaInitializer: start, shiftInitializer: 'zeros' } });
  }

  protected override buildState(): void {
    const [alpha, shift] = this.ownInitializers;
    this.#alpha = this.addWeight('alpha', [1], 'float32', alpha);
    this.#shift = this.addWeight('shift', [1], 'float32', shift);
  }

  protected override normalize(x: Tensor, parameters: AffineOptions): Tensor {
    const [alpha, shift] = [this.#alpha.read(), this.#shift.read()];
    return curve(x, this.frontAxis(x.rank), erf, { ...parameters, alpha, shift });
  }
}

/** Makes a {@link DynamicErf}. */
export const dynamicErf = (args?: DynamicErfArgs) => new DynamicErf(args);
registerLayer(DynamicErf);
