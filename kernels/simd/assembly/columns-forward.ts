/**
 * Normalization of columns: statistics down the rows of a matrix, then coefficients per channel along them (views with
 * s > 1).
 *
 * A sample [s, c] is read as rows of `wide` values, a multiple of c, so that few channels still fill the lanes: column j
 * belongs to channel j % c, and the last row may be shorter. A part of a sample is given by its size in values, and begins
 * with a row. Arrays of one value per column are padded to whole vectors.
 */
import { BLOCK, Form, clearSums } from './form';
import { add, high, laneMask, lanesLeft, low, mad, mul, padded, storeLanes, sub, zero } from './lanes';
import { advance } from './parameters';

/** Replaces the masked ones of two float64 in memory. */
// @ts-ignore: decorator
@inline function storePair(p: usize, v: v128, mask: v128): void {
  v128.store(p, v128.bitselect(v, v128.load(p), mask));
}

/** Merges two columns' sums of d and d^2 over n rows, d = x - pivot, into mean and M2 of n0 rows (Chan et al.). */
// @ts-ignore: decorator
@inline function mergePair(mean: usize, m2: usize, pivot: v128, s: v128, q: v128, n0: f64, n: f64, mask: v128): void {
  const delta = f64x2.div(s, f64x2.splat(n)), square = f64x2.mul(s, delta), all = f64x2.sub(q, square);
  // Rounding may have made it negative. Of equal values it is exactly 0: see rows-forward.ts.
  const within = v128.andnot(all, f64x2.lt(all, f64x2.splat(0)));
  const old = v128.load(mean), d = f64x2.sub(f64x2.add(pivot, delta), old);
  const between = f64x2.mul(f64x2.mul(d, d), f64x2.splat(n0 * n / (n0 + n)));
  storePair(mean, f64x2.add(old, f64x2.mul(d, f64x2.splat(n / (n0 + n)))), mask);
  storePair(m2, f64x2.add(v128.load(m2), f64x2.add(within, between)), mask);
}

// @ts-ignore: decorator
@inline function merge(mean: usize, m2: usize, pivot: v128, s: v128, q: v128, n0: f64, n: f64, lanes: usize): void {
  const mask = laneMask(lanes);
  mergePair(mean, m2, low(pivot), low(s), low(q), n0, n, i32x4.shuffle(mask, mask, 0, 0, 1, 1));
  mergePair(mean + 16, m2 + 16, high(pivot), high(s), high(q), n0, n, i32x4.shuffle(mask, mask, 2, 2, 3, 3));
}

/** Adds `rows` rows, `stride` apart, of `bytes` each to mean and M2 per column, which hold n0 rows. */
function blockMoments(x: usize, rows: i32, stride: usize, bytes: usize, mean: usize, m2: usize, n0: f64): void {
  const n = <f64>rows, inverse = f32x4.splat(<f32>(1 / n)), toEnd = stride * rows, bytes64 = bytes & ~63;
  let i: usize = 0;
  for (; i < bytes64; i += 64) {
    const from = x + i, end = from + toEnd, to = mean + (i << 1), to2 = m2 + (i << 1);
    let s0 = zero(), s1 = zero(), s2 = zero(), s3 = zero();
    for (let p = from; p < end; p += stride) {
      s0 = add(s0, v128.load(p)); s1 = add(s1, v128.load(p, 16));
      s2 = add(s2, v128.load(p, 32)); s3 = add(s3, v128.load(p, 48));
    }
    const pivot0 = mul(s0, inverse), pivot1 = mul(s1, inverse), pivot2 = mul(s2, inverse), pivot3 = mul(s3, inverse);
    let q0 = zero(), q1 = zero(), q2 = zero(), q3 = zero();
    s0 = zero(), s1 = zero(), s2 = zero(), s3 = zero();
    for (let p = from; p < end; p += stride) {
      const d0 = sub(v128.load(p), pivot0), d1 = sub(v128.load(p, 16), pivot1);
      const d2 = sub(v128.load(p, 32), pivot2), d3 = sub(v128.load(p, 48), pivot3);
      s0 = add(s0, d0); s1 = add(s1, d1); s2 = add(s2, d2); s3 = add(s3, d3);
      q0 = mad(d0, d0, q0); q1 = mad(d1, d1, q1); q2 = mad(d2, d2, q2); q3 = mad(d3, d3, q3);
    }
    merge(to, to2, pivot0, s0, q0, n0, n, 16); merge(to + 32, to2 + 32, pivot1, s1, q1, n0, n, 16);
    merge(to + 64, to2 + 64, pivot2, s2, q2, n0, n, 16); merge(to + 96, to2 + 96, pivot3, s3, q3, n0, n, 16);
  }
  for (; i < bytes; i += 16) {
    const from = x + i, end = from + toEnd;
    let s = zero(), q = zero();
    for (let p = from; p < end; p += stride) s = add(s, v128.load(p));
    const pivot = mul(s, inverse);
    s = zero();
    for (let p = from; p < end; p += stride) {
      const d = sub(v128.load(p), pivot);
      s = add(s, d); q = mad(d, d, q);
    }
    merge(mean + (i << 1), m2 + (i << 1), pivot, s, q, n0, n, lanesLeft(i, bytes));
  }
}

