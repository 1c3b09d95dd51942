/**
 * `Normalize` and `NormalizeGrad`. A row of more than `LONG` values is not copied as a whole, with its parameters and sums: the
 * WebAssembly kernels normalize its groups in pieces, without parameters, and the parameters are applied here, in JavaScript.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { NormalizeAttrs, Outputs } from '../core/contract.ts';
import { conditionsOf, type View } from '../core/view.ts';
import * as simd from '../simd/normalize.ts';
import { type CpuKernel, type CpuPort, tensor, valuesOf } from './backend.ts';
import { kernel } from './memory.ts';

const LONG = 2 ** 20;
const isLong = ({ s, c }: View) => s === 1 && c > LONG;

const normalizeWhole = kernel(simd.normalize);
const normalizeGradWhole = kernel(simd.normalizeGrad);

export const Normalize: CpuKernel<'Normalize'> = (call) =>
  isLong(call.attrs.view) ? normalizeLong(call) : normalizeWhole(call);

export const NormalizeGrad: CpuKernel<'NormalizeGrad'> = (call) =>
  isLong(call.attrs.view) ? normalizeGradLong(call) : normalizeGradWhole(call);

/** Attributes of a view with the same groups: each is a row, or, if it is long itself, a single column. */
function ofGroups<A extends NormalizeAttrs>(attrs: A): A {
  const { n, c, groups } = attrs.view;
  const d = c / groups;
  const view = { n: n * groups, s: d > LONG ? d : 1, c: d > LONG ? 1 : d, groups: 1 };
  return { ...attrs, view };
}

/** xHat first, then the parameters. */
const normalizeLong: CpuKernel<'Normalize'> = ({ inputs, attrs, backend }) => {
  const { x, residual } = inputs;
  if (residual) {
    const sum = added(backend, x, residual);
    const [y, statistics] = normalizeLong({ inputs: { ...inputs, x: sum, residual: undefined }, attrs, backend });
    return [y, statistics as TensorInfo, sum];
  }
  const outputs = normalizeWhole({ inputs: { x }, attrs: ofGroups(attrs), backend });
  const [gamma, beta] = [inputs.gamma, inputs.beta].map((t) => t && valuesOf(backend, t));
  if (!gamma && !beta) return outputs;
  const y = valuesOf(backend, outputs[0]); // may be overwritten: the output is new
  const { c } = attrs.view;
  for (let start = 0; start < y.length; start += c) {
    const row = parameterRow(attrs.view, start);
    for (let i = 0; i < c; i++) {
      y[start + i] = (y[start + i] as number) * (gamma?.[row + i] ?? 1) + (beta?.[row + i] ?? 0);
    }
  }
  return outputs;
};

const added = (backend: CpuPort, a: TensorInfo, b: TensorInfo): TensorInfo => {
  const values = valuesOf(backend, b);
  return tensor(
    backend,
    a.shape,
    valuesOf(backend, a).map((value, i) => value + (values[i] as number)),
  );
};

/** The index at which the row of parameters begins that belongs to the value of x at this index. */
const parameterRow = ({ c, rowsPerCondition }: View, index: number) =>
  rowsPerCondition === undefined ? 0 : Math.floor(index / c / rowsPerCondition) * c;

/** dx from gamma dy, and the sums of the parameters from xHat. */
const normalizeGradLong: CpuKernel<'NormalizeGrad'> = ({ inputs, attrs, backend }) => {
  const { x, dsum, statistics } = inputs;
  if (dsum) {
    const [dx, ...others] = normalizeGradLong({ inputs: { ...inputs, dsum: undefined }, attrs, backend });
    const sum = added(backend, dx, dsum);
    backend.disposeIntermediateTensorInfo(dx);
    return [sum, ...others] as Outputs<'NormalizeGrad', TensorInfo>;
  }
  const { view } = attrs;
  const { c } = view;
  const dy = valuesOf(backend, inputs.dy);
  const gamma = inputs.gamma && valuesOf(backend, inputs.gamma);
  const weighted =
    gamma &&
    tensor(
      backend,
      x.shape,
      dy.map((value, i) => value * (gamma[parameterRow(view, i) + (i % c)] as number)),
    );
  const groupAttrs = ofGroups({ ...attrs, affine: false });
  const [dx] = normalizeGradWhole({ inputs: { dy: weighted ?? inputs.dy, x, statistics }, attrs: groupAttrs, backend });
  if (weighted) backend.disposeIntermediateTensorInfo(weighted);
  if (!attrs.affine) return [dx];
  const [normalized] = normalizeWhole({ inputs: { x }, attrs: { ...groupAttrs, yOnly: true }, backend });
  const xHat = valuesOf(backend, normalized);
  const shape = view.rowsPerCondition === undefined ? [c] : [conditionsOf(view), c];
  const [dgamma, dbeta] = [new Float32Array(c * conditionsOf(view)), new Float32Array(c * conditionsOf(view))];
  const rowsTogether = view.rowsPerCondition ?? view.n;
  for (let i = 0; i < dgamma.length; i++) {
    const first = Math.floor(i / c) * rowsTogether * c + (i % c);
    let [sumDyXHat, sumDy] = [0, 0];
    for (let at = first; at < first + rowsTogether * c; at += c) {
      sumDyXHat += (dy[at] as number) * (xHat[at] as number);
      sumDy += dy[at] as number;
    }
    dgamma[i] = sumDyXHat;
    dbeta[i] = sumDy;
  }
  backend.disposeIntermediateTensorInfo(normalized);
  return [dx, tensor(backend, shape, dgamma), tensor(backend, shape, dbeta)];
};
