/**
 * Normalize and NormalizeGrad, by three routes: the ops of batch normalization if they serve the view, rows if each group is
 * contiguous, columns for the rest; forward also by the op of layer normalization. The formulas are in ../core/contract.ts.
 */
import type { NormalizeAttrs } from '../core/contract.ts';
import { momentsIn } from '../core/numbers.ts';
import { type Call, kernel } from './backend.ts';
import * as batch from './batch.ts';
import { ScaleShift, ScaleShiftGrad } from './blend.ts';
import * as columns from './columns.ts';
import { withConditions } from './conditions.ts';
import * as layerNormOp from './layer-norm-op.ts';
import type { Route, Saved } from './route.ts';
import * as rows from './rows.ts';
import { factors, momentsOf, reciprocals } from './statistics.ts';

type Numbers = ArrayLike<number>;

function routeOf(call: Call, attrs: NormalizeAttrs): Route {
  if (batch.serves(call, attrs)) return batch;
  return attrs.view.s === 1 ? rows : columns;
}

const normalize = kernel<'Normalize'>((call, inputs, attrs) => {
  const { x, residual, gamma, beta } = inputs;
  const sum = residual && call.add(call.input(x), call.input(residual));
  // Made an output first: a route frees the values of the call that it is given.
  const sumOutput = sum && call.output(sum, x.shape);
  const values = { x: call.input(sumOutput ?? x), gamma: call.optional(gamma), beta: call.optional(beta) };
  const { forward } = layerNormOp.serves(call, attrs) ? layerNormOp : routeOf(call, attrs);
  const { y, mean, variance } = forward(call, values, attrs);
  const output = call.output(y, x.shape);
  if (attrs.yOnly) return [output];
  const moments = momentsOf(call, mean, variance);
  return sumOutput ? [output, moments, sumOutput] : [output, moments];
});

const normalizeGrad = kernel<'NormalizeGrad'>((call, inputs, attrs) => {
  const { dy, dsum, x, statistics, gamma } = inputs;
  const { n, c, groups } = attrs.view;
  const route = routeOf(call, attrs);
  const saved = savedFrom(momentsIn(call.numbers(statistics) as Float32Array, n * groups), attrs);
  const values = { dy: call.input(dy), x: call.input(x), gamma: call.optional(gamma), saved };
  const { dx: ofY, dgamma, dbeta } = route.backward(call, values, attrs);
  const dx = dsum ? call.add(call.reshape(ofY, x.shape), call.input(dsum)) : ofY;
  const output = call.output(dx, x.shape);
  if (!dgamma || !dbeta) return [output];
  return [output, call.small(new Float32Array(dgamma), [c]), call.small(new Float32Array(dbeta), [c])];
});

function savedFrom(moments: Numbers, attrs: NormalizeAttrs): Saved {
  const both = new Float64Array(moments);
  const mean = both.subarray(0, both.length / 2);
  const variance = both.subarray(both.length / 2);
  if (!attrs.rescale) {
    const one = new Float64Array(mean.length).fill(1);
    return { mean, variance, r: one, k: one, rOrZero: one };
  }
  const r = reciprocals(variance, attrs);
  const k = factors(variance, attrs);
  const rOrZero = attrs.epsilonPlacement === 'floor' ? r.map((r, i) => r * (k[i] as number)) : r;
  return { mean, variance, r, k, rOrZero };
}

export const { Normalize, NormalizeGrad } = withConditions({
  Normalize: normalize,
  NormalizeGrad: normalizeGrad,
  ScaleShift,
  ScaleShiftGrad,
});
