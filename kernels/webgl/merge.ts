/** The later draws of the statistics: they merge parts of lines, and channels into groups. */
import type { NormalizeAttrs } from '../core/contract.ts';
import { type Gpu, sizeFor, sizeOfRows, type Texture } from './backend.ts';
import { reciprocal } from './divisor.ts';
import { CELL, PICK, pivots, saturate } from './glsl.ts';
import { type Layout, lineUniforms } from './layout.ts';
import { JOIN, type Partials, writeMain } from './partials.ts';

interface Merge {
  readonly center: boolean;
  readonly mains: number;
  /** Consecutive parts to merge into one. */
  readonly together: number;
  /** Channels to a group (1: leave channels apart), every `step`-th of which stands for those up to the next. */
  readonly width: number;
  readonly step: number;
  /** What y is made with, if it is to be had from here. */
  readonly affine?: Affine | undefined;
  /** Whether the first values of the lines follow last. */
  readonly firsts?: boolean;
}

/** Of y = (x - first) a + c: a = gamma / f, c = beta - (mean - first) a. */
export interface Affine {
  readonly attrs: NormalizeAttrs;
  readonly gamma: Texture | undefined;
  readonly beta: Texture | undefined;
}

const writeAffine = ({ gamma, beta }: Affine) => `
  vec2 a = reciprocal(deviation)${gamma ? ' * gammaAt(0, column).xy' : ''};
  vec4 both = vec4(a, ${beta ? 'betaAt(0, column).xy' : ''} - mean * a);
  setOutput(${saturate('both')});`;

/**
 * Merges parts of a line, and the channels of a group; a lane of a row counts as a channel of a line one texel across. In the
 * source, `firsts` are the first values of two channels, `ofPart` is the mean and deviation of a part of a channel, and
 * `values` is how many values per lane a part has.
 */
export function merge(
  gpu: Gpu,
  x: Texture,
  layout: Layout,
  from: Partials,
  { center, mains, together, width, step, affine, firsts = false }: Merge,
): Partials {
  const { alongRows } = layout;
  const partsLeft = Math.ceil(from.parts / together);
  const count = layout.count * layout.across * partsLeft;
  const texels = mains + (1 + Number(affine !== undefined) + Number(firsts)) * count;
  const pivot = (lane: 'x' | 'y') => {
    const both = alongRows ? `pivots(line.${lane}, 0)` : `pivots(line.${lane}, channel.${lane} / 2)`;
    return `pick(${both}, channel.${lane})`;
  };
  const texture = gpu.draw({
    name: 'merge of statistics',
    source: `${JOIN} ${pivots(layout)} ${affine ? reciprocal(affine.attrs) : ''}
${PICK}
vec2 firsts(ivec2 line, ivec2 channel) { return ${center ? `vec2(${pivot('x')}, ${pivot('y')})` : 'vec2(0.)'}; }
vec2 ofPart(int line, int part, int channel) {
  vec4 both = partialsTexel((line * parts + part) * across + channel / 2);
  return (channel & 1) == 0 ? both.xz : both.yw;
}
float values(int part) {
  int start = part * chunk, end = min(start + chunk, length);
  return float(2 * (end - start) - odd * (end / segment - start / segment));
}
void main() {
  ${CELL}
  bool isMain = cell < mains;
  ivec2 line, channel;
  int from = 0, region = 0, column = 0;
  if (isMain) {
    ivec2 unit = min(2 * cell + ivec2(0, 1), units - 1);
    ${
      alongRows
        ? 'ivec2 batch = unit / rows, row = unit - batch * rows; line = batch * texelRows + row / 2; channel = row & 1;'
        : 'line = unit / groups; channel = (unit - line * groups) * width;'
    }
  } else {
    region = (cell - mains) / count;
    int i = min(cell - mains - region * count, count - 1), lineParts = i / across;
    column = i - lineParts * across;
    channel = min(2 * column + ivec2(0, 1), channels - 1);
    line = ivec2(lineParts / partsLeft);
    from = (lineParts - line.x * partsLeft) * together;
  }
  vec2 pivot = firsts(line, channel), mean = vec2(0.), m2 = vec2(0.);
  ivec2 first = channel / width * width;
  float n = 0.;
  int to = min(from + together, parts);
  for (int i = 0; i < width; i += step) {
    channel = first + i;
    vec2 shift = firsts(line, channel) - pivot;
    for (int part = from; part < to; part++) {
      vec2 a = ofPart(line.x, part, channel.x), b = ofPart(line.y, part, channel.y);
      float itsValues = values(part);
      join(n, mean, m2, itsValues, vec2(a.x, b.x) + shift, itsValues * vec2(a.y * a.y, b.y * b.y));
    }
  }
  vec2 deviation = sqrt(m2 / n);
  if (isMain) { ${writeMain()} }
  else if (region == 0) setOutput(vec4(mean, deviation));
  ${firsts ? `else if (region == ${affine ? 2 : 1}) setOutput(vec4(pivot, 0., 0.));` : ''}
  ${affine ? `else { ${writeAffine(affine)} }` : ''}
}`,
    textures: { x, partials: from.texture, gamma: affine?.gamma, beta: affine?.beta },
    integers: {
      ...lineUniforms(layout),
      ...{ columns: layout.columns, rows: layout.rows, texelRows: layout.texelRows, groups: layout.view.groups },
      ...{ parts: from.parts, chunk: from.chunk, partsLeft, together, width, step, mains, units: layout.units },
      ...{ channels: alongRows ? 2 : layout.view.c, count },
    },
    ...(affine ? { floats: { epsilon: affine.attrs.epsilon } } : {}),
    size: alongRows ? sizeFor(texels) : sizeOfRows(texels / layout.across, layout.across),
  });
  return { texture, parts: partsLeft, chunk: from.chunk * together };
}
