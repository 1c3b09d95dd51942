/** The kernels `Normalize` and `NormalizeGrad`. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { NormalizeGradAttrs } from '../core/contract.ts';
import { conditionsOf, type View } from '../core/view.ts';
import { type Gpu, kernel, workgroupSize } from './backend.ts';
import { reciprocal, slopes } from './divisor.ts';
import {
  type GpuView,
  GROUP,
  groupIntegers,
  inChannel,
  inFours,
  inGroup,
  inOnes,
  type Lanes,
  lanesOf,
  lanesOfChannels,
  lanesOfGroups,
  place,
  total,
  walk,
} from './lanes.ts';
import { alsoWritten, SAVED, savedSource, savedStatistics, sourceOf, statistics } from './statistics.ts';
import {
  joined,
  PARTIAL_SUMS,
  type PartialSums,
  partialSums,
  sumOfParts,
  sumOfTerms,
  sumsOf,
  type Terms,
  VALUES,
} from './sums.ts';

export const Normalize = kernel<'Normalize'>((gpu, { x: given, residual, gamma, beta }, attrs) => {
  const { epsilon, center, yOnly } = attrs;
  const view = inFours(attrs.view);
  const x = residual ? sumOf(gpu, given, residual) : given;
  const ofX = sourceOf(gpu, x, view, center);
  const lanes = lanesOfGroups(view);
  // Where statistics are wanted, too, they are found once: along with y, or before it, if each group is the work of several workgroups.
  const source = yOnly
    ? ofX
    : lanes.parts === 1
      ? alsoWritten(gpu, ofX, view)
      : savedSource(statistics(gpu, ofX, view), view);
  const y = gpu.run({
    name: 'normalize',
    copies: lanes.atOnce,
    source: `${total(lanes.atOnce)} ${source.functions} ${reciprocal(attrs)}
fn main(index : i32) {
  ${place(lanes.atOnce)} ${GROUP}
  ${parametersOfUnit(view)}
  ${source.statements}
  let scale# = reciprocal(variance#);
  let offset# = rounded(rest# * scale#);
  ${inGroup(view)(`
      ${gamma || beta ? `let parameter = ${parameterOf(view)};` : ''}
      ${gamma ? 'let gamma = gammaAt(parameter);' : ''}
      ${beta ? 'let beta = betaAt(parameter);' : ''}
      result[at#] = ((xAt(at#) - mean#) * scale# - offset#)${gamma ? ' * gamma' : ''}${beta ? ' + beta' : ''};`)}
}`,
    fours: view.inFours ? [...VALUES, 'result'] : undefined,
    inputs: { ...source.inputs, x, gamma, beta },
    integers: { ...lanes.integers, ...groupIntegers(view), ...conditionIntegers(view), ...source.integers },
    floats: { epsilon },
    workgroups: lanes.workgroups,
    shape: x.shape,
    also: source.also ?? {},
  });
  if (!source.info) return [gpu.give(y)];
  const saved = gpu.give(source.info);
  return residual ? [gpu.give(y), saved, gpu.give(x)] : [gpu.give(y), saved];
});

/** x plus a residual. */
function sumOf(gpu: Gpu, x: TensorInfo, residual: TensorInfo): TensorInfo {
  const size = x.shape.reduce((a, b) => a * b, 1);
  return gpu.run({
    name: 'sum of x and a residual',
    source: 'fn main(index : i32) { if (index < uniforms.size) { result[index] = xAt(index) + residualAt(index); } }',
    inputs: { x, residual },
    integers: { size },
    workgroups: Math.ceil(size / workgroupSize),
    shape: x.shape,
  });
}

/** WGSL: the index of the parameters of values `at#`, whose channel is `channel`; `parametersOfUnit` comes before the loop. */
const parameterOf = ({ s, rowsPerCondition }: View) => {
  if (rowsPerCondition === undefined) return 'channel';
  return rowsPerCondition >= s
    ? 'ownParameters + channel'
    : 'at0 / (uniforms.rowsPerCondition * uniforms.c) * uniforms.c + channel';
};
/** WGSL: where the parameters of the units begin, if they have one condition. */
const parametersOfUnit = ({ s, rowsPerCondition = 0 }: View) =>
  rowsPerCondition >= s
    ? 'let ownParameters = unit / uniforms.groups * uniforms.s / uniforms.rowsPerCondition * uniforms.c;'
    : '';
const conditionIntegers = ({ rowsPerCondition }: View): Record<string, number> =>
  rowsPerCondition === undefined ? {} : { rowsPerCondition };

interface Operands {
  readonly attrs: NormalizeGradAttrs;
  readonly x: TensorInfo;
  readonly dy: TensorInfo;
  readonly dsum: TensorInfo | undefined;
  readonly gamma: TensorInfo | undefined;
  readonly statistics: TensorInfo;
}

/** Whether each group is a channel with one gamma: then that multiplies sums, which are those for dgamma, too. */
const isPerChannel = ({ attrs: { view } }: Operands) => view.groups === view.c && view.rowsPerCondition === undefined;

