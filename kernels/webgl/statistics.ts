/**
 * The statistics of every group, in one pass that is as accurate as two: values are taken relative to the first one of
 * their lane, blocks of eight texels are centred before they are squared, and blocks are joined by Chan's formula.
 * Long or few lines are cut into parts, which further draws merge.
 *
 * The result is one texture. Its first `mains` texels are the tensor [2, n * groups] of means and variances that the
 * contract asks for. After them comes what the other programs read: for every line the means *relative to the first value
 * of the lane* and the standard deviations (variances overflow 16-bit floats), laid out as x is.
 */
import type { DataId } from '@tensorflow/tfjs-core';
import { type Gpu, sizeFor, type Texture } from './backend.ts';
import { CELL, item, LINE, pivots, saturate, walk } from './glsl.ts';
import { type Layout, lineUniforms } from './layout.ts';

/** No fragment visits many more texels than this. */
export const LONGEST = 1024;
/** Parts are made shorter, down to `SHORTEST` texels, until there are about this many fragments. */
const FRAGMENTS = 1024;
const SHORTEST = 32;
/** Above this many texels a merge takes two draws. */
const MERGED = 256;

export interface Statistics {
  readonly texture: Texture;
  readonly mains: number;
}

/** Into how many parts of how many texels lines are cut. */
export function cut({ alongRows, count, across, length }: Pick<Layout, 'alongRows' | 'count' | 'across' | 'length'>) {
  const wanted = Math.min(Math.ceil(length / SHORTEST), Math.ceil(FRAGMENTS / (count * across)));
  const needed = Math.ceil(length / LONGEST);
  const chunk = Math.ceil(length / (alongRows && needed === 1 ? 1 : Math.max(needed, wanted)));
  return { parts: Math.ceil(length / chunk), chunk };
}

/** How many of `parts` to merge at once so that few draws are needed and none loops for long. */
export const atOnce = (parts: number): number => (parts <= MERGED ? parts : Math.ceil(Math.sqrt(parts)));

const JOIN = `
void join(inout float n, inout vec2 mean, inout vec2 m2, float count, vec2 itsMean, vec2 itsM2) {
  float total = n + count;
  vec2 apart = itsMean - mean;
  float share = count / total;
  mean += apart * share;
  m2 += itsM2 + apart * apart * (n * share);
  n = total;
}`;

/** Mean and squares of `size` texels, joined to those before; `item` gives the texel of an index. */
function block(item: Item, center: boolean, size: number): string {
  const values = Array.from({ length: size }, (_, i) => `v${i}`);
  const each = (text: (v: string, i: number) => string, separator = ' ') => values.map(text).join(separator);
  const fetch = each((v, i) => `vec4 ${v} = ${item(`k + ${i}`)}${center ? ' - pivot.xxyy' : ''};`);
  const mean = `vec4 sum = ${each((v) => v, ' + ')}; vec2 m = (sum.xz + sum.yw) * ${1 / (2 * size)}; ${each((v) => `${v} -= m.xxyy;`)}`;
  const squares = `vec4 squares = ${each((v) => `${v} * ${v}`, ' + ')};`;
  const join = `join(n, mean, m2, ${2 * size}., m, squares.xz + squares.yw);`;
  return `${fetch} ${center ? mean : 'vec2 m = vec2(0.);'} ${squares} ${join}`;
}

/** What a fragment writes: a pair of the tensor's texels, or of what comes after them. */
const write = () => `
  if (isMain) {
    vec4 pair = vec4(pivot + mean, m2 / n);
    if (2 * cell + 1 >= units) pair.yw = vec2(0.);
    setOutput(${saturate('pair')});
  } else setOutput(vec4(mean, sqrt(m2 / n)));`;

type Item = (k: string) => string;

const visit = (item: Item, center: boolean) => {
  const half = `vec2 v = ${item('k')}.xz${center ? ' - pivot' : ''};
      join(n, mean, m2, 1., ${center ? 'v, vec2(0.)' : 'vec2(0.), v * v'});`;
  return walk(block(item, center, 1), half, { size: 8, body: block(item, center, 8) });
};

/**
 * GLSL: two rows of the tensor of moments that do not lie in one texel row, since batches have an odd number of rows. The loop
 * over both is apart from the usual one, which fetches half as many texels; each fragment runs through one of them.
 */
