/** The interface of the routes of Normalize and NormalizeGrad: rows.ts, columns.ts, batch.ts. */
import type { NormalizeAttrs, NormalizeGradAttrs } from '../core/contract.ts';
import type { Call, Value } from './backend.ts';

type Optional<T> = T | undefined;
type Numbers = ArrayLike<number>;

export interface Route {
  forward(call: Call, inputs: Forward, attrs: NormalizeAttrs): Normalized;
  backward(call: Call, inputs: Backward, attrs: NormalizeGradAttrs): Gradients;
}

export interface Forward {
  readonly x: Value;
  readonly gamma: Optional<Value>;
  readonly beta: Optional<Value>;
}

/** y in any shape; mean and variance of each group, unspecified if `yOnly`. */
export interface Normalized {
  readonly y: Value;
  readonly mean: Numbers;
  readonly variance: Numbers;
}

export interface Backward {
  readonly dy: Value;
  readonly x: Value;
  readonly gamma: Optional<Value>;
  readonly saved: Saved;
}

/** Per group: the moments, r = 1 / f, the factor k of the gradient, and rOrZero, which is r, or 0 where dx is 0. */
export interface Saved {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  readonly r: Float64Array;
  readonly k: Float64Array;
  readonly rOrZero: Float64Array;
}

/** dx in any shape; dgamma and dbeta, of c numbers, if `affine`. */
export interface Gradients {
  readonly dx: Value;
  readonly dgamma?: Numbers;
  readonly dbeta?: Numbers;
}
