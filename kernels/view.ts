/**
 * The one way in which kernels see a tensor: channels-last, as `[n, s, c]` with `groups` of consecutive channels.
 * Statistics are taken per (n, group) over `s` and the `c / groups` channels of the group; gamma and beta have length `c`.
 * The functions here choose the view of a shape, and bring other axes last: nothing else in the project permutes axes.
 */
import { reshape, type Tensor, transpose } from '@tensorflow/tfjs-core';

export interface View {
  readonly n: number;
  readonly s: number;
  readonly c: number;
  readonly groups: number;
}

type Shape = readonly number[];

const product = (sizes: Shape) => sizes.reduce((a, b) => a * b, 1);
const last = (shape: Shape) => shape[shape.length - 1] as number;

/** One statistic per channel, over everything else: Batch, Mean-Only. */
export function batchView(shape: Shape): View {
  const c = last(shape);
  return { n: 1, s: product(shape.slice(0, -1)), c, groups: c };
}

/** One statistic per example and group of consecutive channels: Group; Instance with as many groups as channels. */
export function groupView(shape: Shape, groups: number): View {
  return { n: shape[0] as number, s: product(shape.slice(1, -1)), c: last(shape), groups };
}

/** One statistic per row of the trailing `count` axes: Layer, RMS. */
export function rowView(shape: Shape, count: number): View {
  const at = shape.length - count;
  return { n: product(shape.slice(0, at)), s: 1, c: product(shape.slice(at)), groups: 1 };
}

/**
 * Applies `f` to x with `axes` (ascending) brought last, and puts the axes of the result back where they were.
 * Where the axes are last already nothing is moved, and where only axes of size 1 are in between nothing is copied.
 */
export function withLast(x: Tensor, axes: readonly number[], f: (x: Tensor) => Tensor): Tensor {
  const others = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...others, ...axes];
  if (order.every((axis, i) => axis === i)) return f(x);
  const shape = order.map((axis) => x.shape[axis] as number);
  const large = order.filter((axis) => x.shape[axis] !== 1);
  if (large.every((axis, i) => i === 0 || axis > (large[i - 1] as number)))
    return reshape(f(reshape(x, shape)), x.shape);
  const back = order.map((_, axis) => order.indexOf(axis));
  return transpose(f(transpose(x, order)), back);
}
