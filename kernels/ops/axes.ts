/** Brings axes last, where kernels want them, and back: nothing else in the project permutes axes. */
import { reshape, type Tensor, transpose } from '@tensorflow/tfjs-core';
import type { SwapAxesAttrs } from '../core/contract.ts';
import { has } from '../core/registry.ts';
import { product } from '../core/view.ts';
import { apply, SwapAxes } from './gradients.ts';

/**
 * Applies `f`, which keeps shapes, to x with `axes` (ascending) brought last, and moves the axes of the result back. Nothing is
 * moved if the axes are last already, and nothing copied if only axes of size 1 change places, or x is empty.
 */
export function withLast(x: Tensor, axes: readonly number[], f: (x: Tensor) => Tensor): Tensor {
  if (axes[0] === x.rank - axes.length) return f(x);
  const { toLast, back } = moving(x.shape, axes);
  return back(f(toLast(x)));
}

/** How a tensor of this shape gets these axes last, and how one of the new shape gets them back. */
export interface Moving {
  toLast(x: Tensor): Tensor;
  back(x: Tensor): Tensor;
}

export function moving(from: readonly number[], axes: readonly number[]): Moving {
  const first = axes[0] as number;
  if (first === from.length - axes.length) return { toLast: (x) => x, back: (x) => x };
  const others = from.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...others, ...axes];
  const shape = order.map((axis) => from[axis] as number);
  const large = order.filter((axis) => from[axis] !== 1);
  const inOrder = large.every((axis, i) => i === 0 || axis > (large[i - 1] as number));
  if (inOrder || shape.includes(0)) return { toLast: (x) => reshape(x, shape), back: (x) => reshape(x, [...from]) };
  const end = first + axes.length;
  if (axes.at(-1) === end - 1 && has('SwapAxes')) {
    const [n, a, b] = [product(from, 0, first), product(from, first, end), product(from, end, from.length)];
    return {
      toLast: (x) => swapAxes(x, { n, a, b }, shape),
      back: (x) => swapAxes(x, { n, a: b, b: a }, [...from]),
    };
  }
  const back = order.map((_, axis) => order.indexOf(axis));
  return { toLast: (x) => transpose(x, order), back: (x) => transpose(x, back) };
}

/** x [n, a, b] as [n, b, a], of the shape `shape`. */
const swapAxes = (x: Tensor, attrs: SwapAxesAttrs, shape: number[]): Tensor =>
  reshape(apply(SwapAxes, { x }, attrs), shape);
