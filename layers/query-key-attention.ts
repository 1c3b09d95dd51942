import { type Tensor, tidy } from '@tensorflow/tfjs-core';
import { type layers, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { fail } from '../kernels/core/errors.ts';
import { attend, checkAttention } from '../kernels/functions/attention.ts';
import type { PaddingMasks } from '../kernels/functions/attention-mask.ts';
import { checkBoolean, checkRate, checkSize } from '../kernels/functions/checks.ts';
import { layerThatEndedMask, maskOfShape, maskOriginOf } from './base/mask.ts';
import type { Kwargs, Shape } from './base/options.ts';
import { listOfShapes, QueryKeyLayer, type ScaleArgs } from './base/query-key-layer.ts';
import { registerLayer } from './base/register.ts';

const NAMES = ['query', 'key', 'value'];
const MASKS = '[batch, keys] or [batch, queries, keys]';

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
  /** In a graph, whether query, key and value each have the mask that TensorFlow.js passes, that of the first input. */
  #masked: readonly boolean[] | undefined;

  constructor(args: QKNormAttentionArgs = {}) {
    super(args, ['causal', 'dropout']);
    const who = this.getClassName();
    this.causal = checkBoolean(who, 'causal', args.causal ?? false);
    this.dropout = checkRate(who, 'dropout', args.dropout ?? 0);
    this.supportsMasking = true;
  }

  /** In a graph also notes whose mask TensorFlow.js will pass, and refuses a graph in which a mask would be lost. */
  override apply(...[inputs, kwargs]: Parameters<layers.Layer['apply']>): ReturnType<layers.Layer['apply']> {
    const list = [inputs].flat();
    if (list.length < 3 || !list.every((input) => input instanceof SymbolicTensor)) return super.apply(inputs, kwargs);
    const masked = this.#maskedInputs(list, kwargs);
    const output = super.apply(inputs, kwargs);
    this.#masked = masked;
    return output;
  }

  /** Which of query, key and value have the mask of the first input. */
  #maskedInputs(inputs: SymbolicTensor[], kwargs: Kwargs | undefined): boolean[] {
    const refuse = (problem: string) =>
      fail(this.getClassName(), `'${this.name}' ${problem}; give it an attention mask as the fourth input, ${MASKS}`);
    if (kwargs?.mask) refuse('is given a mask in a graph, which TensorFlow.js does not keep');
    const parts = inputs.slice(0, 3);
    const [query, ...others] = parts.map(maskOriginOf);
    const masked = [query, ...others].map((origin) => origin !== undefined && origin === query);
    if (inputs.length === 3) {
      for (const [i, input] of parts.entries()) {
        const name = NAMES[i];
        const lost = i > 0 && layerThatEndedMask(input);
        if (lost) refuse(`would lose the mask of its ${name}, which ends at '${lost.name}' (${lost.getClassName()})`);
        const isBrought = masked[i] || maskOriginOf(input) === undefined;
        if (!isBrought) refuse(`would lose the mask of its ${name}: TensorFlow.js brings that of the first input only`);
      }
    }
    // A call of a shared layer cannot tell which of its places in the graph it belongs to.
    if (this.#masked?.some((was, i) => was !== masked[i])) {
      refuse('is shared by calls with and without masks, which TensorFlow.js does not tell apart');
    }
    return masked;
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
      const dropout = kwargs?.training ? this.dropout : 0;
      const padding = this.#padding([query, key, value], kwargs);
      const batchFirst = this.inboundNodes.length > 0;
      const options = { mask, causal: this.causal, dropout, epsilon: this.epsilon, padding, batchFirst };
      return attend(this.getClassName(), query, key, value, this.g.read(), options);
    });
  }

  /** The masks of query, key and value: those of the graph, those of the call, or those that the tensors carry. */
  #padding(inputs: Tensor[], kwargs: Kwargs): PaddingMasks {
    const who = this.getClassName();
    const given = kwargs?.mask as Tensor | Tensor[] | undefined;
    const [query, key, value] = inputs as [Tensor, Tensor, Tensor];
    if (Array.isArray(given)) {
      if (given.length === 3 || given.length === 4) return given.slice(0, 3);
      fail(who, `mask must be a list of the masks of query, key and value; received ${given.length}; null is none`);
    }
    if (this.inboundNodes.length > 0) {
      const whole = query.shape.slice(0, -1);
      const short = [whole[0] as number, whole.at(-1) as number];
      const mask = this.#masked?.[0] && given && (maskOfShape(given, short) ?? maskOfShape(given, whole));
      return mask ? inputs.map((_, i) => (this.#masked?.[i] ? mask : null)) : [];
    }
    if (!given) return inputs.map(({ kerasMask }) => (kerasMask?.isDisposed ? null : kerasMask));
    if (query === key && key === value) return [given, given, given];
    return fail(who, 'mask must be a list, since there are several inputs; give [query, key, value], null being none');
  }

  /** That of the query. */
  override computeMask(_inputs: Tensor | Tensor[], mask?: Tensor | Tensor[]): Tensor {
    return ((Array.isArray(mask) ? mask[0] : mask) ?? null) as Tensor;
  }
}

/** Makes a {@link QKNormAttention}. */
export const qkNormAttention = (args?: QKNormAttentionArgs) => new QKNormAttention(args);
registerLayer(QKNormAttention);
