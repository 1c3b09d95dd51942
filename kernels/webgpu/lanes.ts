/**
 * How invocations share the work. A *unit* is what one result is made of: a group, of which statistics are taken, or a channel, over
 * which is summed. Some invocations of a workgroup, the *lanes* of a unit, walk through it side by side, and then add up what they
 * have found; others of the workgroup have other units. Long units are cut into *parts*, one for each of several workgroups.
 */
import type { View } from '../core/view.ts';
import { workgroupSize } from './backend.ts';

/** A unit is not cut into parts if each lane visits no more values of it, or fours, than this: another dispatch would cost more. */
const SHORT = 256;
/** The values, or fours, of a part that a lane visits; more if there would be more parts than `PARTS`, all of which are read to join them. */
const PART = 128;
const PARTS = 256;
/** The most values that a lane visits, however many parts that takes. */
const LONGEST = 1024;
/** The units that a lane visits at once, if it reads something once for all of them, and at least `ENOUGH` workgroups are left. */
const AT_ONCE = 4;
const ENOUGH = 16;
/** The units that are visited together if their values lie side by side: memory is read in pieces of eight values. */
const TOGETHER = 8;

/** A view as programs see it: in fours, channels are counted in fours, and so is all that is counted of a unit. */
export interface GpuView extends View {
  readonly inFours: boolean;
}

export const inOnes = (view: View): GpuView => ({ ...view, inFours: false });

/** Four values at a time, if the channels of every group come in fours: memory is read in larger pieces. */
export const inFours = (view: View): GpuView =>
  (view.c / view.groups) % 4 === 0 ? { ...view, c: view.c / 4, inFours: true } : inOnes(view);

interface Units {
  readonly units: number;
  /** Values in each. */
  readonly length: number;
  /** How many values of a unit lie side by side; default 1. */
  readonly run?: number;
  /** Whether values of neighbouring units lie side by side, where a run ends. */
  readonly areAdjacent: boolean;
  /** Whether each is of four values side by side. */
  readonly inFours?: boolean;
  /** In which steps the index of a value is counted, see `walkInPeriods`. */
  readonly period?: number;
  /** Not to be cut into parts. */
  readonly isWhole?: boolean;
  /** The number of consecutive units for which lanes read something that is the same for all of them; default 1. */
  readonly alike?: number;
}

export interface Lanes {
  readonly parts: number;
  /** Values of the unit in each part but the last. */
  readonly chunk: number;
  readonly length: number;
  /** Units that each lane visits at once. Of these, there are neither parts nor unused invocations. */
  readonly atOnce: number;
  readonly workgroups: number;
  /** What WGSL knows of it. */
  readonly integers: Readonly<Record<string, number>>;
}

/** The smallest power of two that is no less. */
const powerOfTwo = (size: number) => 2 ** Math.ceil(Math.log2(size));

export function lanesOf({
  units,
  length,
  run = 1,
  areAdjacent,
  inFours,
  period = 1,
  isWhole,
  alike = 1,
}: Units): Lanes {
  const piece = inFours ? TOGETHER / 4 : TOGETHER;
  const together = areAdjacent && run < piece ? Math.min(piece, powerOfTwo(units), workgroupSize) : 1;
  const lanes = Math.min(workgroupSize / together, powerOfTwo(length));
  const abreast = workgroupSize / lanes;
  const chunk = Math.ceil(length / (isWhole || lanes * SHORT >= length ? 1 : partsOf(length / lanes, inFours)));
  const parts = Math.ceil(length / chunk); // none is empty
  const block = AT_ONCE * abreast; // the units that would be the work of one workgroup
  const areManyAtOnce =
    parts === 1 && AT_ONCE * length <= lanes * SHORT && alike % block === 0 && units >= ENOUGH * block;
  const atOnce = areManyAtOnce ? AT_ONCE : 1;
  const tiles = Math.ceil(units / (atOnce * abreast));
  return {
    parts,
    chunk,
    length,
    atOnce,
    workgroups: tiles * parts,
    integers: {
      ...{ units, length, parts, chunk, lanes, tiles, period },
      heads: 2 ** Math.floor(Math.log2(lanes) / 2),
      // Neighbouring invocations are lanes of neighbouring units, or neighbouring lanes of one unit.
      stride: together > 1 ? abreast : 1,
      quotientStep: Math.floor(lanes / period),
      remainderStep: lanes % period,
    },
  };
}

