/** The masks of attention: checks their shapes and values, and combines them into one mask of the rank of the logits. */
import {
  cast,
  type DataId,
  engine,
  equal,
  greaterEqual,
  logicalAnd,
  logicalNot,
  logicalOr,
  max,
  ones,
  range,
  reshape,
  Tensor,
  tidy,
} from '@tensorflow/tfjs-core';
import { fail, show } from '../core/errors.ts';
import { constant } from '../core/tape.ts';

type Shape = readonly number[];

/** The masks of queries, keys and values, [batch, queries] or [batch, keys] each, or of the input's shape without its width. */
export type PaddingMasks = readonly (Tensor | null | undefined)[];

/**
 * How a causal mask aligns queries and keys: the last query with the last key, as in decoding with a cache, or the first query
 * with the first key, as in Keras. With as many queries as keys both are the same.
 */
type Causal = 'from last' | 'from first';

/** What restricts which query attends to which key. */
export interface Restrictions {
  readonly mask?: Tensor | undefined;
  readonly causal?: Causal | undefined;
  readonly padding?: PaddingMasks;
  /** Whether a mask of two axes is [batch, keys] for certain, as in a model, where the first axis is the batch. */
  readonly batchFirst?: boolean;
}

/**
 * True where a query may attend to a key: of the rank of the logits [batch, ..., queries, keys], and broadcastable to them;
 * undefined where nothing is restricted. A constant to every gradient.
 */
export function allowedPairs(
  who: string,
  logits: Shape,
  { mask, causal, padding = [], batchFirst = false }: Restrictions,
): Tensor | undefined {
  const masks = padding.map((mask, i) => mask && fitPadding(who, NAMES[i] as string, mask, logits, i === 0));
  if (mask) masks.push(fitMask(who, mask, logits, batchFirst));
  const given = masks.filter((mask) => mask instanceof Tensor);
  if (given.length === 0 && !causal) return undefined;
  return constant(() => {
    // In a mask of numbers 1 allows. On WebGPU the numbers are unchecked (see `checkValues`), and others may be there.
    const all = given.map((mask) => (mask.dtype === 'bool' ? mask : equal(mask, 1)));
    if (causal) all.push(causalPairs(logits, causal));
    return all.reduce((a, b) => logicalAnd(a, b));
  });
}

const NAMES = ['query', 'key', 'value'] as const;

/** True where key j is not later than query i, [1, ..., queries, keys]. */
function causalPairs(logits: Shape, causal: Causal): Tensor {
  const [queries, keys] = logits.slice(-2) as [number, number];
  const first = causal === 'from last' ? keys - queries : 0;
  const i = reshape(range(first, first + queries), [queries, 1]);
  return reshape(greaterEqual(i, range(0, keys)), [...logits.slice(0, -2).map(() => 1), queries, keys]);
}

/** An attention mask, reshaped to the rank of the logits: its first axis is the batch, its others are their last axes. */
function fitMask(who: string, mask: unknown, logits: Shape, batchFirst: boolean): Tensor {
  if (!(mask instanceof Tensor)) fail(who, `the mask must be a tensor; received ${show(mask)}`);
  const { shape, rank } = mask;
  const [batch, queries, keys] = [logits[0] as number, ...(logits.slice(-2) as [number, number])];
  const missing = new Array(Math.max(0, logits.length - rank)).fill(1);
  const full = [shape[0] as number, ...missing, ...shape.slice(1)];
  if (rank < 2 || !broadcasts(full, logits)) {
    // Other libraries align the shapes at the last axis: if the mask fits that way, say how to write it here.
    const aligned = [...missing, ...shape];
    const hint = broadcasts(aligned, logits)
      ? `the first axis is the batch: write mask.reshape([${[1, ...shape]}]) for the same mask in each example`
      : 'give [batch, keys], [batch, queries, keys] or all axes of the logits, of which any size may be 1';
    fail(who, `the mask must broadcast to the logits [${logits}]; received the shape [${shape}]; ${hint}`);
  }
  if (rank === 2 && !batchFirst && batch > 1 && shape[0] === batch && batch === queries) {
    const either = `[batch, keys] or [queries, keys], since there are ${batch} of both`;
    const out = `reshape it to [${batch},1,${shape[1]}] for keys of each example, or to [1,${shape}] for pairs`;
    fail(who, `the mask of shape [${shape}] may be ${either}, with ${keys} keys; ${out}`);
  }
  checkValues(who, 'the mask', mask);
  return reshape(mask, full);
}

