/**
 * Every kernel of the contract, with its composition of ordinary ops and its gradient. The table at the end does not compile if one
 * is missing; each has a constant of its own, so that bundles contain only those that they use. Gradients are given to TensorFlow.js
 * by `tf.customGrad`; only `compute` decides what runs in the gradient of a gradient.
 */
import { add, clone, div, matMul, mul, neg, reshape, type Tensor, tidy, transpose, zeros } from '@tensorflow/tfjs-core';
import type { Attrs, Inputs, Name, Outputs } from '../core/contract.ts';
import { fused, run } from '../core/registry.ts';
import { recording, withGradient } from '../core/tape.ts';
import * as reference from './reference.ts';

/** A kernel, and its composition. */
interface Operation<K extends Name> {
  readonly name: K;
  /** The same of ordinary ops. */
  compose(inputs: Inputs<K, Tensor>, attrs: Attrs<K>): Outputs<K, Tensor>;
}

/**
 * Runs a kernel: the backend's, or its composition of ordinary ops where the backend has none. The composition runs as well
 * while a tape records, which it does here in the gradient of a gradient only: TensorFlow.js can differentiate ordinary ops
 * again, to any order.
 */
export function compute<K extends Name>(
  { name, compose }: Operation<K>,
  inputs: Inputs<K, Tensor>,
  attrs: Attrs<K>,
): Outputs<K, Tensor> {
  return fused() && !recording() ? run(name, inputs, attrs) : tidy(() => compose(inputs, attrs));
}

type Optional = Tensor | undefined;

/** What the gradient of each kernel needs of the call, for TensorFlow.js to save. Lists: objects are measurably slower. */
interface Kept {
  readonly Normalize: readonly [x: Tensor, statistics: Tensor, gamma: Optional];
  readonly Moments: readonly [x: Tensor, moments: Tensor];
  readonly ScaleShift: readonly [x: Tensor, mean: Optional, scale: Optional, shift: Optional];
  readonly PowerIteration: readonly [u: Tensor, v: Tensor];
  readonly SwapAxes: readonly [x: Tensor];
}
type DifferentiableName = keyof Kept;

type InputName<K extends Name> = keyof Inputs<K, Tensor> & string;

/** A kernel that has a gradient. */
interface Differentiable<K extends DifferentiableName> extends Operation<K> {
  /** The inputs that have a gradient; the others, and all outputs but `output`, are constants to every gradient. */
  readonly inputs: readonly InputName<K>[];
  readonly output: 0 | 2;
  keep(inputs: Inputs<K, Tensor>, outputs: Outputs<K, Tensor>): Kept[K];
  /** The gradients of the inputs, by name, from that of the output. `given`: the names of the inputs of the call. */
  gradient(
    dy: Tensor,
    kept: Kept[K],
    attrs: Attrs<K>,
    given: readonly InputName<K>[],
  ): { readonly [I in InputName<K>]?: Optional };
}

/**
 * With D = gamma dy, means over the group, and k as in `NormalizeGradAttrs`:
 *
 *   dx = (D - mean(D) - k xHat mean(D xHat)) / f     dgamma = sum(dy xHat)     dbeta = sum(dy)
 */
export const Normalize: Differentiable<'Normalize'> = {
  name: 'Normalize',
  compose({ x, residual, gamma, beta }, attrs) {
    if (!residual) return reference.normalize(x, gamma, beta, attrs);
    const sum = add(x, residual);
    return [...reference.normalize(sum, gamma, beta, attrs), sum];
  },
  inputs: ['x', 'gamma', 'beta'],
  output: 0,
  keep: ({ x, gamma }, [, statistics]) => [x, statistics as Tensor, gamma],
  gradient(dy, [x, statistics, gamma], attrs, given) {
    const { view, epsilon, epsilonPlacement, center, rescale } = attrs;
    const affine = given.length > 1;
    // Spelled out: object spread is slow enough to be measured on small tensors.
    const all = { view, epsilon, epsilonPlacement, center, rescale, affine };
    const [dx, dgamma, dbeta] = compute(NormalizeGrad, { dy, x, statistics, gamma }, all);
    return { x: dx, gamma: dgamma, beta: dbeta };
  },
};

/** dx = dmean / s + 2 dvariance / s (x - mean) */
export const Moments: Differentiable<'Moments'> = {
  name: 'Moments',
  compose: ({ x }, attrs) => [reference.moments(x, attrs)],
  inputs: ['x'],
  output: 0,
  keep: ({ x }, [moments]) => [x, moments],
  gradient(dmoments, [x, moments], { view }) {
    // An outer tape must see how the mean depends on x.
    const mean = reference.row(recording() ? compute(Moments, { x }, { view })[0] : moments, 0, view.n * view.c);
    const scale = mul(reference.row(dmoments, 1, mean.size), 2 / view.s);
    const shift = div(reference.row(dmoments, 0, mean.size), view.s);
    return { x: compute(ScaleShift, { x, mean, scale, shift }, { view, epsilon: 0 })[0] };
  },
};

/**
 * Without a variance: on a tape the operation `scaleShift` has made it a part of scale.
 *
 *   dx = dy scale     dscale = sum_s dy (x - mean)     dshift = sum_s dy     dmean = -scale dshift
 */
