/**
 * The one way in which kernels see a tensor: channels-last, as `[n, s, c]` with `groups` of consecutive channels.
 * Statistics are taken per (n, group) over `s` and the `c / groups` channels of the group; gamma and beta have length `c`,
 * or a row of that length for each condition.
 * The functions here choose the view of a shape whose axes are in that order; `ops/axes.ts` brings them there.
 */

export interface View {
  readonly n: number;
  readonly s: number;
  readonly c: number;
  readonly groups: number;
  /**
   * Conditional normalization: how many consecutive rows of [n * s, c] share a row of gamma and beta, which are [conditions, c].
   * It is s, or a multiple or divisor of s, and a divisor of n * s. Absent: all rows share them, and gamma and beta are [c],
   * or there are neither.
   */
  readonly rowsPerCondition?: number;
}

/** How many rows gamma and beta have. */
export const conditionsOf = ({ n, s, rowsPerCondition }: View): number =>
  rowsPerCondition === undefined ? 1 : (n * s) / rowsPerCondition;

type Shape = readonly number[];

/** Without slices: this runs on every call of every layer. */
export function product(shape: Shape, from: number, to: number): number {
  let size = 1;
  for (let axis = from; axis < to; axis++) size *= shape[axis] as number;
  return size;
}

/** One statistic per channel, over everything else: Batch, Mean-Only. */
export function batchView(shape: Shape): View {
  const channels = shape.length - 1;
  const c = shape[channels] as number;
  return { n: 1, s: product(shape, 0, channels), c, groups: c };
}

/** One statistic per example and group of consecutive channels: Group; Instance with as many groups as channels. */
export function groupView(shape: Shape, groups: number): View {
  const channels = shape.length - 1;
  return { n: shape[0] as number, s: product(shape, 1, channels), c: shape[channels] as number, groups };
}

/** One statistic per channel of each example of [batch, channels, ...]: each of them is a sample of one channel. */
export function sampleView(shape: Shape): View {
  return { n: product(shape, 0, 2), s: product(shape, 2, shape.length), c: 1, groups: 1 };
}

/** One statistic per row of the trailing `count` axes: Layer, RMS. */
export function rowView(shape: Shape, count: number): View {
  const rank = shape.length;
  return { n: product(shape, 0, rank - count), s: 1, c: product(shape, rank - count, rank), groups: 1 };
}

/** One statistic per output unit of a kernel, which the trailing `count` axes number: Weight. */
export function unitView(shape: Shape, count: number): View {
  const rank = shape.length;
  const c = product(shape, rank - count, rank);
  return { n: 1, s: product(shape, 0, rank - count), c, groups: c };
}
