/**
 * What stays the same for all blocks of one normalization: its view, its parameters, its divisor, and the memory in which
 * its kernels keep what they know between two passes. A host reserves `formSize` bytes, and describes the form in them.
 */
import { padded, zero } from './lanes';

/** Float32 lanes add up at most this much of a row, in bytes, before their sum moves on to float64. */
export const CHUNK: usize = 4096;
/** Bytes of the coefficients of one row: six float32 at most. */
export const ROW_COEFFICIENTS: usize = 24;

/** Bytes of the rows between two passes, which stay in the first-level cache; and how many rows at most. */
const TOGETHER: usize = 16384;
const MOST_ROWS = 64;

/** How many rows of so many bytes are worked on together. */
export function rowsTogether(bytes: usize): i32 {
  return <i32>max<usize>(1, min<usize>(TOGETHER / bytes, MOST_ROWS));
}

/** Rows of a column that are summed in float32, twice while they are in the cache, before float64 takes over. */
export const BLOCK = 128;

/** The root of the smallest normal float32: less is no divisor. */
const SMALLEST: f64 = 1.0842021724855044e-19;
/** Equal values leave no more than this share of the square of what was subtracted from them to be a variance. */
export const ROUNDING: f64 = 6.103515625e-5; // 2^-14
/** The same, of the square of their mean, where that is merged from exact means of parts. */
export const MERGED: f64 = 1.3552527156068805e-20; // 2^-66

const HEADER: usize = 128;
const INSIDE = 0, OUTSIDE = 1, FLOOR = 2; // and 3: no division; see PLACEMENTS in kernels/simd/kernels.ts

@unmanaged
export class Form {
  epsilon: f64;
  placement: i32;
  center: bool;
  /** Whether dgamma and dbeta are wanted. */
  affine: bool;
  /** Of one sample: its rows, its channels, their groups, and the columns in which it is read (0: rows are normalized). */
  s: i32;
  c: i32;
  groups: i32;
  wide: i32;
  /** [c] each, float32. */
  gamma: usize;
  beta: usize;
  /** Per row or per column, float32: what the second pass applies. */
  coefficients: usize;
  /** Three float64 per column: what the first pass sums. */
  sums: usize;
  /** [c] each: dgamma and dbeta in float64, and in float32 those of `pending` rows that are not among them yet. */
  totals: usize;
  partial: usize;
  pending: i32;
  /**
   * How many rows of [n * s, c] share a row of gamma and beta, a *condition*; how many of them are left of the condition at which
   * gamma and beta point; and whether a sample has several conditions.
   */
  share: i32;
  left: i32;
  within: bool;
  /** [conditions, c] each: where dgamma and dbeta of this condition belong. */
  dgamma: usize;
  dbeta: usize;
  /** How many conditions have gone by. */
  condition: i32;

  /** The divisor f of a group with variance v. NaN stays NaN: `max` does not hide it. */
  divisor(v: f64): f64 {
    if (this.placement == INSIDE) return Math.sqrt(v + this.epsilon);
    if (this.placement == OUTSIDE) return Math.sqrt(v) + this.epsilon;
    return this.placement == FLOOR ? max<f64>(Math.sqrt(v), this.epsilon) : 1;
  }

  /** 1 / f; 0 where f is next to nothing. */
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

/** The bytes of a form and its memory: those of very many columns may be more than an address can tell. */
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

/** Before the first row of a condition, or of a sample that has several. */
export function clearTotals(form: Form): void { memory.fill(form.totals, 0, padded(form.c) * 6); }

/** Before the first part of a sample. */
export function clearSums(form: Form): void {
  for (let p = form.sums, end = p + padded(form.wide) * 6; p < end; p += 16) v128.store(p, zero());
}

/** Where a host finds, or writes, what is known per column. */
export function coefficientsOf(form: Form): usize { return form.coefficients; }
export function sumsOf(form: Form): usize { return form.sums; }
