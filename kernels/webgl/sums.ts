/**
 * The sums that gradients need: of dy, and of dy times a centred or normalized x, along lines or down the channels. They
 * are kept as means, and become sums in the last draw, because sums overflow 16-bit floats.
 */
import { type Gpu, sizeFor, sizeOfRows, type Texture } from './backend.ts';
import { CELL, LINE, saturate, walk } from './glsl.ts';
import { type Layout, type Lines, lineUniforms } from './layout.ts';
import { atOnce, cut, divisorOf, LONGEST, MERGED } from './parts.ts';

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
  readonly last?: Last;
  readonly textures: Readonly<Record<string, Texture | undefined>>;
  readonly integers: Readonly<Record<string, number>>;
  readonly floats?: Readonly<Record<string, number>>;
}

/**
 * What a last draw makes of the complete sums: for each lane pair several texels, one in each of `regions` one after the
 * other. `functions` declare `vec4 finish(int region, int line, int column, vec4 means)`.
 */
export interface Last {
  readonly regions: number;
  readonly functions: string;
  readonly textures: Readonly<Record<string, Texture | undefined>>;
  readonly integers: Readonly<Record<string, number>>;
  readonly floats: Readonly<Record<string, number>>;
}

/** Sums over each part of each line; `count` is how many values a group has. */
export function sumsOfParts(gpu: Gpu, lines: Lines, columns: number, count: number, terms: Terms): Sums {
  const { parts, chunk } = cut(lines);
  const texel = (k: string, mask = '') =>
    `{ vec4 d = ${terms.d(k)}; vec4 h = ${terms.h(k)}; ${mask} sumD += d; sumDH += d * h; }`;
  const four = [0, 1, 2, 3].map((i) => texel(`k + ${i}`)).join(' ');
  const { last } = terms;
  const cells = lines.count * lines.across * parts;
  const texture = gpu.draw({
    name: 'sums of parts',
    source: `${terms.functions} ${last?.functions ?? ''}
void main() {
  ${CELL}
  int region = cell / cells;
  cell = min(cell - region * cells, cells - 1);
  ${LINE}
  vec4 sumD = vec4(0.), sumDH = vec4(0.);
  int end = region > 0 ? 0 : min((part + 1) * chunk, length);
  ${terms.before}
  ${walk(texel('k'), texel('k', 'd.yw = vec2(0.); h.yw = vec2(0.);'), { size: 4, body: four })}
  vec4 means = vec4(sumD.xz + sumD.yw, (sumDH.xz + sumDH.yw) * ${terms.factor}) * share;
  setOutput(${last ? saturate('finish(region, line, column, means)') : 'means'});
}`,
    textures: { ...terms.textures, ...last?.textures },
    integers: { ...lineUniforms(lines), columns, parts, chunk, cells, ...terms.integers, ...last?.integers },
    floats: { share: 1 / count, ...terms.floats, ...last?.floats },
    size: sizeFor(cells * (last?.regions ?? 1)),
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

/** The last draw of sums along rows that were cut into parts, and are one again. */
export function finished(gpu: Gpu, { texture, lines }: Sums, columns: number, last: Last): Texture {
  return gpu.draw({
    name: 'sums of rows',
    source: `${last.functions}
void main() {
  ${CELL}
  int region = cell / cells, line = min(cell - region * cells, cells - 1);
  setOutput(${saturate('finish(region, line, 0, partialsTexel(line))')});
}`,
    textures: { partials: texture, ...last.textures },
    integers: { ...lineUniforms(lines), columns, cells: lines.count, ...last.integers },
    floats: last.floats,
    size: sizeFor(lines.count * last.regions),
  });
}

/** From sums down the channels of samples: the means of gamma d and gamma d h over each lane's group, finished by `last`. */
export function groupMeans(gpu: Gpu, sums: Sums, layout: Layout, gamma: Texture | undefined, last: Last): Texture {
  const { view, columns } = layout;
  const draw = (from: Sums, weights: Texture | undefined, width: number, step: number, last?: Last): Sums => {
    const weight = weights ? 'vec2(pick(gammaAt(0, c.x / 2).xy, c.x), pick(gammaAt(0, c.y / 2).xy, c.y))' : 'vec2(1.)';
    const cells = from.lines.count * columns;
    const texture = gpu.draw({
      name: 'means over groups',
      source: `${last?.functions ?? ''}
float pick(vec2 lanes, int channel) { return (channel & 1) == 0 ? lanes.x : lanes.y; }
vec2 ofPart(int index, int channel) {
  vec4 both = partialsTexel(index * columns + channel / 2);
  return vec2(pick(both.xy, channel), pick(both.zw, channel));
}
void main() {
  ${CELL}
  int region = cell / cells;
  cell = min(cell - region * cells, cells - 1);
  int line = cell / columns, column = cell - line * columns;
  ivec2 first = min(2 * column + ivec2(0, 1), channels - 1) / width * width;
  vec4 sum = vec4(0.);
  for (int i = 0; i < width; i += step) {
    ivec2 c = first + i;
    vec2 weight = ${weight};
    for (int part = line * parts; part < (line + 1) * parts; part++) {
      vec2 a = ofPart(part, c.x), b = ofPart(part, c.y);
      sum += weight.xyxy * vec4(a.x, b.x, a.y, b.y);
    }
  }
  vec4 means = sum * (float(step) / float(width));
  setOutput(${last ? saturate('finish(region, line, column, means)') : 'means'});
}`,
      textures: { partials: from.texture, ...last?.textures, gamma: weights ?? last?.textures.gamma },
      integers: {
        ...lineUniforms(layout),
        ...{ columns, channels: view.c, parts: from.parts, width, step, cells, ...last?.integers },
      },
      floats: { ...last?.floats },
      size: sizeOfRows(from.lines.count * (last?.regions ?? 1), columns),
    });
    return { ...from, texture, parts: 1 };
  };
  const groupWidth = view.c / view.groups;
  const width = divisorOf(groupWidth);
  const inner = reduced(gpu, sums, Math.max(1, Math.floor(MERGED / width)));
  if (width === groupWidth) return draw(inner, gamma, width, 1, last).texture;
  return draw(draw(inner, gamma, width, 1), undefined, groupWidth, width, last).texture;
}

interface Total {
  readonly which: 'd' | 'dh';
  /** The number of lines, or 1 to sum over all of them. */
  readonly rows: number;
  readonly c: number;
  /** Of the values that were averaged. */
  readonly count: number;
  /** With `rows` 1: what follows after the tensor in the texture. */
  readonly last?: Last | undefined;
}

/** One of the two sums as a tensor of `rows` x c. */
export function totals(gpu: Gpu, sums: Sums, { which, rows, c, count, last }: Total): Texture {
  const { lines } = sums;
  const columns = lines.across;
  const texels = Math.ceil(rows / 2) * columns;
  return gpu.draw({
    name: 'totals',
    source: `${last?.functions ?? ''}
vec4 means(int row, int column) {
  vec4 sum = vec4(0.);
  for (int part = row * parts; part < (row + 1) * parts; part++) sum += partialsTexel(part * columns + column);
  return sum;
}
vec2 total(int row, int column) { return count * means(row, column).${which === 'd' ? 'xy' : 'zw'}; }
void main() {
  ${CELL}
  ${
    last
      ? `if (cell >= texels) {
    int region = (cell - texels) / columns, column = cell - texels - region * columns;
    vec4 value = finish(region, 0, column, means(0, column));
    setOutput(${saturate('value')});
    return;
  }`
      : 'cell = min(cell, texels - 1);'
  }
  int pair = cell / columns, column = cell - pair * columns;
  vec4 value = vec4(total(2 * pair, column), 2 * pair + 1 < rows ? total(2 * pair + 1, column) : vec2(0.));
  if (column == lastColumn) value.yw = vec2(0.);
  setOutput(${saturate('value')});
}`,
    textures: { partials: sums.texture, ...last?.textures },
    integers: {
      ...lineUniforms(lines),
      ...{ columns, rows, parts: (lines.count * sums.parts) / rows, texels, ...last?.integers },
      lastColumn: c % 2 === 0 ? -1 : columns - 1,
    },
    floats: { count, ...last?.floats },
    size: sizeOfRows(Math.ceil(rows / 2) + (last?.regions ?? 0), columns),
  });
}

/** Parts that are summed over lines as well: as few as one draw then adds up. */
export const overLines = (gpu: Gpu, sums: Sums): Sums => {
  const all = { ...sums, parts: sums.parts * sums.lines.count, lines: { ...sums.lines, count: 1 } };
  return reduced(gpu, all, LONGEST);
};
