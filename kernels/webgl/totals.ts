/** The last draws of the sums: means over groups of channels, sums as tensors, and coefficients of the gradient of x. */
import type { Gpu } from './backend.ts';
import { CELL, PICK, parameter, saturate } from './glsl.ts';
import { type Layout, lineUniforms } from './layout.ts';
import { divisorOf, MERGED } from './parts.ts';
import { type Last, reduced, type Sums, writeFinished } from './sums.ts';
import { sizeFor, sizeOfRows, type Texture } from './texture.ts';

/** The last draw of sums along rows that were cut into parts, after these are added up. */
export function finished(gpu: Gpu, { texture, lines }: Sums, columns: number, last: Last): Texture {
  return gpu.draw({
    name: 'sums of rows',
    source: `${last.functions}
void main() {
  ${CELL}
  int region = cell / cells, line = min(cell - region * cells, cells - 1), column = 0;
  vec4 means = partialsTexel(line);
  ${writeFinished()}
}`,
    textures: { partials: texture, ...last.textures },
    integers: { ...lineUniforms(lines), columns, cells: lines.count, ...last.integers },
    floats: last.floats,
    size: sizeFor(lines.count * last.regions),
  });
}

/** From sums down the channels of samples: the means of gamma d and gamma d h over the group of each channel, finished by `last`. */
export function groupMeans(gpu: Gpu, sums: Sums, layout: Layout, gamma: Texture | undefined, last: Last): Texture {
  const { view, columns } = layout;
  const draw = (from: Sums, weights: Texture | undefined, width: number, step: number, last?: Last): Sums => {
    const pickGamma = (c: string) =>
      `pick(${parameter(layout, 'gamma', 'line * length / conditionLength', `${c} / 2`)}, ${c})`;
    const weight = weights ? `vec2(${pickGamma('c.x')}, ${pickGamma('c.y')})` : 'vec2(1.)';
    const cells = from.lines.count * columns;
    const texture = gpu.draw({
      name: 'means over groups',
      source: `${last?.functions ?? ''}
${PICK}
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
  ${last ? writeFinished() : `setOutput(${saturate('means')});`}
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
  readonly c: number;
  /** The number of values of the means: a sum is the mean times it. */
  readonly count: number;
  /** Finishes the sums over all rows, too, in regions after the tensor; they are of gamma d, if that is given. */
  readonly last?: Last | undefined;
  readonly gamma?: Texture | undefined;
}

/** One of the two sums as a tensor with a row of c values for each line. */
export function totals(gpu: Gpu, sums: Sums, { which, c, count, last, gamma }: Total): Texture {
  const { lines, parts } = sums;
  const { across: columns, count: rows } = lines;
  const texels = Math.ceil(rows / 2) * columns;
  return gpu.draw({
    name: 'totals',
    source: `${last?.functions ?? ''}
vec4 meansOf(int row, int column) {
  vec4 sum = vec4(0.);
  for (int part = row * parts; part < (row + 1) * parts; part++) sum += partialsTexel(part * columns + column);
  return sum;
}
vec2 total(int row, int column) { return count * meansOf(row, column).${which === 'd' ? 'xy' : 'zw'}; }
void main() {
  ${CELL}
  ${
    last
      ? `if (cell >= texels) {
    int region = (cell - texels) / columns, line = 0, column = cell - texels - region * columns;
    vec4 means = vec4(0.);
    for (int row = 0; row < rows; row++) means += meansOf(row, column)${gamma ? ' * gammaOfRow(row, column).xyxy' : ''};
    means /= float(rows);
    ${writeFinished()}
    return;
  }`
      : 'cell = min(cell, texels - 1);'
  }
  int pair = cell / columns, column = cell - pair * columns;
  vec4 value = vec4(total(2 * pair, column), 2 * pair + 1 < rows ? total(2 * pair + 1, column) : vec2(0.));
  if (column == lastColumn) value.yw = vec2(0.);
  setOutput(${saturate('value')});
}`,
    textures: { partials: sums.texture, ...last?.textures, ...(gamma && { gamma }) },
    integers: {
      ...lineUniforms(lines),
      ...{ columns, rows, parts, texels, ...last?.integers },
      lastColumn: c % 2 === 0 ? -1 : columns - 1,
    },
    floats: { count, ...last?.floats },
    size: sizeOfRows(Math.ceil(rows / 2) + (last?.regions ?? 0), columns),
  });
}
