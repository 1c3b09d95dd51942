/**
 * The sums that gradients need: of dy, and of dy times a centred or normalized x, along lines or down the channels. They
 * are kept as means, and become sums in the last draw, because sums overflow 16-bit floats.
 */
import { type Gpu, sizeFor, type Texture } from './backend.ts';
import { CELL, item, LINE, saturate, walk } from './glsl.ts';
import { type Layout, type Lines, lineUniforms } from './layout.ts';
import { atOnce, cut, divisor, LONGEST } from './statistics.ts';

/** Texels that every WebGL 2 allows in a row. */
const ROW_LIMIT = 2048;
/** Channels that one draw takes together. */
const WIDEST = 256;

/** Texels (mean d, mean d h) of each lane: `parts` of them to a line, which add up to it. */
export interface Sums {
  readonly texture: Texture;
  readonly lines: Lines;
  readonly parts: number;
}

export interface Terms {
  /** GLSL functions, and statements that run before the loop. */
  readonly functions: string;
  readonly before: string;
  /** Expressions for a texel of the line: items d and h. */
  readonly d: (k: string) => string;
  readonly h: (k: string) => string;
  /** vec2 by which the sums of d h are multiplied. */
  readonly factor: string;
  readonly textures: Readonly<Record<string, Texture | undefined>>;
  readonly integers: Readonly<Record<string, number>>;
  readonly floats?: Readonly<Record<string, number>>;
}

/** Sums over each part of each line; `count` is how many values a group has. */
export function sumsOfParts(gpu: Gpu, lines: Lines, columns: number, count: number, terms: Terms): Sums {
  const { parts, chunk } = cut(lines);
  const texel = (k: string, mask = '') =>
    `{ vec4 d = ${terms.d(k)}; vec4 h = ${terms.h(k)}; ${mask} sumD += d; sumDH += d * h; }`;
  const four = [0, 1, 2, 3].map((i) => texel(`k + ${i}`)).join(' ');
  const texture = gpu.draw({
    name: 'sums of parts',
    source: `${terms.functions}
void main() {
  ${CELL}
  cell = min(cell, last);
  ${LINE}
  vec4 sumD = vec4(0.), sumDH = vec4(0.);
  int end = min((part + 1) * chunk, length);
  ${terms.before}
  ${walk(texel('k'), texel('k', 'd.yw = vec2(0.); h.yw = vec2(0.);'), { size: 4, body: four })}
  setOutput(vec4(sumD.xz + sumD.yw, (sumDH.xz + sumDH.yw) * ${terms.factor}) * share);
}`,
    textures: terms.textures,
    integers: {
      ...lineUniforms(lines),
      ...{ columns, parts, chunk, last: lines.count * lines.across * parts - 1 },
      ...terms.integers,
    },
    floats: { share: 1 / count, ...terms.floats },
    size: sizeFor(lines.count * lines.across * parts),
  });
  return { texture, lines, parts };
}

/** Adds up the parts of each line until there are at most `limit`. */
export function reduced(gpu: Gpu, sums: Sums, limit: number): Sums {
  const { lines, parts } = sums;
  if (parts <= limit) return sums;
  const together = atOnce(parts);
  const partsLeft = Math.ceil(parts / together);
  const texture = gpu.draw({
    name: 'sum of parts',
    source: `
void main() {
  ${CELL}
  cell = min(cell, last);
  int lineParts = cell / across;
  int column = cell - lineParts * across;
  int line = lineParts / partsLeft;
  int from = (lineParts - line * partsLeft) * together;
  int to = min(from + together, parts);
  vec4 sum = vec4(0.);
  for (int part = from; part < to; part++) sum += partialsTexel((line * parts + part) * across + column);
  setOutput(sum);
}`,
    textures: { partials: sums.texture },
    integers: { across: lines.across, parts, partsLeft, together, last: lines.count * lines.across * partsLeft - 1 },
    size: sizeFor(lines.count * lines.across * partsLeft),
  });
  return reduced(gpu, { texture, lines, parts: partsLeft }, limit);
}

