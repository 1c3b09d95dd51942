/**
 * Columns of samples with several conditions, one after the other, each of `form.share` rows: batch normalization with parameters per
 * example, or any normalization with parameters per position. Statistics are those of the whole sample. Parts of a sample are given
 * by their size in values, a multiple of c; `seek` moves to the first row of a part.
 */
import { columnAffine, columnCoefficients } from './columns-forward';
import { columnGradAffine, columnGradSums } from './columns-backward';
import { BLOCK, Form, clearSums, clearTotals } from './form';
import { add, addTo, lanesLeft, mad, mul, padded, storeLanes, sub, zero } from './lanes';
import { advance, moveTo } from './parameters';

/**
 * The coefficients of `conditionAffine`: scale and shift of a sample without parameters, in the place of the sums.
 *
 * @param mean variance [groups] each, written
 */
export function conditionCoefficients(form: Form, mean: usize, variance: usize): void {
  const bytes = padded(form.wide);
  columnCoefficients(form, mean, variance);
  memory.copy(form.sums, form.coefficients + bytes, bytes * 2);
}

/** y = ((x - pivot) scale + shift) gamma + beta along a part of a sample; x may be y. */
export function conditionAffine(form: Form, x: usize, y: usize, size: i32): void {
  const c = form.c, wide = <usize>form.wide << 2, bytes = padded(form.wide), row = <usize>c << 2;
  const scales = form.coefficients + bytes, shifts = scales + bytes, scale = form.sums, shift = scale + bytes;
  for (let rows = size / c; rows > 0;) {
    const some = min(rows, form.left), part = some * c, end = min(wide, <usize>part << 2);
    for (let copy: usize = 0; copy < end; copy += row) {
      for (let e: usize = 0; e < row; e += 16) {
        const j = copy + e, gamma = v128.load(form.gamma + e), lanes = lanesLeft(e, row);
        storeLanes(scales + j, mul(v128.load(scale + j), gamma), lanes);
        storeLanes(shifts + j, mad(v128.load(shift + j), gamma, v128.load(form.beta + e)), lanes);
      }
    }
    columnAffine(form, x, y, part);
    x += <usize>part << 2; y += <usize>part << 2;
    rows -= some;
    advance(form, some);
  }
}

/** Before the first part of a sample. */
export function clearConditions(form: Form): void { clearSums(form); clearTotals(form); }

/**
 * `conditionGradSums` for conditions of one row each: dgamma and dbeta of a condition are of one value each. The other sums are added
 * up in float32, in the place of `form.sums`, and move on to float64 after `BLOCK` rows.
 */
function rowGradSums(form: Form, x: usize, dy: usize, rows: i32): void {
  const row = <usize>form.c << 2, mean = form.coefficients, sums = form.sums, next = padded(form.c), totals = form.totals;
  for (let r = 0; r < rows; ++r, x += row, dy += row) {
    for (let i: usize = 0; i < row; i += 16) {
      const g = v128.load(dy + i), d = sub(v128.load(x + i), v128.load(mean + i)), D = mul(g, v128.load(form.gamma + i));
      const lanes = lanesLeft(i, row), to = sums + i;
      storeLanes(form.dbeta + i, g, lanes);
      storeLanes(form.dgamma + i, mul(g, d), lanes);
      v128.store(to, add(D, v128.load(to)));
      v128.store(to + next, mad(D, d, v128.load(to + next)));
      v128.store(to + 2 * next, add(d, v128.load(to + 2 * next)));
    }
    advance(form, 1);
    if (r % BLOCK == BLOCK - 1 || r == rows - 1) {
      for (let i: usize = 0; i < 3 * next; i += 16) {
        addTo(totals + (i << 1), v128.load(sums + i));
        v128.store(sums + i, zero());
      }
    }
  }
}

/**
 * Adds a part of a sample to the sums of its conditions. After the last row of a condition its dbeta = sum(dy) is written, and in the
 * place of dgamma sum(dy (x - mean)), of which `conditionGradCoefficients` makes dgamma. Three float64 per channel are added up in
 * `form.totals`: sum(D), sum(D (x - mean)) and sum(x - mean), with D = gamma dy.
 */