const integersOf = (view: View) => ({
  ...{ ...groupIntegers(view), ...conditionIntegers(view) },
  allGroups: view.n * view.groups,
});

/** WGSL: the statistics `its` of a group, `rstd`, and the `offset` of xHat for what float32 lost of the mean; `copy` is '' or '#'. */
const statisticsOf = (group: string, copy = '') => `let its${copy} = saved(${group});
  let rstd${copy} = reciprocal(its${copy}.z);
  let offset${copy} = rounded(its${copy}.y * rstd${copy});`;

/** WGSL: xHat from these. */
const xHat = (copy = '') => `(xAt(at#) - its${copy}.x) * rstd${copy} - offset${copy}`;

/** Over each group: of D and of D xHat, or without gamma, see `isPerChannel`. */
function termsOfGroups(operands: Operands): Terms {
  const { attrs, x, dy, statistics } = operands;
  const gamma = isPerChannel(operands) ? undefined : operands.gamma;
  const view = inFours(attrs.view);
  return {
    lanes: lanesOfGroups(view),
    inFours: view.inFours,
    functions: `${reciprocal(attrs)} ${SAVED}`,
    before: `${GROUP}
  ${parametersOfUnit(view)}
  ${statisticsOf('unit#', '#')}`,
    walk: (body) =>
      inGroup(view)(`
      ${gamma ? `let gamma = gammaAt(${parameterOf(view)});` : ''}
      let dy# = dyAt(at#);
      ${body}`),
    d: gamma ? 'dy# * gamma' : 'dy#',
    h: xHat('#'),
    inputs: { dy, gamma },
    inputsOfH: { x, statistics },
    integers: integersOf(view),
    floats: { epsilon: attrs.epsilon },
  };
}

/** Over each channel: of dy and of dy xHat. In fours where they are not cut into parts: what is joined later are single sums. */
function termsOfChannels(
  { attrs, x, dy, statistics }: Operands,
  lanesIn: (view: GpuView) => Lanes = lanesOfChannels,
): Terms {
  const fours = inFours(attrs.view);
  const view = lanesIn(fours).parts > 1 ? inOnes(attrs.view) : fours;
  return {
    lanes: lanesIn(view),
    inFours: view.inFours,
    functions: `${reciprocal(attrs)} ${SAVED}`,
    before: 'let ownGroup = unit / (uniforms.c / uniforms.groups);',
    walk: inChannel(view),
    beforeH: statisticsOf('sample * uniforms.groups + ownGroup'),
    d: 'dyAt(at#)',
    h: xHat(),
    inputs: { dy },
    inputsOfH: { x, statistics },
    integers: integersOf(view),
    floats: { epsilon: attrs.epsilon },
  };
}

/** Over the rows of each condition and channel, the same. */
function termsOfConditions(operands: Operands): Terms {
  const lanesIn = (view: GpuView) => {
    const { rowsPerCondition: length = 1, c, inFours } = view;
    const alike = inFours && view.groups === 1 ? c : 1;
    return lanesOf({ units: conditionsOf(view) * c, length, areAdjacent: true, inFours, alike });
  };
  const terms = termsOfChannels(operands, lanesIn);
  const { s, rowsPerCondition = 1 } = operands.attrs.view;
  const isOfOneSample = rowsPerCondition <= s;
  const statistics = (row: string) => statisticsOf(`${row} / uniforms.s * uniforms.groups + ownGroup`);
  return {
    ...terms,
    before: `
  let ownGroup = unit % uniforms.c / (uniforms.c / uniforms.groups);
  let firstRow = unit / uniforms.c * uniforms.rowsPerCondition;
  let channel# = unit# % uniforms.c;`,
    walk: (body) =>
      walk(`let at# = (firstRow + k) * uniforms.c + channel#;
      ${body}`),
    beforeWalkOfH: isOfOneSample ? statistics('firstRow') : '',
    beforeH: isOfOneSample ? '' : statistics('(firstRow + k)'),
  };
}

/** The most conditions of a group whose sums are added up to those of the group: all of them are read for dx. */
const MOST_CONDITIONS = 256;

/** Whether each group is a channel, and conditions are parts of it: then their sums are those for dgamma and dbeta, too. */
const hasConditionsInGroups = ({ s, c, groups, rowsPerCondition = Number.POSITIVE_INFINITY }: View) =>
  groups === c && rowsPerCondition <= s && s / rowsPerCondition <= MOST_CONDITIONS;

/** The sum of what stands for each of the units that a lane visits at once. */
const sumAtOnce = ({ atOnce }: Lanes, summand: string) =>
  Array.from({ length: atOnce }, (_, i) => summand.replaceAll('#', `${i}`)).join(' + ');

/**
 * dx, from sums of parts, which may be those of conditions, or from sums that it takes itself. Of the rows that are visited at once, it
 * writes sums over each channel to `ofRows` where that is given: those of dy xHat, and those of dy.
 */
