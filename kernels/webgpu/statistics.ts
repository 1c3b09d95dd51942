/**
 * Statistics of groups, in two passes: the first finds the mean, the second what float32 lost of it, and the squares of the deviations.
 *
 * A tensor of statistics [2, k] has k = 2 groups + 1 columns: means and variances, then the rests of the means, which float32 has no
 * room for beside them. The odd column tells it from the statistics of other backends.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { View } from '../core/view.ts';
import type { Gpu } from './backend.ts';
import {
  type GpuView,
  GROUP,
  groupIntegers,
  inGroup,
  type Lanes,
  lanesOf,
  lanesOfGroups,
  partialIndex,
  place,
  total,
  totals,
} from './lanes.ts';

/** The largest float32. */
const LARGEST = '3.4028234e38';

/** WGSL: `mean#`, `rest#` and `variance#` of what the lanes of the units visit: all of each group, or a part of it. */
const ofX = (view: GpuView, lanes: Lanes, center: boolean): string => `
  let visited = f32(select(1, min(uniforms.chunk, uniforms.length - partStart), isUsed));
${
  center
    ? `
  // Relative to one of the values: so is the mean of equal values exact.
  let pivot# = first(xAt(base#));
  var sum# = vec2<f32>(0.0);
  ${inGroup(view)('sum#.x += average(xAt(at#) - pivot#);')}
  ${totals('shift', 'sum', lanes)}
  let mean# = rounded(pivot# + shift#.x / visited);
  var squares# = vec2<f32>(0.0);
  ${inGroup(view)(`let deviation# = xAt(at#) - mean#;
      squares# += vec2<f32>(average(deviation#), average(deviation# * deviation#));`)}
  ${totals('deviations', 'squares', lanes)}
  let rest# = deviations#.x / visited;
  let square# = deviations#.y / visited;
  // Squares that are too large for a float are infinite, maybe that of the rest, too, and then the difference is NaN.
  let difference# = select(square# - rest# * rest#, square#, square# > ${LARGEST});
  let variance# = select(difference#, 0.0, difference# < 0.0);`
    : `
  var sum# = vec2<f32>(0.0);
  ${inGroup(view)('let value# = xAt(at#); sum#.x += average(value# * value#);')}
  ${totals('squares', 'sum', lanes)}
  let mean# = 0.0;
  let rest# = 0.0;
  let variance# = squares#.x / visited;`
}`;

const FIELDS = 3;

/** WGSL: the same from those of all parts of the group, by Chan's formula, relative to the mean of the first part. */
const FROM_PARTS = `
  let pivot = partialsAt(partialIndex(unit, 0, 0));
  var sum = vec2<f32>(0.0);
  for (var piece = lane; piece < uniforms.pieces; piece += uniforms.lanes) { sum.x += valuesIn(piece) * offset(unit, piece, pivot); }
  let shift = total(sum, invocation).x / f32(uniforms.groupLength);
  sum = vec2<f32>(0.0);
  for (var piece = lane; piece < uniforms.pieces; piece += uniforms.lanes) {
    let deviation = offset(unit, piece, pivot) - shift;
    sum.x += valuesIn(piece) * (partialsAt(partialIndex(unit, piece, 2)) + deviation * deviation);
  }
  let variance0 = total(sum, invocation).x / f32(uniforms.groupLength);
  let mean0 = rounded(pivot + shift);
  let rest0 = rounded(pivot - mean0) + shift;`;

const PARTS = `${partialIndex(FIELDS)}
fn valuesIn(piece : i32) -> f32 {
  let start = piece * uniforms.pieceLength;
  return f32(min(uniforms.pieceLength, uniforms.groupLength - start));
}
fn offset(unit : i32, piece : i32, pivot : f32) -> f32 {
  return rounded(partialsAt(partialIndex(unit, piece, 0)) - pivot) + partialsAt(partialIndex(unit, piece, 1));
}`;

/** Where a program takes the statistics of its units from. */
export interface Source {
  readonly functions: string;
  /** WGSL that declares `mean#`, `rest#` and `variance#`. */
  readonly statements: string;
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly integers: Readonly<Record<string, number>>;
  /** The tensor of statistics, if there is one. */
  readonly info?: TensorInfo;
  /** Further outputs that the statements write. */
  readonly also?: Readonly<Record<string, TensorInfo>>;
}

