/**
 * Columns whose sample has several conditions, one after the other, each of `form.share` rows: batch normalization with parameters for
 * each example, or any with parameters for each position. The statistics are the sample's. Parts are given by their size in
 * values, a multiple of c, and come in order.
 */
import { columnAffine, columnCoefficients } from './columns-forward';
import { columnGradAffine, columnGradSums } from './columns-backward';
import { Form, clearSums, clearTotals } from './form';
import { padded } from './lanes';
import { advance, move } from './parameters';

/**
 * What `conditionAffine` applies: scale and shift of a sample without parameters, which it finds where the sums were.
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
      for (let e: usize = 0; e < row; e += 4) {
        const j = copy + e, gamma = load<f32>(form.gamma + e);
        store<f32>(scales + j, load<f32>(scale + j) * gamma);
        store<f32>(shifts + j, load<f32>(shift + j) * gamma + load<f32>(form.beta + e));
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
 * Adds a part of a sample to the sums of its conditions. Behind the last row of a condition, dbeta = sum(dy) and
 * dgamma = sum(dy (x - mean)), which is not its gradient yet, are written, and three float64 per channel are added up in `form.totals`:
 * sum(D), sum(D (x - mean)) and sum(x - mean), D = gamma dy.
 */
export function conditionGradSums(form: Form, x: usize, dy: usize, size: i32): void {
  const c = form.c, wide = form.wide, next = padded(wide) * 2, sumD = form.totals, total = <usize>c << 3;
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
 * From a sample's sums: dgamma of each of its conditions, and what `conditionGradAffine` applies, as `columnGradCoefficients`. w is
 * kept without gamma, where the sums were. Goes back to the sample's first condition.
 *
 * @param variance [groups]
 */
export function conditionGradCoefficients(form: Form, variance: usize): void {
  const wide = form.wide, c = form.c, width = c / form.groups, count = <f64>form.s * <f64>width, bytes = padded(wide);
  const conditions = form.s / form.share, row = <usize>c << 2;
  const ws = form.sums, as = form.coefficients + bytes * 2, bs = as + bytes;
  move(form, -conditions);
  for (let first = 0; first < c; first += width, variance += 4) {
    const v = <f64>load<f32>(variance), r = form.reciprocal(v);
    let sumD: f64 = 0, sumDd: f64 = 0, sumd: f64 = 0;
    for (let channel = first; channel < first + width; ++channel) {
      const from = form.totals + (<usize>channel << 3);
      sumD += load<f64>(from); sumDd += load<f64>(from + (row << 1)); sumd += load<f64>(from + (row << 2));
    }
    const delta = form.center ? sumd / count : 0, meanD = form.center ? sumD / count : 0;
    const meanDxHat = (sumDd - delta * sumD) * r / count;
    const w = form.flat(v) ? 0 : r, a = -form.curvature(v) * meanDxHat * r * w, b = -meanD * w - delta * a;
    for (let i = 0; i < conditions; ++i) {
      for (let channel = first; channel < first + width; ++channel) {
        const at = row * i + (<usize>channel << 2), dgamma = form.dgamma + at;
        store<f32>(dgamma, <f32>((<f64>load<f32>(dgamma) - delta * <f64>load<f32>(form.dbeta + at)) * r));
      }
    }
    for (let copy = first; copy < wide; copy += c) {
      for (let e = 0; e < width; ++e) {
        const j = <usize>(copy + e) << 2;
        store<f32>(ws + j, <f32>w); store<f32>(as + j, <f32>a); store<f32>(bs + j, <f32>b);
      }
    }
  }
}

/** dx = dy gamma w + (x - mean) a + b along a part of a sample; dx may be x or dy. */
export function conditionGradAffine(form: Form, x: usize, dy: usize, dx: usize, size: i32): void {
  const c = form.c, wide = <usize>form.wide << 2, row = <usize>c << 2, to = form.coefficients + padded(form.wide);
  for (let rows = size / c; rows > 0;) {
    const some = min(rows, form.left), part = some * c, end = min(wide, <usize>part << 2);
    for (let copy: usize = 0; copy < end; copy += row) {
      for (let e: usize = 0; e < row; e += 4) {
        store<f32>(to + copy + e, load<f32>(form.sums + copy + e) * load<f32>(form.gamma + e));
      }
    }
    columnGradAffine(form, x, dy, dx, part);
    x += <usize>part << 2; dy += <usize>part << 2; dx += <usize>part << 2;
    rows -= some;
    advance(form, some);
  }
}
