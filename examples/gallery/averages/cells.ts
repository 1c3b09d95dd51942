/** Which activations of a block [examples, rows, columns, channels] share a statistic: all that this page is about. */

export interface Cell {
  readonly example: number;
  readonly row: number;
  readonly column: number;
  readonly channel: number;
}

/** Sizes of a block. */
export interface Shape {
  readonly examples: number;
  readonly rows: number;
  readonly columns: number;
  readonly channels: number;
}

/** Whether two cells share a mean and a variance. */
export type Together = (a: Cell, b: Cell) => boolean;

export const batch: Together = (a, b) => a.channel === b.channel;
export const instance: Together = (a, b) => a.example === b.example && a.channel === b.channel;
export const layer: Together = (a, b) => a.example === b.example;
export const position: Together = (a, b) => a.example === b.example && a.row === b.row && a.column === b.column;
/** Of consecutive channels, `size` in each. */
export const group =
  (size: number): Together =>
  (a, b) =>
    a.example === b.example && Math.floor(a.channel / size) === Math.floor(b.channel / size);

export const sizeOf = ({ examples, rows, columns, channels }: Shape): number => examples * rows * columns * channels;

/** Where a cell lies among the values of a tensor [examples, rows, columns, channels]. */
export const indexOf = ({ rows, columns, channels }: Shape, { example, row, column, channel }: Cell): number =>
  ((example * rows + row) * columns + column) * channels + channel;

let made: { readonly key: string; readonly cells: readonly Cell[] } | undefined;

/** All cells in the order of the values; the same objects as long as the shape is. */
export function cellsOf(shape: Shape): readonly Cell[] {
  const { rows, columns, channels } = shape;
  const key = [shape.examples, rows, columns, channels].join();
  if (made?.key === key) return made.cells;
  const cells = Array.from({ length: sizeOf(shape) }, (_, index) => {
    const place = Math.floor(index / channels);
    const line = Math.floor(place / columns);
    const [example, row, column, channel] = [Math.floor(line / rows), line % rows, place % columns, index % channels];
    return { example, row, column, channel };
  });
  made = { key, cells };
  return cells;
}

export interface Statistics {
  readonly count: number;
  readonly mean: number;
  readonly variance: number;
  /** The mean of the squares, for a normalization without a mean. */
  readonly meanSquare: number;
}

/** Of all values whose cell is together with `chosen`. Two passes: the mean is subtracted before the squares are taken. */
export function statisticsOf(values: Float32Array, shape: Shape, chosen: Cell, together: Together): Statistics {
  const cells = cellsOf(shape);
  const shared = values.filter((_, i) => together(chosen, cells[i]));
  const average = (of: (value: number) => number) => shared.reduce((sum, value) => sum + of(value), 0) / shared.length;
  const mean = average((value) => value);
  return {
    count: shared.length,
    mean,
    variance: average((value) => (value - mean) ** 2),
    meanSquare: average((value) => value ** 2),
  };
}
