/**
 * The kernels of the blended form: `Moments`; `ScaleShift`, `ScaleShiftGrad` and `BlendGrad`, which multiply and add with given
 * coefficients per example and channel; and `Average`.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { AverageAttrs } from '../core/contract.ts';
import { splitMean } from '../core/half-values.ts';
import { momentsIn } from '../core/numbers.ts';
import { type Gpu, isHalfPrecision, kernel } from './backend.ts';
import { reciprocalRoot } from './divisor.ts';
import { elementwise } from './elementwise.ts';
import { CELL, item, saturate } from './glsl.ts';
import { type Layout, layoutOf, oneChannelAsRows, samePacking } from './layout.ts';
import { LONGEST } from './parts.ts';
import { areOwn, giveStatistics, statistics } from './statistics.ts';
import { reduced, sumsOfParts } from './sums.ts';
import type { Texture } from './texture.ts';
import { totals } from './totals.ts';

export const Moments = kernel<'Moments'>((gpu, { x }, { view, asStatistics }) => {
  const layout = layoutOf(oneChannelAsRows(view), gpu.packedShape(x));
  const ofX = statistics(gpu, gpu.texture(x, layout.shape), layout, true, { moments: true });
  return [asStatistics ? giveStatistics(gpu, ofX) : gpu.give(ofX.texture, [2, layout.units])];
});

/**
 * Textures of coefficients, n * c values each, without packing them anew: either as [n, c], two examples to a texel, which the flag
 * `<name>Pairs` tells, or as one row, an example after the other. GLSL reads both by `coefficient`.
 */
export function coefficients(gpu: Gpu, { n, c }: Layout['view'], infos: Record<string, TensorInfo | undefined>) {
  const textures: Record<string, Texture | undefined> = {};
  const integers: Record<string, number> = {};
  for (const [name, info] of Object.entries(infos)) {
    if (!info) continue;
    const pairs = n > 1 && samePacking(gpu.packedShape(info), [n, c]);
    textures[name] = gpu.texture(info, pairs ? [1, n, c] : [n, 1, c]);
    integers[`${name}Pairs`] = pairs ? 1 : 0;
  }
  return { textures, integers };
}

/** GLSL: the value of a coefficient for both channels of a texel column; it needs `COEFFICIENTS`. */
export const coefficient = (name: string) =>
  `(${name}Pairs == 0 ? ${name}At(line, column).xy : pairOf(${name}At(line / 2, column), line))`;
export const COEFFICIENTS = 'vec2 pairOf(vec4 both, int line) { return (line & 1) == 0 ? both.xy : both.zw; }';

/** The layout of x with lines down the channels, whatever the groups of the view are. */
export const columnLayout = (gpu: Gpu, x: TensorInfo, { n, s, c }: Layout['view']): Layout =>
  layoutOf({ n, s, c, groups: c }, gpu.packedShape(x), false);

interface Given {
  readonly mean?: TensorInfo | undefined;
  /** The second part of the mean, which is added to the first. */
  readonly rest?: TensorInfo | undefined;
  readonly variance?: TensorInfo | undefined;
  readonly deviation?: TensorInfo | undefined;
}

/**
 * Given statistics, as shaders read them. If textures hold 16-bit floats and the host has the float32 values, as it has those of
 * moving averages, the mean is given in two parts, and the variance as its root.
 */
function given(gpu: Gpu, mean: TensorInfo | undefined, variance: TensorInfo | undefined): Given {
  if (!isHalfPrecision()) return { mean, variance };
  const [means, variances] = [mean, variance].map((info) => info && gpu.onHost(info));
  const [large, rest] = means ? splitMean(means).map((values) => gpu.temporary(values)) : [mean];
  const ofVariance = variances ? { deviation: gpu.temporary(variances.map(Math.sqrt)) } : { variance };
  return { mean: large, rest, ...ofVariance };
}

export const ScaleShift = kernel<'ScaleShift'>((gpu, inputs, { view, epsilon }) => {
  const { x: info, scale, shift } = inputs;
  const layout = columnLayout(gpu, info, view);
  const x = gpu.texture(info, layout.shape);
  const statistics = given(gpu, inputs.mean, inputs.variance);
  const { mean, rest, variance, deviation } = statistics;
  const y = elementwise(gpu, x, {
    name: 'scale and shift',
    layout,
    functions: COEFFICIENTS,
    statements: `
  value = xHere(row, column);
  ${mean ? `value -= ${coefficient('mean')}.xyxy;` : ''}
  ${rest ? `value -= ${coefficient('rest')}.xyxy;` : ''}
  vec2 by = vec2(1.);
  ${variance ? `by *= ${reciprocalRoot(`${saturate(coefficient('variance'))} + epsilon`)};` : ''}
  ${deviation ? `vec2 root = ${coefficient('deviation')}; by *= ${reciprocalRoot('root * root + epsilon')};` : ''}
  ${scale ? `by *= ${coefficient('scale')};` : ''}
  value *= by.xyxy;
  ${shift ? `value += ${coefficient('shift')}.xyxy;` : ''}`,
    ...coefficients(gpu, view, { ...statistics, scale, shift }),
    floats: { epsilon },
  });
  return [gpu.give(y, info.shape, layout.shape)];
});

