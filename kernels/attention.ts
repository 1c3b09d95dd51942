/**
 * Query-key normalization and the attention built on it. The normalization is the direct form on rows; masking, dropout
 * and the two matrix products are TensorFlow.js's own ops.
 */
import {
  cast,
  dropout,
  fill,
  greaterEqual,
  matMul,
  mul,
  range,
  reshape,
  type Tensor,
  tidy,
  where,
} from '@tensorflow/tfjs-core';
import { checkAxis, checkEpsilon, checkInput, checkParameter, fail } from './checks.ts';
import { normalize } from './ops.ts';
import { softmax } from './softmax.ts';
import { rowView, withLast } from './view.ts';

export interface QkNormOptions {
  /** The axis of the head's width. Default: -1. */
  readonly axis?: number;
  /** The smallest norm that is divided by. Default: 1e-12. */
  readonly epsilon?: number;
}

/**
 * Query-key normalization: queries and keys of unit length, so that their product is a cosine, times a learned scale.
 *
 *   qHat = g q / max(|q|, epsilon)     kHat = k / max(|k|, epsilon)     logits = qHat kHat^T
 *
 * @param query [batch, ..., width], rank 2 to 6
 * @param key the same width, any other sizes
 * @param g the scale of the logits, a scalar
 * @param options `axis` of the width (default -1), `epsilon` (1e-12): vectors that are not longer than it have gradient 0
 * @returns [qHat, kHat], of the shapes of query and key
 * @throws if the widths differ, g is not one value, or the axis is out of range
 *
 * Henry, Dachapally, Pawar, Chen: Query-Key Normalization for Transformers. 2020, https://arxiv.org/abs/2010.04245
 */
export function qkNorm(
  query: Tensor,
  key: Tensor,
  g: Tensor,
  options: QkNormOptions = {},
): [qHat: Tensor, kHat: Tensor] {
  const who = 'qkNorm';
  const { axis = -1, epsilon = 1e-12 } = options;
  checkEpsilon(who, epsilon);
  checkParameter(who, 'g', g, 1);
  return tidy(() => {
    const [q, k] = [checkInput(who, query), checkInput(who, key)];
    checkWidths(who, q.shape, k.shape, axis);
    return [unitRows(q, axis, epsilon, g), unitRows(k, axis, epsilon)];
  });
}

/** x / max(|x|, epsilon) along the axis, times g: the norm is sqrt(width) times the root mean square. */
function unitRows(x: Tensor, axis: number, epsilon: number, g?: Tensor): Tensor {
  return withLast(x, [checkAxis('qkNorm', axis, x.rank)], (x) => {
    const view = rowView(x.shape, 1);
    const unit = fill([view.c], 1 / Math.sqrt(view.c));
    const gamma = g ? mul(unit, reshape(g, [1])) : unit;
    const form = { epsilonPlacement: 'floor', center: false, rescale: true } as const;
    return normalize(x, gamma, undefined, { ...form, view, epsilon: epsilon / Math.sqrt(view.c) });
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

export interface AttentionOptions extends Omit<QkNormOptions, 'axis'> {
  /**
   * True (or 1) where a query may attend to a key: [batch, keys], [batch, queries, keys], or anything that broadcasts to
   * [batch, ..., queries, keys]. A query that may attend to no key attends to all alike. Default: all.
   */
  readonly mask?: Tensor | undefined;
  /** Query i attends to the keys up to i, counted from the last query and the last key. Default: false. */
  readonly causal?: boolean;
  /** The share of attention weights that are dropped, those left being scaled up. Default: 0. */
  readonly dropout?: number;
}

/**
 * Attention on normalized queries and keys: softmax(g qHat kHat^T) value.
 *
 * @param query [batch, ..., queries, width], for instance [batch, heads, queries, width]
 * @param key [batch, ..., keys, width]
 * @param value [batch, ..., keys, any]
 * @param g the scale of the logits, a scalar
 * @param options see `AttentionOptions`
 * @returns [batch, ..., queries, any]
 * @throws if widths, numbers of keys and values, or the mask do not fit, or `causal` has fewer keys than queries
 */
export function qkAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  g: Tensor,
  options: AttentionOptions = {},
): Tensor {
  const who = 'qkAttention';
  const { mask, causal = false, dropout: rate = 0, epsilon = 1e-12 } = options;
  return tidy(() => {
    checkAttention(who, query.shape, key.shape, value.shape, causal);
    const [qHat, kHat] = qkNorm(query, key, g, { epsilon });
    let logits = matMul(qHat, kHat, false, true);
    const forbid = (allowed: Tensor) => {
      logits = where(cast(allowed, 'bool'), logits, fill(logits.shape, -1e9));
    };
    if (causal) forbid(causalMask(logits.shape));
    if (mask) forbid(fitMask(who, mask, logits.shape));
    const weights = softmax(logits);
    return matMul(rate > 0 ? dropout(weights, rate) : weights, checkInput(who, value));
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
  const shape = [
    mask.shape[0] as number,
    ...new Array(Math.max(0, logits.length - mask.rank)).fill(1),
    ...mask.shape.slice(1),
  ];
  const fits = shape.length === logits.length && shape.every((size, i) => size === 1 || size === logits[i]);
  if (!fits) fail(who, `the mask must broadcast to the logits [${logits}]; received the shape [${mask.shape}]`);
  return reshape(mask, shape);
}
