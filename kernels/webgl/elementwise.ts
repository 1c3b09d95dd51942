/** Programs with an output of the shape of x: one fragment computes one texel, and writes zeros to the padding. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { conditionsOf, type View } from '../core/view.ts';
import type { Draw, Gpu } from './backend.ts';
import { CELL, saturate } from './glsl.ts';
import { type Layout, lineUniforms } from './layout.ts';
import type { Texture } from './texture.ts';

interface Elementwise extends Pick<Draw, 'name' | 'textures' | 'integers' | 'floats'> {
  readonly layout: Layout;
  readonly functions?: string;
  /** GLSL that computes `vec4 value` of texel (`row`, `column`) of line `line`, and of `condition` if there are conditions. */
  readonly statements: string;
}

export function elementwise(gpu: Gpu, x: Texture, draw: Elementwise): Texture {
  const { layout, functions = '', statements } = draw;
  const { columns, view, rows, texelRows, alongRows } = layout;
  const isPadded = rows % 2 === 1;
  // If rows of x are rows of the texture, floats count them exactly, and divide much faster than integers.
  const isStraight = x.width === columns;
  const place = isStraight
    ? 'int row = int(gl_FragCoord.y), column = int(gl_FragCoord.x);'
    : `${CELL} int row = cell / columns; int column = cell - row * columns;`;
  const rowOver = (length: string) => (isStraight ? `int(gl_FragCoord.y / float(${length}))` : `row / ${length}`);
  const isLastRow = isStraight
    ? 'fract((gl_FragCoord.y + 0.75) * batchStep) < 0.75 * batchStep'
    : '(row + 1) % batchRows == 0';
  return gpu.draw({
    name: draw.name,
    source: `${functions}
void main() {
  ${place}
  int line = ${alongRows ? 'row' : rowOver('length')};
  ${layout.conditionLength === undefined ? '' : `int condition = ${rowOver('conditionLength')};`}
  vec4 value;
  ${statements}
  value.yw = mix(value.yw, vec2(0.), bvec2(column == lastColumn));
  value.zw = mix(value.zw, vec2(0.), bvec2(${isLastRow}));
  setOutput(${saturate('value')});
}`,
    textures: { x, ...draw.textures },
    integers: {
      ...{ ...lineUniforms(layout), columns, ...draw.integers },
      lastColumn: view.c % 2 === 0 ? -1 : columns - 1,
      batchRows: isPadded ? texelRows : 0x40000000,
    },
    floats: { batchStep: isPadded ? 1 / texelRows : 0, ...draw.floats },
    size: x,
  });
}

/** GLSL: the first values of both lines of a texel, to which means are relative. */
export const firstValues = ({ alongRows }: Layout): string =>
  alongRows ? 'xRowStart(row).xz' : 'xInColumn(line * length, column).xy';

/** gamma or beta as a matrix with a row for each condition, or with one. */
export const parameters = (gpu: Gpu, info: TensorInfo | undefined, view: View): Texture | undefined =>
  info && gpu.texture(info, [1, conditionsOf(view), view.c]);

/** GLSL: gamma or beta of the fragment's texel. */
export const parameterHere = (layout: Layout, name: string): string =>
  layout.conditionLength === undefined ? `${name}InFirstRow(column).xyxy` : `${name}OfRow(condition, column).xyxy`;
