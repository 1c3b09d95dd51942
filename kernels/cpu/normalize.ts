/**
 * `Normalize` and `NormalizeGrad`: the way of a tensor through the WebAssembly kernels. Rows, and samples that fit, go as
 * many at a time as fill a block. The columns of a larger sample go twice, in pieces: to be summed, and to be transformed.
 */
import type { NormalizeAttrs } from '../contract.ts';
import { PLACEMENTS, wideOf } from '../simd/kernels.ts';
import type { View } from '../view.ts';
import { type CpuKernel, tensor, valuesOf } from './backend.ts';
import { freshHost, type Host } from './host.ts';
import { pieceOf, samplesTogether, Window } from './window.ts';

type Values = Float32Array;
type Optional<T> = T | undefined;

export const normalize: CpuKernel<'Normalize'> = ({ inputs: { x, gamma, beta }, backend, attrs }) => {
  const { n, groups } = attrs.view;
  const values = valuesOf(backend, x);
  const y = new Float32Array(values.length);
  const host = freshHost();
  const form = describe(host, attrs, gamma && valuesOf(backend, gamma), beta && valuesOf(backend, beta), false);
  const moments = forward(host, form, attrs.view, values, y);
  const out = tensor(backend, x.shape, y);
  return attrs.yOnly ? [out] : [out, tensor(backend, [2, n * groups], host.read(moments, 2 * n * groups))];
};

export const normalizeGrad: CpuKernel<'NormalizeGrad'> = ({ inputs: { dy, x, moments, gamma }, backend, attrs }) => {
  const { view, affine } = attrs;
  const values = valuesOf(backend, x);
  const dx = new Float32Array(values.length);
  const host = freshHost();
  const form = describe(host, attrs, gamma && valuesOf(backend, gamma), undefined, affine);
  backward(host, form, view, values, valuesOf(backend, dy), dx, valuesOf(backend, moments));
  const out = tensor(backend, x.shape, dx);
  if (!affine) return [out];
  const dgamma = host.take(view.c);
  const dbeta = host.take(view.c);
  host.kernels.parameterGradients(form, dgamma, dbeta);
  return [
    out,
    tensor(backend, [view.c], host.read(dgamma, view.c)),
    tensor(backend, [view.c], host.read(dbeta, view.c)),
  ];
};

/** Describes a normalization to the kernels; the address of the form. */
export function describe(
  host: Host,
  { view, center, rescale, epsilonPlacement, epsilon }: NormalizeAttrs,
  gamma: Optional<Values>,
  beta: Optional<Values>,
  affine: boolean,
): number {
  const { s, c, groups } = view;
  const wide = s === 1 ? 0 : wideOf(view);
  const gammaAt = gamma ? host.copied(gamma) : host.filled(c, 1);
  const betaAt = beta ? host.copied(beta) : host.filled(c, 0);
  const form = host.take(host.kernels.formSize(c, wide, affine) / 4);
  const placement = rescale ? PLACEMENTS[epsilonPlacement] : PLACEMENTS.none;
  host.kernels.describe(form, s, c, groups, wide, gammaAt, betaAt, center, placement, epsilon, affine);
  return form;
}

/** Fills y, if given, and returns the address of the moments [2, n * groups]. */
export function forward(host: Host, form: number, view: View, x: Values, y: Optional<Values>): number {
  const { kernels } = host;
  const { n, s, c, groups } = view;
  const size = s * c;
  const moments = host.take(2 * n * groups);
  if (x.length === 0) return moments;
  const together = samplesTogether(view, 1);
  const wide = wideOf(view);
  const window = new Window(host, together * size || pieceOf(size, wide, 1), x, undefined, y);
  const { x: at, out } = window;
  for (let i = 0; i < n; i += together || 1) {
    const mean = moments + 4 * i * groups;
    const variance = mean + 4 * n * groups;
    if (together) {
      const count = Math.min(together, n - i);
      window.load(i * size, count * size);
      if (s === 1) kernels.rowsForward(form, at, out, mean, variance, count * groups);
      else kernels.columnsForward(form, at, out, mean, variance, count);
      window.store(i * size, count * size);
    } else {
      kernels.clearSums(form);
      window.read(i * size, size, (length, above) => kernels.columnMoments(form, at, length, above / wide));
      kernels.columnCoefficients(form, mean, variance);
      if (y) window.rewrite(i * size, size, (length) => kernels.columnAffine(form, at, out, length));
    }
  }
  return moments;
}

/** Fills dx; dgamma and dbeta stay with the form. */
function backward(host: Host, form: number, view: View, x: Values, dy: Values, dx: Values, moments: Values): void {
  const { kernels } = host;
  const { n, s, c, groups } = view;
  const size = s * c;
  if (x.length === 0) return;
  const means = host.copied(moments);
  const together = samplesTogether(view, 2);
  const window = new Window(host, together * size || pieceOf(size, wideOf(view), 2), x, dy, dx);
  const { x: at, dy: dyAt, out } = window;
  for (let i = 0; i < n; i += together || 1) {
    const mean = means + 4 * i * groups;
    const variance = mean + 4 * n * groups;
    if (together) {
      const count = Math.min(together, n - i);
      window.load(i * size, count * size);
      if (s === 1) kernels.rowsBackward(form, at, dyAt, out, mean, variance, count * groups);
      else kernels.columnsBackward(form, at, dyAt, out, mean, variance, count);
      window.store(i * size, count * size);
    } else {
      kernels.clearSums(form);
      kernels.columnMeans(form, mean);
      window.read(i * size, size, (length) => kernels.columnGradSums(form, at, dyAt, length));
      kernels.columnGradCoefficients(form, variance);
      window.rewrite(i * size, size, (length) => kernels.columnGradAffine(form, at, dyAt, out, length));
    }
  }
}
