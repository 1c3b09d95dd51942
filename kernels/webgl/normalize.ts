/**
 * The kernels `Normalize` and `NormalizeGrad`.
 *
 * For every view dx = a (dy + (x - first) b + c), where `first` is the first value of the line, and a, b and c follow from the
 * statistics and the sums of dy and dy xHat; the last draw of these sums computes them. None of them is as small as the square of
 * 1 / f, which may be no 16-bit float.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Inputs, NormalizeGradAttrs } from '../core/contract.ts';
import { conditionsOf, type View } from '../core/view.ts';
import { type Gpu, kernel } from './backend.ts';
import { reciprocal, slopes } from './divisor.ts';
import { elementwise, firstValues, parameterHere, parameters } from './elementwise.ts';
import { item, ofLine, parameter, pivots, spread } from './glsl.ts';
import { conditionLines, conditionsOfSample, type Layout, type Lines, layoutOf, oneChannelAsRows } from './layout.ts';
import { cut, LONGEST, MERGED } from './parts.ts';
import { giveStatistics, type Statistics, savedStatistics, statistics } from './statistics.ts';
import { type Last, overLines, reduced, type Sums, sumsOfParts } from './sums.ts';
import type { Texture } from './texture.ts';
import { finished, groupMeans, totals } from './totals.ts';

/**
 * Whether the last draw of the statistics also makes a factor and a summand of y: one of each for every line, or in a single line for
 * every condition. That pays if each of them serves many texels.
 */
const isByAffine = (layout: Layout): boolean =>
  !layout.alongRows &&
  (conditionsOfSample(layout) === 1 || (layout.count === 1 && (layout.conditionLength ?? 0) >= MERGED));

