/**
 * The gradient of the normalization of rows. The saved mean is rounded to float32: the first pass finds its rounding error, delta,
 * as the mean of the deviations from it.
 */
import { CHUNK, Form, ROW_COEFFICIENTS, rowsTogether } from './form';
import { add, firstLanes, mad, mul, padded, storeLanes, sub, sumLanes, zero } from './lanes';
import { advance, flush } from './parameters';

/** The rows whose dy xHat and dy are added up in float32 before their sums move on to float64. */
const FLUSH = 64;

/**
 * Writes the six coefficients of the gradient of a row, with r = 1 / f and delta the rounding error of the mean:
 *
 *   mean, scale = r, shift = -delta r                             xHat = (x - mean) scale + shift
 *   w = r, a = -k mean(D xHat) r^2, b = -mean(D) r - delta a      dx = D w + (x - mean) a + b
 *
 * where D = gamma dy; w, a and b are 0 where dx is.
 */
function gradCoefficients(
  form: Form, x: usize, dy: usize, gamma: usize, bytes: usize, mean: f32, v: f64, coefficients: usize,
): void {
  const m = f32x4.splat(mean), toDy = dy - x, toGamma = gamma - x;
  let sumD: f64 = 0, sumDd: f64 = 0, sumd: f64 = 0;
  for (const end = x + bytes; x < end;) {
    const size = min(CHUNK, end - x), stop = x + size, stop32 = x + (size & ~31), stop16 = x + (size & ~15);
    let s0 = zero(), s1 = zero(), p0 = zero(), p1 = zero(), e0 = zero(), e1 = zero();
    for (; x < stop32; x += 32) {
      const d0 = sub(v128.load(x), m), d1 = sub(v128.load(x, 16), m);
      const D0 = mul(v128.load(x + toDy), v128.load(x + toGamma));
      const D1 = mul(v128.load(x + toDy, 16), v128.load(x + toGamma, 16));
      s0 = add(s0, D0); s1 = add(s1, D1); e0 = add(e0, d0); e1 = add(e1, d1);
      p0 = mad(D0, d0, p0); p1 = mad(D1, d1, p1);
    }
    if (x < stop16) {
      const d = sub(v128.load(x), m), D = mul(v128.load(x + toDy), v128.load(x + toGamma));
      s0 = add(s0, D); e0 = add(e0, d); p0 = mad(D, d, p0);
      x += 16;
    }
    if (x < stop) {
      const lanes = stop - x, d = firstLanes(sub(v128.load(x), m), lanes);
      const D = firstLanes(mul(v128.load(x + toDy), v128.load(x + toGamma)), lanes);
      s1 = add(s1, D); e1 = add(e1, d); p1 = mad(D, d, p1);
    }
    x = stop;
    sumD += sumLanes(add(s0, s1)); sumDd += sumLanes(add(p0, p1)); sumd += sumLanes(add(e0, e1));
  }
  const size = <f64>(bytes >> 2), r = form.reciprocal(v);
  const delta = form.center ? sumd / size : 0, meanD = form.center ? sumD / size : 0;
  const meanDxHat = (sumDd - delta * sumD) * r / size;
  const w = form.flat(v) ? 0 : r;
  const a = -form.curvature(v) * meanDxHat * r * w;
  store<f32>(coefficients, mean);
  store<f32>(coefficients, <f32>r, 4);
  store<f32>(coefficients, <f32>(-delta * r), 8);
  store<f32>(coefficients, <f32>w, 12);
  store<f32>(coefficients, <f32>a, 16);
  store<f32>(coefficients, <f32>(-meanD * w - delta * a), 20);
}

/** v, or v + dsum. `withSum` is a constant where this is inlined, so that there is no branch. */
// @ts-ignore: decorator
@inline function plusSum(v: v128, dsum: usize, withSum: bool): v128 {
  return withSum ? add(v, v128.load(dsum)) : v;
}

/** dx along one row. */
function gradApply(x: usize, dy: usize, dsum: usize, dx: usize, bytes: usize, gamma: usize, coefficients: usize): void {
  if (dsum) gradRow(x, dy, dsum, dx, bytes, gamma, coefficients, true);
  else gradRow(x, dy, 0, dx, bytes, gamma, coefficients, false);
}

