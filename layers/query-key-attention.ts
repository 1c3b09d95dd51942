import { type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import { attend, checkAttention } from '../kernels/functions/attention.ts';
import { checkBoolean, checkRate, checkSize } from '../kernels/functions/checks.ts';
import { AttentionInputs } from './base/attention-inputs.ts';
import { maskOfFirst } from './base/mask.ts';
import { type Kwargs, listOfShapes, type Shape } from './base/options.ts';
import { QueryKeyLayer, type ScaleArgs } from './base/query-key-layer.ts';
import { registerLayer } from './base/register.ts';
import { isTraining } from './base/training.ts';

/** Options of {@link QKNormAttention}. */
export interface QKNormAttentionArgs extends ScaleArgs {
  /** Let query i attend to the keys up to i only, counted from the last of both. Default: false. */
  causal?: boolean;
  /** The share of attention weights dropped in training. Default: 0. */
  dropout?: number;
}

/**
 * Attention with normalized queries and keys, for heads that are split already.
 *
 *     y = softmax(g qHat kHat^T) value
 *
 * Inputs: [query, key, value] or [query, key, value, mask]: query [batch, heads, queries, width], key [batch, heads, keys,
 * width], value [batch, heads, keys, any], or all without heads. The attention mask is true (or 1) where a query may attend to a
 * key: [batch, keys], [batch, queries, keys] or what broadcasts to [batch, heads, queries, keys]; see {@link AttentionOptions}.
 * Output: [batch, heads, queries, any]. Weights: g [], see {@link QKNormalization}.
 *
 * Masks of the inputs join the attention mask, as in Keras: a masked key is attended to by none, and a masked query, which may
 * attend to nothing, attends to all keys alike. The output has the mask of the query. A mask has the shape [batch, length], and
 * comes from
 * - a call: `apply([query, key, value], {mask: [queryMask, keyMask, valueMask]})`, null being none, or the tensors' `kerasMask`;
 * - a graph, from `masking` or an embedding with `maskZero`. TensorFlow.js brings the mask of the first input only. It counts for
 *   keys and values, too, if theirs has the same source; if not, or if it ended where heads were split by `reshape` and `permute`,
 *   the graph is refused, unless it has an attention mask. Then that alone stands for the masks that are not brought. A mask
 *   ends, too, where a layer does not support masking, and at a model within.
 *
 * @example
 * ```js
 * const attention = qkNormAttention({sequenceLength: 64, causal: true});
 * const x = tf.randomNormal([2, 4, 64, 16]);
 * attention.apply([x, x, x]).shape; // [2, 4, 64, 16]
 * ```
 * @throws if an option is unknown or invalid, or both `sequenceLength` and `scaleInitializer` are missing; when called, if there
 *   are not three or four inputs, ranks, widths or the numbers of keys and values differ, a mask does not fit or holds other
 *   numbers than 0 and 1, or `causal` has fewer keys than queries; in a graph, if it would lose the mask of keys or values
 * @see Henry, Dachapally, Pawar, Chen: Query-Key Normalization for Transformers. 2020, https://arxiv.org/abs/2010.04245
 */
export class QKNormAttention extends QueryKeyLayer {
  /** In saved models. */
  static readonly className = 'QKNormAttention';
  /** Whether query i attends to the keys up to i only. */
  readonly causal: boolean;
  /** The share of attention weights dropped in training. */
  readonly dropout: number;
  readonly #inputs = new AttentionInputs(this, ['query', 'key', 'value']);

  constructor(args: QKNormAttentionArgs = {}) {
    super(args, ['causal', 'dropout']);
    const who = this.getClassName();
    this.causal = checkBoolean(who, 'causal', args.causal ?? false);
    this.dropout = checkRate(who, 'dropout', args.dropout ?? 0);
    this.supportsMasking = true;
  }

  override apply(...[inputs, kwargs]: Parameters<layers.Layer['apply']>): ReturnType<layers.Layer['apply']> {
    return this.#inputs.apply(inputs, kwargs, (all) => super.apply(all, kwargs));
  }

  override build(inputShape: Shape | Shape[]): void {
    const [query, key, value] = this.#shapes(inputShape);
    checkAttention(this.getClassName(), query, key, value, this.causal);
    checkSize(this.getClassName(), query, query.length - 1);
    this.addScale();
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const [query, key, value] = this.#shapes(inputShape);
    checkAttention(this.getClassName(), query, key, value, this.causal);
    return [...query.slice(0, -1), value[value.length - 1] as number | null];
  }

  #shapes(inputShape: Shape | Shape[]): [Shape, Shape, Shape] {
    return this.listOf(listOfShapes(inputShape), '[query, key, value] and perhaps a mask', 3, 4) as [
      Shape,
      Shape,
      Shape,
    ];
  }

  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const list = this.listOf(inputs, '[query, key, value] and perhaps a mask', 3, 4);
      const [query, key, value, mask] = list as [Tensor, Tensor, Tensor, Tensor | undefined];
      const dropout = isTraining(this, kwargs) ? this.dropout : 0;
      const padding = this.#inputs.masks([query, key, value], kwargs);
      const batchFirst = this.inboundNodes.length > 0;
      const options = { mask, causal: this.causal, dropout, epsilon: this.epsilon, padding, batchFirst };
      return attend(this.getClassName(), query, key, value, this.g.read(), options);
    });
  }

  /** The mask of the query. */
  override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor {
    return maskOfFirst(mask);
  }
}

/** Makes a {@link QKNormAttention}. */
export const qkNormAttention = (args?: QKNormAttentionArgs) => new QKNormAttention(args);
registerLayer(QKNormAttention);
