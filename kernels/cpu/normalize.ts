/**
 * `Normalize` and `NormalizeGrad` of rows that are too long to be copied in whole, with their parameters and sums: their groups are
 * normalized without parameters, which can be done in pieces, and what is to be done with parameters is done here.
 */
import type { NormalizeAttrs } from '../core/contract.ts';
import type { View } from '../core/view.ts';
import * as simd from '../simd/normalize.ts';
import { type CpuKernel, tensor, valuesOf } from './backend.ts';
import { kernel } from './memory.ts';

const LONG = 2 ** 20;
const isLong = ({ s, c }: View) => s === 1 && c > LONG;

const normalizeWhole = kernel(simd.normalize);
const normalizeGradWhole = kernel(simd.normalizeGrad);

export const Normalize: CpuKernel<'Normalize'> = (call) =>
  isLong(call.attrs.view) ? normalizeLong(call) : normalizeWhole(call);

export const NormalizeGrad: CpuKernel<'NormalizeGrad'> = (call) =>
  isLong(call.attrs.view) ? normalizeGradLong(call) : normalizeGradWhole(call);

/** The same statistics, of a view that has no long rows: each group is a row of its own, or a single column. */
function ofGroups<A extends NormalizeAttrs>(attrs: A): A {
  const { n, c, groups } = attrs.view;
  const d = c / groups;
  const view = { n: n * groups, s: d > LONG ? d : 1, c: d > LONG ? 1 : d, groups: 1 };
  return { ...attrs, view };
}

/** xHat first, then the parameters. */
const normalizeLong: CpuKernel<'Normalize'> = ({ inputs, attrs, backend }) => {
  const outputs = normalizeWhole({ inputs: { x: inputs.x }, attrs: ofGroups(attrs), backend });
  const [gamma, beta] = [inputs.gamma, inputs.beta].map((t) => t && valuesOf(backend, t));
  if (!gamma && !beta) return outputs;
  const y = valuesOf(backend, outputs[0]); // new, so that it may be written
  const { c } = attrs.view;
  for (let start = 0; start < y.length; start += c) {
    for (let i = 0; i < c; i++) {
      y[start + i] = (y[start + i] as number) * (gamma?.[i] ?? 1) + (beta?.[i] ?? 0);
    }
  }
  return outputs;
};

/** dx from gamma dy, and the sums of the parameters from xHat. */
const normalizeGradLong: CpuKernel<'NormalizeGrad'> = ({ inputs, attrs, backend }) => {
  const { x, statistics } = inputs;
  const { c } = attrs.view;
  const dy = valuesOf(backend, inputs.dy);
  const gamma = inputs.gamma && valuesOf(backend, inputs.gamma);
  const weighted =
    gamma &&
    tensor(
      backend,
      x.shape,
      dy.map((value, i) => value * (gamma[i % c] as number)),
    );
  const groupAttrs = ofGroups({ ...attrs, affine: false });
  const [dx] = normalizeGradWhole({ inputs: { dy: weighted ?? inputs.dy, x, statistics }, attrs: groupAttrs, backend });
  if (weighted) backend.disposeIntermediateTensorInfo(weighted);
  if (!attrs.affine) return [dx];
  const [normalized] = normalizeWhole({ inputs: { x }, attrs: { ...groupAttrs, yOnly: true }, backend });
  const xHat = valuesOf(backend, normalized);
  const [dgamma, dbeta] = [new Float32Array(c), new Float32Array(c)];
  for (let i = 0; i < c; i++) {
    let [sumDyXHat, sumDy] = [0, 0];
    for (let at = i; at < dy.length; at += c) {
      sumDyXHat += (dy[at] as number) * (xHat[at] as number);
      sumDy += dy[at] as number;
    }
    dgamma[i] = sumDyXHat;
    dbeta[i] = sumDy;
  }
  backend.disposeIntermediateTensorInfo(normalized);
  return [dx, tensor(backend, [c], dgamma), tensor(backend, [c], dbeta)];
};
