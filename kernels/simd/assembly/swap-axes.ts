/** Swaps two axes: squares of four by four values become columns in registers. */

/** The rows of x that are swapped together: 16 values are one cache line of y. */
const STRIP = 16;

/** Copies four values of four rows, `row` bytes apart, to four rows, `column` bytes apart. */
// @ts-ignore: decorator
@inline function swapSquare(x: usize, y: usize, row: usize, column: usize): void {
  const x2 = x + 2 * row, y2 = y + 2 * column;
  const r0 = v128.load(x), r1 = v128.load(x + row), r2 = v128.load(x2), r3 = v128.load(x2 + row);
  const low01 = i32x4.shuffle(r0, r1, 0, 4, 1, 5), high01 = i32x4.shuffle(r0, r1, 2, 6, 3, 7);
  const low23 = i32x4.shuffle(r2, r3, 0, 4, 1, 5), high23 = i32x4.shuffle(r2, r3, 2, 6, 3, 7);
  v128.store(y, i64x2.shuffle(low01, low23, 0, 2));
  v128.store(y + column, i64x2.shuffle(low01, low23, 1, 3));
  v128.store(y2, i64x2.shuffle(high01, high23, 0, 2));
  v128.store(y2 + column, i64x2.shuffle(high01, high23, 1, 3));
}

/** Copies `rows` rows of `columns` values, one value after the other. */
function swapValues(x: usize, y: usize, rows: i32, columns: i32, row: usize, column: usize): void {
  for (let r = 0; r < rows; ++r, x += row, y += 4) {
    for (let c = 0, p = x, q = y; c < columns; ++c, p += 4, q += column) store<u32>(q, load<u32>(p));
  }
}

/**
 * @param x [n, a, b]
 * @param y [n, b, a], written; not x
 */
export function swapAxes(x: usize, y: usize, n: i32, a: i32, b: i32): void {
  const row = <usize>b << 2, column = <usize>a << 2, sample = row * a, inSquares = b & ~3;
  for (let i = 0; i < n; ++i, x += sample, y += sample) {
    for (let top = 0; top < a; top += STRIP) {
      const rows = min(STRIP, a - top), squares = rows & ~3;
      const from = x + row * top, to = y + (<usize>top << 2);
      for (let left = 0; left < inSquares; left += 4) {
        const p = from + (<usize>left << 2), q = to + column * left;
        for (let r = 0; r < squares; r += 4) swapSquare(p + row * r, q + (<usize>r << 2), row, column);
      }
      swapValues(from + (<usize>inSquares << 2), to + column * inSquares, squares, b - inSquares, row, column);
      swapValues(from + row * squares, to + (<usize>squares << 2), rows - squares, b, row, column);
    }
  }
}
