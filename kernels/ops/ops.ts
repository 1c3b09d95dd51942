/**
 * The three differentiable operations that every layer is made of, on views: `normalize`, `moments`, `scaleShift`.
 * The forward is the backend's fused kernel (composed ops where it has none), and so is the gradient, except while an
 * outer gradient records it: then it is composed from differentiable ops, which gives gradients of any order.
 * Nothing is checked here; `functions.ts` does that.
 */
import {
  add,
  clone,
  customGrad,
  div,
  type GradSaveFunc,
  keep,
  matMul,
  mul,
  neg,
  reshape,
  slice,
  type Tensor,
  tidy,
  unstack,
  zeros,
  zerosLike,
} from '@tensorflow/tfjs-core';
import type {
  AverageAttrs,
  NormalizeAttrs,
  NormalizeGradAttrs,
  PowerIterationAttrs,
  ScaleShiftAttrs,
} from '../core/contract.ts';
import { fused, run } from '../core/registry.ts';
import { constant, recording } from '../core/tape.ts';
import type { View } from '../core/view.ts';
import { inHalf } from './half.ts';
import { affineOfGiven } from './half-batch.ts';
import { reciprocalRoot } from './quotient.ts';
import * as reference from './reference.ts';

type Optional = Tensor | undefined;

/**
 * y = (x - mean) / f * gamma + beta over the groups of `attrs.view`; see `NormalizeAttrs`.
 *
 * @param x the activations, of any shape that `attrs.view` describes
 * @param gamma [c], optional
 * @param beta [c], optional
 * @param useMoments called once with the moments [2, n * groups], off the tape; they are disposed afterwards
 */
export function normalize(
  x: Tensor,
  gamma: Optional,
  beta: Optional,
  attrs: NormalizeAttrs,
  useMoments?: (moments: Tensor) => void,
): Tensor {
  if (x.size === 0) return ofNothing(x.shape, x, gamma, beta);
  if (!recording()) {
    const [y, moments] = normalizeForward(x, gamma, beta, useMoments ? attrs : yOnly(attrs));
    if (moments) {
      useMoments?.(moments);
      moments.dispose();
    }
    return y;
  }
  return differentiable(x, gamma, beta, attrs, () => {
    const [y, moments] = normalizeForward(x, gamma, beta, attrs) as [Tensor, Tensor];
    useMoments?.(moments);
    return [y, moments];
  });
}

/**
 * As `normalize` in its usual form, applying moments [2, n * c] of x that are known already; the gradient is the same, that
 * of moments taken from x.
 */
export function normalizeWith(
  x: Tensor,
  moments: Tensor,
  gamma: Optional,
  beta: Optional,
  attrs: NormalizeAttrs,
): Tensor {
  const { view, epsilon } = attrs;
  const apply = () => {
    const [mean, variance] = unstack(moments);
    return scaleShiftForward(x, { mean, variance, scale: gamma, shift: beta }, { view, epsilon });
  };
  if (!recording()) return tidy(apply);
  return differentiable(x, gamma, beta, attrs, () => [apply(), moments]);
}

/** What `forward` gives, y and the moments of x, with the gradient of `normalize`. */
function differentiable(
  x: Tensor,
  gamma: Optional,
  beta: Optional,
  attrs: NormalizeAttrs,
  forward: () => [y: Tensor, moments: Tensor],
): Tensor {
  const parameters = [gamma, beta].filter((t) => t !== undefined);
  const op = customGrad((...args) => {
    const save = args.pop() as GradSaveFunc;
    const [y, moments] = forward();
    save(gamma ? [x, moments, gamma] : [x, moments]);
    const gradFunc = (dy: Tensor, saved: Tensor[]) => {
      const [dx, dgamma, dbeta] = normalizeBackward(dy, saved, parameters.length > 0, attrs);
      return [dx, gamma && dgamma, beta && dbeta].filter((t) => t !== undefined);
    };
    return { value: y, gradFunc };
  });
  return op(x, ...parameters);
}

// Spelled out: on small tensors a spread is noticed.
const yOnly = ({ view, epsilon, epsilonPlacement, center, rescale }: NormalizeAttrs): NormalizeAttrs => ({
  view,
  epsilon,
  epsilonPlacement,
  center,
  rescale,
  yOnly: true,
});
const withAffine = (
  { view, epsilon, epsilonPlacement, center, rescale }: NormalizeAttrs,
  affine: boolean,
): NormalizeGradAttrs => ({ view, epsilon, epsilonPlacement, center, rescale, affine });

