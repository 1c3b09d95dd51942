import { type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import { addRmsNorm } from '../kernels/functions/residual.ts';
import { maskOfFirst } from './base/mask.ts';
import type { Kwargs, Shape } from './base/options.ts';
import { registerLayer } from './base/register.ts';
import { RepeatedInputs } from './base/repeated-inputs.ts';
import { sharedShape, summands, twice } from './base/residual-inputs.ts';
import { RMSNormalization, type RMSNormalizationArgs } from './rms-normalization.ts';

/** Options of {@link AddRMSNormalization}. */
export interface AddRMSNormalizationArgs extends RMSNormalizationArgs {}

/**
 * The sum of x and a residual, and its root mean square normalization: the step between two blocks of a transformer.
 *
 *     sum = x + residual
 *     y = sum / (sqrt(mean(sum^2)) + epsilon) * gamma + beta
 *
 * One kernel makes both, and one takes both gradients back: faster than `tf.layers.add` and {@link RMSNormalization}, and with less
 * memory read. sum is the residual of the next block.
 *
 * Inputs: [x, residual], any shape of rank 2 to 6, the same for both. Outputs: [y, sum], of that shape. Weights: scale (gamma), beta, as
 * those of {@link RMSNormalization}. A mask of the first input does not change the values, and both outputs have it.
 *
 * @example
 * ```js
 * const [x, residual] = [tf.tensor([[1, 3]]), tf.tensor([[0, 4]])];
 * const [y, sum] = addRMSNormalization().apply([x, residual]);
 * sum; // [[1, 7]]
 * y; // [[0.2, 1.4]]
 * ```
 * @throws if an option is unknown or invalid, an axis is named twice; when called, if there are not two inputs of 2 to 6 axes and of one
 *   shape, or `axis` is out of range or of unknown size
 * @see Zhang, Sennrich: Root Mean Square Layer Normalization. 2019, https://arxiv.org/abs/1910.07467
 */
export class AddRMSNormalization extends RMSNormalization {
  /** In saved models. */
  static override readonly className: string = 'AddRMSNormalization';
  readonly #repeated = new RepeatedInputs(this);

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

  // The return type of RMSNormalization's method is one tensor.
  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): never {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const [x, residual] = summands(this, inputs);
      const { axis, epsilon, epsilonPlacement } = this;
      const gammaOffset = this.gamma ? this.gammaOffset : 0;
      const parameters = { gamma: this.gamma?.read(), beta: this.beta?.read() };
      const { y, sum } = addRmsNorm(x, residual, { ...parameters, axis, epsilon, epsilonPlacement, gammaOffset });
      return [y, sum];
    }) as never;
  }

  override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor[] {
    const first = maskOfFirst(mask);
    return [first, first];
  }
}

/** Makes an {@link AddRMSNormalization}. */
export const addRMSNormalization = (args?: AddRMSNormalizationArgs) => new AddRMSNormalization(args);
registerLayer(AddRMSNormalization);