/** How many parts a unit is cut into. `visits`: the values, or fours, that each lane would visit without a cut. */
const partsOf = (visits: number, inFours = false): number =>
  Math.max(Math.ceil(visits / (inFours ? LONGEST / 4 : LONGEST)), Math.min(PARTS, Math.ceil(visits / PART)));

/** The groups of a view. Index k in a group is that of channel k % period of row k / period. */
export function lanesOfGroups({ n, s, c, groups, inFours, rowsPerCondition = n }: GpuView): Lanes {
  const period = c / groups;
  return lanesOf({
    units: n * groups,
    length: s * period,
    run: groups === 1 ? s * c : period,
    areAdjacent: groups > 1 || s === 1,
    inFours,
    period,
    alike: s === 1 && groups === 1 ? rowsPerCondition : 1,
  });
}

/** The channels of a view, each over all samples. Index k in a channel is that of row k % period of sample k / period. */
export const lanesOfChannels = ({ n, s, c, groups, inFours }: GpuView): Lanes =>
  lanesOf({ units: c, length: n * s, areAdjacent: true, inFours, period: s, alike: inFours && groups === 1 ? c : 1 });

/**
 * WGSL: what an invocation is, its `unit`, which `lane` of it, of which `part`; what it visits, from `begin` on up to `end`. Where a lane
 * visits several units at once, `unit#` are all of them, and `unit` the first.
 */
export const place = (copies = 1): string => `
  let invocation = index % ${workgroupSize};
  let workgroup = index / ${workgroupSize};
  let lane = invocation / uniforms.stride % uniforms.lanes;
  let ownUnit = invocation % uniforms.stride + invocation / (uniforms.stride * uniforms.lanes) * uniforms.stride;
  let abreast = ${workgroupSize} / uniforms.lanes;
  let anyUnit = workgroup % uniforms.tiles * abreast * ${copies} + ownUnit;
  let part = workgroup / uniforms.tiles;
  // Others have nothing to visit, and write nothing; but they must reach all barriers.
  let isUsed = anyUnit < uniforms.units && part < uniforms.parts;
  let unit = select(0, anyUnit, isUsed);
  let unit# = unit + # * abreast;
  let partStart = part * uniforms.chunk;
  let begin = partStart + lane;
  let end = select(0, min(partStart + uniforms.chunk, uniforms.length), isUsed);
  let isFirst = isUsed && lane == 0;`;

/** WGSL: visits values `k` of the unit. */
export const walk = (body: string): string => `
  for (var k = begin; k < end; k += uniforms.lanes) {
    ${body}
  }`;

/** WGSL: the same, where k is `quotient * period + remainder`, without a division for each. */
const walkInPeriods = (body: string): string => `
  {
    var quotient = begin / uniforms.period;
    var remainder = begin % uniforms.period;
    for (var k = begin; k < end; k += uniforms.lanes) {
      ${body}
      quotient += uniforms.quotientStep;
      remainder += uniforms.remainderStep;
      if (remainder >= uniforms.period) { remainder -= uniforms.period; quotient += 1; }
    }
  }`;

/** WGSL: in a walk through groups, the index `at#` of the value of each, and the `channel` of all; `GROUP` comes before. */
export const GROUP = `
  let firstChannel = unit % uniforms.groups * uniforms.period;
  let base# = unit# / uniforms.groups * uniforms.s * uniforms.c + firstChannel;`;
