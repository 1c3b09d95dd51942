/**
 * The kernels of the blended forms: `Moments`, and one multiplication and addition per element with coefficients of each
 * example and channel, in which statistics play no part: `ScaleShift`, `ScaleShiftGrad`, `BlendGrad`; and `Average`.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { AverageAttrs, BlendAttrs, MomentsAttrs, ScaleShiftAttrs } from '../contract.ts';
import { type Gpu, kernel, type Texture } from './backend.ts';
import { reciprocalRoot } from './divisor.ts';
import { elementwise } from './elementwise.ts';
import { CELL, item, saturate } from './glsl.ts';
import { type Layout, layoutOf, oneChannelAsRows, samePacking } from './layout.ts';
import { LONGEST } from './parts.ts';
import { statistics } from './statistics.ts';
import { reduced, sumsOfParts } from './sums.ts';
import { totals } from './totals.ts';

export const moments = kernel((gpu, { x }, { view }: MomentsAttrs) => {
  const layout = layoutOf(oneChannelAsRows(view), gpu.packedShape(x as TensorInfo));
  const { texture } = statistics(gpu, gpu.texture(x as TensorInfo, layout.shape), layout, true, { moments: true });
  return gpu.give(texture, [2, layout.units]);
});

/**
 * Coefficients, n * c values each, as they come: [n, c], two examples to a texel, or in one row, an example after the other.
 * For each a texture `<name>`, and a flag `<name>Pairs` that says which; GLSL reads them by `coefficient`.
 */
function coefficients(gpu: Gpu, { n, c }: Layout['view'], infos: Record<string, TensorInfo | undefined>) {
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

/** GLSL: the value of a coefficient for both channels of a texel column. */
const coefficient = (name: string) =>
  `(${name}Pairs == 0 ? ${name}At(line, column).xy : pairOf(${name}At(line / 2, column), line))`;
const PAIR_OF = 'vec2 pairOf(vec4 both, int line) { return (line & 1) == 0 ? both.xy : both.zw; }';

/** The layout of x down the channels, whatever its statistics would be. */
const columnLayout = (gpu: Gpu, x: TensorInfo, { n, s, c }: Layout['view']): Layout =>
  layoutOf({ n, s, c, groups: c }, gpu.packedShape(x), false);

export const scaleShift = kernel((gpu, inputs, { view, epsilon }: ScaleShiftAttrs) => {
  const { mean, variance, scale, shift } = inputs;
  const info = inputs.x as TensorInfo;
  const layout = columnLayout(gpu, info, view);
  const x = gpu.texture(info, layout.shape);
  const given = coefficients(gpu, view, { mean, variance, scale, shift });
  const y = elementwise(gpu, x, {
    name: 'scale and shift',
    layout,
    functions: PAIR_OF,
    statements: `
  value = xHere(row, column);
  ${mean ? `value -= ${coefficient('mean')}.xyxy;` : ''}
  vec2 by = vec2(1.);
  ${variance ? `by *= ${reciprocalRoot(`${coefficient('variance')} + epsilon`)};` : ''}
  ${scale ? `by *= ${coefficient('scale')};` : ''}
  value *= by.xyxy;
  ${shift ? `value += ${coefficient('shift')}.xyxy;` : ''}`,
    ...given,
    floats: { epsilon },
  });
  return gpu.give(y, info.shape, layout.shape);
});

export const scaleShiftGrad = kernel((gpu, inputs, { view }: BlendAttrs) => {
  const info = inputs.x as TensorInfo;
  const layout = columnLayout(gpu, info, view);
  const x = gpu.texture(info, layout.shape);
  const dy = gpu.texture(inputs.dy as TensorInfo, layout.shape);
  const given = coefficients(gpu, view, { mean: inputs.mean });
  const parts = sumsOfParts(gpu, layout, layout.columns, view.s, {
    functions: PAIR_OF,
    before: `vec2 mean_ = ${coefficient('mean')};`,
    d: (k) => item(layout, 'dy', k),
    h: (k) => `${item(layout, 'x', k)} - mean_.xxyy`,
    factor: 'vec2(1.)',
    textures: { x, dy, ...given.textures },
    integers: given.integers,
  });
  const sums = reduced(gpu, parts, LONGEST);
  return (['dh', 'd'] as const).map((which) =>
    gpu.give(totals(gpu, sums, { which, rows: view.n, c: view.c, count: view.s }), [view.n, view.c]),
  );
});

export const blendGrad = kernel((gpu, inputs, { view }: BlendAttrs) => {
  const { mean, scale, a, b } = inputs;
  const info = inputs.x as TensorInfo;
  const layout = columnLayout(gpu, info, view);
  const x = gpu.texture(info, layout.shape);
  const dy = gpu.texture(inputs.dy as TensorInfo, layout.shape);
  const given = coefficients(gpu, view, { mean, scale, a, b });
  const dx = elementwise(gpu, x, {
    name: 'gradient of a blend',
    layout,
    functions: PAIR_OF,
    statements: `
  vec4 centred = xHere(row, column) - ${coefficient('mean')}.xyxy;
  value = dyHere(row, column) * ${coefficient('scale')}.xyxy + centred * ${coefficient('a')}.xyxy;
  value += ${coefficient('b')}.xyxy;`,
    textures: { dy, ...given.textures },
    integers: given.integers,
  });
  return gpu.give(dx, info.shape, layout.shape);
});

export const average = kernel((gpu, inputs, { row, momentum }: AverageAttrs) => {
  const info = inputs.old as TensorInfo;
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
    textures: { old, moments: gpu.texture(inputs.moments as TensorInfo, [1, 2, size]) },
    integers: { row, odd: size % 2, last: Math.ceil(size / 2) - 1 },
    floats: { momentum },
    size: old,
  });
  return gpu.give(result, info.shape);
});
