/**
 * The first draw of the statistics: those of each part of each line, by one pass that is as accurate as two. Values are taken
 * relative to the first one of their lane; blocks of eight texels are centred before they are squared, and merged by Chan's formula.
 */
import type { Gpu } from './backend.ts';
import { CELL, item, LINE, pivots, saturate, walk } from './glsl.ts';
import { type Layout, lineUniforms } from './layout.ts';
import { cut } from './parts.ts';
import { sizeFor, type Texture } from './texture.ts';

/** Statistics of parts: the mean, relative to the first value of the line, and the deviation of each lane of each part. */
export interface Partials {
  readonly texture: Texture;
  readonly parts: number;
  /** Texels of the line in each part but the last. */
  readonly chunk: number;
}

/** GLSL: the square of the offset may be infinite, and is never taken: times 0 values it would be NaN. */
export const JOIN = `
void join(inout float n, inout vec2 mean, inout vec2 m2, float count, vec2 itsMean, vec2 itsM2) {
  float total = n + count;
  vec2 offset = itsMean - mean;
  float share = count / total;
  mean += offset * share;
  m2 += itsM2 + offset * (offset * (n * share));
  n = total;
}`;

/** GLSL: writes two groups of the tensor of moments. */
export const writeMoments = () => `
  vec4 pair = vec4(pivot + mean, m2 / n);
  if (2 * cell + 1 >= units) pair.yw = vec2(0.);
  setOutput(${saturate('pair')});`;

/** GLSL: merges `size` texels from `k` on into the statistics so far; `item` gives the texel of an index. */
function block(item: Item, center: boolean, size: number): string {
  const values = Array.from({ length: size }, (_, i) => `v${i}`);
  const each = (text: (v: string, i: number) => string, separator = ' ') => values.map(text).join(separator);
  const fetch = each((v, i) => `vec4 ${v} = ${item(`k + ${i}`)}${center ? ' - pivot.xxyy' : ''};`);
  const mean = `vec4 sum = ${each((v) => v, ' + ')}; vec2 m = (sum.xz + sum.yw) * ${1 / (2 * size)}; ${each((v) => `${v} -= m.xxyy;`)}`;
  const squares = `vec4 squares = ${each((v) => `${v} * ${v}`, ' + ')};`;
  const join = `join(n, mean, m2, ${2 * size}., m, squares.xz + squares.yw);`;
  return `${fetch} ${center ? mean : 'vec2 m = vec2(0.);'} ${squares} ${join}`;
}

type Item = (k: string) => string;

const visit = (item: Item, center: boolean) => {
  const half = `vec2 v = ${item('k')}.xz${center ? ' - pivot' : ''};
      join(n, mean, m2, 1., ${center ? 'v, vec2(0.)' : 'vec2(0.), v * v'});`;
  return walk(block(item, center, 1), half, { size: 8, body: block(item, center, 8) });
};

/**
 * GLSL: a texel of moments may be of two rows that are not in one texel row of x (`isApart`), if batches have an odd number of rows.
 * Their loop fetches twice as many texels as the usual one; each fragment runs one of both loops.
 */
const ROW_PAIR = `
  ivec2 unit = min(2 * cell + ivec2(0, 1), units - 1), batch = unit / rows, row = unit - batch * rows;
  ivec2 lines = batch * texelRows + row / 2, halves = row & 1;
  bool isApart = isMoments && lines.x != lines.y;`;
const PICK_ROWS = `
vec2 pickRow(vec4 texel, int half_) { return half_ == 0 ? texel.xy : texel.zw; }
vec4 rowsAt(ivec2 lines, ivec2 halves, int k) {
  return vec4(pickRow(xAt(lines.x, k), halves.x), pickRow(xAt(lines.y, k), halves.y));
}`;

/** Statistics of each part of each line; before them `momentTexels` texels of moments, which only rows that are not cut may ask for. */
export function partials(gpu: Gpu, x: Texture, layout: Layout, center: boolean, momentTexels: number): Partials {
  const { parts, chunk } = cut(layout);
  const { alongRows, columns, rows, texelRows, units } = layout;
  const count = layout.count * layout.across * parts;
  const pivot = (lanes: string) => (center ? `pivot = ${lanes};` : '');
  const texture = gpu.draw({
    name: 'statistics of parts',
    source: `${JOIN} ${pivots(layout)} ${alongRows ? PICK_ROWS : ''}
void main() {
  ${CELL}
  bool isMoments = cell < momentTexels;
  ${alongRows ? ROW_PAIR : ''}
  cell = isMoments ? cell : min(cell - momentTexels, last);
  ${LINE}
  ${alongRows ? 'if (isMoments) line = lines.x;' : ''}
  vec2 pivot = vec2(0.), mean = vec2(0.), m2 = vec2(0.);
  float n = 0.;
  ${alongRows ? `if (!isApart) { ${pivot('pivots(line, column)')} }` : pivot('pivots(line, column)')}
  int end = ${alongRows ? 'isApart ? 0 : ' : ''}min((part + 1) * chunk, length);
  ${visit((k) => item(layout, 'x', k), center)}
  ${
    alongRows
      ? `if (isApart) { ${pivot('rowsAt(lines, halves, 0).xz')} }
  end = isApart ? length : 0;
  part = 0;
  ${visit((k) => `rowsAt(lines, halves, ${k})`, center)}`
      : ''
  }
  if (isMoments) { ${writeMoments()} } else setOutput(vec4(mean, sqrt(m2 / n)));
}`,
    textures: { x },
    integers: {
      ...lineUniforms(layout),
      ...{ columns, rows, texelRows, units, parts, chunk, momentTexels, last: count - 1 },
    },
    size: sizeFor(momentTexels + count),
  });
  return { texture, parts, chunk };
}
