/** The gradient of the normalization of columns: sums down them, then coefficients along their rows. */
import { BLOCK, Form, clearSums } from './form';
import { add, addTo, firstLanes, lanesLeft, mad, padded, storeLanes, sub, zero } from './lanes';
import { advance } from './parameters';

/** Adds `rows` rows, `stride` apart, of `bytes` each to sums per column, `next` bytes apart: see `columnGradSums`. */
function blockGradSums(
  x: usize, dy: usize, rows: i32, stride: usize, bytes: usize, mean: usize, sums: usize, next: usize,
): void {
  const toDy = dy - x, toEnd = stride * rows, bytes32 = bytes & ~31;
  let i: usize = 0;
  for (; i < bytes32; i += 32) {
    const from = x + i, end = from + toEnd, to = sums + (i << 1);
    const m0 = v128.load(mean + i), m1 = v128.load(mean + i, 16);
    let s0 = zero(), s1 = zero(), p0 = zero(), p1 = zero(), e0 = zero(), e1 = zero();
    for (let p = from; p < end; p += stride) {
      const g0 = v128.load(p + toDy), g1 = v128.load(p + toDy, 16);
      const d0 = sub(v128.load(p), m0), d1 = sub(v128.load(p, 16), m1);
      s0 = add(s0, g0); s1 = add(s1, g1); e0 = add(e0, d0); e1 = add(e1, d1);
      p0 = mad(g0, d0, p0); p1 = mad(g1, d1, p1);
    }
    addTo(to, s0); addTo(to + 32, s1);
    addTo(to + next, p0); addTo(to + next + 32, p1);
    addTo(to + 2 * next, e0); addTo(to + 2 * next + 32, e1);
  }
  for (; i < bytes; i += 16) {
    const from = x + i, end = from + toEnd, to = sums + (i << 1), lanes = lanesLeft(i, bytes);
    const m = v128.load(mean + i);
    let s = zero(), p = zero(), e = zero();
    for (let q = from; q < end; q += stride) {
      const g = v128.load(q + toDy), d = sub(v128.load(q), m);
      s = add(s, g); e = add(e, d); p = mad(g, d, p);
    }
    // In a shorter last row the other lanes belong to columns, too, to which nothing may be added.
    addTo(to, firstLanes(s, lanes)); addTo(to + next, firstLanes(p, lanes)); addTo(to + 2 * next, firstLanes(e, lanes));
  }
}

/** Adds a part of a sample to its sums per column: dy; dy (x - mean); x - mean. The mean is the first coefficient. */
export function columnGradSums(form: Form, x: usize, dy: usize, size: i32): void {
  const wide = form.wide, mean = form.coefficients, sums = form.sums;
  const stride = <usize>wide << 2, next = padded(wide) * 2, tail = <usize>(size % wide) << 2;
  for (let rows = size / wide; rows > 0;) {
    const count = min(rows, BLOCK);
    blockGradSums(x, dy, count, stride, stride, mean, sums, next);
    x += stride * count; dy += stride * count;
    rows -= count;
  }
  if (tail) blockGradSums(x, dy, 1, stride, tail, mean, sums, next);
}

/** Spreads a sample's mean per group over its columns: the first of the coefficients. */
export function columnMeans(form: Form, mean: usize): void {
  const width = form.c / form.groups, end = form.coefficients + (<usize>form.wide << 2);
  for (let to = form.coefficients; to < end;) {
    for (let g = mean, last = mean + (<usize>form.groups << 2); g < last; g += 4) {
      const mu = load<f32>(g);
      for (let e = 0; e < width; ++e, to += 4) store<f32>(to, mu);
    }
  }
}

/**
 * From a sample's sums per column: dgamma and dbeta, added up if `form.affine`, and the coefficients of `columnGradAffine`, with
 * r = 1 / f, delta the rounding error of the mean in float32, and means over the group:
 *
 *   w = gamma r, a = -k mean(D xHat) r^2, b = -mean(D) r - delta a      dx = dy w + (x - mean) a + b
 *
 * or all 0 where dx is.
 *
 * @param variance [groups]
 */