// @ts-ignore: decorator
@inline function gradRow(
  x: usize, dy: usize, dsum: usize, dx: usize, bytes: usize, gamma: usize, coefficients: usize, withSum: bool,
): void {
  const m = v128.load_splat<f32>(coefficients), w = v128.load_splat<f32>(coefficients, 12);
  const a = v128.load_splat<f32>(coefficients, 16), b = v128.load_splat<f32>(coefficients, 20);
  const bytes16 = bytes & ~15;
  let i: usize = 0;
  for (; i < bytes16; i += 16) {
    const D = mul(v128.load(dy + i), v128.load(gamma + i));
    v128.store(dx + i, plusSum(mad(D, w, mad(sub(v128.load(x + i), m), a, b)), dsum + i, withSum));
  }
  if (i < bytes) {
    const D = mul(v128.load(dy + i), v128.load(gamma + i));
    storeLanes(dx + i, plusSum(mad(D, w, mad(sub(v128.load(x + i), m), a, b)), dsum + i, withSum), bytes - i);
  }
}

/** dgamma += dy xHat and dbeta += dy along one row. */
function sumParameters(x: usize, dy: usize, bytes: usize, coefficients: usize, dgamma: usize, dbeta: usize): void {
  const m = v128.load_splat<f32>(coefficients), scale = v128.load_splat<f32>(coefficients, 4);
  const shift = v128.load_splat<f32>(coefficients, 8), bytes16 = bytes & ~15;
  let i: usize = 0;
  for (; i < bytes16; i += 16) {
    const g = v128.load(dy + i), h = mad(sub(v128.load(x + i), m), scale, shift);
    v128.store(dgamma + i, mad(g, h, v128.load(dgamma + i)));
    v128.store(dbeta + i, add(g, v128.load(dbeta + i)));
  }
  if (i < bytes) {
    const lanes = bytes - i, g = v128.load(dy + i), h = mad(sub(v128.load(x + i), m), scale, shift);
    storeLanes(dgamma + i, mad(g, h, v128.load(dgamma + i)), lanes);
    storeLanes(dbeta + i, add(g, v128.load(dbeta + i)), lanes);
  }
}

/** `gradApply` and `sumParameters` along two neighbouring rows, which share each access to gamma, dgamma and dbeta. */
function gradApplyPair(
  x: usize, dy: usize, dsum: usize, dx: usize, bytes: usize, gamma: usize, coefficients: usize, dgamma: usize, dbeta: usize,
): void {
  if (dsum) gradPair(x, dy, dsum, dx, bytes, gamma, coefficients, dgamma, dbeta, true);
  else gradPair(x, dy, 0, dx, bytes, gamma, coefficients, dgamma, dbeta, false);
}

// @ts-ignore: decorator
@inline function gradPair(
  x: usize, dy: usize, dsum: usize, dx: usize, bytes: usize, gamma: usize, coefficients: usize, dgamma: usize, dbeta: usize,
  withSum: bool,
): void {
  const m0 = v128.load_splat<f32>(coefficients), m1 = v128.load_splat<f32>(coefficients, 24);
  const scale0 = v128.load_splat<f32>(coefficients, 4), scale1 = v128.load_splat<f32>(coefficients, 28);
  const shift0 = v128.load_splat<f32>(coefficients, 8), shift1 = v128.load_splat<f32>(coefficients, 32);
  const w0 = v128.load_splat<f32>(coefficients, 12), w1 = v128.load_splat<f32>(coefficients, 36);
  const a0 = v128.load_splat<f32>(coefficients, 16), a1 = v128.load_splat<f32>(coefficients, 40);
  const b0 = v128.load_splat<f32>(coefficients, 20), b1 = v128.load_splat<f32>(coefficients, 44);
  const bytes16 = bytes & ~15, x1 = x + bytes, dy1 = dy + bytes, dsum1 = dsum + bytes, dx1 = dx + bytes;
  const tail = bytes - bytes16;
  if (tail) {
    sumParameters(x + bytes16, dy + bytes16, tail, coefficients, dgamma + bytes16, dbeta + bytes16);
    sumParameters(x1 + bytes16, dy1 + bytes16, tail, coefficients + ROW_COEFFICIENTS, dgamma + bytes16, dbeta + bytes16);
    const next = coefficients + ROW_COEFFICIENTS, ga = gamma + bytes16;
    const toSum = withSum ? dsum + bytes16 : 0, toSum1 = withSum ? dsum1 + bytes16 : 0;
    gradApply(x + bytes16, dy + bytes16, toSum, dx + bytes16, tail, ga, coefficients);
    gradApply(x1 + bytes16, dy1 + bytes16, toSum1, dx1 + bytes16, tail, ga, next);
  }
  for (let i: usize = 0; i < bytes16; i += 16) {
    const g0 = v128.load(dy + i), g1 = v128.load(dy1 + i), ga = v128.load(gamma + i);
    const d0 = sub(v128.load(x + i), m0), d1 = sub(v128.load(x1 + i), m1);
    v128.store(dgamma + i, mad(g0, mad(d0, scale0, shift0), mad(g1, mad(d1, scale1, shift1), v128.load(dgamma + i))));
    v128.store(dbeta + i, add(add(g0, g1), v128.load(dbeta + i)));
    v128.store(dx + i, plusSum(mad(mul(g0, ga), w0, mad(d0, a0, b0)), dsum + i, withSum));
    v128.store(dx1 + i, plusSum(mad(mul(g1, ga), w1, mad(d1, a1, b1)), dsum1 + i, withSum));
  }
}

