/** The kernels `Normalize` and `NormalizeGrad`. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { NormalizeGradAttrs } from '../core/contract.ts';
import { conditionsOf, type View } from '../core/view.ts';
import { type Gpu, kernel, workgroupSize } from './backend.ts';
import { reciprocal, slopes } from './divisor.ts';
import { GROUP, groupIntegers, inGroup, lanesOf, lanesOfChannels, lanesOfGroups, place, total, walk } from './lanes.ts';
import { SAVED, savedStatistics, sourceOf, statistics } from './statistics.ts';
import {
  joined,
  PARTIAL_SUMS,
  type PartialSums,
  partialSums,
  SUM_OF_PARTS,
  sumOfTerms,
  sumsOf,
  type Terms,
} from './sums.ts';

export const Normalize = kernel<'Normalize'>((gpu, { x: given, residual, gamma, beta }, attrs) => {
  const { view, epsilon, center, yOnly } = attrs;
  const x = residual ? sumOf(gpu, given, residual) : given;
  const parameter = parameterOf(view);
  const source = sourceOf(gpu, x, view, center);
  const lanes = lanesOfGroups(view);
  const y = gpu.run({
    name: 'normalize',
    source: `${total()} ${source.functions} ${reciprocal(attrs)}
fn main(index : i32) {
  ${place()} ${GROUP} ${source.statements}
  let scale = reciprocal(variance);
  ${inGroup(`
      var value = ((xAt(at) - mean) - rest) * scale;
      ${gamma ? `value *= gammaAt(${parameter});` : ''}
      ${beta ? `value += betaAt(${parameter});` : ''}
      result[at] = value;`)}
}`,
    inputs: { ...source.inputs, x, gamma, beta },
    integers: { ...lanes.integers, ...groupIntegers(view), ...conditionIntegers(view), ...source.integers },
    floats: { epsilon },
    workgroups: lanes.workgroups,
    shape: x.shape,
  });
  if (yOnly) return [gpu.give(y)];
  const saved = gpu.give(statistics(gpu, source, view));
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

/** WGSL: the index of the parameters of value `at`, whose channel is `channel`. */
const parameterOf = ({ rowsPerCondition }: View) =>
  rowsPerCondition === undefined ? 'channel' : 'at / (uniforms.rowsPerCondition * uniforms.c) * uniforms.c + channel';
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

const XHAT = `
fn xHat(x : f32, its : vec3<f32>) -> f32 { return ((x - its.x) - its.y) * reciprocal(its.z); }`;

const integersOf = ({ attrs: { view } }: Operands) => ({
  ...{ ...groupIntegers(view), ...conditionIntegers(view) },
  allGroups: view.n * view.groups,
});

/** Over each group: of D and of D xHat, or without gamma, see `isPerChannel`. */
function termsOfGroups(operands: Operands): Terms {
  const { attrs, x, dy, statistics } = operands;
  const gamma = isPerChannel(operands) ? undefined : operands.gamma;
  return {
    lanes: lanesOfGroups(attrs.view),
    functions: `${reciprocal(attrs)} ${SAVED}`,
    before: `${GROUP}
  let its = saved(unit);
  let rstd = reciprocal(its.z);`,
    walk: inGroup,
    d: gamma ? `dyAt(at) * gammaAt(${parameterOf(attrs.view)})` : 'dyAt(at)',
    h: '((xAt(at) - its.x) - its.y) * rstd',
    inputs: { x, dy, statistics, gamma },
    integers: integersOf(operands),
    floats: { epsilon: attrs.epsilon },
  };
}

/** Over each channel: of dy and of dy xHat. */
function termsOfChannels(operands: Operands): Terms {
  const { attrs, x, dy, statistics } = operands;
  return {
    lanes: lanesOfChannels(attrs.view),
    functions: `${reciprocal(attrs)} ${SAVED} ${XHAT}`,
    before: 'let ownGroup = unit / (uniforms.c / uniforms.groups);',
    walk: (body) => walk(`let at = k * uniforms.c + unit; ${body}`),
    d: 'dyAt(at)',
    h: 'xHat(xAt(at), saved(quotient * uniforms.groups + ownGroup))',
    inputs: { x, dy, statistics },
    integers: integersOf(operands),
    floats: { epsilon: attrs.epsilon },
  };
}

