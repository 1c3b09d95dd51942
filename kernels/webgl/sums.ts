/**
 * The sums of the gradients: of d, which is dy, and of d h, where h is a centred or normalized x; along lines or down the channels.
 * They are stored as means until the last draw, since sums overflow 16-bit floats.
 */
import type { Gpu } from './backend.ts';
import { CELL, LINE, saturate, walk } from './glsl.ts';
import { type Lines, lineUniforms } from './layout.ts';
import { atOnce, cut, LONGEST } from './parts.ts';
import { sizeFor, type Texture } from './texture.ts';

/** Texels (mean d, mean d h), two lanes each: the `parts` texels of a line add up to the means of the line. */
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
  /** Expression of a vec2 by which the sums of d h are multiplied. */
  readonly factor: string;
  /** If given, the sums of lines that are not cut are finished in the same draw. */
  readonly last?: Last;
  readonly textures: Readonly<Record<string, Texture | undefined>>;
  readonly integers: Readonly<Record<string, number>>;
  readonly floats?: Readonly<Record<string, number>>;
}

/**
 * What the last draw makes of the complete sums: one texel per texel of sums in each of several regions, one region after the
 * other. `functions` declare `vec4 finish(int region, int line, int column, vec4 means)`.
 */
export interface Last {
  readonly regions: number;
  readonly functions: string;
  readonly textures: Readonly<Record<string, Texture | undefined>>;
  readonly integers: Readonly<Record<string, number>>;
  readonly floats: Readonly<Record<string, number>>;
}

/** GLSL: writes the result of `finish`. */
export const writeFinished = (): string => `
  vec4 result = finish(region, line, column, means);
  setOutput(${saturate('result')});`;

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
  ${last ? writeFinished() : `setOutput(${saturate('means')});`}
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
  setOutput(${saturate('sum')});
}`,
    textures: { partials: sums.texture },
    integers: { across: lines.across, parts, partsLeft, together, last: lines.count * lines.across * partsLeft - 1 },
    size: sizeFor(lines.count * lines.across * partsLeft),
  });
  return reduced(gpu, { texture, lines, parts: partsLeft }, limit);
}

/** Sums over lines as well, until there are `count` of them, in so few parts that one more draw can add them all up. */
export const overLines = (gpu: Gpu, sums: Sums, count: number, limit = LONGEST): Sums => {
  const { lines, parts } = sums;
  const all = { ...sums, parts: (parts * lines.count) / count, lines: { ...lines, count } };
  return reduced(gpu, all, limit);
};