function normalizeForward(
  x: Tensor,
  gamma: Optional,
  beta: Optional,
  attrs: NormalizeAttrs,
): [y: Tensor, moments?: Tensor] {
  if (fused()) return run('Normalize', { x, gamma, beta }, attrs);
  return tidy(() => reference.normalize(x, gamma, beta, attrs));
}

function normalizeBackward(dy: Tensor, saved: Tensor[], affine: boolean, attrs: NormalizeAttrs): Tensor[] {
  const [x, moments, gamma] = saved as [Tensor, Tensor, Optional];
  if (fused() && !recording()) return run('NormalizeGrad', { dy, x, moments, gamma }, withAffine(attrs, affine));
  return reference.normalizeGrad(dy, x, gamma, attrs);
}

/** The gradients of `normalize` without beta in x and gamma, for those who define an operation by it; differentiable. */
export function normalizeGradient(dy: Tensor, x: Tensor, gamma: Tensor, attrs: NormalizeAttrs): [Tensor, Tensor] {
  if (recording()) return reference.normalizeGrad(dy, x, gamma, attrs).slice(0, 2) as [Tensor, Tensor];
  const [, moments] = normalizeForward(x, gamma, undefined, attrs) as [Tensor, Tensor];
  return normalizeBackward(dy, [x, moments, gamma], true, attrs).slice(0, 2) as [Tensor, Tensor];
}

/**
 * Zeros, or a tensor without values, as the result of an operation on these inputs: their gradients are 0. It stands for what
 * has nothing to be computed from, and no statistics.
 */
export function ofNothing(shape: number[], ...given: Optional[]): Tensor {
  const inputs = given.filter((t) => t !== undefined);
  const op = customGrad((...args) => {
    const save = args.pop() as GradSaveFunc;
    save(inputs);
    const gradFunc = (_: Tensor, saved: Tensor[]) => saved.map((input) => zerosLike(input));
    return { value: zeros(shape), gradFunc };
  });
  return op(...inputs);
}

/** As `normalize`, with the moments [2, n * groups] as a second result: a constant to every gradient; of nothing, zeros. */
export function normalizeWithMoments(
  x: Tensor,
  gamma: Optional,
  beta: Optional,
  attrs: NormalizeAttrs,
): [y: Tensor, moments: Tensor] {
  let kept: Tensor | undefined;
  const y = normalize(x, gamma, beta, attrs, (moments) => {
    kept = keep(clone(moments));
  });
  if (!kept) return [y, zeros([2, attrs.view.n * attrs.view.groups])];
  const moments = clone(kept); // this one belongs to the caller's tidy
  kept.dispose();
  return [y, moments];
}

/**
 * Mean and biased variance of each channel, [2, n * c]; `view.groups` must be `view.c`.
 *
 *   dx = dmean / s + 2 dvariance / s (x - mean)
 */
export function moments(x: Tensor, view: View): Tensor {
  if (!recording()) return momentsForward(x, view);
  const op = customGrad((...args) => {
    const save = args.pop() as GradSaveFunc;
    const value = momentsForward(x, view);
    save([x, value]);
    const gradFunc = (dmoments: Tensor, saved: Tensor[]) => {
      const x = saved[0] as Tensor;
      const mean = row(recording() ? reference.moments(x, { view }) : (saved[1] as Tensor), 0);
      const scale = mul(row(dmoments, 1), 2 / view.s);
      const shift = div(row(dmoments, 0), view.s);
      return scaleShiftForward(x, { mean, scale, shift }, { view, epsilon: 0 });
    };
    return { value, gradFunc };
  });
  return op(x);
}

/** One row of moments [2, k]: 0 the means, 1 the variances. */
export const row = (moments: Tensor, index: 0 | 1): Tensor =>
  reshape(slice(moments, [index, 0], [1, -1]), [moments.size / 2]);

function momentsForward(x: Tensor, view: View): Tensor {
  if (fused()) return run('Moments', { x }, { view })[0];
  return tidy(() => reference.moments(x, { view }));
}

/** What `scaleShift` applies: n * c values each; what is absent is 0 (mean, shift) or 1 (variance, scale). */
export interface Affine {
  readonly mean?: Optional;
  readonly variance?: Optional;
  readonly scale?: Optional;
  readonly shift?: Optional;
}

/**
 * y = (x - mean) / sqrt(variance + epsilon) * scale + shift, differentiable in every argument:
 *
 *   dx = dy scale'     dscale' = sum_s dy (x - mean)     dshift = sum_s dy     dmean = -scale' dshift
 *
 * with scale' = scale / sqrt(variance + epsilon), a small tensor that the tape differentiates by itself.
 */
