/** `Normalize`, `NormalizeGrad` and `Moments`: the order in which a tensor goes through the WebAssembly kernels. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { NormalizeAttrs } from '../core/contract.ts';
import { conditionsOf, type View } from '../core/view.ts';
import { type Address, PLACEMENTS, type SimdKernels, wideOf } from './kernels.ts';
import type { Memory, SimdKernel, Window } from './memory.ts';
import { BLOCK, pieceOf, read, rewrite, samplesTogether } from './pieces.ts';

type Optional = TensorInfo | undefined;
/** Where kernels write dgamma and dbeta. */
type Gradients = readonly [dgamma: { readonly address: Address }, dbeta: { readonly address: Address }];

export const normalize: SimdKernel<'Normalize'> = (memory, { x, residual, gamma, beta }, attrs) => {
  const { view, yOnly } = attrs;
  const groups = view.n * view.groups;
  const form = describe(memory, attrs, gamma, beta);
  if (residual) return normalizeSum(memory, form, view, x, residual);
  if (yOnly) {
    const moments = memory.scratch(2 * groups);
    return [forward(memory, form, view, x, moments, x.shape).tensor()];
  }
  const statistics = memory.output([2, groups]);
  const y = forward(memory, form, view, x, statistics.address, x.shape).tensor();
  return [y, statistics.tensor()];
};

/** Rows are added and normalized in one pass; for other views the whole sum is made first. */
function normalizeSum(
  memory: Memory,
  form: Address,
  view: View,
  x: TensorInfo,
  residual: TensorInfo,
): [y: TensorInfo, statistics: TensorInfo, sum: TensorInfo] {
  const statistics = memory.output([2, view.n * view.groups]);
  if (view.s > 1) {
    const sum = added(memory, x, residual);
    const y = forward(memory, form, view, sum, statistics.address, x.shape).tensor();
    return [y, statistics.tensor(), sum];
  }
  const window = forward(memory, form, view, x, statistics.address, x.shape, residual);
  return [window.tensor(), statistics.tensor(), window.sumTensor()];
}

/** x plus a residual. */
function added(memory: Memory, x: TensorInfo, residual: TensorInfo): TensorInfo {
  const size = x.shape.reduce((a, b) => a * b, 1);
  const window = memory.window(Math.min(size, BLOCK), x, undefined, x.shape, residual);
  rewrite(window, 0, size, (length) => memory.kernels.addArrays(window.x, window.addend, window.out, length));
  return window.tensor();
}

export const moments: SimdKernel<'Moments'> = (memory, { x }, { view }) => {
  const attrs = { view, epsilon: 0, epsilonPlacement: 'inside', center: true, rescale: false } as const;
  const form = describe(memory, attrs, undefined, undefined);
  const statistics = memory.output([2, view.n * view.groups]);
  forward(memory, form, view, x, statistics.address, undefined);
  return [statistics.tensor()];
};

export const normalizeGrad: SimdKernel<'NormalizeGrad'> = (memory, { dy, dsum, x, statistics, gamma }, attrs) => {
  const { view, affine } = attrs;
  const shape = view.rowsPerCondition === undefined ? [view.c] : [conditionsOf(view), view.c];
  const parameters = affine ? ([memory.output(shape), memory.output(shape)] as const) : undefined;
  const form = describe(memory, attrs, gamma, undefined, parameters);
  // Row 1 begins after all columns of row 0: another backend's statistics have more of them than there are groups.
  const mean = memory.address(statistics);
  const variance = mean + 4 * (statistics.shape[1] as number);
  const dx = backward(memory, form, view, x, dy, mean, variance, dsum).tensor();
  if (!parameters) return [dx];
  const [dgamma, dbeta] = parameters;
  if (view.rowsPerCondition === undefined) memory.kernels.parameterGradients(form, dgamma.address, dbeta.address);
  return [dx, dgamma.tensor(), dbeta.tensor()];
};

