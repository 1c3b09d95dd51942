/** Moves the heads of attention from the last axis but one to the axis before the attended axes, and back. */
import { reshape, type Tensor, transpose } from '@tensorflow/tfjs-core';
import { product } from '../core/view.ts';

/** The order of axes in which [batch, ..., heads, width] has its heads before the attended axes. */
function orderOf(rank: number, axes: readonly number[]): number[] {
  const others = Array.from({ length: rank - 3 }, (_, i) => i + 1).filter((axis) => !axes.includes(axis));
  return [0, ...others, rank - 2, ...axes, rank - 1];
}

/**
 * Projected inputs [batch, ..., heads, width] as [batch, heads, positions, width], where `axes` are the positions. Each index of
 * an axis that is not attended has heads of its own.
 */
export function splitHeads(x: Tensor, axes: readonly number[]): Tensor {
  const positions = axes.reduce((size, axis) => size * (x.shape[axis] as number), 1);
  const width = x.shape.at(-1) as number;
  return reshape(transpose(x, orderOf(x.rank, axes)), [x.shape[0] as number, -1, positions, width]);
}

/** The inverse of `splitHeads`: [batch, ..., heads, width] for a query of this shape. */
export function joinHeads(y: Tensor, query: readonly number[], axes: readonly number[]): Tensor {
  const order = orderOf(query.length + 1, axes);
  const others = order.slice(1, -2 - axes.length).map((axis) => query[axis] as number);
  const attended = axes.map((axis) => query[axis] as number);
  const heads = (y.shape[1] as number) / product(others, 0, others.length);
  const shape = [query[0] as number, ...others, heads, ...attended, y.shape[3] as number];
  return transpose(
    reshape(y, shape),
    order.map((_, axis) => order.indexOf(axis)),
  );
}