export const ScaleShiftGrad = kernel<'ScaleShiftGrad'>((gpu, inputs, { view }) => {
  const info = inputs.x;
  const layout = columnLayout(gpu, info, view);
  const x = gpu.texture(info, layout.shape);
  const dy = gpu.texture(inputs.dy, layout.shape);
  const given = coefficients(gpu, view, { mean: inputs.mean });
  const parts = sumsOfParts(gpu, layout, layout.columns, view.s, {
    functions: COEFFICIENTS,
    before: `vec2 mean_ = ${coefficient('mean')};`,
    d: (k) => item(layout, 'dy', k),
    h: (k) => `${item(layout, 'x', k)} - mean_.xxyy`,
    factor: 'vec2(1.)',
    textures: { x, dy, ...given.textures },
    integers: given.integers,
  });
  const sums = reduced(gpu, parts, LONGEST);
  const total = (which: 'dh' | 'd') =>
    gpu.give(totals(gpu, sums, { which, c: view.c, count: view.s }), [view.n, view.c]);
  return [total('dh'), total('d')];
});

export const BlendGrad = kernel<'BlendGrad'>((gpu, inputs, { view }) => {
  const { x: info, mean, scale, a, b } = inputs;
  const layout = columnLayout(gpu, info, view);
  const x = gpu.texture(info, layout.shape);
  const dy = gpu.texture(inputs.dy, layout.shape);
  const given = coefficients(gpu, view, { mean, scale, a, b });
  const dx = elementwise(gpu, x, {
    name: 'gradient of a blend',
    layout,
    functions: COEFFICIENTS,
    statements: `
  vec4 centred = xHere(row, column) - ${coefficient('mean')}.xyxy;
  value = dyHere(row, column) * ${coefficient('scale')}.xyxy + centred * ${coefficient('a')}.xyxy;
  value += ${coefficient('b')}.xyxy;`,
    textures: { dy, ...given.textures },
    integers: given.integers,
  });
  return [gpu.give(dx, info.shape, layout.shape)];
});

export const Average = kernel<'Average'>((gpu, inputs, attrs) => {
  const info = inputs.old;
  if (isHalfPrecision()) return [averageOnHost(gpu, info, inputs.moments, attrs)];
  const { row, momentum } = attrs;
  const size = info.shape[0] as number;
  const old = gpu.texture(info, [1, 1, size]);
  const result = gpu.draw({
    name: 'moving average',
    source: `
void main() {
  ${CELL}
  vec4 both = momentsTexel(cell);
  vec2 value = momentum * oldTexel(cell).xy + (1. - momentum) * (row == 0 ? both.xy : both.zw);
  if (cell == last && odd == 1) value.y = 0.;
  setOutput(${saturate('vec4(value, 0., 0.)')});
}`,
    textures: { old, moments: gpu.texture(inputs.moments, inputs.moments.shape) },
    integers: { row, odd: size % 2, last: Math.ceil(size / 2) - 1 },
    floats: { momentum },
    size: old,
  });
  return [gpu.give(result, info.shape)];
});

/**
 * 16-bit floats are too coarse for moving averages, whose small steps would round to nothing, and too small for variances: if
 * textures hold them, moving averages are kept on the host as float32. Where the new value is not finite the old one stays.
 */
function averageOnHost(gpu: Gpu, old: TensorInfo, moments: TensorInfo, { row, momentum }: AverageAttrs): TensorInfo {
  const before = gpu.read(old);
  const current = momentsOnHost(gpu, moments, before.length).subarray(row * before.length);
  const after = before.map((value, i) => {
    const next = momentum * value + (1 - momentum) * (current[i] as number);
    return Number.isFinite(next) ? next : value;
  });
  return gpu.fromHost(after, old.shape);
}

/**
 * The moments [2, c] of a batch. Statistics that were made here hold them more exactly, and beyond 65504, in the columns after the moments: relative
 * means and deviations, and in the last region the first values of the channels, to which the means are relative.
 */
function momentsOnHost(gpu: Gpu, statistics: TensorInfo, c: number): Float32Array {
  const values = gpu.onHost(statistics) ?? gpu.read(statistics);
  if (!areOwn(statistics)) return momentsIn(values, c);
  const k = values.length / 2;
  const width = 2 * Math.ceil(c / 2);
  const at = (row: 0 | 1, region: number, channel: number) => values[row * k + region * width + channel] as number;
  const last = k / width - 1;
  const moments = new Float32Array(2 * c);
  for (let channel = 0; channel < c; channel++) {
    moments[channel] = last > 1 ? at(0, last, channel) + at(0, 1, channel) : at(0, 0, channel);
    moments[c + channel] = at(1, 1, channel) ** 2;
  }
  return moments;
}
