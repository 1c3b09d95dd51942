/** gamma and beta as kernels take them: c values, or for conditional normalization a row of c values per example or position. */
import { reshape, type Tensor } from '@tensorflow/tfjs-core';
import { fail } from '../core/errors.ts';
import { product } from '../core/view.ts';
import { moving } from '../ops/axes.ts';
import { spread } from '../ops/condition.ts';
import type { AffineOptions } from '../ops/form.ts';
import { checkParameter, checkTensor } from './checks.ts';

type Optional = Tensor | undefined;
type Shape = readonly number[];

/**
 * gamma and beta [c], or both [conditions, c].
 *
 * @param shape that of the input
 * @param axes the axes of the input with a parameter for each index, counted from the front, ascending
 */
export function parameters(
  who: string,
  { gamma, beta }: AffineOptions,
  shape: Shape,
  axes: readonly number[],
): [gamma: Optional, beta: Optional] {
  let c = 1;
  for (const axis of axes) c *= shape[axis] as number;
  if (isPlain(gamma, c) && isPlain(beta, c)) {
    return [flat(checkParameter(who, 'gamma', gamma, c), c), flat(checkParameter(who, 'beta', beta, c), c)];
  }
  const all = [rowsFor(who, 'gamma', gamma, shape, axes, c), rowsFor(who, 'beta', beta, shape, axes, c)];
  const conditions = Math.max(...all.map((t) => (t ? (t.shape[0] as number) : 0)));
  return all.map((t) => t && spread(t, conditions, c)) as [Optional, Optional];
}

/** Whether a parameter has no rows: it is absent, holds c values, or is no tensor, which `checkParameter` then refuses. */
const isPlain = (t: Optional, c: number) => t === undefined || t === null || t.size === c || t.shape === undefined;

const flat = (t: Optional, c: number) => (t === undefined || t.rank === 1 ? t : reshape(t, [c]));

/** A parameter as rows [conditions, c]: see `refuseShape` for the shapes that it may have. */
function rowsFor(
  who: string,
  name: string,
  value: Optional,
  shape: Shape,
  axes: readonly number[],
  c: number,
): Optional {
  if (value === undefined || value === null) return undefined;
  const t = checkTensor(who, name, value);
  if (t.size === c) return reshape(t, [1, c]);
  const others = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  if (others[0] === 0) {
    const examples = shape[0] as number;
    if (isShape(t, [examples, c])) return t;
    if (isShape(t, [examples, ...axes.map((axis) => shape[axis] as number)])) return reshape(t, [examples, c]);
  }
  const sizeOf = (axis: number) => t.shape[axis] as number;
  // From the first axis on that differs from the input's, all positions share a row: these axes must have size 1.
  const firstShared = others.findIndex((axis) => sizeOf(axis) !== shape[axis]);
  const shared = firstShared === -1 ? [] : others.slice(firstShared);
  const fits = t.rank === shape.length && axes.every((axis) => sizeOf(axis) === shape[axis]);
  if (!fits || !shared.every((axis) => sizeOf(axis) === 1)) return refuseShape(who, name, t.shape, shape, axes, c);
  return reshape(moving(t.shape, axes).toLast(t), [t.size / c, c]);
}

const isShape = (t: Tensor, shape: Shape) => t.rank === shape.length && t.shape.every((size, i) => size === shape[i]);

/** Fails if a parameter has not one of the shapes that {@link parameters} takes. */
export function checkRows(who: string, name: string, value: Tensor, shape: Shape, axis: number): void {
  rowsFor(who, name, value, shape, [axis], shape[axis] as number);
}

function refuseShape(
  who: string,
  name: string,
  received: Shape,
  shape: Shape,
  axes: readonly number[],
  c: number,
): never {
  const hasExamples = !axes.includes(0);
  const forExample = shape.map((size, axis) => (axis === 0 || axes.includes(axis) ? size : 1));
  const ways = [
    `${c} values, one per channel`,
    ...(hasExamples ? [`[${shape[0]}, ${c}] or [${forExample}], a row per example`] : []),
    `[${shape}], a row per position`,
  ];
  const isOtherBatch = hasExamples && received[0] !== shape[0] && product(received, 0, received.length) % c === 0;
  const why = isOtherBatch ? `: a batch of ${received[0]} for one of ${shape[0]}` : '';
  return fail(
    who,
    `${name} must hold ${ways.join(', or ')}; received the shape [${received}]${why}; reshape or tile it`,
  );
}
