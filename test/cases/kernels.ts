/**
 * Every kernel, by three routes: 'kernel' runs the current backend's own, 'reference' the same function composed from
 * ordinary ops, 'ops' the differentiable operation that chooses between them, with its gradients through the tape.
 */
import { concat, dispose, ones, slice, stack, type Tensor, tidy, unstack, valueAndGrads } from '@tensorflow/tfjs';
import { momentsIn } from '../../kernels/core/numbers.ts';
import { fused, run } from '../../kernels/core/registry.ts';
import { conditionsOf } from '../../kernels/core/view.ts';
import { average as averageOf } from '../../kernels/ops/average.ts';
import { Normalize, NormalizeGrad } from '../../kernels/ops/gradients.ts';
import { moments as momentsOf } from '../../kernels/ops/moments.ts';
import { normalize as normalizeOf } from '../../kernels/ops/normalize.ts';
import * as reference from '../../kernels/ops/reference.ts';
import { normalizeSum } from '../../kernels/ops/residual.ts';
import { type Affine, scaleShift as scaleShiftOf } from '../../kernels/ops/scale-shift.ts';
import {
  type AffineInputs,
  type AverageInputs,
  activations,
  affineInputs,
  averageInputs,
  blendInputs,
  type Inputs,
  type NormalizeInputs,
  normalizeInputs,
  shapeOf,
} from '../support/inputs.ts';
import { takeAll, withTensors } from './tensors.ts';

export type Route = 'kernel' | 'reference' | 'ops';
type Routed<T> = T & { readonly route: Route };

/** Whether the current backend has kernels of its own. */
export const hasKernels = async (_: Record<string, never>) => fused();

/** The moments in statistics, with further columns, which mean nothing. */
const widened = (statistics: Tensor, groups: number, further: number): Tensor =>
  tidy(() => concat([slice(statistics, [0, 0], [2, groups]), ones([2, further])], 1));

export const normalize = (args: Routed<NormalizeInputs>) =>
  withTensors(async (make) => {
    const { route, view, epsilon, epsilonPlacement, center, rescale } = args;
    const values = normalizeInputs(args);
    const [x, dy] = [values.x, values.dy].map((v) => make(v, shapeOf(args))) as [Tensor, Tensor];
    const [residual, dsum] = [values.residual, values.dsum].map((v) => v && make(v, shapeOf(args)));
    const parameterShape = view.rowsPerCondition === undefined ? [view.c] : [conditionsOf(view), view.c];
    const gamma = values.gamma && make(values.gamma, parameterShape);
    const beta = values.beta && make(values.beta, parameterShape);
    const { n, s, c, groups } = view;
    // As from the public functions, where `conditioned` makes the view.
    const seen = gamma || beta ? view : { n, s, c, groups };
    const attributes = { view: seen, epsilon, epsilonPlacement, center, rescale };
    const none = { sum: undefined, dresidual: undefined };
    if (route === 'ops') {
      const inputs = [x, residual, gamma, beta].filter((t) => t !== undefined);
      const f = (x: Tensor) =>
        // Both results as one, so that each has an upstream gradient of its own.
        residual ? stack(normalizeSum(x, residual, gamma, beta, attributes)) : normalizeOf(x, gamma, beta, attributes);
      const upstream = dsum ? tidy(() => stack([dy, dsum])) : dy;
      const { value, grads } = valueAndGrads(f)(inputs, upstream);
      const [y, sum] = (residual ? unstack(value) : [value]) as [Tensor, Tensor?];
      if (residual) dispose([value, upstream]);
      const [dx, ...rest] = grads;
      const dresidual = residual && rest.shift();
      const [dgamma, dbeta] = [gamma && rest.shift(), beta && rest.shift()];
      return takeAll({ y, dx, dgamma, dbeta, moments: undefined, sum, dresidual });
    }
    if (route === 'kernel') {
      const outputs = run('Normalize', { x, residual, gamma, beta }, attributes);
      const [y, statistics, sum] = outputs as [Tensor, Tensor, Tensor | undefined];
      const affine = args.gamma || args.beta;
      const wider = args.further && widened(statistics, view.n * view.groups, args.further);
      const inputs = { dy, dsum, x: sum ?? x, statistics: wider || statistics, gamma };
      const [dx, dgamma, dbeta] = run('NormalizeGrad', inputs, { ...attributes, affine });
      if (wider) wider.dispose();
      const all = {
        y,
        moments: statistics,
        dx,
        dgamma: affine ? dgamma : undefined,
        dbeta: affine ? dbeta : undefined,
        ...none,
        sum,
      };
      const results = await takeAll(all);
      return { ...results, moments: momentsIn(results.moments as Float32Array, view.n * view.groups) };
    }
    const inputs = { x, residual, gamma, beta };
    const [y, moments, sum] = tidy(() => Normalize.compose(inputs, attributes)) as [Tensor, Tensor, Tensor | undefined];
    const gradInputs = { dy, dsum, x: sum ?? x, statistics: moments, gamma };
    const [dx, dgamma, dbeta] = tidy(() => NormalizeGrad.compose(gradInputs, { ...attributes, affine: true }));
    return takeAll({ y, moments, dx, dgamma, dbeta, ...none, sum });
  });