/** Texels (mean D, mean D xHat) of each lane's group, D = gamma dy, from sums down channels over one sample each. */
export function groupMeans(gpu: Gpu, sums: Sums, layout: Layout, gamma: Texture | undefined): Texture {
  const { view, columns } = layout;
  const groupWidth = view.c / view.groups;
  const draw = (from: Sums, weights: Texture | undefined, width: number, step: number): Sums => {
    const weight = weights ? 'vec2(pick(gammaAt(0, c.x / 2).xy, c.x), pick(gammaAt(0, c.y / 2).xy, c.y))' : 'vec2(1.)';
    const texture = gpu.draw({
      name: 'means over groups',
      source: `
float pick(vec2 lanes, int channel) { return (channel & 1) == 0 ? lanes.x : lanes.y; }
vec2 ofPart(int index, int channel) {
  vec4 both = partialsTexel(index * columns + channel / 2);
  return vec2(pick(both.xy, channel), pick(both.zw, channel));
}
void main() {
  ${CELL}
  cell = min(cell, last);
  int line = cell / columns;
  ivec2 first = min(2 * (cell - line * columns) + ivec2(0, 1), channels - 1) / width * width;
  vec4 sum = vec4(0.);
  for (int i = 0; i < width; i += step) {
    ivec2 c = first + i;
    vec2 weight = ${weight};
    for (int part = line * parts; part < (line + 1) * parts; part++) {
      vec2 a = ofPart(part, c.x), b = ofPart(part, c.y);
      sum += weight.xyxy * vec4(a.x, b.x, a.y, b.y);
    }
  }
  setOutput(sum * float(step) / float(width));
}`,
      textures: { partials: from.texture, gamma: weights },
      integers: { columns, channels: view.c, parts: from.parts, width, step, last: from.lines.count * columns - 1 },
      size: sizeFor(from.lines.count * columns),
    });
    return { ...from, texture, parts: 1 };
  };
  const width = divisor(groupWidth, WIDEST);
  const inner = draw(reduced(gpu, sums, Math.max(1, Math.floor(WIDEST / width))), gamma, width, 1);
  return width === groupWidth ? inner.texture : draw(inner, undefined, groupWidth, width).texture;
}

/**
 * One of the two sums, of `count` values that were averaged, as a tensor of `rows` x c: `rows` is the number of lines, or 1 to sum
 * over all of them.
 */
export function totals(gpu: Gpu, sums: Sums, which: 'd' | 'dh', rows: number, c: number, count: number): Texture {
  const { lines, texture } = sums;
  const columns = lines.across;
  const texels = Math.ceil(rows / 2) * columns;
  return gpu.draw({
    name: 'totals',
    source: `
vec2 total(int row, int column) {
  vec2 sum = vec2(0.);
  for (int part = row * parts; part < (row + 1) * parts; part++) {
    vec4 both = partialsTexel(part * columns + column);
    sum += second == 0 ? both.xy : both.zw;
  }
  return sum * count;
}
void main() {
  ${CELL}
  cell = min(cell, last);
  int pair = cell / columns, column = cell - pair * columns;
  vec4 value = vec4(total(2 * pair, column), 2 * pair + 1 < rows ? total(2 * pair + 1, column) : vec2(0.));
  if (column == lastColumn) value.yw = vec2(0.);
  setOutput(${saturate('value')});
}`,
    textures: { partials: texture },
    integers: {
      ...{ columns, rows, parts: (lines.count * sums.parts) / rows, second: which === 'd' ? 0 : 1, last: texels - 1 },
      lastColumn: c % 2 === 0 ? -1 : columns - 1,
    },
    floats: { count },
    // In one row, as TensorFlow.js lays out vectors, where that surely fits: it is the fastest to read.
    size: rows === 1 && columns <= ROW_LIMIT ? { height: 1, width: columns } : sizeFor(texels),
  });
}

/** Parts that are summed over lines as well: as few as one draw then adds up. */
export const overLines = (gpu: Gpu, sums: Sums): Sums => {
  const all = { ...sums, parts: sums.parts * sums.lines.count, lines: { ...sums.lines, count: 1 } };
  return reduced(gpu, all, LONGEST);
};