/** Over the rows of each condition and channel, the same. */
function termsOfConditions(operands: Operands): Terms {
  const { rowsPerCondition: length = 1, c } = operands.attrs.view;
  return {
    ...termsOfChannels(operands),
    lanes: lanesOf({ units: conditionsOf(operands.attrs.view) * c, length, areAdjacent: true }),
    before: 'let ownGroup = unit % uniforms.c / (uniforms.c / uniforms.groups);',
    walk: (body) =>
      walk(`
      let row = unit / uniforms.c * uniforms.rowsPerCondition + k;
      let at = row * uniforms.c + unit % uniforms.c;
      ${body}`),
    h: 'xHat(xAt(at), saved(row / uniforms.s * uniforms.groups + ownGroup))',
  };
}

/** dx, from sums of parts, or from sums that it takes itself. */
function gradientOfX(gpu: Gpu, operands: Operands, partials: PartialSums | undefined): TensorInfo {
  const { attrs, x, dsum, gamma } = operands;
  const { epsilon, center } = attrs;
  const terms = termsOfGroups(operands);
  const ofGroup = isPerChannel(operands) && gamma ? ' * gammaAt(firstChannel)' : '';
  return gpu.run({
    name: 'gradient of x',
    source: `${total()} ${terms.functions} ${slopes(attrs)} ${partials ? PARTIAL_SUMS : ''}
fn main(index : i32) {
  ${place()} ${partials ? `${terms.before} ${SUM_OF_PARTS}` : sumOfTerms(terms)}
  let averages = sums / f32(uniforms.groupLength);
  let along = averages.x * factor(its.z);
  let scale = slope(its.z)${ofGroup};
  ${inGroup(`
      let d = ${terms.d};
      let h = ${terms.h};
      result[at] = (d${center ? ' - averages.y' : ''} - h * along) * scale${dsum ? ' + dsumAt(at)' : ''};`)}
}`,
    inputs: { ...terms.inputs, gamma, dsum, partials: partials?.info },
    integers: {
      ...{ ...terms.lanes.integers, ...terms.integers, groupLength: terms.lanes.length },
      ...(partials && { width: partials.width, pieces: partials.pieces }),
    },
    floats: { epsilon },
    workgroups: terms.lanes.workgroups,
    shape: x.shape,
  });
}

/** So many sums of parts one workgroup may join. */
const MOST_PIECES = 4096;

export const NormalizeGrad = kernel<'NormalizeGrad'>((gpu, inputs, attrs) => {
  const { dy, dsum, x, gamma } = inputs;
  const { view, affine, center } = attrs;
  const { n, c, groups, rowsPerCondition } = view;
  const operands: Operands = {
    ...{ attrs, x, dy, dsum, gamma },
    statistics: savedStatistics(gpu, inputs.statistics, x, view, center),
  };
  const ofGroups = termsOfGroups(operands);
  const ofChannels = termsOfChannels(operands);
  const isShared =
    affine && isPerChannel(operands) && ofChannels.lanes.parts > 1 && n * ofGroups.lanes.parts <= MOST_PIECES;
  const partials = isShared || ofGroups.lanes.parts > 1 ? partialSums(gpu, ofGroups, groups) : undefined;
  const dx = gpu.give(gradientOfX(gpu, operands, partials));
  if (!affine) return [dx];
  if (rowsPerCondition !== undefined) {
    const sums = sumsOf(gpu, termsOfConditions(operands), [0, 1], [conditionsOf(view), c]);
    const [dgamma, dbeta] = sums.map((info) => gpu.give(info)) as [TensorInfo, TensorInfo];
    return [dx, dgamma, dbeta];
  }
  const all = partials && isShared && { ...partials, pieces: n * partials.pieces };
  const [dgamma, dbeta] = all
    ? ([0, 1] as const).map((field) => joined(gpu, all, field, c, [c]))
    : sumsOf(gpu, ofChannels, [0, 1], [c]);
  return [dx, gpu.give(dgamma as TensorInfo), gpu.give(dbeta as TensorInfo)];
});