const ROW_PAIR = `
  ivec2 unit = min(2 * cell + ivec2(0, 1), units - 1), batch = unit / rows, row = unit - batch * rows;
  ivec2 lines = batch * texelRows + row / 2, halves = row & 1;
  bool isApart = isMain && (lines.x != lines.y || halves.x == 1);`;
const PICK_ROWS = `
vec2 pickRow(vec4 texel, int half_) { return half_ == 0 ? texel.xy : texel.zw; }
vec4 rowsAt(ivec2 lines, ivec2 halves, int k) {
  return vec4(pickRow(xAt(lines.x, k), halves.x), pickRow(xAt(lines.y, k), halves.y));
}`;

/** Statistics of each part of each line; of rows that are not cut also the tensor of moments. */
function partials(gpu: Gpu, x: Texture, layout: Layout, center: boolean, mains: number): Cut {
  const { parts, chunk } = cut(layout);
  const { alongRows, columns, rows, texelRows, units } = layout;
  const count = layout.count * layout.across * parts;
  const pivot = (lanes: string) => (center ? `pivot = ${lanes};` : '');
  const texture = gpu.draw({
    name: 'statistics of parts',
    source: `${JOIN} ${pivots(layout)} ${alongRows ? PICK_ROWS : ''}
void main() {
  ${CELL}
  bool isMain = cell < mains;
  ${alongRows ? ROW_PAIR : ''}
  cell = isMain ? cell : min(cell - mains, last);
  ${LINE}
  ${alongRows ? 'if (isMain) line = lines.x;' : ''}
  vec2 pivot = vec2(0.), mean = vec2(0.), m2 = vec2(0.);
  float n = 0.;
  ${alongRows ? `if (!isApart) { ${pivot('pivots(line, column)')} }` : pivot('pivots(line, column)')}
  int end = ${alongRows ? 'isApart ? 0 : ' : ''}min((part + 1) * chunk, length);
  ${visit((k) => item(layout, 'x', k), center)}
  ${
    alongRows
      ? `if (isApart) { ${pivot('rowsAt(lines, halves, 0).xz')} }
  end = isApart ? length : 0;
  part = 0;
  ${visit((k) => `rowsAt(lines, halves, ${k})`, center)}`
      : ''
  }
  ${write()}
}`,
    textures: { x },
    integers: {
      ...lineUniforms(layout),
      ...{ columns, rows, texelRows, units, parts, chunk, mains, last: count - 1 },
    },
    size: sizeFor(mains + count),
  });
  return { texture, parts, chunk };
}

interface Cut {
  readonly texture: Texture;
  readonly parts: number;
  readonly chunk: number;
}

interface Merge {
  readonly center: boolean;
  readonly mains: number;
  /** Consecutive parts to merge into one. */
  readonly together: number;
  /** Channels to a group (1: leave channels apart), every `step`-th of which stands for those up to the next. */
  readonly width: number;
  readonly step: number;
}

