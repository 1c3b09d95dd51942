/**
 * Normalization of rows: statistics over contiguous values, gamma and beta along them (views with s = 1).
 *
 * Statistics take corrected two passes: the float32 mean is only a pivot; the second pass sums the deviations d from it and
 * their squares, so that mean = pivot + delta and variance = sum(d^2) / n - delta^2 with delta = sum(d) / n. Of equal values these
 * sums are exact, since d is a few units in the last place: so their variance is 0. Each pass runs over a few rows before the next
 * pass begins, so that the scalar arithmetic in between is done for several rows at once.
 */
import { CHUNK, Form, ROW_COEFFICIENTS, rowsTogether } from './form';
import { add, firstLanes, mad, storeLanes, sub, sumLanes, sumLanes2, zero } from './lanes';
import { advance } from './parameters';

/** The sum of a row. */
function sum(x: usize, bytes: usize): f64 {
  let total: f64 = 0;
  for (const end = x + bytes; x < end;) {
    const size = min(CHUNK, end - x), stop = x + size, stop64 = x + (size & ~63), stop16 = x + (size & ~15);
    let s0 = zero(), s1 = zero(), s2 = zero(), s3 = zero();
    for (; x < stop64; x += 64) {
      s0 = add(s0, v128.load(x)); s1 = add(s1, v128.load(x, 16));
      s2 = add(s2, v128.load(x, 32)); s3 = add(s3, v128.load(x, 48));
    }
    for (; x < stop16; x += 16) s0 = add(s0, v128.load(x));
    if (x < stop) s1 = add(s1, firstLanes(v128.load(x), stop - x));
    x = stop;
    total += sumLanes(add(add(s0, s1), add(s2, s3)));
  }
  return total;
}

/** Writes sum = x + residual along a row, and returns the sum of its values. */
function addRow(x: usize, residual: usize, sum: usize, bytes: usize): f64 {
  let total: f64 = 0, i: usize = 0;
  while (i < bytes) {
    const stop = i + min(CHUNK, bytes - i), stop32 = i + ((stop - i) & ~31), stop16 = i + ((stop - i) & ~15);
    let s0 = zero(), s1 = zero();
    for (; i < stop32; i += 32) {
      const v0 = add(v128.load(x + i), v128.load(residual + i)), v1 = add(v128.load(x + i, 16), v128.load(residual + i, 16));
      v128.store(sum + i, v0); v128.store(sum + i, v1, 16);
      s0 = add(s0, v0); s1 = add(s1, v1);
    }
    if (i < stop16) {
      const v = add(v128.load(x + i), v128.load(residual + i));
      v128.store(sum + i, v);
      s0 = add(s0, v);
      i += 16;
    }
    if (i < stop) {
      const v = firstLanes(add(v128.load(x + i), v128.load(residual + i)), stop - i);
      storeLanes(sum + i, v, stop - i);
      s1 = add(s1, v);
    }
    i = stop;
    total += sumLanes(add(s0, s1));
  }
  return total;
}

/** The sums of d and of d^2 over a row, d = x - pivot, as two float64. */
function deviations(x: usize, bytes: usize, pivot: f32): v128 {
  const m = f32x4.splat(pivot);
  let total = f64x2.splat(0);
  for (const end = x + bytes; x < end;) {
    const size = min(CHUNK, end - x), stop = x + size, stop64 = x + (size & ~63), stop16 = x + (size & ~15);
    let s0 = zero(), s1 = zero(), q0 = zero(), q1 = zero(), q2 = zero(), q3 = zero();
    for (; x < stop64; x += 64) {
      const d0 = sub(v128.load(x), m), d1 = sub(v128.load(x, 16), m);
      const d2 = sub(v128.load(x, 32), m), d3 = sub(v128.load(x, 48), m);
      s0 = add(s0, add(d0, d1)); s1 = add(s1, add(d2, d3));
      q0 = mad(d0, d0, q0); q1 = mad(d1, d1, q1); q2 = mad(d2, d2, q2); q3 = mad(d3, d3, q3);
    }
    for (; x < stop16; x += 16) {
      const d = sub(v128.load(x), m);
      s0 = add(s0, d); q0 = mad(d, d, q0);
    }
    if (x < stop) {
      const d = firstLanes(sub(v128.load(x), m), stop - x);
      s1 = add(s1, d); q1 = mad(d, d, q1);
    }
    x = stop;
    total = f64x2.add(total, sumLanes2(add(s0, s1), add(add(q0, q1), add(q2, q3))));
  }
  return total;
}

