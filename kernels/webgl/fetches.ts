/**
 * How shaders fetch texels. Software renderers sample by coordinates faster than they fetch by `texelFetch`, and divide
 * integers slowly: hence several ways, and textures of our own that are a power of two wide.
 */
import type { Size, Texture } from './texture.ts';

/**
 * GLSL: the functions by which a program fetches from texture `name`. A row of the tensor takes `columns` texels.
 *
 *   nameTexel(i)               by index in the texture
 *   nameAt(row, column)        by place in the tensor
 *   nameHere(row, column)      the same where row and column are the fragment's own, in an output of the tensor's shape
 *   nameRowStart(row)          where the row is the fragment's own, and the column 0
 *   nameInColumn(row, column)  where the column is the fragment's own
 *   nameInFirstRow(column)     the same of the only row of a vector
 */
export function fetches(
  name: string,
  texture: Texture,
  output: Size,
  columns: number | undefined,
  program: string,
): string {
  const at = (x: string, y: string) => `texture(${name}, vec2(${x}, ${y}))`;
  const across = (column: string) => `(float(${column}) + 0.5) * ${name}Step.x`;
  const down = (row: string) => `(float(${row}) + 0.5) * ${name}Step.y`;
  const shift = `${name}Shift`;
  const texel =
    texture.shift === undefined
      ? `int row = i / ${name}Width; return ${at(across(`i - row * ${name}Width`), down('row'))};`
      : `int row = i >> ${shift}; return ${at(across(`i - (row << ${shift})`), down('row'))};`;

  // Where a row of the tensor is a row of the texture, and perhaps of the output, no index is needed.
  const isStraight = texture.width === columns;
  const isLikeOutput = texture.width === output.width && texture.height === output.height;
  const isBeside = isStraight && columns === output.width;
  const place = isStraight ? at(across('column'), down('row')) : `${name}Texel(row * columns + column)`;
  const here = isLikeOutput ? `texture(${name}, resultUV)` : `${name}At(row, column)`;
  const rowStart = isStraight && isLikeOutput ? at('0.', 'resultUV.y') : `${name}At(row, 0)`;
  const inColumn = isBeside ? at('resultUV.x', down('row')) : `${name}At(row, column)`;
  const inFirstRow = isBeside ? at('resultUV.x', '0.5') : `${name}At(0, column)`;
  return functionsOf(program, [
    [`${name}Texel`, `(int i) { ${texel} }`],
    [`${name}At`, `(int row, int column) { return ${place}; }`],
    [`${name}Here`, `(int row, int column) { return ${here}; }`],
    [`${name}RowStart`, `(int row) { return ${rowStart}; }`],
    [`${name}InColumn`, `(int row, int column) { return ${inColumn}; }`],
    [`${name}InFirstRow`, `(int column) { return ${inFirstRow}; }`],
  ]);
}

/**
 * The functions that a program calls, and those that these call: they may call what comes before them. Without the others, of
 * which some depend on the shape, a program serves more shapes.
 */
function functionsOf(program: string, functions: readonly (readonly [name: string, rest: string])[]): string {
  let needed = '';
  for (const [name, rest] of [...functions].reverse()) {
    if ((program + needed).includes(`${name}(`)) needed = `vec4 ${name}${rest}\n${needed}`;
  }
  return needed;
}

/** The uniforms that these functions read. */
export const fetchUniforms = (name: string, { height, width, shift }: Texture) => ({
  [`${name}Step`]: [1 / width, 1 / height],
  ...(shift === undefined ? { [`${name}Width`]: width } : { [`${name}Shift`]: shift }),
});