export function scaleShift(x: Tensor, affine: Affine, view: View, epsilon = 0): Tensor {
  if (x.size === 0) return ofNothing(x.shape, x, affine.mean, affine.variance, affine.scale, affine.shift);
  if (!recording()) return scaleShiftForward(x, affine, { view, epsilon });
  const { mean, variance, shift } = affine;
  if ((mean || variance) && view.n === 1 && inHalf()) return affineOfGiven(x, affine, view, epsilon);
  const rstd = variance && reciprocalRoot(add(variance, epsilon), epsilon);
  const scale = affine.scale && rstd ? mul(affine.scale, rstd) : (affine.scale ?? rstd);
  const parameters = [mean, scale, shift].filter((t) => t !== undefined);
  const op = customGrad((...args) => {
    const save = args.pop() as GradSaveFunc;
    const value = scaleShiftForward(x, { mean, scale, shift }, { view, epsilon });
    save([x, ...parameters]);
    const gradFunc = (dy: Tensor, [x, ...saved]: Tensor[]) => {
      const at = mean && (saved.shift() as Tensor);
      const by = scale && (saved.shift() as Tensor);
      const dx = by ? scaleShiftForward(dy, { scale: by }, { view, epsilon }) : clone(dy);
      if (parameters.length === 0) return dx;
      const [dscale, dshift] = scaleShiftGrad(dy, x as Tensor, at, view);
      const dmean = mean && neg(by ? mul(reshape(by, dshift.shape), dshift) : dshift);
      const grads = [mean && reshape(dmean as Tensor, mean.shape), scale && reshape(dscale, scale.shape)];
      return [dx, ...grads, shift && reshape(dshift, shift.shape)].filter((t) => t !== undefined);
    };
    return { value, gradFunc };
  });
  return op(x, ...parameters);
}

function scaleShiftForward(x: Tensor, affine: Affine, attrs: ScaleShiftAttrs): Tensor {
  if (fused() && !recording()) return run('ScaleShift', { x, ...affine }, attrs)[0];
  return tidy(() => reference.scaleShift(x, affine, attrs));
}

/** See `BlendAttrs`: dscale and dshift, [n, c]. */
export function scaleShiftGrad(dy: Tensor, x: Tensor, mean: Optional, view: View): [dscale: Tensor, dshift: Tensor] {
  if (fused() && !recording()) {
    const inputs = { dy, x, mean: mean ?? zeros([view.n * view.c]) };
    return run('ScaleShiftGrad', inputs, { view });
  }
  return reference.scaleShiftGrad(dy, x, mean, view);
}

/** The moving average `momentum * old + (1 - momentum) * moments[row]`; a constant to every gradient. */
export function average(old: Tensor, moments: Tensor, attrs: AverageAttrs): Tensor {
  return constant(() =>
    fused() ? run('Average', { old, moments }, attrs)[0] : reference.average(old, moments, attrs),
  );
}

/**
 * Steps of power iteration on w [rest, out], from u [1, out] and v [1, rest]: see `PowerIterationAttrs`. The vectors that
 * come out are constants to every gradient, and sigma = v w u^T is differentiable in w: dw = dsigma v^T u.
 */
export function powerIteration(
  w: Tensor,
  u: Tensor,
  v: Tensor,
  attrs: PowerIterationAttrs,
): [u: Tensor, v: Tensor, sigma: Tensor] {
  if (!recording()) return powerIterationForward(w, u, v, attrs);
  const kept: Tensor[] = [];
  const op = customGrad((...args) => {
    const save = args.pop() as GradSaveFunc;
    const [nextU, nextV, sigma] = powerIterationForward(w, u, v, attrs);
    for (const vector of [nextU, nextV]) kept.push(keep(clone(vector)));
    save([nextU, nextV]);
    const gradFunc = (dsigma: Tensor, [u, v]: Tensor[]) => [mul(matMul(v as Tensor, u as Tensor, true), dsigma)];
    return { value: sigma, gradFunc };
  });
  const sigma = op(w);
  const [nextU, nextV] = kept.map((vector) => clone(vector)) as [Tensor, Tensor]; // these belong to the caller's tidy
  for (const vector of kept) vector.dispose();
  return [nextU, nextV, sigma];
}

function powerIterationForward(w: Tensor, u: Tensor, v: Tensor, attrs: PowerIterationAttrs): [Tensor, Tensor, Tensor] {
  if (fused()) return run('PowerIteration', { w, u, v }, attrs);
  return tidy(() => reference.powerIteration(w, u, v, attrs));
}
