/**
 * Sums of many values. TensorFlow adds the rows of a matrix one after the other in float32: with some thousand rows the sum
 * loses digits, most of all if values are equal, since then all rounding errors have the same sign. So a long column is read as
 * several, side by side, whose sums are added in float64.
 */
import type { Call, Value } from './backend.ts';

type Numbers = ArrayLike<number>;

/** The most rows that an op may add up in float32: the error is a few 1e-5 at worst, if all values are equal. */
export const ROWS = 1024;
/** The rows of the columns as which a longer column is read. */
export const PART = 256;
/** The most values of a row that a matrix product may add up, eight or more at a time. Longer rows take TensorFlow's `Sum`. */
export const LONG = 4096;

/** The number of equal parts into which a column of s values is cut: 1 if it is short, or s has no divisor of about `PART`. */
export function copiesOf(s: number): number {
  if (s <= ROWS) return 1;
  for (let rows = PART; rows >= PART / 8; rows--) if (s % rows === 0) return s / rows;
  return 1;
}

/** Sums over axis 1, of rows [n, d] or of columns [n, s, c]: one for each n, or n * c. */
export function sums(call: Call, x: Value): Numbers {
  if (!isRows(x)) {
    return downColumns(call, x, (part) => {
      const [n, s] = part.shape as [number, number];
      return call.take(call.matMul(call.ones([n, 1, s]), part));
    });
  }
  const [n, d] = x.shape as [number, number];
  const rows = call.reshape(x, [n, d]);
  // A product with ones takes half the time of TensorFlow's sum.
  return call.take(d > LONG ? call.sum(rows, 1) : call.matMul(rows, call.ones([d, 1])));
}

/** As `sums`, of the squares. */
export function sumsOfSquares(call: Call, x: Value): Numbers {
  const squares = (part: Value) => Float64Array.from(call.take(call.norm(part, 1)), (norm) => norm ** 2);
  return isRows(x) ? squares(x) : downColumns(call, x, squares);
}

/** The sum of the rows of x [rows, d]: one number for each place in a row. */
export function sumOfRows(call: Call, x: Value): Numbers {
  const [rows, d] = x.shape as [number, number];
  return rows <= ROWS ? call.take(call.matMul(call.ones([1, rows]), x)) : sums(call, call.reshape(x, [1, rows, d]));
}

/** As `sumOfRows`, with a weight for each row. */
export function weightedSumOfRows(call: Call, weights: Float32Array, x: Value): Numbers {
  const [all, d] = x.shape as [number, number];
  if (all <= ROWS) return call.take(call.matMul(call.constant(weights, [1, all]), x));
  const { rows, copies } = partsOf(all);
  const whole = rows * copies;
  const parts = call.reshape(whole === all ? x : call.slice(x, [0, 0], [whole, d]), [copies, rows, d]);
  const each = call.take(call.matMul(call.constant(weights.subarray(0, whole), [copies, 1, rows]), parts));
  const totals = sumOfCopies(each, { n: 1, copies, c: d });
  if (whole === all) return totals;
  return added(totals, weightedSumOfRows(call, weights.subarray(whole), call.slice(x, [whole, 0], [all - whole, d])));
}

/** The sums [n, 1] over the rows of x [n, d], with a weight for each place in a row. */
export function sumAlongRows(call: Call, x: Value, weights: Float32Array): Value {
  const [n, d] = x.shape as [number, number];
  if (d <= LONG) return call.matMul(x, call.constant(weights, [d, 1]));
  const weighted = call.mul(x, call.constant(weights));
  return call.reshape(call.replace(weighted, call.sum(weighted, 1)), [n, 1]);
}

/** n * copies * c numbers summed to n * c. */
export function sumOfCopies(each: Numbers, { n, copies, c }: { n: number; copies: number; c: number }): Numbers {
  if (copies === 1) return each;
  const totals = new Float64Array(n * c);
  for (let i = 0, first = 0; first < totals.length; first += c) {
    for (let copy = 0; copy < copies; copy++) {
      for (let at = first; at < first + c; at++) totals[at] = (totals[at] as number) + (each[i++] as number);
    }
  }
  return totals;
}

/** Columns of one channel are rows, too. */
const isRows = ({ shape }: Value) => shape.length === 2 || shape[2] === 1;

/** The sums of columns [n, s, c], n * c numbers, by `f`, which is given at most `ROWS` rows at a time. */
function downColumns(call: Call, x: Value, f: (part: Value) => Numbers): Numbers {
  const [n, s, c] = x.shape as [number, number, number];
  if (s <= ROWS) return f(x);
  const { rows, copies } = partsOf(s);
  const whole = rows * copies;
  const parts = call.reshape(whole === s ? x : call.slice(x, [0, 0, 0], [n, whole, c]), [n, rows, copies * c]);
  const totals = sumOfCopies(f(parts), { n, copies, c });
  return whole === s ? totals : added(totals, f(call.slice(x, [0, whole, 0], [n, s - whole, c])));
}

/** Splits rows into `copies` parts of `rows` each; if no divisor fits, less than `PART` rows are left over. */
function partsOf(all: number): { rows: number; copies: number } {
  const copies = copiesOf(all);
  return copies > 1 ? { rows: all / copies, copies } : { rows: PART, copies: Math.floor(all / PART) };
}

const added = (totals: Numbers, rest: Numbers) => Float64Array.from(totals, (total, i) => total + (rest[i] as number));
