/**
 * The one way in which kernels see a tensor: channels-last, as `[n, s, c]` with `groups` of consecutive channels.
 * Statistics are taken per (n, group) over `s` and the `c / groups` channels of the group; gamma and beta have length `c`.
 * The functions here choose the view of a shape, and bring other axes last: nothing else in the project permutes axes.
 */
import { customGrad, reshape, type Tensor, transpose } from '@tensorflow/tfjs-core';
import type { SwapAxesAttrs } from './contract.ts';
import { has, run } from './registry.ts';
import { recording } from './tape.ts';

export interface View {
  readonly n: number;
  readonly s: number;
  readonly c: number;
  readonly groups: number;
}

type Shape = readonly number[];

/** Without slices: this runs on every call of every layer. */
function product(shape: Shape, from: number, to: number): number {
  let size = 1;
  for (let axis = from; axis < to; axis++) size *= shape[axis] as number;
  return size;
}

/** One statistic per channel, over everything else: Batch, Mean-Only. */
export function batchView(shape: Shape): View {
  const channels = shape.length - 1;
  const c = shape[channels] as number;
  return { n: 1, s: product(shape, 0, channels), c, groups: c };
}

/** One statistic per example and group of consecutive channels: Group; Instance with as many groups as channels. */
export function groupView(shape: Shape, groups: number): View {
  const channels = shape.length - 1;
  return { n: shape[0] as number, s: product(shape, 1, channels), c: shape[channels] as number, groups };
}

/** One statistic per example and channel where the channels come right after the batch: each is a sample of one channel. */
export function sampleView(shape: Shape): View {
  return { n: product(shape, 0, 2), s: product(shape, 2, shape.length), c: 1, groups: 1 };
}

/** One statistic per row of the trailing `count` axes: Layer, RMS. */
export function rowView(shape: Shape, count: number): View {
  const rank = shape.length;
  return { n: product(shape, 0, rank - count), s: 1, c: product(shape, rank - count, rank), groups: 1 };
}

/** One statistic per output unit of a kernel, which the trailing `count` axes number: Weight. */
export function unitView(shape: Shape, count: number): View {
  const rank = shape.length;
  const c = product(shape, rank - count, rank);
  return { n: 1, s: product(shape, 0, rank - count), c, groups: c };
}

/**
 * Applies `f`, which keeps shapes, to x with `axes` (ascending) brought last, and puts the axes of the result back where they
 * were. Where the axes are last already nothing is moved, and where only axes of size 1 are in between, or there are no values,
 * nothing is copied.
 */
export function withLast(x: Tensor, axes: readonly number[], f: (x: Tensor) => Tensor): Tensor {
  const first = axes[0] as number;
  if (first === x.rank - axes.length) return f(x);
  const others = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...others, ...axes];
  const shape = order.map((axis) => x.shape[axis] as number);
  const large = order.filter((axis) => x.shape[axis] !== 1);
  const inOrder = large.every((axis, i) => i === 0 || axis > (large[i - 1] as number));
  if (inOrder || x.size === 0) return reshape(f(reshape(x, shape)), x.shape);
  const end = first + axes.length;
  if (axes.at(-1) === end - 1 && has('SwapAxes')) {
    const [n, a, b] = [product(x.shape, 0, first), product(x.shape, first, end), product(x.shape, end, x.rank)];
    return swapAxes(f(swapAxes(x, { n, a, b }, shape)), { n, a: b, b: a }, x.shape);
  }
  const back = order.map((_, axis) => order.indexOf(axis));
  return transpose(f(transpose(x, order)), back);
}

/** x [n, a, b] as [n, b, a], of the shape `shape`; the gradient is the way back. */
function swapAxes(x: Tensor, { n, a, b }: SwapAxesAttrs, shape: number[]): Tensor {
  const forward = () => reshape(run('SwapAxes', { x }, { n, a, b })[0], shape);
  if (!recording()) return forward();
  const op = customGrad((x) => ({
    value: forward(),
    gradFunc: (dy: Tensor) => swapAxes(dy, { n, a: b, b: a }, (x as Tensor).shape),
  }));
  return op(x);
}
