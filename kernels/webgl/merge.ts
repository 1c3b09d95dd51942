/** The later draws of the statistics, which merge parts of lines, and channels of groups. */
import type { NormalizeAttrs } from '../core/contract.ts';
import type { Gpu } from './backend.ts';
import { reciprocal } from './divisor.ts';
import { CELL, PICK, parameter, pivots, saturate } from './glsl.ts';
import { conditionsOfSample, type Layout, lineUniforms } from './layout.ts';
import { JOIN, type Partials, writeMoments } from './partials.ts';
import { sizeFor, sizeOfRows, type Texture } from './texture.ts';

interface Merge {
  readonly center: boolean;
  readonly momentTexels: number;
  /** Consecutive parts to merge into one. */
  readonly together: number;
  /** How many neighbouring channels to merge; 1: none. */
  readonly width: number;
  /**
   * How many neighbouring channels an earlier draw has merged. Their statistics are at the place of the first of them, so that only
   * every `step`-th channel is read.
   */
  readonly step: number;
  /** If given, the factor and summand of y are written, too. */
  readonly affine?: Affine | undefined;
  /** Whether to write the first values of the lines, as the last region. */
  readonly hasFirstValues?: boolean;
}

/**
 * What the factor a and summand c of y = (x - first) a + c are made of: a = gamma / f, c = beta - (mean - first) a. There is a region
 * for each condition of a sample.
 */
export interface Affine {
  readonly attrs: NormalizeAttrs;
  readonly gamma: Texture | undefined;
  readonly beta: Texture | undefined;
}

function writeAffine(layout: Layout, { gamma, beta }: Affine): string {
  const ofLine = (name: string) => parameter(layout, name, 'line.x * length / conditionLength + region - 1');
  return `
  vec2 a = reciprocal(deviation)${gamma ? ` * ${ofLine('gamma')}` : ''};
  vec4 both = vec4(a, ${beta ? ofLine('beta') : ''} - mean * a);
  setOutput(${saturate('both')});`;
}

/** GLSL: `values(part)`, how many values per lane a part has. */
const VALUES = `
float values(int part) {
  int start = part * chunk, end = min(start + chunk, length);
  return float(2 * (end - start) - odd * (end / segment - start / segment));
}`;

/** GLSL: `ofPart`, the mean and the deviation of one channel in one part of a line. */
const OF_PART = `
vec2 ofPart(int line, int part, int channel) {
  vec4 both = partialsTexel((line * parts + part) * across + channel / 2);
  return (channel & 1) == 0 ? both.xz : both.yw;
}`;

/** GLSL: `firstValues` of two channels, to which their means are relative. */
function firstValues({ alongRows }: Layout, center: boolean): string {
  const of = (lane: 'x' | 'y') => {
    const both = alongRows ? `pivots(line.${lane}, 0)` : `pivots(line.${lane}, channel.${lane} / 2)`;
    return `pick(${both}, channel.${lane})`;
  };
  return `vec2 firstValues(ivec2 line, ivec2 channel) { return ${center ? `vec2(${of('x')}, ${of('y')})` : 'vec2(0.)'}; }`;
}

/** GLSL: the region of the fragment, and the two channels, the lines and the first part that it merges. */
const place = ({ alongRows }: Layout): string => `
  bool isMoments = cell < momentTexels;
  ivec2 line, channel;
  int from = 0, region = 0, column = 0;
  if (isMoments) {
    ivec2 unit = min(2 * cell + ivec2(0, 1), units - 1);
    ${
      alongRows
        ? 'ivec2 batch = unit / rows, row = unit - batch * rows; line = batch * texelRows + row / 2; channel = row & 1;'
        : 'line = unit / groups; channel = (unit - line * groups) * width;'
    }
  } else {
    region = (cell - momentTexels) / count;
    int i = min(cell - momentTexels - region * count, count - 1), lineParts = i / across;
    column = i - lineParts * across;
    channel = min(2 * column + ivec2(0, 1), channels - 1);
    line = ivec2(lineParts / partsLeft);
    from = (lineParts - line.x * partsLeft) * together;
  }`;

/** GLSL: merges these parts and channels, with means relative to the pivot, the first value of the first channel. */
const MERGED_STATISTICS = `
  vec2 pivot = firstValues(line, channel), mean = vec2(0.), m2 = vec2(0.);
  ivec2 first = channel / width * width;
  float n = 0.;
  int to = min(from + together, parts);
  for (int i = 0; i < width; i += step) {
    channel = first + i;
    vec2 shift = firstValues(line, channel) - pivot;
    for (int part = from; part < to; part++) {
      vec2 a = ofPart(line.x, part, channel.x), b = ofPart(line.y, part, channel.y);
      float itsValues = values(part);
      join(n, mean, m2, itsValues, vec2(a.x, b.x) + shift, itsValues * vec2(a.y * a.y, b.y * b.y));
    }
  }
  vec2 deviation = sqrt(m2 / n);`;

/** Merges parts of a line, and channels of a group. For lines along rows the two lanes count as two channels. */
export function merge(
  gpu: Gpu,
  x: Texture,
  layout: Layout,
  from: Partials,
  { center, momentTexels, together, width, step, affine, hasFirstValues = false }: Merge,
): Partials {
  const { alongRows, columns, rows, texelRows, units, view } = layout;
  const partsLeft = Math.ceil(from.parts / together);
  const count = layout.count * layout.across * partsLeft;
  const affineRegions = affine ? conditionsOfSample(layout) : 0;
  const texels = momentTexels + (1 + affineRegions + Number(hasFirstValues)) * count;
  const texture = gpu.draw({
    name: 'merge of statistics',
    source: `${JOIN} ${pivots(layout)} ${affine ? reciprocal(affine.attrs) : ''}
${PICK} ${firstValues(layout, center)} ${OF_PART} ${VALUES}
void main() {
  ${CELL}
  ${place(layout)}
  ${MERGED_STATISTICS}
  if (isMoments) { ${writeMoments()} }
  else if (region == 0) setOutput(vec4(mean, deviation));
  ${hasFirstValues ? `else if (region == 1 + affineRegions) setOutput(vec4(pivot, 0., 0.));` : ''}
  ${affine ? `else { ${writeAffine(layout, affine)} }` : ''}
}`,
    textures: { x, partials: from.texture, gamma: affine?.gamma, beta: affine?.beta },
    integers: {
      ...lineUniforms(layout),
      ...{ columns, rows, texelRows, units, groups: view.groups, channels: alongRows ? 2 : view.c, count },
      ...{ parts: from.parts, chunk: from.chunk, partsLeft, together, width, step, momentTexels, affineRegions },
    },
    ...(affine ? { floats: { epsilon: affine.attrs.epsilon } } : {}),
    size: alongRows ? sizeFor(texels) : sizeOfRows(texels / layout.across, layout.across),
  });
  return { texture, parts: partsLeft, chunk: from.chunk * together };
}