export function conditionGradSums(form: Form, x: usize, dy: usize, size: i32): void {
  const c = form.c, wide = form.wide, next = padded(wide) * 2, sumD = form.totals, total = padded(c) * 2;
  if (form.share == 1) return rowGradSums(form, x, dy, size / c);
  for (let rows = size / c; rows > 0;) {
    const some = min(rows, form.left), part = some * c;
    columnGradSums(form, x, dy, part);
    if (some == form.left) {
      for (let channel = 0; channel < c; ++channel) {
        const i = <usize>channel << 2, to = sumD + (i << 1), gamma = <f64>load<f32>(form.gamma + i);
        let s: f64 = 0, p: f64 = 0, d: f64 = 0;
        for (let j = channel; j < wide; j += c) {
          const from = form.sums + (<usize>j << 3);
          s += load<f64>(from); p += load<f64>(from + next); d += load<f64>(from + 2 * next);
        }
        store<f32>(form.dbeta + i, <f32>s);
        store<f32>(form.dgamma + i, <f32>p);
        store<f64>(to, load<f64>(to) + gamma * s);
        store<f64>(to + total, load<f64>(to + total) + gamma * p);
        store<f64>(to + 2 * total, load<f64>(to + 2 * total) + d);
      }
      clearSums(form);
    }
    x += <usize>part << 2; dy += <usize>part << 2;
    rows -= some;
    advance(form, some);
  }
}

/**
 * From a sample's sums: dgamma of each of its conditions, and the coefficients of `conditionGradAffine`, which are those of
 * `columnGradCoefficients`, but with w without gamma, in the place of the sums. Goes back to the sample's first condition.
 *
 * @param variance [groups]
 */
export function conditionGradCoefficients(form: Form, variance: usize): void {
  const wide = form.wide, c = form.c, width = c / form.groups, count = <f64>form.s * <f64>width, bytes = padded(wide);
  const conditions = form.s / form.share, row = <usize>c << 2, total = padded(c) * 2;
  const ws = form.sums, as = form.coefficients + bytes * 2, bs = as + bytes, rs = ws + bytes, next = padded(c);
  moveTo(form, form.condition - conditions);
  for (let first = 0; first < c; first += width, variance += 4) {
    const v = <f64>load<f32>(variance), r = form.reciprocal(v);
    let sumD: f64 = 0, sumDd: f64 = 0, sumd: f64 = 0;
    for (let channel = first; channel < first + width; ++channel) {
      const from = form.totals + (<usize>channel << 3);
      sumD += load<f64>(from); sumDd += load<f64>(from + total); sumd += load<f64>(from + 2 * total);
    }
    const delta = form.center ? sumd / count : 0, meanD = form.center ? sumD / count : 0;
    const meanDxHat = (sumDd - delta * sumD) * r / count;
    const w = form.flat(v) ? 0 : r, a = -form.curvature(v) * meanDxHat * r * w, b = -meanD * w - delta * a;
    for (let channel = first; channel < first + width; ++channel) {
      const to = rs + (<usize>channel << 2);
      store<f32>(to, <f32>r); store<f32>(to + next, <f32>(-delta * r));
    }
    for (let copy = first; copy < wide; copy += c) {
      for (let e = 0; e < width; ++e) {
        const j = <usize>(copy + e) << 2;
        store<f32>(ws + j, <f32>w); store<f32>(as + j, <f32>a); store<f32>(bs + j, <f32>b);
      }
    }
  }
  let dgamma = form.dgamma, dbeta = form.dbeta;
  for (const end = dgamma + row * conditions; dgamma < end; dgamma += row, dbeta += row) {
    for (let i: usize = 0; i < row; i += 16) {
      const ofDy = mul(v128.load(dbeta + i), v128.load(rs + next + i));
      storeLanes(dgamma + i, mad(v128.load(dgamma + i), v128.load(rs + i), ofDy), lanesLeft(i, row));
    }
  }
}

/** dx = dy gamma w + (x - mean) a + b along a part of a sample; dx may be x or dy. */
export function conditionGradAffine(form: Form, x: usize, dy: usize, dx: usize, size: i32): void {
  const c = form.c, wide = <usize>form.wide << 2, row = <usize>c << 2, to = form.coefficients + padded(form.wide);
  for (let rows = size / c; rows > 0;) {
    const some = min(rows, form.left), part = some * c, end = min(wide, <usize>part << 2);
    for (let copy: usize = 0; copy < end; copy += row) {
      for (let e: usize = 0; e < row; e += 16) {
        storeLanes(to + copy + e, mul(v128.load(form.sums + copy + e), v128.load(form.gamma + e)), lanesLeft(e, row));
      }
    }
    columnGradAffine(form, x, dy, dx, part);
    x += <usize>part << 2; dy += <usize>part << 2; dx += <usize>part << 2;
    rows -= some;
    advance(form, some);
  }
}
