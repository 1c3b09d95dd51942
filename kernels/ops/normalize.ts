/** The direct form: y = (x - mean) / f * gamma + beta over the groups of a view. Nothing is checked here. */
import { clone, keep, type Tensor, tidy, zeros } from '@tensorflow/tfjs-core';
import type { NormalizeAttrs } from '../core/contract.ts';
import { recording } from '../core/tape.ts';
import { apply, compute, Normalize, NormalizeGrad, ScaleShift } from './gradients.ts';
import { ofNothing } from './nothing.ts';
import { rows } from './reference.ts';

type Optional = Tensor | undefined;

/**
 * y = (x - mean) / f * gamma + beta over the groups of `attrs.view`; see `NormalizeAttrs`.
 *
 * @param x the activations, of any shape that `attrs.view` describes
 * @param gamma [c], or [conditions, c] if the view has `rowsPerCondition`; optional
 * @param beta as gamma
 * @param useStatistics called once with the statistics [2, k], off the tape; they are disposed afterwards
 */
export function normalize(
  x: Tensor,
  gamma: Optional,
  beta: Optional,
  attrs: NormalizeAttrs,
  useStatistics?: (statistics: Tensor) => void,
): Tensor {
  if (x.size === 0) return ofNothing(x.shape, x, gamma, beta);
  const inputs = { x, gamma, beta };
  if (recording()) {
    return apply(Normalize, inputs, attrs, ([, statistics]) => useStatistics?.(statistics as Tensor));
  }
  const [y, statistics] = compute(Normalize, inputs, useStatistics ? attrs : yOnly(attrs));
  if (statistics) {
    useStatistics?.(statistics);
    statistics.dispose();
  }
  return y;
}

/** Spelled out: object spread is slow enough to be measured on small tensors. */
const yOnly = ({ view, epsilon, epsilonPlacement, center, rescale }: NormalizeAttrs): NormalizeAttrs => ({
  view,
  epsilon,
  epsilonPlacement,
  center,
  rescale,
  yOnly: true,
});

/**
 * As `normalize` with `groups` = c in its usual form, from statistics [2, k] of x that are known already. They are not constants:
 * the gradient is that of `normalize`.
 */
export function normalizeWith(
  x: Tensor,
  statistics: Tensor,
  gamma: Optional,
  beta: Optional,
  attrs: NormalizeAttrs,
): Tensor {
  const { view, epsilon } = attrs;
  const y = () => {
    const [mean, variance] = rows(statistics, view.n * view.c);
    return compute(ScaleShift, { x, mean, variance, scale: gamma, shift: beta }, { view, epsilon })[0];
  };
  if (!recording()) return tidy(y);
  return apply(Normalize, { x, gamma, beta }, attrs, undefined, () => [y(), statistics]);
}

/** As `normalize`, with the statistics [2, k] as a second result: a constant to every gradient, and zeros if x is empty. */
export function normalizeWithStatistics(
  x: Tensor,
  gamma: Optional,
  beta: Optional,
  attrs: NormalizeAttrs,
): [y: Tensor, statistics: Tensor] {
  let kept: Tensor | undefined;
  const y = normalize(x, gamma, beta, attrs, (statistics) => {
    kept = keep(clone(statistics));
  });
  if (!kept) return [y, zeros([2, attrs.view.n * attrs.view.groups])];
  const statistics = clone(kept); // this one belongs to the caller's tidy
  kept.dispose();
  return [y, statistics];
}

/** The gradients of `normalize` in x and gamma, for operations that define their own gradient by them; differentiable. */
export function normalizeGradient(dy: Tensor, x: Tensor, gamma: Tensor, attrs: NormalizeAttrs): [Tensor, Tensor] {
  const [, statistics] = compute(Normalize, { x, gamma }, attrs) as [Tensor, Tensor];
  const [dx, dgamma] = compute(NormalizeGrad, { dy, x, statistics, gamma }, { ...attrs, affine: true });
  return [dx, dgamma as Tensor];
}
