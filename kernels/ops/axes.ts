/** Brings axes last, where kernels want them, and back: nothing else in the project permutes axes. */
import { reshape, type Tensor, transpose } from '@tensorflow/tfjs-core';
import type { SwapAxesAttrs } from '../core/contract.ts';
import { has } from '../core/registry.ts';
import { product } from '../core/view.ts';
import { apply, SwapAxes } from './gradients.ts';

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

/** x [n, a, b] as [n, b, a], of the shape `shape`. */
const swapAxes = (x: Tensor, attrs: SwapAxesAttrs, shape: number[]): Tensor =>
  reshape(apply(SwapAxes, { x }, attrs), shape);