/** Reads one value of each cache line, so that the lines are loaded while the first pass runs. */
function touch(p: usize, bytes: usize): f32 {
  let sum: f32 = 0;
  for (const end = p + bytes; p < end; p += 64) sum += load<f32>(p);
  return sum;
}

/** `rowsBackward` of rows with the same parameters. */
function conditionBackward(
  form: Form, x: usize, dy: usize, dsum: usize, dx: usize, mean: usize, variance: usize, rows: i32,
): void {
  const affine = form.affine, groups = form.groups, gamma = form.gamma, all = <usize>form.c << 2, bytes = all / groups;
  const together = rowsTogether(2 * bytes), end = x + bytes * rows;
  const dgamma = form.partial, dbeta = dgamma + padded(form.c);
  let g: usize = 0;
  while (x < end) {
    const stop = min(x + bytes * together, end), toDy = dy - x;
    let k = form.coefficients, first = g;
    if (dsum) store<f32>(k, touch(dsum, stop - x));
    for (let p = x; p < stop; p += bytes, k += ROW_COEFFICIENTS, mean += 4, variance += 4) {
      gradCoefficients(form, p, p + toDy, gamma + g, bytes, load<f32>(mean), <f64>load<f32>(variance), k);
      if ((g += bytes) == all) g = 0;
    }
    k = form.coefficients;
    if (affine && groups == 1) {
      for (const pairs = stop - bytes; x < pairs; k += 2 * ROW_COEFFICIENTS) {
        gradApplyPair(x, dy, dsum, dx, bytes, gamma, k, dgamma, dbeta);
        x += 2 * bytes; dy += 2 * bytes; dx += 2 * bytes;
        if (dsum) dsum += 2 * bytes;
      }
    }
    for (; x < stop; x += bytes, dy += bytes, dx += bytes, k += ROW_COEFFICIENTS) {
      if (affine) sumParameters(x, dy, bytes, k, dgamma + first, dbeta + first);
      gradApply(x, dy, dsum, dx, bytes, gamma + first, k);
      if (dsum) dsum += bytes;
      if ((first += bytes) == all) first = 0;
    }
    form.pending += together;
    if (affine && form.pending >= FLUSH * groups) flush(form);
  }
}

/**
 * dx per row; and, if `form.affine`, dgamma and dbeta added up. Row r is of group r % groups.
 *
 * @param x dy dx [rows, c / groups] each; dx may be dy
 * @param dsum the same, or 0: added to dx
 * @param mean variance [rows] each, as `rowsForward` wrote them
 */
export function rowsBackward(
  form: Form, x: usize, dy: usize, dsum: usize, dx: usize, mean: usize, variance: usize, rows: i32,
): void {
  const groups = form.groups, bytes = (<usize>form.c << 2) / groups;
  while (rows > 0) {
    const samples = min(rows / groups, form.left), some = samples * groups, size = bytes * some;
    conditionBackward(form, x, dy, dsum, dx, mean, variance, some);
    if (dsum) dsum += size;
    x += size; dy += size; dx += size;
    mean += <usize>some << 2; variance += <usize>some << 2;
    rows -= some;
    advance(form, samples);
  }
}
