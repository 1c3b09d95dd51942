/**
 * The kernels `Normalize` and `NormalizeGrad`.
 *
 * For every view dx = a (dy + (x - first) b + c), where `first` is the first value of the line, and a, b and c follow from the
 * statistics and the sums of dy and dy xHat; the last draw of these sums computes them. None of them is as small as the square of
 * 1 / f, which may be no 16-bit float.
 */

import { byCondition } from '../core/by-condition.ts';
import type { NormalizeGradAttrs } from '../core/contract.ts';
import { type Gpu, kernel, type WebGLPort } from './backend.ts';
import { ScaleShift, ScaleShiftGrad } from './blend.ts';
import { reciprocal, slopes } from './divisor.ts';
import { elementwise, firstValues, vector } from './elementwise.ts';
import { item, pivots, spread } from './glsl.ts';
import { type Layout, layoutOf, oneChannelAsRows, wholeColumns } from './layout.ts';
import { cut } from './parts.ts';
import { giveStatistics, type Statistics, savedStatistics, statistics } from './statistics.ts';
import { type Last, overLines, reduced, type Sums, sumsOfParts } from './sums.ts';
import type { Texture } from './texture.ts';
import { finished, groupMeans, totals } from './totals.ts';

const normalize = kernel<'Normalize'>((gpu, inputs, attrs) => {
  const { center, epsilon, yOnly = false } = attrs;
  const { x, residual } = inputs;
  const gamma = vector(gpu, inputs.gamma);
  const beta = vector(gpu, inputs.beta);
  const view = gamma || beta ? attrs.view : oneChannelAsRows(attrs.view);
  const layout = layoutOf(view, gpu.packedShape(x));
  const { alongRows } = layout;
  const given = gpu.texture(x, layout.shape);
  const activations = residual ? sumOf(gpu, layout, given, gpu.texture(residual, layout.shape)) : given;
  const ofX = statistics(gpu, activations, layout, center, {
    moments: !yOnly,
    ...(alongRows ? {} : { affine: { attrs, gamma, beta } }),
  });
  const { texture, momentTexels } = ofX;

  const first = center ? ` - ${firstValues(layout)}.${alongRows ? 'xxyy' : 'xyxy'}` : '';
  const y = elementwise(gpu, activations, {
    name: 'normalize',
    layout,
    ...(alongRows
      ? {
          functions: reciprocal(attrs),
          statements: `
  vec4 found = statisticsTexel(momentTexels + row);
  value = (xHere(row, column)${first}${center ? ' - found.xxyy' : ''}) * reciprocal(found.zw).xxyy;
  ${gamma ? 'value *= gammaInFirstRow(column).xyxy;' : ''}
  ${beta ? 'value += betaInFirstRow(column).xyxy;' : ''}`,
          textures: { statistics: texture, gamma, beta },
          integers: { momentTexels },
          floats: { epsilon },
        }
      : {
          statements: `
  vec4 affine = statisticsInColumn(affines + line, column);
  value = (xHere(row, column)${first}) * affine.xyxy + affine.zwzw;`,
          textures: { statistics: texture },
          integers: { affines: momentTexels / layout.columns + layout.count },
        }),
  });
  const result = gpu.give(y, x.shape, layout.shape);
  if (yOnly) return [result];
  const saved = giveStatistics(gpu, ofX);
  return residual ? [result, saved, gpu.give(activations, x.shape, layout.shape)] : [result, saved];
});

/** x plus a residual. */
const sumOf = (gpu: Gpu, layout: Layout, x: Texture, residual: Texture): Texture =>
  elementwise(gpu, x, {
    name: 'sum of x and a residual',
    layout,
    statements: 'value = xHere(row, column) + residualHere(row, column);',
    textures: { residual },
    integers: {},
  });

interface Operands {
  readonly layout: Layout;
  readonly attrs: NormalizeGradAttrs;
  readonly x: Texture;
  readonly dy: Texture;
  readonly dsum: Texture | undefined;
  readonly gamma: Texture | undefined;
  readonly statistics: Statistics;
}

