/** The sums that gradients need: of dy, and of dy times a centred or normalized x. Products of a matrix are such sums, too. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Gpu } from './backend.ts';
import { type Lanes, lanesOf, partialIndex, place, total, totals, walk } from './lanes.ts';

/** What is summed over each unit. */
export interface Terms {
  readonly lanes: Lanes;
  /** Whether they are of `Values` that are four: units are fours of channels, each with sums of its own, or their values are averaged. */
  readonly inFours?: boolean;
  /** WGSL functions that h calls, and statements that run before the loop. */
  readonly functions?: string;
  readonly before?: string;
  /** WGSL of a walk through the unit with this body. */
  readonly walk: (body: string) => string;
  /** Expressions of which d and d h are summed, of each unit; statements that h needs, which run before the loop and in it. */
  readonly d: string;
  readonly h: string;
  readonly beforeWalkOfH?: string;
  readonly beforeH?: string;
  readonly inputs: Readonly<Record<string, TensorInfo | undefined>>;
  /** Those that h alone reads. */
  readonly inputsOfH: Readonly<Record<string, TensorInfo | undefined>>;
  readonly integers: Readonly<Record<string, number>>;
  readonly floats?: Readonly<Record<string, number>>;
}

/** Sums of parts of units, `pieces` of each, waiting to be joined in rows of `width` units. */
export interface PartialSums {
  readonly info: TensorInfo;
  readonly width: number;
  readonly pieces: number;
}

/** Inputs that are read in fours where terms are. */
export const VALUES = ['x', 'dy', 'dsum', 'gamma', 'beta'];

export const PARTIAL_SUMS = partialIndex(2);

/** WGSL: `sums#` over what the lanes of the units visit. */
export const sumOfTerms = ({ lanes, before = '', beforeWalkOfH = '', walk, beforeH = '', d, h }: Terms): string => `
  ${before}
  ${beforeWalkOfH}
  var ofLane# = vec2<f32>(0.0);
  ${walk(`${beforeH}
      let d# = ${d};
      ofLane# += vec2<f32>(average(d# * (${h})), average(d#));`)}
  ${totals('sums', 'ofLane', lanes)}`;

/** WGSL: the same from those of parts, which may have weights. */
export const sumOfParts = (weight?: string): string => `
  var ofLane = vec2<f32>(0.0);
  let firstPiece = partialIndex(unit, 0, 0);
  for (var piece = lane; piece < uniforms.pieces; piece += uniforms.lanes) {
    let at = firstPiece + 2 * piece * uniforms.width;
    let ofPiece = vec2<f32>(partialsAt(at), partialsAt(at + uniforms.width));
    ofLane += ofPiece${weight ? ` * ${weight}` : ''};
  }
  let sums0 = total(ofLane, invocation);`;

/** The sums over each part of each unit. */
export function partialSums(gpu: Gpu, terms: Terms, width: number): PartialSums {
  const { lanes, inFours, functions = '', inputs, inputsOfH, integers, floats = {} } = terms;
  const info = gpu.run({
    name: 'sums of parts',
    source: `${total()} ${PARTIAL_SUMS} ${functions}
fn main(index : i32) {
  ${place()} ${sumOfTerms(terms)}
  if (isFirst) {
    result[partialIndex(unit, part, 0)] = sums0.x;
    result[partialIndex(unit, part, 1)] = sums0.y;
  }
}`,
    fours: inFours ? VALUES : undefined,
    inputs: { ...inputs, ...inputsOfH },
    integers: { ...lanes.integers, ...integers, width, pieces: lanes.parts },
    floats,
    workgroups: lanes.workgroups,
    shape: [2 * lanes.parts * (lanes.integers.units as number)],
  });
  return { info, width, pieces: lanes.parts };
}

/**
 * The sums of d h of `units` units, from those of parts; and those of d, which are written to `ofD` where that is given. What were rows of
 * units may count as parts of one row.
 */
export function joined(gpu: Gpu, partials: PartialSums, units: number, shape: number[], ofD?: TensorInfo): TensorInfo {
  const { info, width, pieces } = partials;
  const inFours = width % 4 === 0;
  const components = inFours ? 4 : 1;
  const lanes = lanesOf({ units: units / components, length: pieces, areAdjacent: true, inFours, isWhole: true });
  return gpu.run({
    name: 'sum of parts',
    source: `${total(1, components)} ${PARTIAL_SUMS}
fn main(index : i32) {
  ${place()}
  var dh0 = Values();
  var d0 = Values();
  let firstPiece = partialIndex(unit, 0, 0);
  ${walk(`let at = firstPiece + 2 * k * uniforms.width;
    dh0 += partialsAt(at);
    ${ofD ? 'd0 += partialsAt(at + uniforms.width);' : ''}`)}
  ${totals('sumOfDH', 'dh', lanes)}
  ${ofD ? totals('sumOfD', 'd', lanes) : ''}
  if (isFirst) {
    result[unit] = sumOfDH0;
    ${ofD ? 'ofD[unit] = sumOfD0;' : ''}
  }
}`,
    fours: inFours ? ['partials', 'result', 'ofD'] : undefined,
    inputs: { partials: info },
    integers: { ...lanes.integers, width: width / components, pieces },
    workgroups: lanes.workgroups,
    shape,
    also: { ofD },
  });
}

/** The sums of d h of each unit; and those of d, which are written to `ofD` where that is given. */
export function sumsOf(gpu: Gpu, terms: Terms, shape: number[], ofD?: TensorInfo): TensorInfo {
  const { lanes, inFours, functions = '', before = '', beforeWalkOfH = '', walk, beforeH = '', d, h } = terms;
  const { inputs, inputsOfH, integers, floats = {} } = terms;
  if (lanes.parts > 1) {
    const units = lanes.integers.units as number;
    return joined(gpu, partialSums(gpu, terms, units), units, shape, ofD);
  }
  const components = inFours ? 4 : 1;
  return gpu.run({
    name: 'sums',
    copies: lanes.atOnce,
    source: `${total(lanes.atOnce, components)} ${functions}
fn main(index : i32) {
  ${place(lanes.atOnce)} ${before}
  ${beforeWalkOfH}
  var dh# = Values();
  ${ofD ? 'var d# = Values();' : ''}
  ${walk(`${beforeH}
      let dOfValue# = ${d};
      dh# += dOfValue# * (${h});
      ${ofD ? 'd# += dOfValue#;' : ''}`)}
  ${totals('sumOfDH', 'dh', lanes, components)}
  ${ofD ? totals('sumOfD', 'd', lanes, components) : ''}
  if (isFirst) {
    result[unit#] = sumOfDH#;
    ${ofD ? 'ofD[unit#] = sumOfD#;' : ''}
  }
}`,
    fours: inFours ? [...VALUES, 'result', 'ofD'] : undefined,
    inputs: { ...inputs, ...inputsOfH },
    integers: { ...lanes.integers, ...integers },
    floats,
    workgroups: lanes.workgroups,
    shape,
    also: { ofD },
  });
}