export const ScaleShift: Differentiable<'ScaleShift'> = {
  name: 'ScaleShift',
  compose: ({ x, ...affine }, attrs) => [reference.scaleShift(x, affine, attrs)],
  inputs: ['x', 'mean', 'scale', 'shift'],
  output: 0,
  keep: ({ x, mean, scale, shift }) => [x, mean, scale, shift],
  gradient(dy, [x, mean, scale, shift], { view, epsilon }) {
    const dx = scale ? compute(ScaleShift, { x: dy, scale }, { view, epsilon })[0] : clone(dy);
    if (!mean && !scale && !shift) return { x: dx };
    const centre = mean ?? zeros([view.n * view.c]);
    const [dscale, dshift] = compute(ScaleShiftGrad, { dy, x, mean: centre }, { view });
    return {
      x: dx,
      mean: mean && reshape(neg(scale ? mul(reshape(scale, dshift.shape), dshift) : dshift), mean.shape),
      scale: scale && reshape(dscale, scale.shape),
      shift: shift && reshape(dshift, shift.shape),
    };
  },
};

/** sigma = v w u^T, where u and v are the outputs, as constants: dw = dsigma v^T u */
export const PowerIteration: Differentiable<'PowerIteration'> = {
  name: 'PowerIteration',
  compose: ({ w, u, v }, attrs) => reference.powerIteration(w, u, v, attrs),
  inputs: ['w'],
  output: 2,
  keep: (_, [u, v]) => [u, v],
  gradient: (dsigma, [u, v]) => ({ w: mul(matMul(v, u, true), dsigma) }),
};

/** The gradient is swapped back. */
export const SwapAxes: Differentiable<'SwapAxes'> = {
  name: 'SwapAxes',
  compose: ({ x }, { n, a, b }) => [transpose(reshape(x, [n, a, b]), [0, 2, 1])],
  inputs: ['x'],
  output: 0,
  keep: ({ x }) => [x],
  gradient: (dy, [x], { n, a, b }) => ({ x: reshape(apply(SwapAxes, { x: dy }, { n, a: b, b: a }), x.shape) }),
};

export const NormalizeGrad: Operation<'NormalizeGrad'> = {
  name: 'NormalizeGrad',
  compose({ dy, dsum, x, gamma }, attrs) {
    const [dx, dgamma, dbeta] = reference.normalizeGrad(dy, x, gamma, attrs);
    return [dsum ? add(dx, dsum) : dx, dgamma, dbeta];
  },
};

export const ScaleShiftGrad: Operation<'ScaleShiftGrad'> = {
  name: 'ScaleShiftGrad',
  compose: ({ dy, x, mean }, { view }) => reference.scaleShiftGrad(dy, x, mean, view),
};

export const BlendGrad: Operation<'BlendGrad'> = {
  name: 'BlendGrad',
  compose: ({ dy, x, ...coefficients }, { view }) => [reference.blendGrad(dy, x, coefficients, view)],
};

export const Average: Operation<'Average'> = {
  name: 'Average',
  compose: ({ old, moments }, attrs) => [reference.average(old, moments, attrs)],
};

/** All kernels, each with its gradient, or the reason why it has none. */
export const gradients: { readonly [K in Name]: K extends DifferentiableName ? Differentiable<K> : string } = {
  Normalize,
  Moments,
  ScaleShift,
  PowerIteration,
  SwapAxes,
  NormalizeGrad: 'a gradient itself: in the gradient of a gradient its composition is differentiated',
  ScaleShiftGrad: 'a gradient itself',
  BlendGrad: 'a gradient itself',
  Average: 'a constant to every gradient',
  Spread: 'a step of the blends on 16-bit floats, which have gradients as a whole: half.ts',
  Standardize: 'a step of those blends',
  StandardizeSums: 'a step of those blends',
  StandardizeGrad: 'a step of those blends',
};

/**
 * Runs a kernel, on the tape if one records, and gives its differentiable output.
 *
 * @param use is called with all outputs, off the tape; outputs that it does not keep are disposed of afterwards
 * @param forward gives the outputs in place of the kernel
 */
export function apply<K extends DifferentiableName>(
  operation: Differentiable<K>,
  inputs: Inputs<K, Tensor>,
  attrs: Attrs<K>,
  use?: (outputs: Outputs<K, Tensor>) => void,
  forward = () => compute(operation, inputs, attrs),
): Tensor {
  const { inputs: all, output, keep, gradient } = operation;
  if (!recording()) return forward()[output] as Tensor;
  const tensors = inputs as { readonly [I in InputName<K>]?: Tensor };
  const given = all.filter((input) => tensors[input] !== undefined);
  return withGradient(given.map((input) => tensors[input]) as Tensor[], (save) => {
    const outputs = forward();
    use?.(outputs);
    const kept: readonly Optional[] = keep(inputs, outputs);
    save(kept.filter(isThere));
    const gradFunc = (dy: Tensor, saved: Tensor[]) => {
      let next = 0;
      const again = kept.map((tensor) => tensor && saved[next++]) as unknown as Kept[K];
      const grads = gradient(dy, again, attrs, given);
      return given.map((input) => grads[input] as Tensor);
    };
    return { value: outputs[output] as Tensor, gradFunc };
  });
}

const isThere = (tensor: Optional): tensor is Tensor => tensor !== undefined;
