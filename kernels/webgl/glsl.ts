/**
 * GLSL that several programs share. Names: `row`, `column` count texels; a line (see `layout.ts`) has texels `k`, and its
 * two lanes are the components xy and zw of an *item*, or x and y of a vec2.
 */
import { isHalfPrecision } from './backend.ts';
import type { Layout, Lines } from './layout.ts';

/** Index of the fragment's texel in the output. */
export const CELL = 'int cell = int(gl_FragCoord.y) * (outTexShape.y / 2) + int(gl_FragCoord.x);';

/** GLSL: splits the index of an output cell into `line`, `part` and `column`. */
export const LINE = `
  int partOfLine = cell / across, column = cell - partOfLine * across;
  int line = partOfLine / parts, part = partOfLine - line * parts;`;

/** GLSL: texel `k` of the line as an item; for a line down a column `column` must be in scope, too. */
export const item = ({ alongRows }: Lines, name: string, k: string): string =>
  alongRows ? `${name}At(line, ${k})` : `${name}At(line * length + ${k}, column).xzyw`;

/** GLSL: the parameter `name` of both channels of a texel column as a vec2: that of the condition, if there are conditions. */
export const parameter = ({ conditionLength }: Layout, name: string, condition: string, column = 'column'): string =>
  conditionLength === undefined ? `${name}At(0, ${column}).xy` : `${name}OfRow(${condition}, ${column}).xy`;

/** GLSL: the texel of the fragment's line in a region of texture `name`, which begins at the texel or row `start`. */
export const ofLine = ({ alongRows }: Lines, name: string, start: string): string =>
  alongRows ? `${name}Texel(${start} + line)` : `${name}InColumn(${start} + line, column)`;

/** GLSL: the components by which a vec2 of lanes is spread over a texel of the activations. */
export const spread = ({ alongRows }: Lines): string => (alongRows ? 'xxyy' : 'xyxy');

/** GLSL: the lane of a channel. */
export const PICK = 'float pick(vec2 lanes, int channel) { return (channel & 1) == 0 ? lanes.x : lanes.y; }';

/** GLSL: the first value of each lane. Means are taken relative to it: otherwise a mean of 1e4 would cost four digits. */
export const pivots = ({ alongRows }: Lines): string => `
vec2 pivots(int line, int column) {
  return ${alongRows ? 'xAt(line, 0).xz' : 'xAt(line * length, column).xy'};
}`;

/**
 * Visits the texels of part `part` of a line up to `end`: `whole` where a texel holds two values per lane, `half` where it
 * holds one and padding, which may be NaN. `block` takes `size` texels at once.
 */
export const walk = (whole: string, half: string, block: { size: number; body: string }): string => `
  for (int k = part * chunk; k < end;) {
    int stop = min(end, (k / segment + 1) * segment - odd);
    for (; k + ${block.size} <= stop; k += ${block.size}) { ${block.body} }
    for (; k < stop; k++) { ${whole} }
    if (k < end) { ${half} k++; }
  }`;

/** GLSL: clamps values that would become infinite in textures of 16-bit floats. NaN stays NaN. */
export const saturate = (value: string): string =>
  isHalfPrecision() ? `mix(clamp(${value}, -65504., 65504.), ${value}, isnan(${value}))` : value;
