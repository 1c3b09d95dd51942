/**
 * How a packed texture holds a view. A packed tensor is a batch of matrices, 2 x 2 values to a texel, each matrix padded to
 * whole texels; its texels follow each other row by row, whatever the width of the texture. Statistics are taken along
 * *lines* of texels: along a texel row where a group is a row (Layer), down a texel column where it is a channel. Either
 * way a line carries two groups side by side, its two lanes.
 */
import { conditionsOf, type View } from '../core/view.ts';

type Shape = readonly number[];

interface Packing {
  readonly rows: number;
  readonly columns: number;
}

const packing = (shape: Shape): Packing => ({ rows: shape.at(-2) ?? 1, columns: shape.at(-1) ?? 1 });

const isEven = (size: number) => size % 2 === 0;
const half = (size: number) => Math.ceil(size / 2);

/** Whether packed tensors of these shapes, equal in size, have the same values in the same texels. */
export function samePacking(a: Shape, b: Shape): boolean {
  const [p, q] = [packing(a), packing(b)];
  if (p.columns === q.columns) return p.rows === q.rows || (isEven(p.rows) && isEven(q.rows));
  return p.rows === 1 && q.rows === 1 && isEven(p.columns) && isEven(q.columns);
}

export interface Lines {
  readonly alongRows: boolean;
  readonly count: number;
  /** Texels of statistics per line: one, or one per texel column. */
  readonly across: number;
  /** Texels of a line. */
  readonly length: number;
  /** Texels of a segment: a line is made of whole segments. */
  readonly segment: number;
  /** 1: the last texel of each segment holds one value per lane, and padding. 0: it holds two, as all others do. */
  readonly odd: 0 | 1;
  /** If gamma and beta vary with conditions: texel rows of a condition. */
  readonly conditionLength?: number | undefined;
}

export interface Layout extends Lines {
  readonly view: View;
  /** [batches, rows, columns]. */
  readonly shape: [number, number, number];
  /** Texel columns. */
  readonly columns: number;
  /** Rows of values, and of texels, in a batch. */
  readonly rows: number;
  readonly texelRows: number;
  /** All groups of all samples. */
  readonly units: number;
  /** Texels of the moments [2, units] in a texture of statistics; for lines down columns, rounded up to whole rows. */
  readonly momentTexels: number;
}

/**
 * The layout of a tensor whose texture is packed as `shape`. It follows this packing if every line then lies within one sample,
 * and every texel within one condition; otherwise it is that of the view, for which the texels have to be packed anew.
 */
export function layoutOf(
  view: View,
  shape: Shape,
  alongRows = view.s === 1 && view.groups === 1 && view.c > 1,
): Layout {
  const { n, s, c, groups, rowsPerCondition = n * s } = view;
  const own = packing(shape);
  const isOfWholeConditions = own.rows % rowsPerCondition === 0 && isEven(rowsPerCondition);
  const fits =
    own.columns === c &&
    (alongRows || s % own.rows === 0) &&
    (rowsPerCondition % own.rows === 0 || isOfWholeConditions);
  const rows = fits ? own.rows : Math.min(alongRows ? n : s, rowsPerCondition);
  const batches = (n * s) / rows;
  const matrix = { batches, rows, columns: c };
  const units = n * groups;
  return {
    view,
    shape: [batches, rows, c],
    columns: half(c),
    rows,
    texelRows: half(rows),
    units,
    momentTexels: alongRows ? half(units) : Math.ceil(half(units) / half(c)) * half(c),
    ...(alongRows ? rowLines(matrix) : columnLines(matrix, n)),
    conditionLength: view.rowsPerCondition && (batches * half(rows)) / conditionsOf(view),
  };
}

/** How many conditions the rows of a sample have; 1 also if several samples share one. */
export const conditionsOfSample = ({ view: { s, rowsPerCondition = s } }: Layout): number =>
  Math.max(1, s / rowsPerCondition);

/** For what has neither gamma nor beta: samples of one channel as rows, which fill texels better than columns of one channel do. */
export const oneChannelAsRows = (view: View): View => (view.c === 1 ? { n: view.n, s: 1, c: view.s, groups: 1 } : view);

interface Matrix extends Packing {
  readonly batches: number;
}

const rowLines = ({ batches, rows, columns }: Matrix): Lines => ({
  alongRows: true,
  count: batches * half(rows),
  across: 1,
  length: half(columns),
  segment: half(columns),
  odd: isEven(columns) ? 0 : 1,
});

/** Lines down the texel columns of `count` equal parts of the tensor. */
function columnLines({ batches, rows, columns }: Matrix, count: number): Lines {
  const length = (batches * half(rows)) / count;
  const odd = isEven(rows) ? 0 : 1;
  return { alongRows: false, count, across: half(columns), length, segment: odd ? half(rows) : length, odd };
}

/** Lines down the columns of each condition, or of the whole tensor: for sums over all that share gamma and beta. */
export const conditionLines = ({ shape: [batches, rows, columns], view, conditionLength }: Layout): Lines => ({
  ...columnLines({ batches, rows, columns }, conditionsOf(view)),
  conditionLength,
});

/** The uniforms by which shaders know the lines. */
export const lineUniforms = ({ across, length, segment, odd, conditionLength = 0 }: Lines) => ({
  across,
  length,
  segment,
  odd,
  conditionLength,
});
