import { type serialization, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { InputSpec, initializers, type LayerVariable, layers, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { fail, show } from '../kernels/core/errors.ts';
import { attend, checkAttention, checkWidths, normalizeQk } from '../kernels/functions/attention.ts';
import type { PaddingMasks } from '../kernels/functions/attention-mask.ts';
import {
  checkAxis,
  checkAxisOption,
  checkBoolean,
  checkEpsilon,
  checkRank,
  checkRate,
  checkSize,
} from '../kernels/functions/checks.ts';
import { describe, type Identifier, type Initializer, resolve } from './base/identifiers.ts';
import { lostMask, maskOf, ofShape } from './base/mask.ts';
import { checkArgs, checkOptions, type Kwargs, type LayerArgs, type Shape, savedOptions } from './base/options.ts';
import { registerLayer } from './base/register.ts';
import { checkedWeight, checkUnbuilt } from './base/weights.ts';

interface ScaleArgs extends LayerArgs {
  /** The usual length L of the training sequences (the paper: the 97.5th percentile). Required without scaleInitializer. */
  sequenceLength?: number;
  /** The smallest norm that is divided by. Default: 1e-12. */
  epsilon?: number;
  /** Where g starts. Default: the constant log2(L^2 - L). */
  scaleInitializer?: Identifier<Initializer>;
}

/** What the two layers share: the learned scale g, and the options that start it. */
abstract class QueryKeyLayer extends layers.Layer {
  /** The usual length of the training sequences, if it was given. */
  readonly sequenceLength: number | undefined;
  /** The smallest norm that is divided by. */
  readonly epsilon: number;
  readonly #scaleInitializer: Initializer;
  protected g!: LayerVariable;

  protected constructor(args: ScaleArgs, own: readonly string[]) {
    super(checkArgs(new.target, args));
    const who = this.getClassName();
    checkOptions(who, args, ['sequenceLength', 'epsilon', 'scaleInitializer', ...own]);
    this.epsilon = checkEpsilon(who, args.epsilon ?? 1e-12);
    const { sequenceLength: length, scaleInitializer } = args;
    if (length !== undefined && !(Number.isSafeInteger(length) && length >= 2)) {
      const rule = 'an integer of at least 2, since g starts at log2(L^2 - L)';
      fail(who, `sequenceLength must be ${rule}; received ${show(length)}; give the usual length of the sequences`);
    }
    if (length === undefined && scaleInitializer === undefined) {
      fail(
        who,
        'sequenceLength is required; received none; give the usual length of the sequences, or scaleInitializer',
      );
    }
    this.sequenceLength = length;
    this.#scaleInitializer =
      scaleInitializer !== undefined
        ? resolve(who, 'scaleInitializer', scaleInitializer)
        : initializers.constant({ value: Math.log2((length as number) ** 2 - (length as number)) });
  }

  protected addScale(): void {
    checkUnbuilt(this);
    this.g = checkedWeight(this, this.addWeight, 'g', [], 'float32', this.#scaleInitializer);
    this.built = true;
  }

  /** All options that the constructor takes. */
  override getConfig(): serialization.ConfigDict {
    return {
      sequenceLength: this.sequenceLength ?? null,
      epsilon: this.epsilon,
      scaleInitializer: describe(this.#scaleInitializer),
      ...super.getConfig(),
    };
  }

  /** Makes a layer from what `getConfig` gave. */
  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    saved: serialization.ConfigDict,
  ): T {
    return new cls(savedOptions(saved));
  }

  /** The inputs as a list of one of the allowed lengths. */
  protected list<T>(inputs: T | T[], names: string, least: number, most = least): T[] {
    if (Array.isArray(inputs) && inputs.length >= least && inputs.length <= most) return inputs;
    const received = Array.isArray(inputs) ? inputs.length : 1;
    return fail(this.getClassName(), `the inputs are ${names}; received ${received}; call apply with a list`);
  }
}

/** Shapes as a list, also that of a single input. */
const listed = (shapes: Shape | Shape[]): Shape[] => (Array.isArray(shapes[0]) ? shapes : [shapes]) as Shape[];

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

  constructor(args: QKNormalizationArgs = {}) {
    super(args, ['axis']);
    this.axis = checkAxisOption(this.getClassName(), args.axis ?? -1);
    this.supportsMasking = true;
  }

  override build(inputShape: Shape | Shape[]): void {
    const who = this.getClassName();
    const shapes = this.list(listed(inputShape), '[query, key]', 2);
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
    const shapes = this.list(listed(inputShape), '[query, key]', 2);
    for (const shape of shapes) checkRank(who, shape.length);
    checkWidths(who, ...(shapes as [Shape, Shape]), this.axis);
    return shapes;
  }

  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor[] {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const [query, key] = this.list(inputs, '[query, key]', 2) as [Tensor, Tensor];
      return normalizeQk(this.getClassName(), query, key, this.g.read(), { axis: this.axis, epsilon: this.epsilon });
    });
  }

  override computeMask(): Tensor[] {
    return [null, null] as unknown as Tensor[];
  }

  /** All options that the constructor takes. */
  override getConfig(): serialization.ConfigDict {
    return { axis: this.axis, ...super.getConfig() };
  }
}

/** Makes a {@link QKNormalization}. */
export const qkNormalization = (args?: QKNormalizationArgs) => new QKNormalization(args);
registerLayer(QKNormalization);

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
  /** In a graph, which of query, key and value have the mask that TensorFlow.js brings. */
  #masked: readonly boolean[] | undefined;

  constructor(args: QKNormAttentionArgs = {}) {
    super(args, ['causal', 'dropout']);
    const who = this.getClassName();
    this.causal = checkBoolean(who, 'causal', args.causal ?? false);
    this.dropout = checkRate(who, 'dropout', args.dropout ?? 0);
    this.supportsMasking = true;
  }

  /** In a graph also says which masks TensorFlow.js will bring, or refuses what it would lose. */
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
    const [query, ...others] = parts.map(maskOf);
    const masked = [query, ...others].map((origin) => origin !== undefined && origin === query);
    if (inputs.length === 3) {
      for (const [i, input] of parts.entries()) {
        const name = NAMES[i];
        const lost = i > 0 && lostMask(input);
        if (lost) refuse(`would lose the mask of its ${name}, which ends at '${lost.name}' (${lost.getClassName()})`);
        const isBrought = masked[i] || maskOf(input) === undefined;
        if (!isBrought) refuse(`would lose the mask of its ${name}: TensorFlow.js brings that of the first input only`);
      }
    }
    // A call does not know of which node it is.
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
    return this.list(listed(inputShape), '[query, key, value] and perhaps a mask', 3, 4) as [Shape, Shape, Shape];
  }

  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const list = this.list(inputs, '[query, key, value] and perhaps a mask', 3, 4);
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
      const mask = this.#masked?.[0] && given && (ofShape(given, short) ?? ofShape(given, whole));
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

  /** All options that the constructor takes. */
  override getConfig(): serialization.ConfigDict {
    return { causal: this.causal, dropout: this.dropout, ...super.getConfig() };
  }
}

/** Makes a {@link QKNormAttention}. */
export const qkNormAttention = (args?: QKNormAttentionArgs) => new QKNormAttention(args);
registerLayer(QKNormAttention);
