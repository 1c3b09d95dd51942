/**
 * The form of one normalization: its view, its parameters, its divisor, and memory for coefficients and sums between two passes. The
 * caller reserves `formSize` bytes for it, and fills them by `describe`.
 */
import { padded, zero } from './lanes';

/** The bytes of a row that float32 lanes add up before their sum moves on to float64. */
export const CHUNK: usize = 4096;
/** Bytes of the coefficients of one row: six float32 at most. */
export const ROW_COEFFICIENTS: usize = 24;

/** The bytes of rows that are worked on together, which stay in the first-level cache between two passes; and the most rows. */
const TOGETHER: usize = 16384;
const MOST_ROWS = 64;

/** How many rows of `bytes` bytes are worked on together. */
export function rowsTogether(bytes: usize): i32 {
  return <i32>max<usize>(1, min<usize>(TOGETHER / bytes, MOST_ROWS));
}

/** The rows of a column that are summed in float32 before their sum moves on to float64. They are read twice from the cache. */
export const BLOCK = 128;

/** The smallest divisor: the root of the smallest normal float32. */
const SMALLEST: f64 = 1.0842021724855044e-19;

const HEADER: usize = 128;
const INSIDE = 0, OUTSIDE = 1, FLOOR = 2; // and 3: no division; see PLACEMENTS in kernels/simd/kernels.ts

@unmanaged
export class Form {
  epsilon: f64;
  placement: i32;
  center: bool;
  /** Whether dgamma and dbeta are wanted. */
  affine: bool;
  /** The rows, channels and groups of a sample, and the columns in which it is read (0: rows are normalized). */
  s: i32;
  c: i32;
  groups: i32;
  wide: i32;
  /** [c] each, float32. */
  gamma: usize;
  beta: usize;
  /** The coefficients of the second pass, per row or per column, float32. */
  coefficients: usize;
  /** The sums of the first pass, three float64 per column. */
  sums: usize;
  /** dgamma and dbeta, [c] each: `totals` in float64, and `partial` in float32, of `pending` rows that are not in the totals yet. */
  totals: usize;
  partial: usize;
  pending: i32;
  /**
   * How many rows of [n * s, c] share a row of gamma and beta, a *condition*; how many rows are left of the current condition, to
   * which gamma and beta point; and whether a sample has several conditions.
   */
  share: i32;
  left: i32;
  within: bool;
  /** Where to write dgamma and dbeta of the current condition, [c] each. */
  dgamma: usize;
  dbeta: usize;
  /** The index of the current condition. */
  condition: i32;

  /** The divisor f of a group with variance v. NaN stays NaN: `max` does not hide it. */
  divisor(v: f64): f64 {
    if (this.placement == INSIDE) return Math.sqrt(v + this.epsilon);
    if (this.placement == OUTSIDE) return Math.sqrt(v) + this.epsilon;
    return this.placement == FLOOR ? max<f64>(Math.sqrt(v), this.epsilon) : 1;
  }

  /** 1 / f, or 0 where f is too small to divide by. */
  reciprocal(v: f64): f64 {
    const f = this.divisor(v);
    return f < SMALLEST ? 0 : 1 / f;
  }

  /** The factor k of the term of xHat in dx. */
  curvature(v: f64): f64 {
    if (this.placement == INSIDE) return 1;
    if (this.placement == OUTSIDE) return v == 0 ? 0 : this.divisor(v) / Math.sqrt(v);
    return this.placement == FLOOR ? 1 : 0;
  }

  /** Whether dx is 0 in a group with variance v. */
  flat(v: f64): bool {
    return this.placement == FLOOR && Math.sqrt(v) <= this.epsilon;
  }
}

function coefficientsSize(wide: i32): usize {
  return wide ? padded(wide) * 4 : ROW_COEFFICIENTS * MOST_ROWS;
}

/** The bytes of a form with its memory. As f64: with very many columns they may be more than the address space. */
export function formSize(c: i32, wide: i32, affine: bool): f64 {
  const columns = <f64>padded(wide), channels = <f64>padded(c);
  const coefficients = wide ? columns * 4 : <f64>coefficientsSize(0);
  return <f64>HEADER + coefficients + columns * 6 + (affine ? channels * 6 : 0);
}

export function describe(
  form: Form, s: i32, c: i32, groups: i32, wide: i32, gamma: usize, beta: usize,
  center: bool, placement: i32, epsilon: f64, affine: bool,
): void {
  form.s = s; form.c = c; form.groups = groups; form.wide = wide;
  form.gamma = gamma; form.beta = beta;
  form.center = center; form.placement = placement; form.epsilon = epsilon; form.affine = affine;
  form.coefficients = changetype<usize>(form) + HEADER;
  form.sums = form.coefficients + coefficientsSize(wide);
  form.totals = form.sums + padded(wide) * 6;
  form.partial = form.totals + padded(c) * 4;
  form.pending = 0;
  form.share = form.left = i32.MAX_VALUE; form.within = false; form.condition = 0;
  if (affine) clearTotals(form);
}

/** Gives each `share` rows parameters of their own: gamma, beta, dgamma and dbeta are [conditions, c]. */
export function condition(form: Form, share: i32, dgamma: usize, dbeta: usize): void {
  form.share = form.left = share; form.within = share < form.s;
  form.dgamma = dgamma; form.dbeta = dbeta;
}

/** To be called before the first row of a condition, or of a sample with several conditions. */
export function clearTotals(form: Form): void { memory.fill(form.totals, 0, padded(form.c) * 6); }

/** To be called before the first part of a sample. */
export function clearSums(form: Form): void {
  for (let p = form.sums, end = p + padded(form.wide) * 6; p < end; p += 16) v128.store(p, zero());
}

/** The addresses of values per column, for callers that read or write them. */
export function coefficientsOf(form: Form): usize { return form.coefficients; }
export function sumsOf(form: Form): usize { return form.sums; }
