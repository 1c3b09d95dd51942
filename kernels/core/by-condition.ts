/**
 * Conditional normalization composed of other kernels, for backends whose `Normalize` takes gamma and beta [c] only: it makes
 * xHat without parameters, and `ScaleShift` then scales and shifts the rows of each condition as one sample.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Kernel, Outputs } from './contract.ts';
import { conditionsOf, type View } from './view.ts';

/** The kernels of a backend that the conditional ones are composed of. */
interface Plain<Port> {
  /** Without conditions. */
  readonly Normalize: Kernel<'Normalize', Port>;
  readonly NormalizeGrad: Kernel<'NormalizeGrad', Port>;
  readonly ScaleShift: Kernel<'ScaleShift', Port>;
  readonly ScaleShiftGrad: Kernel<'ScaleShiftGrad', Port>;
  /** A new tensor of zeros. */
  zeros(backend: Port, size: number): TensorInfo;
  dispose(backend: Port, info: TensorInfo): void;
}

/** The view without conditions, and that in which each condition is a sample. */
function viewsOf(view: View): { plain: View; byCondition: View } {
  const { n, s, c, groups, rowsPerCondition } = view;
  const byCondition = { n: conditionsOf(view), s: rowsPerCondition as number, c, groups: c };
  return { plain: { n, s, c, groups }, byCondition };
}

/** The same kernels, with conditions. */
export function byCondition<Port>(kernels: Plain<Port>): Pick<Plain<Port>, 'Normalize' | 'NormalizeGrad'> {
  const { ScaleShift, ScaleShiftGrad, zeros, dispose } = kernels;

  /** y = xHat gamma + beta */
  const Normalize: Plain<Port>['Normalize'] = (call) => {
    const { inputs, attrs, backend } = call;
    if (attrs.view.rowsPerCondition === undefined) return kernels.Normalize(call);
    const { x, residual, gamma: scale, beta: shift } = inputs;
    const { plain, byCondition: view } = viewsOf(attrs.view);
    const [xHat, ...others] = kernels.Normalize({ inputs: { x, residual }, attrs: { ...attrs, view: plain }, backend });
    const [y] = ScaleShift({ inputs: { x: xHat, scale, shift }, attrs: { view, epsilon: 0 }, backend });
    dispose(backend, xHat);
    return [y, ...others] as Outputs<'Normalize', TensorInfo>;
  };

  /** dx is the gradient without parameters from gamma dy; dgamma = sum(dy xHat), dbeta = sum(dy) over the rows of a condition. */
  const NormalizeGrad: Plain<Port>['NormalizeGrad'] = (call) => {
    const { inputs, attrs, backend } = call;
    if (attrs.view.rowsPerCondition === undefined) return kernels.NormalizeGrad(call);
    const { dy, x, gamma } = inputs;
    const { plain, byCondition: view } = viewsOf(attrs.view);
    const plainAttrs = { ...attrs, view: plain, affine: false };
    const weighted = gamma && ScaleShift({ inputs: { x: dy, scale: gamma }, attrs: { view, epsilon: 0 }, backend })[0];
    const [dx] = kernels.NormalizeGrad({
      inputs: { ...inputs, dy: weighted ?? dy, gamma: undefined },
      attrs: plainAttrs,
      backend,
    });
    if (weighted) dispose(backend, weighted);
    if (!attrs.affine) return [dx];
    const [xHat] = kernels.Normalize({ inputs: { x }, attrs: { ...plainAttrs, yOnly: true }, backend });
    const mean = zeros(backend, view.n * view.c);
    const [dgamma, dbeta] = ScaleShiftGrad({ inputs: { dy, x: xHat, mean }, attrs: { view }, backend });
    for (const info of [xHat, mean]) dispose(backend, info);
    return [dx, dgamma, dbeta];
  };

  return { Normalize, NormalizeGrad };
}
