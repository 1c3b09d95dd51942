/**
 * `Normalize` and `NormalizeGrad`: the way of a tensor through the WebAssembly kernels. Rows, and samples that fit, go as
 * many at a time as fill a block. The columns of a larger sample go twice, in pieces: to be summed, and to be transformed.
 */
import type { NormalizeAttrs, NormalizeGradAttrs } from '../core/contract.ts';
import { momentsIn } from '../core/numbers.ts';
import type { View } from '../core/view.ts';
import { PLACEMENTS, wideOf } from '../simd/kernels.ts';
import { kernel, tensor, valuesOf } from './backend.ts';
import { freshHost, type Host } from './host.ts';
import { pieceOf, samplesTogether, Window } from './window.ts';

type Values = Float32Array;
type Optional<T> = T | undefined;

export const normalize = kernel<'Normalize'>(({ inputs, backend, attrs }) => {
  const { n, groups } = attrs.view;
  const [x, gamma, beta] = [
    valuesOf(backend, inputs.x),
    inputs.gamma && valuesOf(backend, inputs.gamma),
    inputs.beta && valuesOf(backend, inputs.beta),
  ];
  const y = new Float32Array(x.length);
  const host = freshHost();
  const moments = isLong(attrs.view)
    ? forwardLong(host, attrs, x, gamma, beta, y)
    : forward(host, describe(host, attrs, gamma, beta, false), attrs.view, x, y);
  const out = tensor(backend, inputs.x.shape, y);
  return attrs.yOnly ? [out] : [out, tensor(backend, [2, n * groups], host.read(moments, 2 * n * groups))];
});

export const normalizeGrad = kernel<'NormalizeGrad'>(({ inputs, backend, attrs }) => {
  const [x, dy, moments, gamma] = [
    valuesOf(backend, inputs.x),
    valuesOf(backend, inputs.dy),
    momentsIn(valuesOf(backend, inputs.statistics), attrs.view.n * attrs.view.groups),
    inputs.gamma && valuesOf(backend, inputs.gamma),
  ];
  const dx = new Float32Array(x.length);
  const host = freshHost();
  const gradients = isLong(attrs.view) ? backwardLong : backwardWhole;
  const [dgamma, dbeta] = gradients(host, attrs, x, { dy, moments, gamma }, dx);
  const out = tensor(backend, inputs.x.shape, dx);
  const { c } = attrs.view;
  return dgamma && dbeta ? [out, tensor(backend, [c], dgamma), tensor(backend, [c], dbeta)] : [out];
});

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

interface Given {
  readonly dy: Values;
  readonly moments: Values;
  readonly gamma: Optional<Values>;
}

/** Fills dx; dgamma and dbeta if they are wanted. */
function backwardWhole(
  host: Host,
  attrs: NormalizeGradAttrs,
  x: Values,
  { dy, moments, gamma }: Given,
  dx: Values,
): Values[] {
  const { view, affine } = attrs;
  const form = describe(host, attrs, gamma, undefined, affine);
  backward(host, form, view, x, dy, dx, moments);
  if (!affine) return [];
  const dgamma = host.take(view.c);
  const dbeta = host.take(view.c);
  host.kernels.parameterGradients(form, dgamma, dbeta);
  return [host.read(dgamma, view.c), host.read(dbeta, view.c)];
}

/** Rows of more values would take too much memory if they were worked on whole, with their parameters and sums. */
const LONG = 2 ** 20;
const isLong = ({ s, c }: View) => s === 1 && c > LONG;

/** The groups of long rows without parameters, which can be taken in pieces: as rows of their own, or as single columns. */
function groupsOf({ n, c, groups }: View): View {
  const d = c / groups;
  return d > LONG ? { n: n * groups, s: d, c: 1, groups: 1 } : { n: n * groups, s: 1, c: d, groups: 1 };
}

function describeGroups(host: Host, attrs: NormalizeAttrs): { view: View; form: number } {
  const view = groupsOf(attrs.view);
  return { view, form: describe(host, { ...attrs, view }, undefined, undefined, false) };
}

/** As `forward`, for long rows: xHat first, then the parameters. */
function forwardLong(
  host: Host,
  attrs: NormalizeAttrs,
  x: Values,
  gamma: Optional<Values>,
  beta: Optional<Values>,
  y: Values,
): number {
  const { view, form } = describeGroups(host, attrs);
  const moments = forward(host, form, view, x, y);
  const { c } = attrs.view;
  for (let start = 0; (gamma || beta) && start < y.length; start += c) {
    for (let i = 0; i < c; i++) {
      y[start + i] = (y[start + i] as number) * (gamma?.[i] ?? 1) + (beta?.[i] ?? 0);
    }
  }
  return moments;
}

/** As `backwardWhole`, for long rows: dx from gamma dy, and the sums of the parameters from xHat. */
function backwardLong(
  host: Host,
  attrs: NormalizeGradAttrs,
  x: Values,
  { dy, moments, gamma }: Given,
  dx: Values,
): Values[] {
  const { c } = attrs.view;
  const { form, view } = describeGroups(host, attrs);
  const weighted = gamma ? dy.map((value, i) => value * (gamma[i % c] as number)) : dy;
  backward(host, form, view, x, weighted, dx, moments);
  if (!attrs.affine) return [];
  const xHat = new Float32Array(x.length);
  forward(host, form, view, x, xHat);
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
  return [dgamma, dbeta];
}
