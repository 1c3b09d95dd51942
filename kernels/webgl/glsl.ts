/**
 * GLSL that several programs share. Names: `row`, `column` count texels; a line (see `layout.ts`) has texels `k`, and its
 * two lanes are the components xy and zw of an *item*, or x and y of a vec2.
 */
import { isHalfPrecision, type Size } from './backend.ts';
import type { Layout, Lines } from './layout.ts';

/**
 * The fetches from texture `name` that `source` uses: `nameTexel(i)` by index, and `nameAt(row, column)` for tensors with
 * `columns` texels to a row. Software renderers sample by coordinates faster than they fetch by `texelFetch`.
 */
export function fetches(name: string, { width }: Size, columns: number | undefined, source: string): string {
  const at = (row: string, column: string) =>
    `return texture(${name}, (vec2(${column}, ${row}) + 0.5) / vec2(textureSize(${name}, 0)));`;
  const isStraight = width === columns;
  const byPlace = source.includes(`${name}At(`);
  const byIndex = source.includes(`${name}Texel(`) || (byPlace && !isStraight);
  const index = `int width = textureSize(${name}, 0).x; int row = i / width; ${at('row', 'i - row * width')}`;
  const place = isStraight ? at('row', 'column') : `return ${name}Texel(row * columns + column);`;
  return [
    byIndex ? `vec4 ${name}Texel(int i) { ${index} }\n` : '',
    byPlace ? `vec4 ${name}At(int row, int column) { ${place} }\n` : '',
  ].join('');
}

/** Index of the fragment's texel in the output. */
export const CELL = 'int cell = int(gl_FragCoord.y) * (outTexShape.y / 2) + int(gl_FragCoord.x);';

/** The fragment's `row` and `column` in an output as wide as `size`. */
export const place = ({ width }: Size, { columns }: Layout): string =>
  width === columns
    ? 'int row = int(gl_FragCoord.y), column = int(gl_FragCoord.x);'
    : `${CELL} int row = cell / columns; int column = cell - row * columns;`;

/** Texel `k` of the line, lanes side by side; for a line down a column `column` must be in scope too. */
export const item = ({ alongRows }: Lines, name: string, k = 'k'): string =>
  alongRows ? `${name}At(line, ${k})` : `${name}At(line * length + ${k}, column).xzyw`;

/** A vec2 of lanes as an item. */
export const ITEM = 'xxyy';
/** A vec2 of lanes over a texel of the activations. */
export const spread = ({ alongRows }: Lines): string => (alongRows ? 'xxyy' : 'xyxy');

/** First value of each lane: what means are taken relative to, or a mean of 1e4 would cost four digits. */
export const pivots = ({ alongRows }: Lines): string => `
vec2 pivots(int line, int column) {
  return ${alongRows ? 'xAt(line, 0).xz' : 'xAt(line * length, column).xy'};
}`;

/**
 * Visits the texels of part `part` of a line up to `end`: `whole` where a texel holds two values per lane, `half` where it holds one
 * and padding, which may be NaN. `block`, if given, takes `size` texels at once.
 */
export const walk = (whole: string, half: string, block?: { size: number; body: string }): string => `
  for (int k = part * chunk; k < end;) {
    int stop = min(end, (k / segment + 1) * segment - odd);
    ${block ? `for (; k + ${block.size} <= stop; k += ${block.size}) { ${block.body} }` : ''}
    for (; k < stop; k++) { ${whole} }
    if (k < end) { ${half} k++; }
  }`;

/** Splits the index of an output cell into `line`, `part` and `column`. */
export const LINE = `
  int across_ = cell / across;
  int column = cell - across_ * across;
  int line = across_ / parts;
  int part = across_ - line * parts;`;

/** `reciprocal`: 1 / f of each lane; `slope`: k / f^2. See `NormalizeGradAttrs`. */
export const DIVISOR = `
vec2 reciprocal(vec2 deviation) {
  if (placement == 0) return inversesqrt(deviation * deviation + epsilon);
  if (placement == 1) return 1. / (deviation + epsilon);
  if (placement == 2) return 1. / mix(deviation, vec2(epsilon), lessThanEqual(deviation, vec2(epsilon)));
  return vec2(1.);
}`;

/** Writes a texel of an output like x, with zeros in its padding. */
export const emit = (): string => `
void emit(int row, int column, vec4 value) {
  if (column == lastColumn) value.yw = vec2(0.);
  if ((row + 1) % lastRow == 0) value.zw = vec2(0.);
  setOutput(${saturate('value')});
}`;

/** Keeps what is finite from becoming infinite in textures of 16-bit floats. */
export const saturate = (value: string): string =>
  isHalfPrecision() ? `mix(clamp(${value}, -65504., 65504.), ${value}, isnan(${value}))` : value;

/** For `emit`: the texel column, and after how many texel rows the row, whose second half is padding; none: out of reach. */
export const paddingUniforms = ({ columns, view, rows, texelRows }: Layout) => ({
  lastColumn: view.c % 2 === 0 ? -1 : columns - 1,
  lastRow: rows % 2 === 0 ? 0x40000000 : texelRows,
});