/** Merges parts of a line, and the channels of a group. */
function merge(gpu: Gpu, x: Texture, layout: Layout, from: Cut, { center, mains, together, width, step }: Merge): Cut {
  const { alongRows } = layout;
  const partsLeft = Math.ceil(from.parts / together);
  const pivot = (lane: 'x' | 'y') => {
    const both = alongRows ? `pivots(line.${lane}, 0)` : `pivots(line.${lane}, channel.${lane} / 2)`;
    return `pick(${both}, channel.${lane})`;
  };
  const texture = gpu.draw({
    name: 'merge of statistics',
    source: `${JOIN} ${pivots(layout)}
float pick(vec2 lanes, int channel) { return (channel & 1) == 0 ? lanes.x : lanes.y; }
/** The first value of each of two channels. A lane of a row counts as a channel of a line one texel across. */
vec2 firsts(ivec2 line, ivec2 channel) { return ${center ? `vec2(${pivot('x')}, ${pivot('y')})` : 'vec2(0.)'}; }
/** Mean and deviation of a part of a channel. */
vec2 ofPart(int line, int part, int channel) {
  vec4 both = partialsTexel((line * parts + part) * across + channel / 2);
  return (channel & 1) == 0 ? both.xz : both.yw;
}
/** How many values per lane a part has. */
float values(int part) {
  int start = part * chunk, end = min(start + chunk, length);
  return float(2 * (end - start) - odd * (end / segment - start / segment));
}
void main() {
  ${CELL}
  bool isMain = cell < mains;
  ivec2 line, channel;
  int from = 0;
  if (isMain) {
    ivec2 unit = min(2 * cell + ivec2(0, 1), units - 1);
    ${
      alongRows
        ? 'ivec2 batch = unit / rows, row = unit - batch * rows; line = batch * texelRows + row / 2; channel = row & 1;'
        : 'line = unit / groups; channel = (unit - line * groups) * width;'
    }
  } else {
    int lineParts = min(cell - mains, last) / across;
    channel = min(2 * (min(cell - mains, last) - lineParts * across) + ivec2(0, 1), channels - 1);
    line = ivec2(lineParts / partsLeft);
    from = (lineParts - line.x * partsLeft) * together;
  }
  vec2 pivot = firsts(line, channel), mean = vec2(0.), m2 = vec2(0.);
  ivec2 first = channel / width * width;
  float n = 0.;
  int to = min(from + together, parts);
  for (int i = 0; i < width; i += step) {
    channel = first + i;
    vec2 shift = firsts(line, channel) - pivot;
    for (int part = from; part < to; part++) {
      vec2 a = ofPart(line.x, part, channel.x), b = ofPart(line.y, part, channel.y);
      float count = values(part);
      join(n, mean, m2, count, vec2(a.x, b.x) + shift, count * vec2(a.y * a.y, b.y * b.y));
    }
  }
  ${write()}
}`,
    textures: { x, partials: from.texture },
    integers: {
      ...lineUniforms(layout),
      ...{ columns: layout.columns, rows: layout.rows, texelRows: layout.texelRows, groups: layout.view.groups },
      ...{ parts: from.parts, chunk: from.chunk, partsLeft, together, width, step, mains, units: layout.units },
      channels: alongRows ? 2 : layout.view.c,
      last: layout.count * layout.across * partsLeft - 1,
    },
    size: sizeFor(mains + layout.count * layout.across * partsLeft),
  });
  return { texture, parts: partsLeft, chunk: from.chunk * together };
}

/** The largest divisor of `size` up to `limit`. */
export function divisor(size: number, limit: number): number {
  let d = Math.min(size, limit);
  while (size % d !== 0) d--;
  return d;
}

/**
 * @param center false: means are 0, and variances mean squares
 * @param wanted whether the tensor [2, n * groups] is
 */
export function statistics(gpu: Gpu, x: Texture, layout: Layout, center: boolean, wanted: boolean): Statistics {
  const { pairs, alongRows, view } = layout;
  const mains = wanted ? pairs : 0;
  const groupWidth = alongRows ? 1 : view.c / view.groups;
  const isComplete = alongRows && cut(layout).parts === 1;
  const first = partials(gpu, x, layout, center, isComplete ? mains : 0);
  if (isComplete) return remember({ texture: first.texture, mains }, layout);

  let state = first;
  const intermediate = { center, mains: 0, width: 1, step: 1 };
  while (state.parts > 1 && state.parts * groupWidth > MERGED) {
    state = merge(gpu, x, layout, state, { ...intermediate, together: atOnce(state.parts) });
  }
  let step = 1;
  while (groupWidth / step > MERGED) {
    const width = step * divisor(groupWidth / step, MERGED);
    if (width === step) break; // a large prime
    state = merge(gpu, x, layout, state, { center, mains: 0, together: state.parts, width, step });
    step = width;
  }
  const last = merge(gpu, x, layout, state, { center, mains, together: state.parts, width: groupWidth, step });
  return remember({ texture: last.texture, mains }, layout);
}

/** Tensors of moments that came from here, and in which layout: the gradient takes any others from x anew. */
const made = new WeakMap<DataId, string>();
const signature = ({ alongRows, rows, view }: Layout) =>
  [alongRows, alongRows && rows % 2 === 1 ? rows : 0, ...Object.values(view)].join();

function remember(result: Statistics, layout: Layout): Statistics {
  made.set(result.texture.info.dataId, signature(layout));
  return result;
}

export const isOurs = (dataId: DataId, layout: Layout): boolean => made.get(dataId) === signature(layout);
