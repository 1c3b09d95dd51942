/**
 * Query-key normalization and the attention built on it. The normalization is the direct form on rows; masking, dropout
 * and the two matrix products are TensorFlow.js's own ops.
 */
import {
  abs,
  add,
  clipByValue,
  dropout,
  expandDims,
  matMul,
  mul,
  reshape,
  scalar,
  stack,
  sub,
  sum,
  type Tensor,
  tanh,
  tidy,
  unstack,
  where,
} from '@tensorflow/tfjs-core';
import { fail } from '../core/errors.ts';
import { isHalf } from '../core/registry.ts';
import { constant } from '../core/tape.ts';
import { attendWithinHalf, SMALLEST_HALF } from '../ops/attention-half.ts';
import { normalizeRowLength } from '../ops/length.ts';
import { ofNothing } from '../ops/nothing.ts';
import { softmax } from '../ops/softmax.ts';
import { allowedPairs, mergeHeads, type Restrictions } from './attention-mask.ts';
import { checkAxis, checkCall, checkEpsilon, checkInput, checkParameter, checkRate, optionNames } from './checks.ts';

/** Options of {@link qkNorm}. */
export interface QkNormOptions {
  /** The axis of the head's width. Default: -1. */
  readonly axis?: number;
  /** The smallest norm that is divided by. Default: 1e-12. */
  readonly epsilon?: number;
}

const QK_OPTIONS = optionNames('axis', 'epsilon');
const ATTENTION_OPTIONS = optionNames('mask', 'causal', 'dropout', 'epsilon');

/**
 * Query-key normalization: queries and keys of unit length, so that their product is a cosine, times a learned scale.
 *
 *     qHat = g q / max(|q|, epsilon)     kHat = k / max(|k|, epsilon)     logits = qHat kHat^T
 *
 * @param query [batch, ..., width], rank 2 to 6
 * @param key the same width, any other sizes
 * @param g the scale of the logits, a scalar
 * @param options `axis` of the width (default -1), `epsilon` (1e-12): vectors that are not longer than it have gradient 0
 * @returns [qHat, kHat], of the shapes of query and key
 * @throws if the widths differ, g is not one value, the axis is out of range, or an option is unknown
 * @example
 * ```js
 * const [q, k] = qkNorm(tf.tensor([[3, 4]]), tf.tensor([[4, 3]]), tf.scalar(10));
 * q; // [[6, 8]]
 * tf.matMul(q, k, false, true); // [[9.6]]
 * ```
 * @see Henry, Dachapally, Pawar, Chen: Query-Key Normalization for Transformers. 2020, https://arxiv.org/abs/2010.04245
 */
export function qkNorm(query: Tensor, key: Tensor, g: Tensor, options?: QkNormOptions): [qHat: Tensor, kHat: Tensor];
export function qkNorm(
  query: Tensor,
  key: Tensor,
  g: Tensor,
  options: QkNormOptions = {},
  ...more: unknown[]
): [qHat: Tensor, kHat: Tensor] {
  checkCall('qkNorm', options, QK_OPTIONS, more);
  return normalizeQk('qkNorm', query, key, g, options);
}

/** For layers: `qkNorm`, with the name for errors. */
export function normalizeQk(
  who: string,
  query: Tensor,
  key: Tensor,
  g: Tensor,
  { axis = -1, epsilon = 1e-12 }: QkNormOptions,
): [qHat: Tensor, kHat: Tensor] {
  checkEpsilon(who, epsilon);
  return tidy(() => {
    const gain = checkScale(who, g);
    const [q, k] = [checkInput(who, query), checkInput(who, key)];
    checkWidths(who, q.shape, k.shape, axis);
    const axesOf = (x: Tensor) => [checkAxis(who, axis, x.rank)];
    return [normalizeRowLength(q, axesOf(q), epsilon, gain), normalizeRowLength(k, axesOf(k), epsilon)];
  });
}

