/** Power iteration, for the largest singular value of a kernel. */
import { clone, keep, type Tensor } from '@tensorflow/tfjs-core';
import type { PowerIterationAttrs } from '../core/contract.ts';
import { recording } from '../core/tape.ts';
import { apply, compute, PowerIteration } from './gradients.ts';

/**
 * Steps of power iteration on w [rest, out], from u [1, out] and v [1, rest]: see `PowerIterationAttrs`. The vectors that
 * come out are constants to every gradient, and sigma is differentiable in w.
 */
export function powerIteration(
  w: Tensor,
  u: Tensor,
  v: Tensor,
  attrs: PowerIterationAttrs,
): [u: Tensor, v: Tensor, sigma: Tensor] {
  if (!recording()) return compute(PowerIteration, { w, u, v }, attrs);
  const kept: Tensor[] = [];
  const sigma = apply(PowerIteration, { w, u, v }, attrs, ([nextU, nextV]) => {
    for (const vector of [nextU, nextV]) kept.push(keep(clone(vector)));
  });
  const [nextU, nextV] = kept.map((vector) => clone(vector)) as [Tensor, Tensor]; // these belong to the caller's tidy
  for (const vector of kept) vector.dispose();
  return [nextU, nextV, sigma];
}
