/**
 * How shaders fetch texels: by sampling, since software renderers are slower with `texelFetch`. They also divide integers slowly:
 * so there are several functions, some without an index, and textures of our own are a power of two wide.
 */
import type { Size, Texture } from './texture.ts';

/**
 * GLSL: the functions by which a program fetches from texture `name`. A row of the tensor takes `columns` texels.
 *
 *   nameTexel(i)               by index in the texture
 *   nameAt(row, column)        by row and column of the tensor
 *   nameHere(row, column)      as nameAt; row and column are those of the fragment, in an output of the tensor's shape
 *   nameRowStart(row)          as nameAt(row, 0); the row is that of the fragment
 *   nameInColumn(row, column)  as nameAt; the column is that of the fragment
 *   nameOfRow(row, column)     both values of one row of the matrix, which has two in each texel, as xy
 *   nameInFirstRow(column)     as nameAt(0, column); the column is that of the fragment
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

  // If a row of the tensor is a row of the texture, and perhaps of the output, no index is needed.
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
    [
      `${name}OfRow`,
      `(int row, int column) { vec4 both = ${name}At(row >> 1, column); return (row & 1) == 0 ? both : both.zwxy; }`,
    ],
    [`${name}Here`, `(int row, int column) { return ${here}; }`],
    [`${name}RowStart`, `(int row) { return ${rowStart}; }`],
    [`${name}InColumn`, `(int row, int column) { return ${inColumn}; }`],
    [`${name}InFirstRow`, `(int column) { return ${inFirstRow}; }`],
  ]);
}

/**
 * The functions that a program calls, and those that they call, which come earlier in the list. The others are left out: some
 * depend on the shape, and without them one program serves more shapes.
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
