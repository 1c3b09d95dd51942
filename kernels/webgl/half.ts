/**
 * `Spread` and the kernels that go with it. Shaders compute in float32; only values that are stored between draws have to fit into
 * 16-bit floats: so these are deviations instead of variances, and means relative to a value of x.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { SMALLEST_DIVISOR } from '../core/contract.ts';
import { type Gpu, kernel } from './backend.ts';
import { COEFFICIENTS, coefficient, coefficients, columnLayout } from './blend.ts';
import { elementwise } from './elementwise.ts';
import { CELL, item, PICK, pivots, saturate } from './glsl.ts';
import type { Layout } from './layout.ts';
import { LONGEST } from './parts.ts';
import { statistics } from './statistics.ts';
import { reduced, sumsOfParts } from './sums.ts';
import { sizeFor, type Texture } from './texture.ts';
import { totals } from './totals.ts';

export const Spread = kernel<'Spread'>((gpu, { x: info }, { view, epsilon }) => {
  const layout = columnLayout(gpu, info, view);
  const activations = gpu.texture(info, layout.shape);
  const { texture } = statistics(gpu, activations, layout, true, { moments: false });
  const pairs = Math.ceil(layout.units / 2);
  const result = gpu.draw({
    name: 'spread',
    source: `${pivots(layout)}
${PICK}
vec3 spreadOf(int unit) {
  int line = unit / channels, channel = unit - line * channels, column = channel / 2;
  vec4 found = statisticsTexel(line * across + column);
  float deviation = pick(found.zw, channel), divisor = sqrt(deviation * deviation + epsilon);
  return vec3(pick(pivots(line, column), channel), pick(found.xy, channel), divisor < smallest ? smallest : divisor);
}
void main() {
  ${CELL}
  int pair = cell % pairs;
  vec3 a = spreadOf(2 * pair), b = 2 * pair + 1 < units ? spreadOf(2 * pair + 1) : vec3(0.);
  vec4 value = cell < pairs ? vec4(a.x, b.x, a.y, b.y) : vec4(a.z, b.z, 0., 0.);
  setOutput(${saturate('value')});
}`,
    textures: { x: activations, statistics: texture },
    integers: {
      ...{ columns: layout.columns, across: layout.across, length: layout.length, channels: view.c },
      ...{ pairs, units: layout.units },
    },
    floats: { epsilon, smallest: SMALLEST_DIVISOR },
    size: sizeFor(2 * pairs),
  });
  return [gpu.give(result, [3, layout.units])];
});

/** GLSL: reads `first`, `offset` and `divisor` of both channels of a texel column; for padding, those of the last channel. */
const OF_SPREAD = `
float ofSpread(int part, int unit) {
  unit = min(unit, units - 1);
  vec4 both = spreadTexel(part / 2 * pairs + unit / 2);
  vec2 lanes = (part & 1) == 0 ? both.xy : both.zw;
  return (unit & 1) == 0 ? lanes.x : lanes.y;
}
vec2 ofSpreadPair(int part, int unit) { return vec2(ofSpread(part, unit), ofSpread(part, unit + 1)); }`;
const READ_SPREAD = `
  int unit = line * channels + 2 * column;
  vec2 first = ofSpreadPair(0, unit), offset = ofSpreadPair(1, unit), divisor = ofSpreadPair(2, unit);`;

/** The operands of the other kernels: x, dy and the spread, and the coefficients named. */
function operands(
  gpu: Gpu,
  {
    x,
    dy,
    spread,
    ...others
  }: Record<'x' | 'spread', TensorInfo> & { readonly [name: string]: TensorInfo | undefined },
  view: Layout['view'],
) {
  const layout = columnLayout(gpu, x, view);
  const units = view.n * view.c;
  const given = coefficients(gpu, view, others);
  const textures: Record<string, Texture | undefined> = {
    ...{ ...given.textures, spread: gpu.texture(spread, [1, 3, units]) },
    dy: dy && gpu.texture(dy, layout.shape),
  };
  const integers = { ...given.integers, channels: view.c, units, pairs: Math.ceil(units / 2) };
  return { info: x, layout, x: gpu.texture(x, layout.shape), textures, integers };
}

const FUNCTIONS = COEFFICIENTS + OF_SPREAD;
const X_HAT = 'vec4 xHat = (xHere(row, column) - first.xyxy - offset.xyxy) / divisor.xyxy;';

export const Standardize = kernel<'Standardize'>((gpu, inputs, { view }) => {
  const { info, layout, x, textures, integers } = operands(gpu, inputs, view);
  const y = elementwise(gpu, x, {
    name: 'standardize',
    layout,
    functions: FUNCTIONS,
    statements: `${READ_SPREAD} ${X_HAT}
  value = xHat * ${coefficient('scale')}.xyxy + ${coefficient('shift')}.xyxy;`,
    ...{ textures, integers },
  });
  return [gpu.give(y, info.shape, layout.shape)];
});

export const StandardizeSums = kernel<'StandardizeSums'>((gpu, inputs, { view }) => {
  const { layout, x, textures, integers } = operands(gpu, inputs, view);
  const parts = sumsOfParts(gpu, layout, layout.columns, view.s, {
    functions: FUNCTIONS,
    before: READ_SPREAD,
    d: (k) => item(layout, 'dy', k),
    h: (k) => `(${item(layout, 'x', k)} - first.xxyy - offset.xxyy)`,
    factor: '1. / divisor',
    textures: { x, ...textures },
    integers,
  });
  const sums = reduced(gpu, parts, LONGEST);
  const average = (which: 'dh' | 'd') => gpu.give(totals(gpu, sums, { which, c: view.c, count: 1 }), [view.n, view.c]);
  return [average('dh'), average('d')];
});

export const StandardizeGrad = kernel<'StandardizeGrad'>((gpu, inputs, { view }) => {
  const { info, layout, x, textures, integers } = operands(gpu, inputs, view);
  const dx = elementwise(gpu, x, {
    name: 'gradient of standardize',
    layout,
    functions: FUNCTIONS,
    statements: `${READ_SPREAD} ${X_HAT}
  value = (dyHere(row, column) - ${coefficient('u')}.xyxy) * ${coefficient('scale')}.xyxy;
  value -= xHat * ${coefficient('a')}.xyxy + ${coefficient('b')}.xyxy;`,
    ...{ textures, integers },
  });
  return [gpu.give(dx, info.shape, layout.shape)];
});
