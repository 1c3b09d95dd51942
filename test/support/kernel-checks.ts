/** What the tests of kernels share: which routes a backend has, and how outputs are compared with the oracle's. */
import { expect } from '@jest/globals';
import type { Route } from '../cases/kernels.ts';
import type { Backend, BackendName } from './backends.ts';
import type { Inputs } from './inputs.ts';
import { kernelTolerance, type Offset, type OutputKind } from './tolerances.ts';

/**
 * The routes worth running: 'kernel' where the backend has kernels of its own, and then 'reference' where it is not the same
 * JavaScript as elsewhere. Where there are no kernels, 'ops' is the reference.
 */
export const ROUTES: Record<BackendName, readonly Route[]> = {
  cpu: ['kernel', 'ops', 'reference'],
  wasm: ['kernel', 'ops', 'reference'],
  tensorflow: ['kernel', 'ops', 'reference'],
  'tensorflow-ops': ['kernel'],
  'browser-cpu': ['kernel', 'ops'],
  'browser-wasm': ['kernel', 'ops'],
  'threaded-wasm': ['kernel', 'ops'],
  webgl: ['kernel', 'ops', 'reference'],
  webgpu: ['kernel', 'ops', 'reference'],
};

/**
 * Whether a route is worth every view and attribute on a backend. The composed text is the same everywhere, and so are the kernels of
 * cpu and wasm in a page: where it is slow (WebGL compiles each op for each shape), or the same once more, one view of each kind must do.
 */
export const isThorough = ({ name }: Backend, route: Route): boolean =>
  route === 'kernel'
    ? name !== 'browser-cpu' && name !== 'browser-wasm'
    : route === ROUTES[name].at(-1) && (name === 'cpu' || name === 'wasm');

export const isFused = ({ name }: Backend): boolean => ROUTES[name].includes('kernel');

export const tolerance = (backend: Backend, route: Route, inputs: Pick<Inputs, 'mean'>, kind: OutputKind) =>
  kernelTolerance(backend.name, route, (inputs.mean ?? 0) as Offset, kind);

type Numbers = ArrayLike<number>;

/** Row 0 and row 1 by themselves: next to a mean of 1e6 any variance would do. */
export function checkMoments(
  backend: Backend,
  route: Route,
  inputs: Inputs,
  actual: Numbers | undefined,
  expected: Numbers,
  variance = true,
): void {
  const half = expected.length / 2;
  const row = (values: Numbers, r: number) => Array.from(values).slice(r * half, (r + 1) * half);
  expect(actual?.length).toBe(expected.length);
  expect(row(actual!, 0)).toBeClose(row(expected, 0), tolerance(backend, route, inputs, 'means'));
  if (variance) expect(row(actual!, 1)).toBeClose(row(expected, 1), tolerance(backend, route, inputs, 'variances'));
}

/** Our kernels that ran: where the backend has them exactly these and nothing composed, elsewhere none. */
export function expectOurs(backend: Backend, route: Route, kernels: readonly string[], ours: readonly string[]): void {
  if (route !== 'reference' && isFused(backend)) {
    // The engine clones what a gradient saves.
    const ran = kernels.filter((kernel) => kernel !== 'Identity');
    expect(ran).toEqual(ours.map((kernel) => `tfjs-normalizations/2/${kernel}`));
  } else {
    expect(kernels.filter((kernel) => kernel.includes('/'))).toEqual([]);
  }
}