/** Adds a part of a sample to its moments per column, mean and M2, which have `rows` rows already. */
export function columnMoments(form: Form, x: usize, size: i32, rows: i32): void {
  const wide = form.wide, stride = <usize>wide << 2, mean = form.sums, m2 = mean + padded(wide) * 2;
  const end = rows + size / wide, tail = <usize>(size % wide) << 2;
  while (rows < end) {
    const count = min(end - rows, BLOCK);
    blockMoments(x, count, stride, stride, mean, m2, <f64>rows);
    x += stride * count;
    rows += count;
  }
  if (tail) blockMoments(x, 1, stride, tail, mean, m2, <f64>rows);
}

/**
 * From the moments of a sample's columns: its mean and variance per group, and the coefficients of `columnAffine`, with r = 1 / f
 * and delta the rounding error of the mean in float32:
 *
 *   pivot = mean, scale = gamma r, shift = beta - delta gamma r      y = (x - pivot) scale + shift
 *
 * Where a sample has several conditions, gamma is 1 and beta 0 here: see conditions.ts.
 *
 * @param mean variance [groups] each, written
 */
export function columnCoefficients(form: Form, mean: usize, variance: usize): void {
  const wide = form.wide, c = form.c, width = c / form.groups, count = <f64>form.s * <f64>width;
  const rows = form.s * c / wide, tail = form.s * c % wide;
  const bytes = padded(wide), means = form.sums, m2s = means + bytes * 2;
  const pivots = form.coefficients, scales = pivots + bytes, shifts = scales + bytes, within = form.within;
  for (let first = 0; first < c; first += width, mean += 4, variance += 4) {
    let mu: f64 = 0, v: f64 = 0;
    if (form.center) {
      for (let copy = first; copy < wide; copy += c) {
        for (let j = copy; j < copy + width; ++j) mu += <f64>(rows + i32(j < tail)) * load<f64>(means + (<usize>j << 3));
      }
      mu /= count;
    }
    for (let copy = first; copy < wide; copy += c) {
      for (let j = copy; j < copy + width; ++j) {
        const d = load<f64>(means + (<usize>j << 3)) - mu;
        v += load<f64>(m2s + (<usize>j << 3)) + <f64>(rows + i32(j < tail)) * d * d;
      }
    }
    v /= count;
    store<f32>(mean, <f32>mu);
    store<f32>(variance, <f32>v);
    const pivot = <f32>mu, delta = mu - <f64>pivot, r = form.reciprocal(v);
    for (let copy = first; copy < wide; copy += c) {
      for (let e = 0; e < width; ++e) {
        const channel = <usize>(first + e) << 2, j = <usize>(copy + e) << 2;
        const scale = (within ? 1 : <f64>load<f32>(form.gamma + channel)) * r;
        store<f32>(pivots + j, pivot);
        store<f32>(scales + j, <f32>scale);
        store<f32>(shifts + j, <f32>((within ? 0 : <f64>load<f32>(form.beta + channel)) - delta * scale));
      }
    }
  }
}

/** `columnAffine` along one row, or less of it; coefficients `next` bytes apart. */
function affineRow(x: usize, y: usize, bytes: usize, coefficients: usize, next: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) {
    const k = coefficients + i, d = sub(v128.load(x + i), v128.load(k));
    storeLanes(y + i, mad(d, v128.load(k + next), v128.load(k + 2 * next)), lanesLeft(i, bytes));
  }
}

/** y = (x - pivot) * scale + shift per column of a part of a sample, with these coefficients; x may be y. */
export function columnAffine(form: Form, x: usize, y: usize, size: i32): void {
  const wide = form.wide, coefficients = form.coefficients;
  const row = <usize>wide << 2, next = padded(wide), toY = y - x, end = x + (<usize>size << 2);
  if (row % 16 == 0) {
    // Four rows share each access to the coefficients; none is stored before all are read: see `columnGradAffine`.
    for (let rows = size / wide; rows >= 4; rows -= 4, x += 4 * row) {
      for (let i: usize = 0; i < row; i += 16) {
        const k = coefficients + i, pivot = v128.load(k), scale = v128.load(k + next), shift = v128.load(k + 2 * next);
        const p0 = x + i, p1 = p0 + row, p2 = p1 + row, p3 = p2 + row;
        const y0 = mad(sub(v128.load(p0), pivot), scale, shift), y1 = mad(sub(v128.load(p1), pivot), scale, shift);
        const y2 = mad(sub(v128.load(p2), pivot), scale, shift), y3 = mad(sub(v128.load(p3), pivot), scale, shift);
        v128.store(p0 + toY, y0); v128.store(p1 + toY, y1); v128.store(p2 + toY, y2); v128.store(p3 + toY, y3);
      }
    }
  }
  for (; x < end; x += row) affineRow(x, x + toY, min(row, end - x), coefficients, next);
}

/**
 * Normalizes `n` samples, each small enough to stay in the cache.
 *
 * @param x [n, s, c]; may be y
 * @param y the same, or 0: the moments only
 * @param mean variance [n * groups] each, written
 */
export function columnsForward(form: Form, x: usize, y: usize, mean: usize, variance: usize, n: i32): void {
  const size = form.s * form.c, sample = <usize>size << 2, moments = <usize>form.groups << 2;
  for (let i = 0; i < n; ++i, x += sample, mean += moments, variance += moments) {
    clearSums(form);
    columnMoments(form, x, size, 0);
    columnCoefficients(form, mean, variance);
    if (!y) continue;
    columnAffine(form, x, y, size);
    y += sample;
    advance(form, form.s);
  }
}