/**
 * Describes a normalization to the kernels, and returns the address of its form.
 *
 * @param gradients where to write dgamma and dbeta, if they are made
 */
function describe(
  memory: Memory,
  { view, center, rescale, epsilonPlacement, epsilon }: NormalizeAttrs,
  gamma: Optional,
  beta: Optional,
  gradients?: Gradients,
): Address {
  const { s, c, groups, rowsPerCondition } = view;
  const affine = gradients !== undefined;
  const wide = s === 1 ? 0 : wideOf(view);
  const size = rowsPerCondition === undefined ? c : c * conditionsOf(view);
  const gammaAt = gamma ? memory.address(gamma) : filled(memory, size, 1);
  const betaAt = beta ? memory.address(beta) : filled(memory, size, 0);
  const form = memory.scratch(memory.kernels.formSize(c, wide, affine) / 4);
  const placement = rescale ? PLACEMENTS[epsilonPlacement] : PLACEMENTS.none;
  memory.kernels.describe(form, s, c, groups, wide, gammaAt, betaAt, center, placement, epsilon, affine);
  if (rowsPerCondition !== undefined) {
    memory.kernels.condition(form, rowsPerCondition, gradients?.[0].address ?? 0, gradients?.[1].address ?? 0);
  }
  return form;
}

function filled(memory: Memory, size: number, value: number): Address {
  const address = memory.scratch(size);
  memory.fill(address, size, value);
  return address;
}

/** Whether a sample has several rows of gamma and beta. */
const hasConditionsWithin = ({ s, rowsPerCondition = s }: View) => rowsPerCondition < s;

/** What the passes over the samples of one tensor share. */
interface Pass {
  readonly kernels: SimdKernels;
  readonly form: Address;
  readonly view: View;
  readonly window: Window;
}

/** Writes the moments [2, n * groups], and through the window y, if its shape is given, and the sum, if there is a residual. */
function forward(
  memory: Memory,
  form: Address,
  view: View,
  x: TensorInfo,
  moments: Address,
  shape: number[] | undefined,
  residual?: TensorInfo,
): Window {
  const { kernels } = memory;
  const { n, s, c, groups } = view;
  const size = s * c;
  const sumShape = residual && shape;
  if (size === 0) return memory.window(0, x, undefined, shape, residual, sumShape);
  const within = hasConditionsWithin(view);
  const together = within ? 0 : samplesTogether(view, residual ? 2 : 1, memory.block);
  const length = together * size || pieceOf(size, wideOf(view), 1);
  const window = memory.window(length, x, undefined, shape, residual, sumShape);
  const pass = { kernels, form, view, window };
  for (let i = 0; i < n; i += together || 1) {
    const mean = moments + 4 * i * groups;
    const variance = mean + 4 * n * groups;
    if (together) forwardWhole(pass, i, Math.min(together, n - i), mean, variance, residual !== undefined);
    else forwardInPieces(pass, i, mean, variance, within, shape !== undefined);
  }
  return window;
}

/** `forward` of `count` samples from sample i on, which are in the window together. */
function forwardWhole(
  { kernels, form, view, window }: Pass,
  i: number,
  count: number,
  mean: Address,
  variance: Address,
  hasResidual: boolean,
): void {
  const { s, c, groups } = view;
  const size = s * c;
  window.load(i * size, count * size);
  if (s === 1) {
    const addend = hasResidual ? window.addend : 0;
    kernels.rowsForward(form, window.x, addend, window.sum, window.out, mean, variance, count * groups);
  } else {
    kernels.columnsForward(form, window.x, window.out, mean, variance, count);
  }
  window.store(i * size, count * size);
}