/** The statistics of groups, or of parts of them, if they are long, which the programs that need them join. */
export function sourceOf(gpu: Gpu, x: TensorInfo, view: GpuView, center: boolean): Source {
  const lanes = lanesOfGroups(view);
  if (lanes.parts === 1) {
    return { functions: '', statements: ofX(view, lanes, center), inputs: { x }, integers: {} };
  }
  const units = view.n * view.groups;
  const partials = gpu.run({
    name: 'statistics of parts',
    source: `${total()} ${partialIndex(FIELDS)}
fn main(index : i32) {
  ${place()} ${GROUP} ${ofX(view, lanes, center)}
  if (isFirst) {
    result[partialIndex(unit, part, 0)] = mean0;
    result[partialIndex(unit, part, 1)] = rest0;
    result[partialIndex(unit, part, 2)] = variance0;
  }
}`,
    fours: view.inFours ? ['x'] : undefined,
    inputs: { x },
    integers: { ...lanes.integers, ...groupIntegers(view), width: units, pieces: lanes.parts },
    workgroups: lanes.workgroups,
    shape: [lanes.parts * FIELDS * units],
  });
  return {
    functions: PARTS,
    statements: FROM_PARTS,
    inputs: { partials },
    integers: { width: units, pieces: lanes.parts, pieceLength: lanes.chunk, groupLength: lanes.length },
  };
}

const columnsOf = ({ n, groups }: View) => 2 * n * groups + 1;

/** WGSL: writes `mean#`, `rest#` and `variance#` to a tensor of statistics, or of moments. */
const written = (array: string) => `
  if (isFirst) {
    let nearest# = rounded(mean# + rest#);
    ${array}[unit#] = nearest#;
    ${array}[uniforms.columns + unit#] = variance#;
    if (uniforms.columns > uniforms.units) {
      ${array}[uniforms.units + unit#] = rounded(mean# - nearest#) + rest#;
      ${array}[uniforms.columns + uniforms.units + unit#] = 0.0;
      if (unit == 0) {
        ${array}[uniforms.columns - 1] = 0.0;
        ${array}[2 * uniforms.columns - 1] = 0.0;
      }
    }
  }`;

/** The tensor of statistics is written, too, by a program that finds those of whole groups. */
export function alsoWritten(gpu: Gpu, source: Source, view: GpuView): Source {
  const columns = columnsOf(view);
  const info = gpu.make([2, columns]);
  return {
    ...source,
    info,
    statements: `${source.statements} ${written('statistics')}`,
    integers: { ...source.integers, columns },
    also: { statistics: info },
  };
}

/** The tensor of statistics; or of moments [2, groups], the same without what is for the gradient. */
export function statistics(gpu: Gpu, source: Source, view: GpuView, asMoments = false): TensorInfo {
  const units = view.n * view.groups;
  const columns = asMoments ? units : columnsOf(view);
  const ofParts = source.integers.pieces !== undefined;
  const lanes = ofParts
    ? lanesOf({ units, length: source.integers.pieces as number, areAdjacent: true, isWhole: true })
    : lanesOfGroups(view);
  return gpu.run({
    name: 'statistics',
    copies: lanes.atOnce,
    source: `${total(lanes.atOnce)} ${source.functions}
fn main(index : i32) {
  ${place(lanes.atOnce)} ${ofParts ? '' : GROUP} ${source.statements} ${written('result')}
}`,
    fours: view.inFours ? ['x'] : undefined,
    inputs: source.inputs,
    integers: { ...lanes.integers, ...groupIntegers(view), ...source.integers, columns },
    workgroups: lanes.workgroups,
    shape: [2, columns],
  });
}

/** WGSL: `saved(group)`, its mean, rest and variance. */
export const SAVED = `
fn saved(group : i32) -> vec3<f32> {
  let columns = 2 * uniforms.allGroups + 1;
  return vec3<f32>(statisticsAt(group), statisticsAt(uniforms.allGroups + group), statisticsAt(columns + group));
}`;

/** The statistics of groups from the tensor of them. */
export const savedSource = (info: TensorInfo, { n, groups }: GpuView): Source => ({
  functions: SAVED,
  statements: `
  let its# = saved(unit#);
  let mean# = its#.x;
  let rest# = its#.y;
  let variance# = its#.z;`,
  info,
  inputs: { statistics: info },
  integers: { allGroups: n * groups },
});

/** Statistics that came from here; those of another backend have no rests, and are taken anew. */
export function savedStatistics(gpu: Gpu, info: TensorInfo, x: TensorInfo, view: GpuView, center: boolean): TensorInfo {
  const isOurs = info.shape[1] === columnsOf(view);
  return isOurs ? info : statistics(gpu, sourceOf(gpu, x, view, center), view);
}
