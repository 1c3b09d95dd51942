/**
 * Division by a Euclidean length, as the form of `normalize` that it is: the length is the root mean square times the root
 * of the number of values. Nothing is checked here.
 */
import { div, fill, mul, reshape, type Tensor } from '@tensorflow/tfjs-core';
import { normalize } from './ops.ts';
import { rowView, type View, withLast } from './view.ts';

/**
 * gain x / max(||x||, smallest) for each group of `view`; a group that is no longer than `smallest` gets no gradient.
 *
 * @param gain [c] values, or one; absent: 1
 */
export function normalizeLength(x: Tensor, view: View, smallest: number, gain?: Tensor): Tensor {
  const { s, c, groups } = view;
  const root = Math.sqrt((s * c) / groups);
  const unit = () => fill([c], 1 / root);
  let gamma: Tensor;
  if (!gain) gamma = unit();
  else if (gain.size === c) gamma = div(reshape(gain, [c]), root);
  else gamma = mul(unit(), reshape(gain, [1]));
  const form = { epsilon: smallest / root, epsilonPlacement: 'floor', center: false, rescale: true } as const;
  return normalize(x, gamma, undefined, { view, ...form });
}

/** The same for each vector along `axes`, ascending. */
export const normalizeRowLength = (x: Tensor, axes: readonly number[], smallest: number, gain?: Tensor): Tensor =>
  withLast(x, axes, (x) => normalizeLength(x, rowView(x.shape, axes.length), smallest, gain));