export const inGroup =
  ({ s }: View) =>
  (body: string): string =>
    s === 1
      ? walk(`let channel = firstChannel + k;
      let at# = base# + k;
      ${body}`)
      : walkInPeriods(`
      let at# = base# + quotient * uniforms.c + remainder;
      let channel = firstChannel + remainder;
      ${body}`);

/** WGSL: in a walk through channels, the index `at#` of the value of each, and the `sample` of all. */
export const inChannel =
  ({ s }: View) =>
  (body: string): string => {
    const each = `
      let at# = k * uniforms.c + unit#;
      ${body}`;
    return s === 1 ? walk(`let sample = k; ${each}`) : walkInPeriods(`let sample = quotient; ${each}`);
  };
export const groupIntegers = ({ s, c, groups }: View) => ({ s, c, groups });

/**
 * WGSL: what `combine` makes of the values of all lanes of a unit. All invocations must call it. Some lanes, the *heads*, about the root of
 * their number, combine the values of a few each, and then every lane those of the heads: so are two barriers enough, if what heads have found
 * has an array of its own. In the same array it waits at the next call until all have read it.
 */
const reduction = (name: string, type: string, combine: string, ofHeads = 'ofHeads') => `
fn ${name}(value : ${type}, invocation : i32) -> ${type} {
  let lane = invocation / uniforms.stride % uniforms.lanes;
  let first = invocation - lane * uniforms.stride;
  ${ofHeads === 'scratch' ? 'workgroupBarrier();' : ''}
  scratch[invocation] = value;
  workgroupBarrier();
  if (lane < uniforms.heads) {
    var a = value;
    for (var other = lane + uniforms.heads; other < uniforms.lanes; other += uniforms.heads) {
      let b = scratch[first + other * uniforms.stride];
      a = ${combine};
    }
    ${ofHeads}[invocation] = a;
  }
  workgroupBarrier();
  var a = ${ofHeads}[first];
  for (var head = 1; head < uniforms.heads; head++) {
    let b = ${ofHeads}[first + head * uniforms.stride];
    a = ${combine};
  }
  return a;
}`;

/** Bytes that the variables of a workgroup may take on every device. What needs more than a device has gives zeros, without an error. */
const LEAST_STORAGE = 16_384;

/** WGSL: `total`, the sum over the lanes of a unit; of several units at once they are the columns of a matrix. */
export const total = (copies = 1, components = 2): string => {
  const column = components === 1 ? 'f32' : `vec${components}<f32>`;
  const type = copies === 1 ? column : `mat${copies}x${components}<f32>`;
  const array = (name: string) => `var<workgroup> ${name} : array<${type}, ${workgroupSize}>;`;
  const bytes = 4 * copies * components * workgroupSize;
  if (2 * bytes > LEAST_STORAGE) return `${array('scratch')} ${reduction('total', type, 'a + b', 'scratch')}`;
  return `${array('scratch')} ${array('ofHeads')} ${reduction('total', type, 'a + b')}`;
};

/** WGSL: `name#`, the totals of `ofLane#`. */
export function totals(name: string, ofLane: string, { atOnce }: Lanes, components = 2): string {
  if (atOnce === 1) return `let ${name}# = total(${ofLane}#, invocation);`;
  const columns = Array.from({ length: atOnce }, (_, i) => `${ofLane}${i}`).join(', ');
  return `let ${name} = total(mat${atOnce}x${components}<f32>(${columns}), invocation);
  let ${name}# = ${name}[#];`;
}

/** WGSL: `largest`, the greater value of each component; `total` comes before. */
export const largest = (): string => reduction('largest', 'vec2<f32>', 'select(a, b, b > a)');

/**
 * WGSL: the index of a field of the result of a part. Results wait to be joined in rows of `width` units; those of all parts of a row
 * follow each other.
 */
export const partialIndex = (fields: number): string => `
fn partialIndex(unit : i32, part : i32, field : i32) -> i32 {
  let row = unit / uniforms.width;
  return ((row * uniforms.pieces + part) * ${fields} + field) * uniforms.width + unit - row * uniforms.width;
}`;