function gradientOfX(
  gpu: Gpu,
  operands: Operands,
  partials: PartialSums | undefined,
  { piecesOfCondition, ofRows }: { piecesOfCondition?: number; ofRows?: TensorInfo | undefined } = {},
): TensorInfo {
  const { attrs, x, dsum, gamma } = operands;
  const { epsilon, center } = attrs;
  const terms = termsOfGroups(operands);
  const weight =
    piecesOfCondition && gamma
      ? 'gammaAt((unit / uniforms.c * uniforms.pieces + piece) / uniforms.piecesOfCondition * uniforms.c + firstChannel)'
      : undefined;
  const ofGroup = isPerChannel(operands) && gamma ? ' * gammaAt(firstChannel)' : '';
  const writeOfRows = `
      let ofTheseRows = 2 * (workgroup * abreast + ownUnit) * uniforms.c + channel;
      ofRows[ofTheseRows] = ${sumAtOnce(terms.lanes, 'dy# * h#')};
      ofRows[ofTheseRows + uniforms.c] = ${sumAtOnce(terms.lanes, 'dy#')};`;
  return gpu.run({
    name: 'gradient of x',
    copies: terms.lanes.atOnce,
    source: `${total(terms.lanes.atOnce)} ${terms.functions} ${slopes(attrs)} ${partials ? PARTIAL_SUMS : ''}
fn main(index : i32) {
  ${place(terms.lanes.atOnce)} ${partials ? `${terms.before} ${sumOfParts(weight)}` : sumOfTerms(terms)}
  let averages# = sums# / f32(uniforms.groupLength);
  let along# = averages#.x * factor(its#.z);
  let scale# = slope(its#.z)${ofGroup};
  ${terms.walk(`
      let d# = ${terms.d};
      let h# = ${terms.h};
      result[at#] = (d#${center ? ' - averages#.y' : ''} - h# * along#) * scale#${dsum ? ' + dsumAt(at#)' : ''};
      ${ofRows ? writeOfRows : ''}`)}
}`,
    fours: terms.inFours ? [...VALUES, 'result', 'ofRows'] : undefined,
    inputs: { ...terms.inputs, ...terms.inputsOfH, gamma, dsum, partials: partials?.info },
    integers: {
      ...{ ...terms.lanes.integers, ...terms.integers, groupLength: terms.lanes.length },
      ...(partials && { width: partials.width, pieces: partials.pieces }),
      ...(piecesOfCondition && { piecesOfCondition }),
    },
    floats: { epsilon },
    workgroups: terms.lanes.workgroups,
    shape: x.shape,
    also: { ofRows },
  });
}

/** The most parts whose sums one workgroup joins. */
const MOST_PIECES = 4096;

export const NormalizeGrad = kernel<'NormalizeGrad'>((gpu, inputs, attrs) => {
  const { dy, dsum, x, gamma } = inputs;
  const { view, affine, center } = attrs;
  const { n, c, groups, rowsPerCondition } = view;
  const operands: Operands = {
    ...{ attrs, x, dy, dsum, gamma },
    statistics: savedStatistics(gpu, inputs.statistics, x, inFours(view), center),
  };
  if (affine && hasConditionsInGroups(view)) {
    const conditions = conditionsOf(view);
    const partials = partialSums(gpu, termsOfConditions(operands), c);
    const ofGroup = { ...partials, pieces: (partials.pieces * conditions) / n };
    const dx = gpu.give(gradientOfX(gpu, operands, ofGroup, { piecesOfCondition: partials.pieces }));
    const dbeta = gpu.make([conditions, c]);
    const dgamma = joined(gpu, partials, conditions * c, [conditions, c], dbeta);
    return [dx, gpu.give(dgamma), gpu.give(dbeta)];
  }
  const ofGroups = termsOfGroups(operands);
  const ofChannels = termsOfChannels(operands);
  const { atOnce, parts } = ofGroups.lanes;
  const shape = rowsPerCondition === undefined ? [c] : [conditionsOf(view), c];
  const piecesOfRows = (rowsPerCondition ?? n) / atOnce;
  if (affine && atOnce > 1 && piecesOfRows <= MOST_PIECES) {
    const ofRows = gpu.make([(2 * n * c) / atOnce]);
    const dx = gpu.give(gradientOfX(gpu, operands, undefined, { ofRows }));
    const dbeta = gpu.make(shape);
    const partials = { info: ofRows, width: c, pieces: piecesOfRows };
    const dgamma = joined(gpu, partials, conditionsOf(view) * c, shape, dbeta);
    return [dx, gpu.give(dgamma), gpu.give(dbeta)];
  }
  const isShared = affine && isPerChannel(operands) && ofChannels.lanes.parts > 1 && n * parts <= MOST_PIECES;
  const partials = isShared || parts > 1 ? partialSums(gpu, ofGroups, groups) : undefined;
  const dx = gpu.give(gradientOfX(gpu, operands, partials));
  if (!affine) return [dx];
  const dbeta = gpu.make(shape);
  const dgamma =
    partials && isShared
      ? joined(gpu, { ...partials, pieces: n * partials.pieces }, c, shape, dbeta)
      : sumsOf(gpu, rowsPerCondition === undefined ? ofChannels : termsOfConditions(operands), shape, dbeta);
  return [dx, gpu.give(dgamma), gpu.give(dbeta)];
});
