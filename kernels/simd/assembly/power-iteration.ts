/** Power iteration on a matrix w [rest, out]. It is read once for each product with a vector, four rows at a time. */
import { add, addTo, firstLanes, lanesLeft, mad, mul, padded, sumLanes, zero } from './lanes';

/** to [rest] = w u. */
function timesU(w: usize, u: usize, to: usize, rest: i32, out: i32): void {
  const row = <usize>out << 2;
  for (let r = 0; r < rest; ++r, w += row, to += 4) {
    let even = zero(), odd = zero(), i: usize = 0;
    for (; i + 32 <= row; i += 32) {
      even = mad(v128.load(w + i), v128.load(u + i), even);
      odd = mad(v128.load(w + i, 16), v128.load(u + i, 16), odd);
    }
    for (; i < row; i += 16) {
      even = add(firstLanes(mul(v128.load(w + i), v128.load(u + i)), lanesLeft(i, row)), even);
    }
    store<f32>(to, <f32>sumLanes(add(even, odd)));
  }
}

/** to [out] = v w; `sums` is room for as many float64, in whole vectors. */
function timesV(w: usize, v: usize, to: usize, sums: usize, rest: i32, out: i32): void {
  const row = <usize>out << 2;
  memory.fill(sums, 0, padded(out) << 1);
  let r = 0;
  for (; r + 4 <= rest; r += 4, w += row << 2, v += 16) {
    const v0 = v128.load32_splat(v), v1 = v128.load32_splat(v, 4), v2 = v128.load32_splat(v, 8);
    const v3 = v128.load32_splat(v, 12);
    for (let i: usize = 0; i < row; i += 16) {
      const p = w + i;
      const first = mad(v128.load(p), v0, mul(v128.load(p + row), v1));
      const last = mad(v128.load(p + 2 * row), v2, mul(v128.load(p + 3 * row), v3));
      addTo(sums + (i << 1), add(first, last));
    }
  }
  for (; r < rest; ++r, w += row, v += 4) {
    const only = v128.load32_splat(v);
    for (let i: usize = 0; i < row; i += 16) addTo(sums + (i << 1), mul(v128.load(w + i), only));
  }
  for (let i: usize = 0; i < row; i += 4) store<f32>(to + i, <f32>load<f64>(sums + (i << 1)));
}

function dot(a: usize, b: usize, n: i32): f64 {
  let sum: f64 = 0;
  for (let i: usize = 0, end = <usize>n << 2; i < end; i += 4) sum += <f64>load<f32>(a + i) * <f64>load<f32>(b + i);
  return sum;
}

/** vector = x / ||x||, [n] each; unchanged if ||x|| <= epsilon. A norm of NaN makes the vector NaN. */
function turn(vector: usize, x: usize, n: i32, epsilon: f64): void {
  const norm = Math.sqrt(dot(x, x, n));
  if (norm <= epsilon) return;
  for (let i: usize = 0, end = <usize>n << 2; i < end; i += 4) store<f32>(vector + i, <f32>(<f64>load<f32>(x + i) / norm));
}

/**
 * Iterates u [out] and v [rest] in place, and returns sigma = v w u^T. `product` is room for the longer of them, and `sums` for out
 * float64, in whole vectors.
 */
export function powerIteration(
  w: usize, u: usize, v: usize, product: usize, sums: usize, rest: i32, out: i32, iterations: i32, uFirst: bool, epsilon: f64,
): f64 {
  if (iterations == 0) {
    timesU(w, u, product, rest, out);
    return dot(product, v, rest);
  }
  let sigma: f64 = 0;
  for (let i = 0; i < iterations; ++i) {
    for (let half = 0; half < 2; ++half) {
      // u is the direction of v w, and v that of u w^T: so the dot product of either vector with its product is sigma.
      if (uFirst == (half == 0)) {
        timesV(w, v, product, sums, rest, out);
        turn(u, product, out, epsilon);
        sigma = dot(product, u, out);
      } else {
        timesU(w, u, product, rest, out);
        turn(v, product, rest, epsilon);
        sigma = dot(product, v, rest);
      }
    }
  }
  return sigma;
}
