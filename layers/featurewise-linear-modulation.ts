import type { Tensor } from '@tensorflow/tfjs-core';
import { modulate } from '../kernels/functions/modulation.ts';
import { type ConditionalArgs, ConditionalLayer } from './base/conditional-layer.ts';
import { registerLayer } from './base/register.ts';

/** Options of {@link FeaturewiseLinearModulation}. */
export interface FeaturewiseLinearModulationArgs extends ConditionalArgs {}

/**
 * Feature-wise linear modulation (FiLM): a condition, such as a question, scales and shifts the channels of each example.
 *
 *     y = x * gamma + beta
 *
 * Advantages: cheap to compute; joins text, sound or labels with images wherever there are channels. Disadvantages: does not
 * normalize; the same for all positions of an example. Best for networks with a second input, such as visual question
 * answering.
 *
 * Inputs: [x, condition], x [batch, ..., channels], or with the channels at `axis`, of rank 2 to 6, and the condition
 * [batch, width]; gamma is 1 + a projection of it, and beta another. Or [x, gamma, beta], both [batch, channels]. A condition, gamma or
 * beta of the rank of x counts for each position; there positions that are left out have size 1. Output: the shape of x. Weights, with
 * a condition: condition/kernel [width, 2, channels], condition/bias [2, channels].
 *
 * @example
 * ```js
 * const film = featurewiseLinearModulation();
 * film.apply([tf.ones([2, 3, 4]), tf.ones([2, 5])]).shape; // [2, 3, 4]
 *
 * const given = featurewiseLinearModulation();
 * const [gamma, beta] = [tf.tensor([[2, 3]]), tf.tensor([[10, 20]])];
 * given.apply([tf.tensor([[[1, 1], [2, 2]]]), gamma, beta]); // [[[12, 23], [14, 26]]]
 * ```
 * @throws if an option is unknown or invalid; when called, if there are not two or three inputs, or one does not fit x: another batch,
 *   rank or number of channels
 * @see Perez et al.: FiLM: Visual Reasoning with a General Conditioning Layer. 2017, https://arxiv.org/abs/1709.07871
 */
export class FeaturewiseLinearModulation extends ConditionalLayer {
  /** In saved models. */
  static readonly className = 'FeaturewiseLinearModulation';

  constructor(args: FeaturewiseLinearModulationArgs = {}) {
    super(args, { parameters: ['gamma', 'beta'], scaleOffset: 0 });
  }

  protected override transform(x: Tensor, [gamma, beta]: readonly Tensor[], axis: number): Tensor {
    return modulate(this.getClassName(), x, { gamma, beta, axis });
  }
}

/** Makes a {@link FeaturewiseLinearModulation}. */
export const featurewiseLinearModulation = (args?: FeaturewiseLinearModulationArgs) =>
  new FeaturewiseLinearModulation(args);
registerLayer(FeaturewiseLinearModulation);