/** The scale of the logits as float32. */
const checkScale = (who: string, g: Tensor): Tensor =>
  checkParameter(who, 'g', g, 1) ?? fail(who, 'g, the scale of the logits, is missing; give a tensor of one value');

type Shape = readonly (number | null)[];

/** Queries and keys must be equally wide for their product. */
export function checkWidths(who: string, query: Shape, key: Shape, axis: number): void {
  const [a, b] = [query, key].map((shape) => shape[checkAxis(who, axis, shape.length)]);
  if (a === b) return;
  fail(
    who,
    `query and key must have the same width at axis ${axis}; received ${a} and ${b}; project them to one width`,
  );
}

/** Options of {@link qkAttention}. */
export interface AttentionOptions extends Omit<QkNormOptions, 'axis'> {
  /**
   * True (or 1) where a query may attend to a key: [batch, keys], [batch, queries, keys], or as many axes as the logits
   * [batch, ..., queries, keys]; any size may be 1. A query that may attend to no key attends to all alike. Two axes are
   * refused where batch and queries are as many, since the first may be either: write [batch, 1, keys] or [1, queries, keys].
   * Numbers are looked at, which waits for a GPU that has made them; bools are not. Default: all.
   */
  readonly mask?: Tensor | undefined;
  /** Query i attends to the keys up to i, counted from the last query and the last key. Default: false. */
  readonly causal?: boolean;
  /** The share of attention weights that are dropped, those left being scaled up. Default: 0. */
  readonly dropout?: number;
}

/**
 * Attention on normalized queries and keys.
 *
 *     y = softmax(g qHat kHat^T) value
 *
 * @param query [batch, ..., queries, width], for instance [batch, heads, queries, width]
 * @param key [batch, ..., keys, width]
 * @param value [batch, ..., keys, any]
 * @param g the scale of the logits, a scalar
 * @param options see {@link AttentionOptions}
 * @returns [batch, ..., queries, any]
 * @throws if widths, numbers of keys and values, sizes before them, or the mask do not fit, the mask holds other numbers than 0
 *   and 1, `dropout` is not in [0, 1), or `causal` has fewer keys than queries
 * @example
 * ```js
 * const keys = tf.tensor([[[1, 0], [0, 1]]]);
 * const values = tf.tensor([[[10], [20]]]);
 * qkAttention(tf.tensor([[[5, 0]]]), keys, values, tf.scalar(20)); // [[[10]]]
 * qkAttention(tf.tensor([[[5, 5]]]), keys, values, tf.scalar(20)); // [[[15]]]
 * ```
 * @see Henry, Dachapally, Pawar, Chen: Query-Key Normalization for Transformers. 2020, https://arxiv.org/abs/2010.04245
 */
export function qkAttention(query: Tensor, key: Tensor, value: Tensor, g: Tensor, options?: AttentionOptions): Tensor;
export function qkAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  g: Tensor,
  options: AttentionOptions = {},
  ...more: unknown[]
): Tensor {
  checkCall('qkAttention', options, ATTENTION_OPTIONS, more);
  return attend('qkAttention', query, key, value, g, options);
}

/** Options that only layers have: what a model knows of masks, and the seed of dropout. */
interface LayerOptions extends Restrictions {
  readonly dropout?: number;
  readonly seed?: number | undefined;
}

/** For layers: `qkAttention`, with the name for errors, and with what a model knows of masks. */
export function attend(
  who: string,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  g: Tensor,
  { epsilon = 1e-12, causal = false, ...options }: AttentionOptions & Omit<LayerOptions, 'causal'>,
): Tensor {
  checkEpsilon(who, epsilon);
  return tidy(() => {
    const gain = checkScale(who, g);
    const inputs = checkedInputs(who, [query, key, value], causal);
    const restrictions: LayerOptions = { ...options, causal: causal ? 'from last' : undefined };
    return attention(who, inputs, gain, cosines(epsilon), restrictions)[0];
  });
}

