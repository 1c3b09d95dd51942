import { type Tensor, tidy } from '@tensorflow/tfjs-core';
import { InputSpec, type layers } from '@tensorflow/tfjs-layers';
import { checkWidths, normalizeQk } from '../kernels/functions/attention.ts';
import { checkAxis, checkAxisOption, checkRank, checkSize } from '../kernels/functions/checks.ts';
import { type Kwargs, listOfShapes, type Shape } from './base/options.ts';
import { QueryKeyLayer, type ScaleArgs } from './base/query-key-layer.ts';
import { registerLayer } from './base/register.ts';
import { RepeatedInputs } from './base/repeated-inputs.ts';

export * from './query-key-attention.ts';

/** Options of {@link QKNormalization}. */
export interface QKNormalizationArgs extends ScaleArgs {
  /** The axis of the head's width. Default: -1. */
  axis?: number;
}

/**
 * Query-key normalization: queries and keys of unit length, so that attention logits are cosines times a learned scale.
 *
 *     qHat = g q / max(|q|, epsilon)     kHat = k / max(|k|, epsilon)
 *
 * qHat kHat^T are the logits: softmax follows without the usual division by sqrt(width). g is one number for all heads.
 *
 * Advantages: keeps attention logits bounded, so that softmax does not saturate; better translation from little data.
 * Disadvantages: needs a typical sequence length to start its scale; serves attention alone. Best for transformers,
 * above all on small data.
 *
 * Inputs: [query, key], [batch, ..., width] each, of rank 2 to 6 and the same width. Outputs: [qHat, kHat], of the same
 * shapes. Weights: g []. Masks change nothing and end here, since TensorFlow.js knows one for both outputs only: an attention mask is
 * an input of what follows.
 *
 * @example
 * ```js
 * const norm = qkNormalization({sequenceLength: 64});
 * const [q, k] = norm.apply([tf.randomNormal([2, 4, 64, 16]), tf.randomNormal([2, 4, 64, 16])]);
 * const attention = tf.softmax(tf.matMul(q, k, false, true));
 * attention.shape; // [2, 4, 64, 64]
 * norm.getWeights()[0]; // 11.977
 * ```
 * @throws if an option is unknown or invalid, or both `sequenceLength` and `scaleInitializer` are missing; when called, if there
 *   are not two inputs of 2 to 6 axes and of one known width
 * @see Henry, Dachapally, Pawar, Chen: Query-Key Normalization for Transformers. 2020, https://arxiv.org/abs/2010.04245
 */
export class QKNormalization extends QueryKeyLayer {
  /** In saved models. */
  static readonly className = 'QKNormalization';
  /** The axis of the head's width. */
  readonly axis: number;
  readonly #inputs = new RepeatedInputs(this);

  constructor(args: QKNormalizationArgs = {}) {
    super(args, ['axis']);
    this.axis = checkAxisOption(this.getClassName(), args.axis ?? -1);
    this.supportsMasking = true;
  }

  override apply(...[inputs, kwargs]: Parameters<layers.Layer['apply']>): ReturnType<layers.Layer['apply']> {
    return this.#inputs.apply(inputs, (all) => super.apply(all, kwargs));
  }

  override build(inputShape: Shape | Shape[]): void {
    const who = this.getClassName();
    const shapes = this.listOf(listOfShapes(inputShape), '[query, key]', 2);
    const [query, key] = shapes as [Shape, Shape];
    this.inputSpec = shapes.map((shape) => {
      checkRank(who, shape.length);
      const axis = checkAxis(who, this.axis, shape.length);
      return new InputSpec({ ndim: shape.length, axes: { [axis]: checkSize(who, shape, axis) } });
    });
    checkWidths(who, query, key, this.axis);
    this.addScale();
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape[] {
    const who = this.getClassName();
    const shapes = this.listOf(listOfShapes(inputShape), '[query, key]', 2);
    for (const shape of shapes) checkRank(who, shape.length);
    checkWidths(who, ...(shapes as [Shape, Shape]), this.axis);
    return shapes;
  }

  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor[] {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const [query, key] = this.listOf(inputs, '[query, key]', 2) as [Tensor, Tensor];
      return normalizeQk(this.getClassName(), query, key, this.g.read(), { axis: this.axis, epsilon: this.epsilon });
    });
  }

  override computeMask(): Tensor[] {
    return [null, null] as unknown as Tensor[];
  }
}

/** Makes a {@link QKNormalization}. */
export const qkNormalization = (args?: QKNormalizationArgs) => new QKNormalization(args);
registerLayer(QKNormalization);
