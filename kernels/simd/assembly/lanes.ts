/**
 * Four float32 lanes at a time: short names for instructions, stores that stop at the end of an array, and sums in float64. Loads
 * are always of whole vectors: they may read up to 12 bytes past the end of an array, where anything may be, and the caller
 * reserves these bytes after the last array. Sizes of arrays in memory are in bytes, so that an index is an address offset.
 */

// @ts-ignore: decorator
@inline export function zero(): v128 { return f32x4.splat(0); }
// @ts-ignore: decorator
@inline export function add(a: v128, b: v128): v128 { return f32x4.add(a, b); }
// @ts-ignore: decorator
@inline export function sub(a: v128, b: v128): v128 { return f32x4.sub(a, b); }
// @ts-ignore: decorator
@inline export function mul(a: v128, b: v128): v128 { return f32x4.mul(a, b); }
/** a * b + c, rounded twice: SIMD without the relaxed extension has no fused form. */
// @ts-ignore: decorator
@inline export function mad(a: v128, b: v128, c: v128): v128 { return add(mul(a, b), c); }

/** Bytes of `count` float32, in whole vectors. */
// @ts-ignore: decorator
@inline export function padded(count: i32): usize { return ((<usize>count << 2) + 15) & ~15; }

/** The bytes of four lanes at `at` that are before the end of an array: 16, or less at its end. */
// @ts-ignore: decorator
@inline export function lanesLeft(at: usize, end: usize): usize { return min<usize>(end - at, 16); }

/** Stores the first `bytes` (4, 8, 12 or 16) of four lanes. */
export function storeLanes(p: usize, v: v128, bytes: usize): void {
  if (bytes == 16) { v128.store(p, v); return; }
  if (bytes == 4) { v128.store_lane<u32>(p, v, 0); return; }
  v128.store_lane<u64>(p, v, 0);
  if (bytes == 12) v128.store_lane<u32>(p, v, 2, 8);
}

/** All bits of the first `bytes` of four lanes. */
// @ts-ignore: decorator
@inline export function laneMask(bytes: usize): v128 {
  return i32x4.gt_s(i32x4.splat(<i32>(bytes >> 2)), i32x4(0, 1, 2, 3));
}
/** The first `bytes` of four lanes; the others become 0, also where they are NaN. */
// @ts-ignore: decorator
@inline export function firstLanes(v: v128, bytes: usize): v128 { return v128.and(v, laneMask(bytes)); }

/** The first two lanes, and the last two, as float64. */
// @ts-ignore: decorator
@inline export function low(v: v128): v128 { return f64x2.promote_low_f32x4(v); }
// @ts-ignore: decorator
@inline export function high(v: v128): v128 { return f64x2.promote_low_f32x4(i32x4.shuffle(v, v, 2, 3, 2, 3)); }

/** The sum of four lanes, in float64. */
// @ts-ignore: decorator
@inline export function sumLanes(v: v128): f64 {
  const pair = f64x2.add(low(v), high(v));
  return f64x2.extract_lane(pair, 0) + f64x2.extract_lane(pair, 1);
}

/** The sums of the four lanes of each, as two float64. */
// @ts-ignore: decorator
@inline export function sumLanes2(a: v128, b: v128): v128 {
  const sa = f64x2.add(low(a), high(a)), sb = f64x2.add(low(b), high(b));
  return f64x2.add(i64x2.shuffle(sa, sb, 0, 2), i64x2.shuffle(sa, sb, 1, 3));
}

/** Adds four lanes to four float64. */
// @ts-ignore: decorator
@inline export function addTo(sums: usize, v: v128): void {
  v128.store(sums, f64x2.add(low(v), v128.load(sums)));
  v128.store(sums, f64x2.add(high(v), v128.load(sums, 16)), 16);
}