/** What logits are: cosines of queries and keys times g, their products times a number, or weight sum(tanh(scale (query + key))). */
export type Logits =
  | { readonly g: Tensor; readonly epsilon: number }
  | { readonly scale: Tensor | number }
  | { readonly sums: readonly [scale: Tensor, weight: Tensor] };

/**
 * For layers, which have checked sizes: y = softmax(logits) value, and the weights softmax(logits) before dropout. Inputs are as
 * those of `qkAttention`; keys and values may have fewer heads, each of which serves several consecutive heads of queries.
 */
export const attendHeads = (
  who: string,
  inputs: readonly [query: Tensor, key: Tensor, value: Tensor],
  logits: Logits,
  options: LayerOptions,
): [y: Tensor, weights: Tensor] => {
  if ('g' in logits) return attention(who, inputs, logits.g, cosines(logits.epsilon), options);
  if ('sums' in logits) return attention(who, inputs, stack([...logits.sums]), sums, options);
  const scale = typeof logits.scale === 'number' ? scalar(logits.scale) : logits.scale;
  return attention(who, inputs, scale, products, options);
};

/** A way to compute logits. */
interface Scores {
  readonly logits: (q: Tensor, k: Tensor, gain: Tensor) => Tensor;
  /**
   * The logit of a pair that is masked out, [1, ..., 1]: far enough below the others for a weight of 0, and finite, so that a
   * query without any allowed key gets equal weights.
   */
  readonly maskedLogit: (gain: Tensor, rank: number) => Tensor;
  /** Whether the logits depend on the directions of queries and keys only, not on their lengths. */
  readonly isScaleFree: boolean;
}

/** Cosines times g. */
const cosines = (epsilon: number): Scores => ({
  logits: (q, k, g) =>
    productOfHeads(normalizeRowLength(q, [q.rank - 1], epsilon, g), normalizeRowLength(k, [k.rank - 1], epsilon), true),
  maskedLogit: belowCosines,
  isScaleFree: epsilon < SMALLEST_HALF,
});

/**
 * Cosines times g lie between -|g| and |g|, up to rounding, and exp(-110) is 0 in float32. Unlike a fixed -1e9 this is finite in
 * half floats, too.
 */
const belowCosines = (g: Tensor, rank: number): Tensor =>
  constant(() => reshape(sub(-110, mul(abs(g), 1.001)), new Array(rank).fill(1)));

/** For logits of any size: the -1e9 of Keras, or the lowest finite half float. */
const belowProducts = (_: Tensor, rank: number): Tensor =>
  reshape(scalar(isHalf() ? -65504 : -1e9), new Array(rank).fill(1));

/** Products times a number. */
const products: Scores = {
  logits(q, k, scale) {
    const logits = productOfHeads(mul(q, scale), k, true);
    // Products beyond the range of half floats are infinite, and their softmax would be NaN.
    return isHalf() ? clipByValue(logits, -65504, 65504) : logits;
  },
  maskedLogit: belowProducts,
  isScaleFree: false,
};

/** weight sum(tanh(scale (q + k))): Bahdanau's, as Keras's Attention has it. */
const sums: Scores = {
  logits(q, k, gain) {
    const [scale, weight] = unstack(gain) as [Tensor, Tensor];
    return mul(weight, sum(tanh(mul(scale, add(expandDims(q, -2), expandDims(k, -3)))), -1));
  },
  maskedLogit: belowProducts,
  isScaleFree: false,
};