export function columnGradCoefficients(form: Form, variance: usize): void {
  const wide = form.wide, c = form.c, width = c / form.groups, count = <f64>form.s * <f64>width, bytes = padded(wide);
  const sumsDy = form.sums, sumsDyd = sumsDy + bytes * 2, sumsd = sumsDyd + bytes * 2;
  const dgamma = form.totals, dbeta = dgamma + padded(c) * 2;
  const ws = form.coefficients + bytes, as = ws + bytes, bs = as + bytes;
  for (let first = 0; first < c; first += width, variance += 4) {
    const v = <f64>load<f32>(variance), r = form.reciprocal(v);
    let delta: f64 = 0, meanD: f64 = 0, meanDxHat: f64 = 0;
    if (form.center) {
      for (let copy = first; copy < wide; copy += c) {
        for (let j = copy; j < copy + width; ++j) delta += load<f64>(sumsd + (<usize>j << 3));
      }
      delta /= count;
    }
    for (let copy = first; copy < wide; copy += c) {
      for (let e = 0; e < width; ++e) {
        const channel = <usize>(first + e) << 3, j = <usize>(copy + e) << 3;
        const gamma = <f64>load<f32>(form.gamma + (channel >> 1));
        const s = load<f64>(sumsDy + j), p = (load<f64>(sumsDyd + j) - delta * s) * r;
        meanD += gamma * s;
        meanDxHat += gamma * p;
        if (!form.affine) continue;
        store<f64>(dgamma + channel, load<f64>(dgamma + channel) + p);
        store<f64>(dbeta + channel, load<f64>(dbeta + channel) + s);
      }
    }
    meanD = form.center ? meanD / count : 0;
    meanDxHat /= count;
    const w = form.flat(v) ? 0 : r, a = -form.curvature(v) * meanDxHat * r * w, b = -meanD * w - delta * a;
    for (let copy = first; copy < wide; copy += c) {
      for (let e = 0; e < width; ++e) {
        const j = <usize>(copy + e) << 2;
        store<f32>(ws + j, <f32>(<f64>load<f32>(form.gamma + (<usize>(first + e) << 2)) * w));
        store<f32>(as + j, <f32>a);
        store<f32>(bs + j, <f32>b);
      }
    }
  }
}

/** dy * w + (x - mean) * a + b of four columns. */
// @ts-ignore: decorator
@inline function gradAffine(x: usize, dy: usize, mean: v128, w: v128, a: v128, b: v128): v128 {
  return mad(v128.load(dy), w, mad(sub(v128.load(x), mean), a, b));
}

/** `columnGradAffine` along one row, or less of it; coefficients `next` bytes apart. */
function gradAffineRow(x: usize, dy: usize, dx: usize, bytes: usize, coefficients: usize, next: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) {
    const k = coefficients + i, d = sub(v128.load(x + i), v128.load(k));
    const rest = mad(d, v128.load(k + 2 * next), v128.load(k + 3 * next));
    storeLanes(dx + i, mad(v128.load(dy + i), v128.load(k + next), rest), lanesLeft(i, bytes));
  }
}

/** dx = dy * w + (x - mean) * a + b per column of a part of a sample, coefficients mean, w, a, b; dx may be x or dy. */
export function columnGradAffine(form: Form, x: usize, dy: usize, dx: usize, size: i32): void {
  const wide = form.wide, coefficients = form.coefficients;
  const row = <usize>wide << 2, next = padded(wide), toDy = dy - x, toDx = dx - x, end = x + (<usize>size << 2);
  if (row % 16 == 0) {
    // Four rows share each access to the coefficients. All are loaded before one is stored: if rows are a multiple of 4096 bytes
    // apart, a processor takes the load for one of the value just stored in the row above, and waits (4K aliasing).
    for (let rows = size / wide; rows >= 4; rows -= 4, x += 4 * row) {
      for (let i: usize = 0; i < row; i += 16) {
        const k = coefficients + i, mean = v128.load(k), w = v128.load(k + next);
        const a = v128.load(k + 2 * next), b = v128.load(k + 3 * next);
        const p0 = x + i, p1 = p0 + row, p2 = p1 + row, p3 = p2 + row;
        const dx0 = gradAffine(p0, p0 + toDy, mean, w, a, b), dx1 = gradAffine(p1, p1 + toDy, mean, w, a, b);
        const dx2 = gradAffine(p2, p2 + toDy, mean, w, a, b), dx3 = gradAffine(p3, p3 + toDy, mean, w, a, b);
        v128.store(p0 + toDx, dx0); v128.store(p1 + toDx, dx1); v128.store(p2 + toDx, dx2); v128.store(p3 + toDx, dx3);
      }
    }
  }
  for (; x < end; x += row) gradAffineRow(x, x + toDy, x + toDx, min(row, end - x), coefficients, next);
}

/**
 * The gradient of `n` samples, each small enough to stay in the cache; dgamma and dbeta are added up if `form.affine`.
 *
 * @param x dy dx [n, s, c] each; dx may be dy
 * @param mean variance [n * groups] each, as `columnsForward` wrote them
 */
export function columnsBackward(
  form: Form, x: usize, dy: usize, dx: usize, mean: usize, variance: usize, n: i32,
): void {
  const size = form.s * form.c, sample = <usize>size << 2, moments = <usize>form.groups << 2;
  for (let i = 0; i < n; ++i, x += sample, dy += sample, dx += sample, mean += moments, variance += moments) {
    clearSums(form);
    columnMeans(form, mean);
    columnGradSums(form, x, dy, size);
    columnGradCoefficients(form, variance);
    columnGradAffine(form, x, dy, dx, size);
    advance(form, form.s);
  }
}