export const Normalize = kernel<'Normalize'>((gpu, inputs, attrs) => {
  const { center, epsilon, yOnly = false } = attrs;
  const { x, residual } = inputs;
  const gamma = parameters(gpu, inputs.gamma, attrs.view);
  const beta = parameters(gpu, inputs.beta, attrs.view);
  const view = gamma || beta ? attrs.view : oneChannelAsRows(attrs.view);
  const layout = layoutOf(view, gpu.packedShape(x));
  const { alongRows } = layout;
  const given = gpu.texture(x, layout.shape);
  const activations = residual ? sumOf(gpu, layout, given, gpu.texture(residual, layout.shape)) : given;
  const ofX = statistics(gpu, activations, layout, center, {
    moments: !yOnly,
    ...(isByAffine(layout) ? { affine: { attrs, gamma, beta } } : {}),
  });
  const { texture, momentTexels } = ofX;

  const lanes = spread(layout);
  const region = conditionsOfSample(layout) === 1 ? '1' : '(1 + condition)';
  const first = center ? ` - ${firstValues(layout)}.${lanes}` : '';
  const y = elementwise(gpu, activations, {
    name: 'normalize',
    layout,
    ...(isByAffine(layout)
      ? {
          statements: `
  vec4 affine = ${ofLine(layout, 'statistics', `start + ${region} * lines`)};
  value = (xHere(row, column)${first}) * affine.xyxy + affine.zwzw;`,
          textures: { statistics: texture },
        }
      : {
          functions: reciprocal(attrs),
          statements: `
  vec4 found = ${ofLine(layout, 'statistics', 'start')};
  value = (xHere(row, column)${first}${center ? ` - found.xy.${lanes}` : ''}) * reciprocal(found.zw).${lanes};
  ${gamma ? `value *= ${parameterHere(layout, 'gamma')};` : ''}
  ${beta ? `value += ${parameterHere(layout, 'beta')};` : ''}`,
          textures: { statistics: texture, gamma, beta },
          floats: { epsilon },
        }),
    integers: { start: momentTexels / (alongRows ? 1 : layout.columns), lines: layout.count },
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
  readonly weighted: Weighted;
  readonly statistics: Statistics;
}

/** Coefficients of each line, in regions: texels (b, c); (first, a); for rows also (mean / f, 1 / f), the mean relative to `first`. */
interface Coefficients {
  readonly texture: Texture;
  /** The row of the texture in which they begin. */
  readonly start: number;
}

/**
 * What gamma multiplies:
 *   'dy'    each value, before it is summed
 *   'sums'  sums of dy over values that share it, which are those for dgamma and dbeta, too
 *   'dx'    the finished gradient, if all of a group share it: then sums and dy cancel exactly in groups of one value
 */
type Weighted = 'dy' | 'sums' | 'dx';

function weightedIn(layout: Layout): Weighted {
  const { alongRows, view } = layout;
  if (alongRows) return 'dy';
  const conditions = conditionsOfSample(layout);
  const isPerChannel = view.groups === view.c;
  if (conditions === 1) return isPerChannel ? 'dx' : 'sums';
  return isPerChannel && view.n === 1 && conditions <= MERGED ? 'sums' : 'dy';
}

/** The last step of the sums: it makes `Coefficients` of them. */
function coefficients({ layout, attrs, x, statistics, weighted, ...operands }: Operands): Last {
  const gamma = weighted === 'dx' ? operands.gamma : undefined;
  const weight = gamma ? ` * ${parameter(layout, 'gamma', 'line * length / conditionLength')}` : '';
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
    textures: { x, statistics: statistics.texture, ...(gamma && { gamma }) },
    integers: { momentTexels: statistics.momentTexels },
    floats: { epsilon: attrs.epsilon },
  };
}

interface SumsOfLines {
  readonly sums: Sums;
  /** They are coefficients already. */
  readonly isFinished: boolean;
}

/** Sums over the texels of each line, which is a sample or a condition in it, of dy or, given gamma, gamma dy. */
function sumsOfLines(gpu: Gpu, operands: Operands, lines: Lines): SumsOfLines {
  const { layout, attrs, x, dy, gamma, statistics } = operands;
  const { alongRows, view } = layout;
  const { center } = attrs;
  const last = coefficients(operands);
  const isFinished = alongRows && cut(layout).parts === 1;
  const gammaOf = (k: string) =>
    alongRows
      ? `${parameter(layout, 'gamma', 'condition', k)}.xyxy`
      : `${parameter(layout, 'gamma', `(line * length + ${k}) / conditionLength`)}.xxyy`;
  const linesOfSample = lines.count / layout.count;
  const sums = sumsOfParts(gpu, lines, layout.columns, alongRows ? view.c : view.s / linesOfSample, {
    functions: isFinished ? '' : `${reciprocal(attrs)} ${pivots(layout)}`,
    before: `
  ${alongRows && layout.conditionLength !== undefined ? 'int condition = line / conditionLength;' : ''}
  int sample_ = line / linesOfSample;
  vec4 found = statisticsTexel(momentTexels + sample_ * across + column);
  vec4 pivot = ${center ? 'pivots(sample_ * linesOfSample, column).xxyy' : 'vec4(0.)'};`,
    d: (k) => item(layout, 'dy', k) + (gamma ? ` * ${gammaOf(k)}` : ''),
    h: (k) => item(layout, 'x', k) + (center ? ' - pivot - found.xxyy' : ''),
    factor: 'reciprocal(found.zw)',
    textures: { x, dy, statistics: statistics.texture, gamma },
    integers: { momentTexels: statistics.momentTexels, linesOfSample },
    floats: { epsilon: attrs.epsilon },
    ...(isFinished ? { last } : {}),
  });
  return { sums, isFinished };
}

/** Sums down the columns if groups are rows: every texel row has statistics of its own, which are read from its coefficients. */
function sumsOfChannels(gpu: Gpu, { layout, x, dy, attrs }: Operands, { texture }: Coefficients, count: number): Sums {
  const lines = conditionLines(layout);
  const first = attrs.center ? ' - coefficientsTexel(lines + row).xxyy' : '';
  return sumsOfParts(gpu, lines, layout.columns, count, {
    functions: `
vec4 xHat(int row, int column) {
  vec4 ofRow = coefficientsTexel(2 * lines + row);
  return (xAt(row, column)${first}) * ofRow.zzww - ofRow.xxyy;
}`,
    before: '',
    d: (k) => item(lines, 'dy', k),
    h: (k) => `xHat(line * length + ${k}, column).xzyw`,
    factor: 'vec2(1.)',
    textures: { x, dy, coefficients: texture },
    integers: { lines: layout.count },
  });
}

function writeDx(gpu: Gpu, operands: Operands, { texture, start }: Coefficients): Texture {
  const { layout, x, dy, dsum, weighted } = operands;
  const gamma = weighted === 'dx' ? undefined : operands.gamma;
  const lanes = spread(layout);
  const fetch = (region: number) => ofLine(layout, 'coefficients', `start + ${region} * lines`);
  return elementwise(gpu, x, {
    name: 'gradient of x',
    layout,
    statements: `
  vec4 bc = ${fetch(0)}, firstA = ${fetch(1)};
  value = dyHere(row, column)${gamma ? ` * ${parameterHere(layout, 'gamma')}` : ''};
  value += (xHere(row, column) - firstA.xy.${lanes}) * bc.xy.${lanes} + bc.zw.${lanes};
  value *= firstA.zw.${lanes};
  ${dsum ? 'value += dsumHere(row, column);' : ''}`,
    textures: { dy, coefficients: texture, gamma, dsum },
    integers: { start, lines: layout.count },
  });
}

/** What the draws read; statistics of another backend are taken anew. */
function operandsOf(gpu: Gpu, inputs: Inputs<'NormalizeGrad', TensorInfo>, attrs: NormalizeGradAttrs): Operands {
  const { dy, dsum, x, statistics: saved } = inputs;
  const gamma = parameters(gpu, inputs.gamma, attrs.view);
  const view = gamma || attrs.affine ? attrs.view : oneChannelAsRows(attrs.view);
  const layout = layoutOf(view, gpu.packedShape(x));
  const activations = gpu.texture(x, layout.shape);
  return {
    layout,
    attrs,
    x: activations,
    dy: gpu.texture(dy, layout.shape),
    dsum: dsum && gpu.texture(dsum, layout.shape),
    gamma,
    weighted: weightedIn(layout),
    statistics:
      savedStatistics(gpu, saved, layout) ?? statistics(gpu, activations, layout, attrs.center, { moments: false }),
  };
}

/** dx, and dgamma and dbeta if they are wanted. */
type Gradients = [dx: Texture] | [dx: Texture, dgamma: Texture, dbeta: Texture];

export const NormalizeGrad = kernel<'NormalizeGrad'>((gpu, inputs, attrs) => {
  const operands = operandsOf(gpu, inputs, attrs);
  const { layout, weighted } = operands;
  const { view } = layout;
  const isOfConditions = conditionsOfSample(layout) > 1 && weighted === 'sums';
  const found = sumsOfLines(
    gpu,
    weighted === 'dy' ? operands : unweighted(operands),
    isOfConditions ? conditionLines(layout) : layout,
  );
  const isOneGroupPerChannel = view.groups === view.c && view.n === 1;
  const [dx, dgamma, dbeta] =
    attrs.affine && weighted !== 'dy' && isOneGroupPerChannel
      ? gradientsFromTotals(gpu, operands, found.sums)
      : gradientsFromLines(gpu, operands, found);
  const given = gpu.give(dx, inputs.x.shape, layout.shape);
  if (!dgamma || !dbeta) return [given];
  const shape = view.rowsPerCondition === undefined ? [view.c] : [conditionsOf(view), view.c];
  return [given, gpu.give(dgamma, shape), gpu.give(dbeta, shape)];
});

const unweighted = (operands: Operands): Operands => ({ ...operands, gamma: undefined });

/** What multiplies the sums where they are added up. */
const weightsOfSums = ({ weighted, gamma }: Operands): Texture | undefined => (weighted === 'sums' ? gamma : undefined);

/** If the sums of dx are those of dgamma and dbeta, over all conditions: the draw of dgamma also makes the coefficients of dx. */
function gradientsFromTotals(gpu: Gpu, operands: Operands, sums: Sums): Gradients {
  const finishing = { last: coefficients(operands), gamma: weightsOfSums(operands) };
  const [dgamma, dbeta] = parameterGradients(gpu, operands.layout, sums, finishing);
  const start = Math.ceil(conditionsOf(operands.layout.view) / 2);
  return [writeDx(gpu, operands, { texture: dgamma, start }), dgamma, dbeta];
}

/** Each line has coefficients of dx of its own. */
function gradientsFromLines(gpu: Gpu, operands: Operands, { sums, isFinished }: SumsOfLines): Gradients {
  const ofDx = { texture: isFinished ? sums.texture : finishedSums(gpu, operands, sums), start: 0 };
  const dx = writeDx(gpu, operands, ofDx);
  if (!operands.attrs.affine) return [dx];
  return [dx, ...parameterGradients(gpu, operands.layout, sumsForParameters(gpu, operands, sums, ofDx))];
}

/** The coefficients of dx from the sums of each line. */
function finishedSums(gpu: Gpu, operands: Operands, sums: Sums): Texture {
  const { layout } = operands;
  const last = coefficients(operands);
  if (layout.alongRows) return finished(gpu, reduced(gpu, sums, 1), layout.columns, last);
  return groupMeans(gpu, sums, layout, weightsOfSums(operands), last);
}

/** The sums of dy and dy xHat for dgamma and dbeta; those for dx, unless they run along rows or have gamma in them. */
function sumsForParameters(gpu: Gpu, operands: Operands, sums: Sums, ofDx: Coefficients): Sums {
  const { layout, weighted } = operands;
  if (layout.alongRows) return sumsOfChannels(gpu, operands, ofDx, rowsOfCondition(layout.view));
  return weighted === 'dy' ? sumsOfLines(gpu, unweighted(operands), conditionLines(layout)).sums : sums;
}

const rowsOfCondition = (view: View): number => (view.n * view.s) / conditionsOf(view);

/**
 * dgamma and dbeta.
 *
 * @param finishing behind dgamma the coefficients of dx are written, for which one fragment reads the sums of all conditions
 */
function parameterGradients(
  gpu: Gpu,
  { view, alongRows }: Layout,
  sums: Sums,
  finishing?: { readonly last: Last; readonly gamma: Texture | undefined },
): [dgamma: Texture, dbeta: Texture] {
  const conditions = conditionsOf(view);
  const ofConditions = overLines(gpu, sums, conditions, finishing ? Math.ceil(LONGEST / conditions) : LONGEST);
  const rows = rowsOfCondition(view);
  const all = { c: view.c, count: alongRows ? rows : Math.min(view.s, rows) };
  return [
    totals(gpu, ofConditions, { which: 'dh', ...all, ...finishing }),
    totals(gpu, ofConditions, { which: 'd', ...all }),
  ];
}