/** softmax(logits) v, and the weights softmax(logits) before dropout. Checks the masks and the rate of dropout only. */
function attention(
  who: string,
  [q, k, v]: readonly [Tensor, Tensor, Tensor],
  gain: Tensor,
  { logits, maskedLogit, isScaleFree }: Scores,
  { dropout: rate = 0, seed, ...restrictions }: LayerOptions,
): [y: Tensor, weights: Tensor] {
  checkRate(who, 'dropout', rate);
  const shape = [...q.shape.slice(0, -1), k.shape[k.rank - 2] as number];
  const result = [...q.shape.slice(0, -1), v.shape[v.rank - 1] as number];
  if (shape.includes(0) || result.includes(0)) {
    return [ofNothing(result, q, k, v, gain), ofNothing(shape, q, k, gain)];
  }
  const allowed = allowedPairs(who, shape, restrictions);
  const pairs = allowed && shape.length > 4 ? mergeHeads(allowed, shape) : allowed;
  let weights: Tensor | undefined;
  const apply = (q: Tensor, k: Tensor, gain: Tensor, v: Tensor) => {
    const all = logits(q, k, gain);
    weights = softmax(pairs ? where(pairs, all, maskedLogit(gain, all.rank)) : all);
    return productOfHeads(rate > 0 ? dropout(weights, rate, undefined, seed) : weights, v);
  };
  // At most four axes, those between batch and length as one: the `where` of webgl takes no more.
  const [q4, k4, v4] = [q, k, v].map((x) =>
    x.rank > 4 ? reshape(x, [x.shape[0] as number, -1, ...x.shape.slice(-2)]) : x,
  ) as [Tensor, Tensor, Tensor];
  const half = { isScaleFree, sumsToOne: rate === 0 };
  const y = isHalf() ? attendWithinHalf(apply, [q4, k4, gain, v4], half) : apply(q4, k4, gain, v4);
  return [reshape(y, result), reshape(weights as Tensor, shape)];
}

/**
 * a b, or a b^T, for each head. If b has fewer heads, each serves several consecutive heads of a, whose rows then form one
 * matrix.
 */
function productOfHeads(a: Tensor, b: Tensor, transposeB = false): Tensor {
  const [batch, heads, length] = a.shape as [number, number, number];
  if (a.rank < 4 || b.shape[1] === heads) return matMul(a, b, false, transposeB);
  const rows = reshape(a, [batch, b.shape[1] as number, -1, a.shape[3] as number]);
  return reshape(matMul(rows, b, false, transposeB), [batch, heads, length, -1]);
}

/** Query, key and value as float32. */
function checkedInputs(who: string, given: readonly Tensor[], causal: boolean): [Tensor, Tensor, Tensor] {
  const [q, k, v] = given.map((x) => checkInput(who, x)) as [Tensor, Tensor, Tensor];
  checkAttention(who, q.shape, k.shape, v.shape, causal);
  return [q, k, v];
}

/** The sizes that must agree for attention. */
export function checkAttention(who: string, query: Shape, key: Shape, value: Shape, causal: boolean): void {
  if (query.length < 3 || key.length !== query.length || value.length !== query.length) {
    const received = [query, key, value].map((shape) => shape.length).join(', ');
    fail(who, `query, key and value must have the same rank, 3 or more; received ${received}; split the heads first`);
  }
  checkWidths(who, query, key, -1);
  const at = query.length - 2;
  const [queries, keys, values] = [query[at], key[at], value[at]];
  for (let axis = 0; axis < at; axis++) {
    const sizes = [query, key, value].map((shape) => shape[axis]);
    if (new Set(sizes.filter((size) => size != null)).size <= 1) continue;
    const rule = 'query, key and value must have the same sizes before the last two axes';
    fail(who, `${rule}; received ${sizes.join(', ')} at axis ${axis}; repeat what is to be shared with tf.tile`);
  }
  if (keys !== values)
    fail(who, `there must be one value per key; received ${keys} keys and ${values} values; give both of one length`);
  if (causal && queries != null && keys != null && keys < queries) {
    const rule = 'causal attention needs at least as many keys as queries';
    fail(
      who,
      `${rule}; received ${keys} keys and ${queries} queries; add the keys of earlier positions, or leave causal out`,
    );
  }
}