/** Moments of x, and by the tape the gradient of sum(moments dmoments). */
export const moments = (args: Routed<Inputs & { dmoments?: number[] }>) =>
  withTensors(async (make) => {
    const { route, view, dmoments } = args;
    const x = make(activations(args).x, shapeOf(args));
    if (route === 'kernel') return takeAll({ moments: run('Moments', { x }, { view })[0], dx: undefined });
    if (route === 'reference') return takeAll({ moments: tidy(() => reference.moments(x, { view })), dx: undefined });
    const upstream = make(Float32Array.from(dmoments!), [2, view.n * view.groups]);
    const { value, grads } = valueAndGrads((x: Tensor) => momentsOf(x, view))([x], upstream);
    return takeAll({ moments: value, dx: grads[0] });
  });

/** (x - mean) / sqrt(variance + epsilon) * scale + shift, and by the tape all its gradients. */
export const scaleShift = (args: Routed<AffineInputs>) =>
  withTensors(async (make) => {
    const { route, view, epsilon } = args;
    const values = affineInputs(args);
    const x = make(values.x, shapeOf(args));
    const affine = Object.fromEntries(Object.entries(values.affine).map(([name, v]) => [name, make(v!)])) as Affine;
    const none = { dx: undefined, dmean: undefined, dvariance: undefined, dscale: undefined, dshift: undefined };
    if (route === 'kernel') return takeAll({ ...none, y: run('ScaleShift', { x, ...affine }, { view, epsilon })[0] });
    if (route === 'reference') {
      return takeAll({ ...none, y: tidy(() => reference.scaleShift(x, affine, { view, epsilon })) });
    }
    const names = Object.keys(affine);
    const f = (x: Tensor, ...parameters: Tensor[]) =>
      scaleShiftOf(x, Object.fromEntries(names.map((name, i) => [name, parameters[i]])), view, epsilon);
    const dy = make(values.dy, shapeOf(args));
    const { value, grads } = valueAndGrads(f)([x, ...(Object.values(affine) as Tensor[])], dy);
    const parameters = Object.fromEntries(names.map((name, i) => [`d${name}`, grads[i + 1]]));
    return takeAll({ ...none, y: value, dx: grads[0], ...parameters });
  });

export const scaleShiftGrad = (args: Routed<AffineInputs>) =>
  withTensors(async (make) => {
    const { route, view } = args;
    const values = affineInputs(args);
    const [x, dy] = [values.x, values.dy].map((v) => make(v, shapeOf(args))) as [Tensor, Tensor];
    const mean = make(values.affine.mean!);
    const [dscale, dshift] =
      route === 'kernel'
        ? run('ScaleShiftGrad', { dy, x, mean }, { view })
        : tidy(() => reference.scaleShiftGrad(dy, x, mean, view));
    return takeAll({ dscale, dshift });
  });

/** Only backends have this one: composed, each form's gradient is differentiated by the tape. */
export const blendGrad = (args: Inputs) =>
  withTensors(async (make) => {
    const values = blendInputs(args);
    const [x, dy] = [values.x, values.dy].map((v) => make(v, shapeOf(args)));
    const [mean, scale, a, b] = [values.mean, values.scale, values.a, values.b].map((v) => make(v));
    return takeAll({ dx: run('BlendGrad', { dy, x, mean, scale, a, b }, { view: args.view })[0] });
  });

export const average = (args: Routed<AverageInputs>) =>
  withTensors(async (make) => {
    const { route, row, momentum } = args;
    const values = averageInputs(args);
    const [old, moments] = [make(values.old), make(values.statistics, [2, values.statistics.length / 2])];
    const attributes = { row, momentum };
    const routes = {
      kernel: () => run('Average', { old, moments }, attributes)[0],
      reference: () => tidy(() => reference.average(old, moments, attributes)),
      ops: () => averageOf(old, moments, attributes),
    };
    return takeAll({ average: routes[route]() });
  });