/**
 * y = ((x - pivot) * scale + shift) * gamma + beta along a row.
 *
 * @param coefficients pivot, scale, shift
 */
function apply(x: usize, y: usize, bytes: usize, gamma: usize, beta: usize, coefficients: usize): void {
  const m = v128.load_splat<f32>(coefficients), a = v128.load_splat<f32>(coefficients, 4);
  const b = v128.load_splat<f32>(coefficients, 8), bytes32 = bytes & ~31, bytes16 = bytes & ~15;
  let i: usize = 0;
  for (; i < bytes32; i += 32) {
    const h0 = mad(sub(v128.load(x + i), m), a, b), h1 = mad(sub(v128.load(x + i, 16), m), a, b);
    v128.store(y + i, mad(h0, v128.load(gamma + i), v128.load(beta + i)));
    v128.store(y + i, mad(h1, v128.load(gamma + i, 16), v128.load(beta + i, 16)), 16);
  }
  if (i < bytes16) {
    const h = mad(sub(v128.load(x + i), m), a, b);
    v128.store(y + i, mad(h, v128.load(gamma + i), v128.load(beta + i)));
    i += 16;
  }
  if (i < bytes) {
    const h = mad(sub(v128.load(x + i), m), a, b);
    storeLanes(y + i, mad(h, v128.load(gamma + i), v128.load(beta + i)), bytes - i);
  }
}

/** `rowsForward` of rows with the same parameters. */
function conditionForward(
  form: Form, x: usize, residual: usize, sumTo: usize, y: usize, mean: usize, variance: usize, rows: i32,
): void {
  const center = form.center, all = <usize>form.c << 2, bytes = all / form.groups, size = <f64>(bytes >> 2);
  const end = x + bytes * rows, block = bytes * rowsTogether(bytes);
  let g: usize = 0;
  while (x < end) {
    let stop = min(x + block, end);
    let k = form.coefficients;
    const next = stop;
    if (residual) {
      const toResidual = residual - x, toSum = sumTo - x;
      for (let p = x; p < stop; p += bytes, k += ROW_COEFFICIENTS) {
        store<f32>(k, <f32>(addRow(p, p + toResidual, p + toSum, bytes) / size));
      }
      residual += stop - x;
      // From here on x is the sum.
      x += toSum; stop += toSum; sumTo = stop;
    } else if (center) {
      for (let p = x; p < stop; p += bytes, k += ROW_COEFFICIENTS) store<f32>(k, <f32>(sum(p, bytes) / size));
    }
    k = form.coefficients;
    for (let p = x; p < stop; p += bytes, k += ROW_COEFFICIENTS, mean += 4, variance += 4) {
      const pivot: f32 = center ? load<f32>(k) : 0, d = deviations(p, bytes, pivot);
      const delta = center ? f64x2.extract_lane(d, 0) / size : 0;
      let v = f64x2.extract_lane(d, 1) / size - delta * delta;
      if (v < 0) v = 0; // rounding has made it negative
      const r = form.reciprocal(v);
      store<f32>(mean, <f32>(<f64>pivot + delta));
      store<f32>(variance, <f32>v);
      store<f32>(k, pivot); store<f32>(k, <f32>r, 4); store<f32>(k, <f32>(-delta * r), 8);
    }
    k = form.coefficients;
    if (y) {
      for (let p = x; p < stop; p += bytes, k += ROW_COEFFICIENTS, y += bytes) {
        apply(p, y, bytes, form.gamma + g, form.beta + g, k);
        if ((g += bytes) == all) g = 0;
      }
    }
    x = next;
  }
}

/**
 * y = (x - mean) / f * gamma + beta per row; row r is of group r % groups.
 *
 * @param x [rows, c / groups]; may be y
 * @param residual the same, or 0; if it is given, x + residual is normalized
 * @param sum x + residual, written; may be x
 * @param y the same, or 0: the moments only
 * @param mean variance [rows] each, written
 */
export function rowsForward(
  form: Form, x: usize, residual: usize, sum: usize, y: usize, mean: usize, variance: usize, rows: i32,
): void {
  const groups = form.groups, bytes = (<usize>form.c << 2) / groups;
  while (rows > 0) {
    const samples = min(rows / groups, form.left), some = samples * groups, size = bytes * some;
    conditionForward(form, x, residual, sum, y, mean, variance, some);
    x += size;
    if (residual) { residual += size; sum += size; }
    if (y) y += size;
    mean += <usize>some << 2; variance += <usize>some << 2;
    rows -= some;
    advance(form, samples);
  }
}
