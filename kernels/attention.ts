/**
 * Query-key normalization and the attention built on it. The normalization is the direct form on rows; masking, dropout
 * and the two matrix products are TensorFlow.js's own ops.
 */
import { cast, dropout, fill, greaterEqual, matMul, range, reshape, Tensor, tidy, where } from '@tensorflow/tfjs-core';
import {
  checkAxis,
  checkCall,
  checkEpsilon,
  checkInput,
  checkParameter,
  checkRate,
  fail,
  optionNames,
  show,
} from './checks.ts';
import { normalizeRowLength } from './length.ts';
import { ofNothing } from './ops.ts';
import { softmax } from './softmax.ts';

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
    const gain = checkParameter(who, 'g', g, 1);
    if (!gain) fail(who, 'g, the scale of the logits, is missing; give a tensor of one value');
    const [q, k] = [checkInput(who, query), checkInput(who, key)];
    checkWidths(who, q.shape, k.shape, axis);
    const axesOf = (x: Tensor) => [checkAxis(who, axis, x.rank)];
    return [normalizeRowLength(q, axesOf(q), epsilon, gain), normalizeRowLength(k, axesOf(k), epsilon)];
  });
}

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
   * [batch, ..., queries, keys]; any size may be 1. A query that may attend to no key attends to all alike. Default: all.
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
 * @throws if widths, numbers of keys and values, sizes before them, or the mask do not fit, `dropout` is not in [0, 1), or `causal`
 *   has fewer keys than queries
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

/** For layers: `qkAttention`, with the name for errors. */
export function attend(
  who: string,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  g: Tensor,
  { mask, causal = false, dropout: rate = 0, epsilon = 1e-12 }: AttentionOptions,
): Tensor {
  checkRate(who, 'dropout', rate);
  return tidy(() => {
    const [q, k, v] = [query, key, value].map((x) => checkInput(who, x)) as [Tensor, Tensor, Tensor];
    checkAttention(who, q.shape, k.shape, v.shape, causal);
    const shape = [...q.shape.slice(0, -1), v.shape[v.rank - 1] as number];
    if (k.shape[k.rank - 2] === 0 || shape.includes(0)) return ofNothing(shape, q, k, v, g);
    const [qHat, kHat] = normalizeQk(who, q, k, g, { epsilon });
    let logits = matMul(qHat, kHat, false, true);
    const forbid = (allowed: Tensor) => {
      logits = where(cast(allowed, 'bool'), logits, fill(logits.shape, -1e9));
    };
    if (causal) forbid(causalMask(logits.shape));
    if (mask) forbid(fitMask(who, mask, logits.shape));
    const weights = softmax(logits);
    return matMul(rate > 0 ? dropout(weights, rate) : weights, v);
  });
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
  if (keys !== values) fail(who, `there must be one value per key; received ${keys} keys and ${values} values`);
  if (causal && queries != null && keys != null && keys < queries) {
    fail(who, `causal attention needs at least as many keys as queries; received ${keys} keys and ${queries} queries`);
  }
}

/** [queries, keys], true where key j is not later than query i, the last of both being at the same time. */
function causalMask(logits: readonly number[]): Tensor {
  const [queries, keys] = logits.slice(-2) as [number, number];
  const i = reshape(range(keys - queries, keys), [queries, 1]);
  const allowed = greaterEqual(i, range(0, keys));
  return reshape(allowed, [...logits.slice(0, -2).map(() => 1), queries, keys]);
}

/** The mask in the rank of the logits, its axes being the batch and the last ones. */
function fitMask(who: string, mask: Tensor, logits: readonly number[]): Tensor {
  if (!(mask instanceof Tensor)) fail(who, `the mask must be a tensor; received ${show(mask)}`);
  const shape = [
    mask.shape[0] as number,
    ...new Array(Math.max(0, logits.length - mask.rank)).fill(1),
    ...mask.shape.slice(1),
  ];
  const fits = shape.length === logits.length && shape.every((size, i) => size === 1 || size === logits[i]);
  if (!fits) fail(who, `the mask must broadcast to the logits [${logits}]; received the shape [${mask.shape}]`);
  return reshape(mask, shape);
}
