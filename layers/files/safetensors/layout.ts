/** How the values of a weight lie in a file: in other shapes, with axes in another order, or one axis in an order of its own. */

/** Which index along an axis of a weight is the first, second, ... in the file; absent where they are the same. */
export type Order = Int32Array | undefined;

export interface Layout {
  /** The shape in the file. */
  readonly shape: readonly number[];
  /** The sizes of the weight's axes, some of which may be parts of one axis. */
  readonly view: readonly number[];
  /** Axes of the view, as they follow each other in the file. */
  readonly axes: readonly number[];
  /** For each axis of the view. */
  readonly orders?: readonly Order[];
  /** Where the file has only a part of the weight: the index of its first value, and how many values the weight has. */
  readonly part?: { readonly start: number; readonly of: number };
}

/** The values as they are, in another shape of the same size. */
export const asItIs = (shape: readonly number[]): Layout => ({
  shape,
  view: shape,
  axes: shape.map((_, axis) => axis),
});

/** A vector of the features along an axis. */
export const ofFeatures = (size: number, order: Order): Layout => ({ ...asItIs([size]), orders: [order] });

/** The axes in another order. */
export const transposed = (
  view: readonly number[],
  axes: readonly number[],
  orders: readonly Order[] = [],
): Layout => ({
  shape: axes.map((axis) => view[axis] as number),
  view,
  axes,
  orders,
});

/** The values of a weight as they lie in the file. */
export function toFile(weight: Float32Array, layout: Layout): Float32Array {
  const { part, view } = layout;
  const values = part ? weight.subarray(part.start, part.start + sizeOf(view)) : weight;
  if (isIdentity(layout)) return values;
  const stored = new Float32Array(values.length);
  forEachRow(layout, (at, start, offsets) => {
    for (let i = 0; i < offsets.length; i++) stored[at + i] = values[start + (offsets[i] as number)] as number;
  });
  return stored;
}

const sizeOf = (view: readonly number[]) => view.reduce((product, size) => product * size, 1);

/** The values of a file as they lie in the weight, with zeros where another tensor has its values. */
export function fromFile<Values extends Float32Array | Int32Array | Uint8Array>(
  stored: Values,
  layout: Layout,
): Values {
  const { part, ...whole } = layout;
  if (part) {
    const weight = new (stored.constructor as new (size: number) => Values)(part.of);
    weight.set(fromFile(stored, whole), part.start);
    return weight;
  }
  if (isIdentity(layout)) return stored;
  const values = stored.slice() as Values;
  forEachRow(layout, (at, start, offsets) => {
    for (let i = 0; i < offsets.length; i++) values[start + (offsets[i] as number)] = stored[at + i] as number;
  });
  return values;
}

const isIdentity = ({ axes, orders = [] }: Layout): boolean =>
  axes.every((axis, i) => axis === i) && orders.every((order) => order === undefined);

/**
 * Calls `row` for each row of the file, which is what has one index in all axes but the last: it begins at `at` in the file, and its
 * values are at `start + offsets[i]` in the weight.
 */
function forEachRow(
  { view, axes, orders = [] }: Layout,
  row: (at: number, start: number, offsets: Int32Array) => void,
): void {
  const offsetsOf = (axis: number): Int32Array => {
    const stride = view.slice(axis + 1).reduce((product, size) => product * size, 1);
    const order = orders[axis];
    return Int32Array.from({ length: view[axis] as number }, (_, i) => (order ? (order[i] as number) : i) * stride);
  };
  const tables = axes.map(offsetsOf);
  const last = tables.pop() ?? new Int32Array(1);
  const rows = tables.reduce((product, { length }) => product * length, 1);
  const indices = tables.map(() => 0);
  for (let i = 0; i < rows; i++) {
    const start = indices.reduce((sum, index, axis) => sum + (tables[axis]?.[index] as number), 0);
    row(i * last.length, start, last);
    // The next index: as an odometer counts.
    for (let axis = indices.length - 1; axis >= 0; axis--) {
      indices[axis] = (indices[axis] as number) + 1;
      if ((indices[axis] as number) < (tables[axis] as Int32Array).length) break;
      indices[axis] = 0;
    }
  }
}

/**
 * The order of the features of a vector that was made by flattening `shape`: here with the axes in the order `ours`, in the file in
 * the order `theirs`.
 */
export function flatOrder(shape: readonly number[], ours: readonly number[], theirs: readonly number[]): Order {
  const view = ours.map((axis) => shape[axis] as number);
  const order = new Int32Array(view.reduce((product, size) => product * size, 1));
  const layout = transposed(
    view,
    theirs.map((axis) => ours.indexOf(axis)),
  );
  forEachRow(layout, (at, start, offsets) => {
    for (let i = 0; i < offsets.length; i++) order[at + i] = start + (offsets[i] as number);
  });
  return order.every((value, i) => value === i) ? undefined : order;
}
