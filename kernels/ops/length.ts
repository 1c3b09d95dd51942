/**
 * Division by a Euclidean length, by `normalize`: the length is the root mean square times the root of the number of values.
 * Nothing is checked here.
 */
import { add, div, fill, mul, ones, reshape, sub, type Tensor, zerosLike } from '@tensorflow/tfjs-core';
import type { NormalizeAttrs } from '../core/contract.ts';
import { isHalf } from '../core/registry.ts';
import { constant, withGradient } from '../core/tape.ts';
import { rowView, type View } from '../core/view.ts';
import { withLast } from './axes.ts';
import { normalize, normalizeGradient } from './normalize.ts';
import { exponentOf, largestExponent, opposite, shifted, shiftedFar } from './range.ts';

/**
 * gain x / max(||x||, smallest) for each group of `view`; a group that is no longer than `smallest` gets no gradient.
 *
 * @param gain [c] values, or one; absent: 1
 */
export const normalizeLength = (x: Tensor, view: View, smallest: number, gain?: Tensor): Tensor =>
  isHalf() ? inHalfFloats(x, view, smallest, gain) : direct(x, view, smallest, gain);

function direct(x: Tensor, view: View, smallest: number, gain?: Tensor): Tensor {
  const { c } = view;
  const root = rootOf(view);
  const unit = () => fill([c], 1 / root);
  let gamma: Tensor;
  if (!gain) gamma = unit();
  else if (gain.size === c) gamma = div(reshape(gain, [c]), root);
  else gamma = mul(unit(), reshape(gain, [1]));
  return normalize(x, gamma, undefined, form(view, smallest));
}

/** The root of the number of values of a group: a length divided by it is a root mean square. */
const rootOf = ({ s, c, groups }: View) => Math.sqrt((s * c) / groups);
const form = (view: View, smallest: number) =>
  ({ view, epsilon: smallest / rootOf(view), epsilonPlacement: 'floor', center: false, rescale: true }) as const;

/**
 * The same where floats have 16 bits. A direction does not depend on the length of x, so x is brought near 1 first: lengths and
 * their reciprocals are then far from what such floats cannot hold.
 */
function inHalfFloats(x: Tensor, view: View, smallest: number, gain?: Tensor): Tensor {
  const { n, s, c, groups } = view;
  const isUnits = n === 1 && groups === c;
  const byGroup = isUnits ? [s, c] : [n, s * c];
  const x2 = reshape(x, byGroup);
  // No exponent is below `lowest`: all groups near the smallest length are multiplied alike, so that `least` is right for all.
  const lowest = Math.min(14, Math.max(-14, Math.ceil(Math.log2(smallest)) + 1));
  const exponent = largestExponent(x2, [isUnits ? 0 : 1], lowest);
  const least = smallest * 2 ** -lowest;
  if (!isUnits) return direct(reshape(shifted(x2, opposite(exponent)), x.shape), view, least, gain);
  const lengths = gain ? reshape(gain, [1, c]) : ones([1, c]);
  return reshape(unitsInHalfFloats(x2, lengths, exponent, form(view, least)), x.shape);
}

/**
 * The same for a kernel x [rest, units] and gains [1, units]. The gains and the upstream gradient are brought near 1, too: with
 * x 2^-a, gain 2^-b and dy 2^-k the result is y 2^-b, and the gradients are dx 2^(a - b - k) and dgain 2^-k.
 */
function unitsInHalfFloats(x: Tensor, gain: Tensor, exponent: Tensor, attrs: NormalizeAttrs): Tensor {
  const root = rootOf(attrs.view);
  const brought = (x: Tensor, gain: Tensor, a: Tensor, b: Tensor): [x: Tensor, gamma: Tensor] => [
    shifted(x, opposite(a)),
    div(reshape(shifted(gain, opposite(b)), [attrs.view.c]), root),
  ];
  return withGradient([x, gain], (save) => {
    const ofGain = exponentOf(gain);
    save([x, gain, exponent, ofGain]);
    const gradFunc = (dy: Tensor, saved: Tensor[]) => {
      const [x, gain, a, b] = saved as [Tensor, Tensor, Tensor, Tensor];
      const k = largestExponent(dy);
      const [dx, dgamma] = normalizeGradient(shifted(dy, opposite(k)), ...brought(x, gain, a, b), attrs);
      const missing = constant(() => add(sub(b, a), k));
      // The direction of a single value cannot change: its gradient is 0, and would be computed as rounding error.
      const ofX = attrs.view.s === 1 ? zerosLike(x) : shiftedFar(dx, missing);
      return [ofX, shifted(div(reshape(dgamma, gain.shape), root), k)];
    };
    return { value: shifted(normalize(...brought(x, gain, exponent, ofGain), undefined, attrs), ofGain), gradFunc };
  });
}

/** As `normalizeLength`, for each vector along `axes`, ascending. */
export const normalizeRowLength = (x: Tensor, axes: readonly number[], smallest: number, gain?: Tensor): Tensor =>
  withLast(x, axes, (x) => normalizeLength(x, rowView(x.shape, axes.length), smallest, gain));