/** `forward` of sample i, which goes through the window twice: for its moments, and to be normalized. */
function forwardInPieces(
  { kernels, form, view, window }: Pass,
  i: number,
  mean: Address,
  variance: Address,
  within: boolean,
  hasOutput: boolean,
): void {
  const { s, c } = view;
  const size = s * c;
  const wide = wideOf(view);
  kernels.clearSums(form);
  read(window, i * size, size, (length, above) => kernels.columnMoments(form, window.x, length, above / wide));
  if (within) {
    kernels.conditionCoefficients(form, mean, variance);
    rewrite(window, i * size, size, (length, above) => {
      kernels.seek(form, i * s + above / c);
      kernels.conditionAffine(form, window.x, window.out, length);
    });
    return;
  }
  kernels.columnCoefficients(form, mean, variance);
  if (hasOutput) rewrite(window, i * size, size, (length) => kernels.columnAffine(form, window.x, window.out, length));
  kernels.advance(form, s);
}

/**
 * Writes dx through the window, plus dsum, if there is one. dgamma and dbeta are written for each condition, or added up in the form if
 * there are no conditions.
 */
function backward(
  memory: Memory,
  form: Address,
  view: View,
  x: TensorInfo,
  dy: TensorInfo,
  means: Address,
  variances: Address,
  dsum: TensorInfo | undefined,
): Window {
  const { kernels } = memory;
  const { n, s, c, groups } = view;
  const size = s * c;
  const inputs = dsum ? 3 : 2;
  if (size === 0) return memory.window(0, x, dy, x.shape, dsum);
  const within = hasConditionsWithin(view);
  const together = within ? 0 : samplesTogether(view, inputs, memory.block);
  const window = memory.window(together * size || pieceOf(size, wideOf(view), inputs), x, dy, x.shape, dsum);
  const pass = { kernels, form, view, window };
  for (let i = 0; i < n; i += together || 1) {
    const mean = means + 4 * i * groups;
    const variance = variances + 4 * i * groups;
    if (together) backwardWhole(pass, i, Math.min(together, n - i), mean, variance, dsum !== undefined);
    else backwardInPieces(pass, i, mean, variance, within, dsum !== undefined);
  }
  return window;
}

/** `backward` of `count` samples from sample i on, which are in the window together. */
function backwardWhole(
  { kernels, form, view, window }: Pass,
  i: number,
  count: number,
  mean: Address,
  variance: Address,
  hasSum: boolean,
): void {
  const { s, c, groups } = view;
  const size = s * c;
  window.load(i * size, count * size);
  if (s === 1) {
    const addend = hasSum ? window.addend : 0;
    kernels.rowsBackward(form, window.x, window.dy, addend, window.out, mean, variance, count * groups);
  } else {
    kernels.columnsBackward(form, window.x, window.dy, window.out, mean, variance, count);
    if (hasSum) kernels.addArrays(window.out, window.addend, window.out, count * size);
  }
  window.store(i * size, count * size);
}

/** `backward` of sample i, which goes through the window twice: for its sums, and for dx. */
function backwardInPieces(
  { kernels, form, view, window }: Pass,
  i: number,
  mean: Address,
  variance: Address,
  within: boolean,
  hasSum: boolean,
): void {
  const { s, c } = view;
  const size = s * c;
  const addDsum = (length: number) => {
    if (hasSum) kernels.addArrays(window.out, window.addend, window.out, length);
  };
  if (within) {
    kernels.clearConditions(form);
    kernels.columnMeans(form, mean);
    kernels.seek(form, i * s);
    read(window, i * size, size, (length) => kernels.conditionGradSums(form, window.x, window.dy, length));
    kernels.conditionGradCoefficients(form, variance);
    rewrite(window, i * size, size, (length, above) => {
      kernels.seek(form, i * s + above / c);
      kernels.conditionGradAffine(form, window.x, window.dy, window.out, length);
      addDsum(length);
    });
    return;
  }
  kernels.clearSums(form);
  kernels.columnMeans(form, mean);
  read(window, i * size, size, (length) => kernels.columnGradSums(form, window.x, window.dy, length));
  kernels.columnGradCoefficients(form, variance);
  rewrite(window, i * size, size, (length) => {
    kernels.columnGradAffine(form, window.x, window.dy, window.out, length);
    addDsum(length);
  });
  kernels.advance(form, s);
}
