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

/** Cells of the same key share a mean and a variance. The largest block has 28 rows and columns, and 6 channels. */
export type Key = (cell: Cell) => number;

export const batch: Key = ({ channel }) => channel;
export const instance: Key = ({ example, channel }) => 100 * example + channel;
export const layer: Key = ({ example }) => example;
export const position: Key = ({ example, row, column }) => 10_000 * example + 100 * row + column;
/** Each cell by itself. */
export const single: Key = ({ channel, ...place }) => 10 * position({ channel, ...place }) + channel;
/** Of consecutive channels, `size` in each. */
export const group =
  (size: number): Key =>
  ({ example, channel }) =>
    100 * example + Math.floor(channel / size);

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

/** Of these values. Two passes: the mean is subtracted before the squares are taken. */
function statisticsOfValues(values: readonly number[]): Statistics {
  const average = (of: (value: number) => number) => values.reduce((sum, value) => sum + of(value), 0) / values.length;
  const mean = average((value) => value);
  return {
    count: values.length,
    mean,
    variance: average((value) => (value - mean) ** 2),
    meanSquare: average((value) => value ** 2),
  };
}

/** By key, the statistics of all values whose cells have it. */
export function statisticsByKey(values: Float32Array, shape: Shape, key: Key): Map<number, Statistics> {
  const members = new Map<number, number[]>();
  for (const [i, cell] of cellsOf(shape).entries()) {
    const own = members.get(key(cell));
    if (own) own.push(values[i]);
    else members.set(key(cell), [values[i]]);
  }
  return new Map(Array.from(members, ([key, values]) => [key, statisticsOfValues(values)]));
}
