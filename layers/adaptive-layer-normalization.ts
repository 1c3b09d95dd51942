import { reshape, type Tensor } from '@tensorflow/tfjs-core';
import { normalizeLayer } from '../kernels/functions/normalization.ts';
import { type ConditionalArgs, ConditionalLayer } from './base/conditional-layer.ts';
import type { Kwargs, Shape } from './base/options.ts';
import { registerLayer } from './base/register.ts';

/** Options of {@link AdaptiveLayerNormalization} and {@link AdaptiveLayerNormalizationZero}. */
export interface AdaptiveLayerNormalizationArgs extends ConditionalArgs {
  /** Added to the variance. Default: 1e-6. */
  epsilon?: number;
}

/**
 * Adaptive layer normalization (AdaLN): layer normalization whose scale and shift come from a condition, such as the time step of a
 * diffusion model.
 *
 *     y = (x - mean) / sqrt(variance + epsilon) * (1 + scale) + shift
 *
 * Advantages: a condition reaches every token at little cost; with gates that start at 0, deep networks train steadily.
 * Disadvantages: needs a projection of the condition in every block; the same for all tokens of an example. Best for diffusion
 * transformers.
 *
 * Inputs: [x, condition], x [batch, ..., channels], or with the channels at `axis`, of rank 2 to 6, and the condition [batch, width]:
 * scale and shift are projections of it (diffusion transformers take its SiLU first). Or [x, scale, shift], both [batch, channels].
 * What is of the rank of x counts for each position. Output: the shape of x. Weights, with a condition: condition/kernel
 * [width, 2, channels], condition/bias [2, channels].
 *
 * @example
 * ```js
 * const norm = adaptiveLayerNormalization();
 * norm.apply([tf.randomNormal([2, 16, 8]), tf.randomNormal([2, 5])]).shape; // [2, 16, 8]
 * const [x, scale, shift] = [tf.tensor([[[1, 3]]]), tf.tensor([[1, 1]]), tf.tensor([[0, 5]])];
 * adaptiveLayerNormalization().apply([x, scale, shift]); // [[[-2, 7]]]
 * ```
 * @throws if an option is unknown or invalid; when called, if there are not two or three inputs, or one does not fit x: another batch,
 *   rank or number of channels
 * @see Peebles, Xie: Scalable Diffusion Models with Transformers. 2022, https://arxiv.org/abs/2212.09748
 */
export class AdaptiveLayerNormalization extends ConditionalLayer {
  /** In saved models. */
  static readonly className: string = 'AdaptiveLayerNormalization';

  constructor(args: AdaptiveLayerNormalizationArgs = {}, parameters: readonly string[] = ['scale', 'shift']) {
    super(args, { parameters, scaleOffset: 1, epsilon: 1e-6 });
  }

  protected override transform(
    x: Tensor,
    [gamma, beta]: readonly Tensor[],
    axis: number,
    _kwargs: Kwargs,
  ): Tensor | Tensor[] {
    return normalizeLayer(this.getClassName(), x, { gamma, beta, axis, epsilon: this.epsilon });
  }
}

/**
 * Adaptive layer normalization with a gate for what follows (AdaLN-Zero): in a diffusion transformer, x + gate f(y).
 *
 *     y = (x - mean) / sqrt(variance + epsilon) * (1 + scale) + shift
 *
 * The gate is a third projection of the condition, 0 at first, so that every block starts as the identity; `tf.layers.multiply` takes
 * it and the output of f.
 *
 * Inputs: as those of {@link AdaptiveLayerNormalization}, or [x, scale, shift, gate]. Outputs: [y, gate], y of the shape of x and the gate
 * [batch, 1, ..., channels], or with the channels at `axis`. Weights, with a condition: condition/kernel [width, 3, channels],
 * condition/bias [3, channels].
 *
 * @example
 * ```js
 * const [x, condition] = [tf.randomNormal([2, 16, 8]), tf.randomNormal([2, 5])];
 * const [y, gate] = adaptiveLayerNormalizationZero().apply([x, condition]);
 * y.shape; // [2, 16, 8]
 * gate.shape; // [2, 1, 8]
 * tf.add(x, tf.mul(gate, y)).shape; // [2, 16, 8]
 * ```
 * @throws as {@link AdaptiveLayerNormalization}
 * @see Peebles, Xie: Scalable Diffusion Models with Transformers. 2022, https://arxiv.org/abs/2212.09748
 */
export class AdaptiveLayerNormalizationZero extends AdaptiveLayerNormalization {
  /** In saved models. */
  static override readonly className: string = 'AdaptiveLayerNormalizationZero';

  constructor(args: AdaptiveLayerNormalizationArgs = {}) {
    super(args, ['scale', 'shift', 'gate']);
  }

  protected override transform(x: Tensor, given: readonly Tensor[], axis: number, kwargs: Kwargs): Tensor[] {
    const gate = given[2] as Tensor;
    const shape = gateShape(x.shape, gate.shape, axis) as number[];
    return [super.transform(x, given, axis, kwargs) as Tensor, reshape(gate, shape)];
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape[] {
    const x = super.computeOutputShape(inputShape) as Shape;
    const [, second, , fourth] = inputShape as Shape[];
    // A projected gate has the positions of the condition, and the channels of x.
    const condition = fourth ?? (second as Shape);
    const axis = this.axis < 0 ? this.axis + x.length : this.axis;
    const gate = fourth ?? condition.map((size, i) => (i === condition.length - 1 ? (x[axis] as number) : size));
    return [x, gateShape(x, gate, axis)];
  }

  override computeMask(inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor[] {
    return [super.computeMask(inputs, mask), null] as unknown as Tensor[];
  }
}

/** The shape of a gate that is broadcast to x: as it is, or for a row per example with positions of size 1. */
const gateShape = (x: Shape, gate: Shape, axis: number): Shape =>
  gate.length === x.length ? gate : x.map((size, i) => (i === 0 || i === axis ? size : 1));

/** Makes an {@link AdaptiveLayerNormalization}. */
export const adaptiveLayerNormalization = (args?: AdaptiveLayerNormalizationArgs) =>
  new AdaptiveLayerNormalization(args);
/** Makes an {@link AdaptiveLayerNormalizationZero}. */
export const adaptiveLayerNormalizationZero = (args?: AdaptiveLayerNormalizationArgs) =>
  new AdaptiveLayerNormalizationZero(args);
registerLayer(AdaptiveLayerNormalization);
registerLayer(AdaptiveLayerNormalizationZero);