/** Coefficients of each line, in regions: texels (b, c); (first, a); for rows also (mean / f, 1 / f), the mean relative to `first`. */
interface Coefficients {
  readonly texture: Texture;
  /** The row of the texture in which they begin. */
  readonly start: number;
}

/**
 * The last step of the sums: it makes `Coefficients` of them.
 *
 * @param isWeighted whether the sums are of gamma dy, as they must be if gamma varies in a group. Sums of dy are multiplied by gamma
 *   afterwards, together with dy itself, so that they cancel exactly in groups of one value
 */
function coefficients({ layout, attrs, x, gamma, statistics }: Operands, isWeighted: boolean): Last {
  const weight = !isWeighted && gamma ? ' * gammaAt(0, column).xy' : '';
  return {
    regions: layout.alongRows ? 3 : 2,
    functions: `${reciprocal(attrs)} ${slopes(attrs)} ${pivots(layout)}
vec4 finish(int region, int line, int column, vec4 means) {
  vec4 found = statisticsTexel(momentTexels + line * across + column);
  vec2 rstd = reciprocal(found.zw);
  if (region == 2) return vec4(found.xy * rstd, rstd);
  if (region == 1) return vec4(${attrs.center ? 'pivots(line, column)' : 'vec2(0.)'}, direct(found.zw, rstd)${weight});
  vec2 b = -slope(found.zw, rstd) * means.zw;
  return vec4(b, -found.xy * b${attrs.center ? ' - means.xy' : ''});
}`,
    textures: { x, statistics: statistics.texture, ...(isWeighted ? {} : { gamma }) },
    integers: { momentTexels: statistics.momentTexels },
    floats: { epsilon: attrs.epsilon },
  };
}

/** Sums over the texels of each line; along rows dy is multiplied by gamma. `isFinished`: they are coefficients already. */
function sumsOfGroups(gpu: Gpu, operands: Operands): { sums: Sums; isFinished: boolean } {
  const { layout, attrs, x, dy, gamma, statistics } = operands;
  const { alongRows, view } = layout;
  const { center } = attrs;
  const last = coefficients(operands, true);
  const isFinished = alongRows && cut(layout).parts === 1;
  const weight = (k: string) => (alongRows && gamma ? ` * gammaAt(0, ${k}).xyxy` : '');
  const sums = sumsOfParts(gpu, layout, layout.columns, alongRows ? view.c : view.s, {
    functions: isFinished ? '' : `${reciprocal(attrs)} ${pivots(layout)}`,
    before: `
  vec4 found = statisticsTexel(momentTexels + line * across + column);
  vec4 pivot = ${center ? 'pivots(line, column).xxyy' : 'vec4(0.)'};`,
    d: (k) => item(layout, 'dy', k) + weight(k),
    h: (k) => item(layout, 'x', k) + (center ? ' - pivot - found.xxyy' : ''),
    factor: 'reciprocal(found.zw)',
    textures: { x, dy, statistics: statistics.texture, gamma: alongRows ? gamma : undefined },
    integers: { momentTexels: statistics.momentTexels },
    floats: { epsilon: attrs.epsilon },
    ...(isFinished ? { last } : {}),
  });
  return { sums, isFinished };
}

/** Sums down the columns if groups are rows: every texel row has statistics of its own, which are read from its coefficients. */
function sumsOfChannels(gpu: Gpu, { layout, x, dy, attrs }: Operands, { texture }: Coefficients): Sums {
  const first = attrs.center ? ' - coefficientsTexel(lines + k).xxyy' : '';
  return sumsOfParts(gpu, wholeColumns(layout), layout.columns, layout.view.n, {
    functions: `
vec4 xHat(int k, int column) {
  vec4 ofRow = coefficientsTexel(2 * lines + k);
  return (xAt(k, column)${first}) * ofRow.zzww - ofRow.xxyy;
}`,
    before: '',
    d: (k) => `dyAt(${k}, column).xzyw`,
    h: (k) => `xHat(${k}, column).xzyw`,
    factor: 'vec2(1.)',
    textures: { x, dy, coefficients: texture },
    integers: { lines: layout.count },
  });
}

