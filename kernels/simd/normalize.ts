/** `Normalize`, `NormalizeGrad` and `Moments`: the way of a tensor through the WebAssembly kernels. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { NormalizeAttrs } from '../core/contract.ts';
import type { View } from '../core/view.ts';
import { type Address, PLACEMENTS, wideOf } from './kernels.ts';
import type { Memory, SimdKernel, Window } from './memory.ts';
import { pieceOf, read, rewrite, samplesTogether } from './pieces.ts';

type Optional = TensorInfo | undefined;

export const normalize: SimdKernel<'Normalize'> = (memory, { x, gamma, beta }, attrs) => {
  const { view, yOnly } = attrs;
  const groups = view.n * view.groups;
  const form = describe(memory, attrs, gamma, beta, false);
  if (yOnly) {
    const moments = memory.scratch(2 * groups);
    return [forward(memory, form, view, x, moments, x.shape).tensor()];
  }
  const statistics = memory.output([2, groups]);
  const y = forward(memory, form, view, x, statistics.address, x.shape).tensor();
  return [y, statistics.tensor()];
};

export const moments: SimdKernel<'Moments'> = (memory, { x }, { view }) => {
  const attrs = { view, epsilon: 0, epsilonPlacement: 'inside', center: true, rescale: false } as const;
  const form = describe(memory, attrs, undefined, undefined, false);
  const statistics = memory.output([2, view.n * view.groups]);
  forward(memory, form, view, x, statistics.address, undefined);
  return [statistics.tensor()];
};

export const normalizeGrad: SimdKernel<'NormalizeGrad'> = (memory, { dy, x, statistics, gamma }, attrs) => {
  const { view, affine } = attrs;
  const form = describe(memory, attrs, gamma, undefined, affine);
  // Statistics of another backend may have columns of its own behind the variances.
  const mean = memory.address(statistics);
  const variance = mean + 4 * (statistics.shape[1] as number);
  const dx = backward(memory, form, view, x, dy, mean, variance).tensor();
  if (!affine) return [dx];
  const [dgamma, dbeta] = [memory.output([view.c]), memory.output([view.c])];
  memory.kernels.parameterGradients(form, dgamma.address, dbeta.address);
  return [dx, dgamma.tensor(), dbeta.tensor()];
};

/** Describes a normalization to the kernels; the address of the form. */
function describe(
  memory: Memory,
  { view, center, rescale, epsilonPlacement, epsilon }: NormalizeAttrs,
  gamma: Optional,
  beta: Optional,
  affine: boolean,
): Address {
  const { s, c, groups } = view;
  const wide = s === 1 ? 0 : wideOf(view);
  const gammaAt = gamma ? memory.address(gamma) : filled(memory, c, 1);
  const betaAt = beta ? memory.address(beta) : filled(memory, c, 0);
  const form = memory.scratch(memory.kernels.formSize(c, wide, affine) / 4);
  const placement = rescale ? PLACEMENTS[epsilonPlacement] : PLACEMENTS.none;
  memory.kernels.describe(form, s, c, groups, wide, gammaAt, betaAt, center, placement, epsilon, affine);
  return form;
}

function filled(memory: Memory, size: number, value: number): Address {
  const address = memory.scratch(size);
  memory.fill(address, size, value);
  return address;
}

/** Writes the moments [2, n * groups], and y through the window, if its shape is given. */
function forward(
  memory: Memory,
  form: Address,
  view: View,
  x: TensorInfo,
  moments: Address,
  shape: number[] | undefined,
): Window {
  const { kernels } = memory;
  const { n, s, c, groups } = view;
  const size = s * c;
  if (size === 0) return memory.window(0, x, undefined, shape);
  const wide = wideOf(view);
  const together = samplesTogether(view, 1, memory.block);
  const window = memory.window(together * size || pieceOf(size, wide, 1), x, undefined, shape);
  for (let i = 0; i < n; i += together || 1) {
    const mean = moments + 4 * i * groups;
    const variance = mean + 4 * n * groups;
    if (together) {
      const count = Math.min(together, n - i);
      window.load(i * size, count * size);
      if (s === 1) kernels.rowsForward(form, window.x, window.out, mean, variance, count * groups);
      else kernels.columnsForward(form, window.x, window.out, mean, variance, count);
      window.store(i * size, count * size);
    } else {
      kernels.clearSums(form);
      read(window, i * size, size, (length, above) => kernels.columnMoments(form, window.x, length, above / wide));
      kernels.columnCoefficients(form, mean, variance);
      if (shape) {
        rewrite(window, i * size, size, (length) => kernels.columnAffine(form, window.x, window.out, length));
      }
    }
  }
  return window;
}

/** Writes dx through the window; dgamma and dbeta stay with the form. */
function backward(
  memory: Memory,
  form: Address,
  view: View,
  x: TensorInfo,
  dy: TensorInfo,
  means: Address,
  variances: Address,
): Window {
  const { kernels } = memory;
  const { n, s, c, groups } = view;
  const size = s * c;
  if (size === 0) return memory.window(0, x, dy, x.shape);
  const together = samplesTogether(view, 2, memory.block);
  const window = memory.window(together * size || pieceOf(size, wideOf(view), 2), x, dy, x.shape);
  for (let i = 0; i < n; i += together || 1) {
    const mean = means + 4 * i * groups;
    const variance = variances + 4 * i * groups;
    if (together) {
      const count = Math.min(together, n - i);
      window.load(i * size, count * size);
      if (s === 1) kernels.rowsBackward(form, window.x, window.dy, window.out, mean, variance, count * groups);
      else kernels.columnsBackward(form, window.x, window.dy, window.out, mean, variance, count);
      window.store(i * size, count * size);
    } else {
      kernels.clearSums(form);
      kernels.columnMeans(form, mean);
      read(window, i * size, size, (length) => kernels.columnGradSums(form, window.x, window.dy, length));
      kernels.columnGradCoefficients(form, variance);
      rewrite(window, i * size, size, (length) => {
        kernels.columnGradAffine(form, window.x, window.dy, window.out, length);
      });
    }
  }
  return window;
}
