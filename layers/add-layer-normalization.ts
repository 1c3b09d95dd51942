import { type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import { fail } from '../kernels/core/errors.ts';
import { addLayerNorm } from '../kernels/functions/residual.ts';
import { maskOfFirst } from './base/mask.ts';
import type { Kwargs, Shape } from './base/options.ts';
import { registerLayer } from './base/register.ts';
import { RepeatedInputs } from './base/repeated-inputs.ts';
import { sharedShape, summands, twice } from './base/residual-inputs.ts';
import { LayerNormalization, type LayerNormalizationArgs } from './layer-normalization.ts';

/** Options of {@link AddLayerNormalization}. */
export interface AddLayerNormalizationArgs extends Omit<LayerNormalizationArgs, 'rmsScaling'> {}

/**
 * The sum of x and a residual, and its layer normalization: the step between two blocks of a transformer.
 *
 *     sum = x + residual
 *     y = (sum - mean) / sqrt(variance + epsilon) * gamma + beta
 *
 * One kernel makes both, and one takes both gradients back: faster than `tf.layers.add` and {@link LayerNormalization}, and with less
 * memory read. sum is the residual of the next block.
 *
 * Inputs: [x, residual], any shape of rank 2 to 6, the same for both. Outputs: [y, sum], of that shape. Weights: gamma, beta, as those of
 * {@link LayerNormalization}. A mask of the first input does not change the values, and both outputs have it.
 *
 * @example
 * ```js
 * const [x, residual] = [tf.tensor([[1, 1, 1]]), tf.tensor([[0, 1, 2]])];
 * const [y, sum] = addLayerNormalization().apply([x, residual]);
 * sum; // [[1, 2, 3]]
 * y; // [[-1.224, 0, 1.224]]
 * ```
 * @throws if an option is unknown or invalid, an axis is named twice; when called, if there are not two inputs of 2 to 6 axes and of one
 *   shape, or `axis` is out of range or of unknown size
 * @see Xiong et al.: On Layer Normalization in the Transformer Architecture. 2020, https://arxiv.org/abs/2002.04745
 */
export class AddLayerNormalization extends LayerNormalization {
  /** In saved models. */
  static override readonly className: string = 'AddLayerNormalization';
  readonly #repeated = new RepeatedInputs(this);

  constructor(args: AddLayerNormalizationArgs = {}) {
    super(args);
    const rule = 'rmsScaling is an old option of Keras for single inputs';
    if (this.rmsScaling) fail(this.getClassName(), `${rule}; received true; use AddRMSNormalization`);
  }

  override apply(...[inputs, kwargs]: Parameters<layers.Layer['apply']>): ReturnType<layers.Layer['apply']> {
    return this.#repeated.apply(inputs, (all) => super.apply(all, kwargs));
  }

  override build(inputShape: Shape | Shape[]): void {
    super.build(sharedShape(this, inputShape));
    this.inputSpec = twice(this.inputSpec);
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape[] {
    const shape = super.computeOutputShape(sharedShape(this, inputShape)) as Shape;
    return [shape, shape];
  }

  // The return type of LayerNormalization's method is one tensor.
  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): never {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const [x, residual] = summands(this, inputs);
      const { axis, epsilon } = this;
      const parameters = { gamma: this.gamma?.read(), beta: this.beta?.read() };
      const { y, sum } = addLayerNorm(x, residual, { ...parameters, axis, epsilon });
      return [y, sum];
    }) as never;
  }

  override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor[] {
    const first = maskOfFirst(mask);
    return [first, first];
  }
}

/** Makes an {@link AddLayerNormalization}. */
export const addLayerNormalization = (args?: AddLayerNormalizationArgs) => new AddLayerNormalization(args);
registerLayer(AddLayerNormalization);