function writeDx(gpu: Gpu, operands: Operands, isWeighted: boolean, { texture, start }: Coefficients): Texture {
  const { layout, x, dy, dsum } = operands;
  const gamma = isWeighted ? operands.gamma : undefined;
  const { alongRows, count } = layout;
  const lanes = spread(layout);
  const fetch = (region: number) =>
    alongRows
      ? `coefficientsTexel(start + ${region} * lines + row)`
      : `coefficientsInColumn(start + ${region} * lines + line, column)`;
  return elementwise(gpu, x, {
    name: 'gradient of x',
    layout,
    statements: `
  vec4 bc = ${fetch(0)}, firstA = ${fetch(1)};
  value = dyHere(row, column)${gamma ? ' * gammaInFirstRow(column).xyxy' : ''};
  value += (xHere(row, column) - firstA.xy.${lanes}) * bc.xy.${lanes} + bc.zw.${lanes};
  value *= firstA.zw.${lanes};
  ${dsum ? 'value += dsumHere(row, column);' : ''}`,
    textures: { dy, coefficients: texture, gamma, dsum },
    integers: { start, lines: count },
  });
}

const normalizeGrad = kernel<'NormalizeGrad'>((gpu, inputs, attrs) => {
  const { center, affine } = attrs;
  const { x } = inputs;
  const gamma = vector(gpu, inputs.gamma);
  const view = gamma || affine ? attrs.view : oneChannelAsRows(attrs.view);
  const layout = layoutOf(view, gpu.packedShape(x));
  const { alongRows } = layout;
  const activations = gpu.texture(x, layout.shape);
  const operands: Operands = {
    layout,
    attrs,
    x: activations,
    dy: gpu.texture(inputs.dy, layout.shape),
    dsum: inputs.dsum && gpu.texture(inputs.dsum, layout.shape),
    gamma,
    statistics:
      savedStatistics(gpu, inputs.statistics, layout) ??
      statistics(gpu, activations, layout, center, { moments: false }),
  };
  const { sums, isFinished } = sumsOfGroups(gpu, operands);
  const parameter = (of: Sums, which: 'd' | 'dh', last?: Last) =>
    totals(gpu, of, { which, rows: 1, c: view.c, count: alongRows ? view.n : view.s, last });
  const give = (dx: Texture) => gpu.give(dx, x.shape, layout.shape);
  const giveParameter = (texture: Texture) => gpu.give(texture, [view.c]);

  const isPerChannel = !alongRows && view.groups === view.c;
  const last = coefficients(operands, !isPerChannel);
  if (affine && isPerChannel && view.n === 1) {
    const all = overLines(gpu, sums);
    const dgamma = parameter(all, 'dh', last);
    const dbeta = parameter(all, 'd');
    const dx = writeDx(gpu, operands, false, { texture: dgamma, start: 1 });
    return [give(dx), giveParameter(dgamma), giveParameter(dbeta)];
  }
  const texture = isFinished
    ? sums.texture
    : alongRows
      ? finished(gpu, reduced(gpu, sums, 1), layout.columns, last)
      : groupMeans(gpu, sums, layout, isPerChannel ? undefined : gamma, last);
  const dx = writeDx(gpu, operands, !isPerChannel, { texture, start: 0 });
  if (!affine) return [give(dx)];
  const perChannel = overLines(gpu, alongRows ? sumsOfChannels(gpu, operands, { texture, start: 0 }) : sums);
  const [dgamma, dbeta] = [parameter(perChannel, 'dh'), parameter(perChannel, 'd')];
  return [give(dx), giveParameter(dgamma), giveParameter(dbeta)];
});

export const { Normalize, NormalizeGrad } = byCondition<WebGLPort>({
  Normalize: normalize,
  NormalizeGrad: normalizeGrad,
  ScaleShift,
  ScaleShiftGrad,
  zeros: (backend, size) => backend.makeTensorInfo([size], 'float32', new Float32Array(size)),
  dispose: (backend, info) => backend.disposeIntermediateTensorInfo(info),
});