const broadcasts = (shape: Shape, logits: Shape) =>
  shape.length === logits.length && shape.every((size, i) => size === 1 || size === logits[i]);

/** A padding mask of queries, or of keys or values, reshaped to the rank of the logits. */
function fitPadding(who: string, name: string, mask: unknown, logits: Shape, ofQueries: boolean): Tensor {
  if (!(mask instanceof Tensor)) fail(who, `the mask of the ${name} must be a tensor; received ${show(mask)}`);
  const [before, size] = [logits.slice(0, -2), logits.at(ofQueries ? -2 : -1) as number];
  const whole = [...before, size];
  const short = [before[0] as number, size];
  const isOf = (shape: Shape) => shape.length === mask.rank && shape.every((size, i) => size === mask.shape[i]);
  if (!isOf(whole) && !isOf(short)) {
    const shapes = before.length > 1 ? `[${short}] or [${whole}]` : `[${short}]`;
    fail(who, `the mask of the ${name} must have the shape ${shapes}; received [${mask.shape}]`);
  }
  checkValues(who, `the mask of the ${name}`, mask);
  const leading = isOf(whole) ? before : [short[0] as number, ...before.slice(1).map(() => 1)];
  return reshape(mask, ofQueries ? [...leading, size, 1] : [...leading, 1, size]);
}

/** Masks whose values have been checked: all layers of a model are given the same tensor, which is read once. */
const checked = new WeakSet<DataId>();

/**
 * Refuses numbers other than 0 and 1: a mask that is meant to be added to logits holds 0 and -1e9, and both would be misread.
 * Masks of bools need no check. WebGPU cannot read values synchronously: there numbers go unchecked.
 */
function checkValues(who: string, name: string, mask: Tensor): void {
  if (mask.dtype === 'bool' || checked.has(mask.dataId)) return;
  if (mask.dtype !== 'float32' && mask.dtype !== 'int32') fail(who, `${name} must be of bools; received ${mask.dtype}`);
  if (isOnGpu(mask) && hasOnlyBits(mask) !== false) {
    checked.add(mask.dataId);
    return;
  }
  const wrong = mask.dataSync().find((value) => value !== 0 && value !== 1);
  if (wrong !== undefined) {
    const rule = 'must be true (or 1) where a query may attend to a key, and false (or 0) elsewhere';
    const out = 'a mask that is added to logits becomes mask.equal(0), token numbers tokens.notEqual(0)';
    fail(who, `${name} ${rule}; received ${wrong}; ${out}`);
  }
  checked.add(mask.dataId);
}

/** Whether all values are 0 or 1, reading back one number; undefined where the GPU cannot be read synchronously. */
function hasOnlyBits(mask: Tensor): boolean | undefined {
  const wrong = tidy(() => max(cast(logicalNot(logicalOr(equal(mask, 0), equal(mask, 1))), 'int32')));
  try {
    return wrong.dataSync()[0] === 0;
  } catch {
    return undefined;
  } finally {
    wrong.dispose();
  }
}

interface GpuData {
  has(id: DataId): boolean;
  get(id: DataId): { values?: unknown };
}

/** Whether the values are only on the GPU: in textures of WebGL or buffers of WebGPU. */
function isOnGpu({ dataId }: Tensor): boolean {
  const { texData, device, tensorMap } = engine().backend as {
    texData?: GpuData;
    device?: object;
    tensorMap?: GpuData;
  };
  const data = texData ?? (device && tensorMap);
  return data?.has(dataId) === true && data.get(dataId).values == null;
}

/**
 * Reshapes a mask of the rank of the logits to [batch, heads, queries, keys]: the axes between batch and queries become one. A
 * mask with size 1 in some of these axes only is broadcast along them first.
 */
export function mergeHeads(allowed: Tensor, logits: Shape): Tensor {
  const heads = logits.slice(1, -2);
  const own = allowed.shape.slice(1, -2);
  const isOne = own.every((size) => size === 1);
  const isWhole = own.every((size, i) => size === heads[i]);
  const even = isOne || isWhole ? allowed : constant(() => logicalAnd(allowed, ones([1, ...heads, 1, 1], 'bool')));
  return reshape(even, [allowed.shape[0] as number, -1, ...allowed.shape.slice(-2)]);
}
