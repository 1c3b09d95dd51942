/**
 * How shaders fetch texels. Software renderers sample by coordinates faster than they fetch by `texelFetch`, and divide
 * integers slowly: hence several ways, and textures of our own that are a power of two wide.
 */
import type { Size, Texture } from './backend.ts';

/** The ways to fetch from texture `t`; a row of a tensor takes `columns` texels. */
const WAYS = {
  /** By index in the texture. */
  Texel: 'int i',
  At: 'int row, int column',
  /** Where row and column are the fragment's own, in an output of the tensor's shape. */
  Here: 'int row, int column',
  /** Where the row is the fragment's own, and the column 0. */
  RowStart: 'int row',
  /** Where the column is the fragment's own. */
  InColumn: 'int row, int column',
  /** The same of the only row of a vector. */
  InFirstRow: 'int column',
};
type Way = keyof typeof WAYS;

/** The functions by which `source` fetches from texture `name`: `nameTexel(i)`, `nameAt(row, column)` and so on. */
export function fetches(
  name: string,
  texture: Texture,
  output: Size,
  columns: number | undefined,
  source: string,
): string {
  const at = (x: string, y: string) => `texture(${name}, vec2(${x}, ${y}))`;
  const across = (column: string) => `(float(${column}) + 0.5) * ${name}Step.x`;
  const down = (row: string) => `(float(${row}) + 0.5) * ${name}Step.y`;
  const shift = `${name}Shift`;
  const bodies: Record<Way, string> = {
    Texel:
      texture.shift === undefined
        ? `int row = i / ${name}Width; return ${at(across(`i - row * ${name}Width`), down('row'))};`
        : `int row = i >> ${shift}; return ${at(across(`i - (row << ${shift})`), down('row'))};`,
    At: `return ${at(across('column'), down('row'))};`,
    Here: `return texture(${name}, resultUV);`,
    RowStart: `return ${at('0.', 'resultUV.y')};`,
    InColumn: `return ${at('resultUV.x', down('row'))};`,
    InFirstRow: `return ${at('resultUV.x', '0.5')};`,
  };

  // Where a row of the tensor is a row of the texture, and perhaps of the output, no index is needed.
  const isStraight = texture.width === columns;
  const isLikeOutput = texture.width === output.width && texture.height === output.height;
  const slow: Partial<Record<Way, string>> = {
    ...(isStraight ? {} : { At: `return ${name}Texel(row * columns + column);` }),
    ...(isLikeOutput ? {} : { Here: `return ${name}At(row, column);` }),
    ...(isStraight && isLikeOutput ? {} : { RowStart: `return ${name}At(row, 0);` }),
    ...(isStraight && columns === output.width
      ? {}
      : { InColumn: `return ${name}At(row, column);`, InFirstRow: `return ${name}At(0, column);` }),
  };
  const used = new Set((Object.keys(WAYS) as Way[]).filter((way) => source.includes(`${name}${way}(`)));
  if ([...used].some((way) => way !== 'At' && slow[way])) used.add('At');
  if (used.has('At') && slow.At) used.add('Texel');
  return (Object.keys(WAYS) as Way[])
    .filter((way) => used.has(way))
    .map((way) => `vec4 ${name}${way}(${WAYS[way]}) { ${slow[way] ?? bodies[way]} }\n`)
    .join('');
}

/** The uniforms that these functions read. */
export const fetchUniforms = (name: string, { height, width, shift }: Texture) => ({
  [`${name}Step`]: [1 / width, 1 / height],
  ...(shift === undefined ? { [`${name}Width`]: width } : { [`${name}Shift`]: shift }),
});
