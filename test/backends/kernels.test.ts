/** The normalize kernels against the float64 oracle, on every backend: its own and composed from ordinary ops. */
import { describe, expect, test } from '@jest/globals';
import type { EpsilonPlacement } from '../../kernels/core/contract.ts';
import type { Route } from '../cases/kernels.ts';
import { type Backend, describeEverywhere, isWasm } from '../support/backends.ts';
import { inFirstGroup, type NormalizeInputs, normalizeInputs } from '../support/inputs.ts';
import { checkMoments, expectOurs, isFused, isThorough, ROUTES, tolerance } from '../support/kernel-checks.ts';
import type { Tolerance } from '../support/matchers.ts';
import * as oracle from '../support/oracle.ts';
import {
  CONDITIONAL_VIEWS,
  KINDS,
  LARGE_CONDITIONAL_VIEWS,
  LARGE_VIEWS,
  named,
  OFFSETS,
  SAMPLES,
  UNEVEN,
  VIEWS,
  WIDE,
} from '../support/views.ts';

const PLACEMENTS: readonly EpsilonPlacement[] = ['inside', 'outside', 'floor'];
const ATTRIBUTES = PLACEMENTS.flatMap((epsilonPlacement) =>
  [true, false].flatMap((center) => [true, false].map((rescale) => ({ epsilonPlacement, center, rescale }))),
);
const PARAMETERS = [true, false].flatMap((gamma) => [true, false].map((beta) => ({ gamma, beta })));
const USUAL = {
  epsilon: 1e-3,
  epsilonPlacement: 'inside',
  center: true,
  rescale: true,
  gamma: true,
  beta: true,
} as const;

/** In groups of one or two values the terms of dx cancel: there it is measured against the terms, which are about 1. */
function gradientTolerance(backend: Backend, route: Route, inputs: NormalizeInputs): Tolerance {
  const { s, c, groups } = inputs.view;
  const { ofMax } = tolerance(backend, route, inputs, 'gradient');
  return (s * c) / groups <= 2 ? { atol: ofMax } : { ofMax };
}

/** Runs `normalize` and compares every output that the route gives with the oracle. */
async function checkNormalize(
  backend: Backend,
  route: Route,
  inputs: NormalizeInputs,
  oursAlone = true,
): Promise<void> {
  const { value, kernels, leaked } = await backend.run('normalize', { route, ...inputs });
  const { x: given, dy, gamma, beta, residual, dsum } = normalizeInputs(inputs);
  // The kernels normalize the sum as float32 holds it, which is an output.
  const x = residual ? given.map((v, i) => v + residual[i]!) : given;
  const { y, moments } = oracle.normalize(x, gamma, beta, inputs);
  const { dx: ofY, dgamma, dbeta } = oracle.normalizeGrad(dy, x, gamma, inputs);
  const dx = dsum ? ofY.map((v, i) => v + dsum[i]!) : ofY;
  if (residual) expect(value.sum).toBeClose(x, { rtol: 1e-7 });
  if (residual && route === 'ops') expect(value.dresidual).toEqual(value.dx);
  expect(value.y).toBeClose(y, tolerance(backend, route, inputs, 'activations'));
  expect(value.dx).toBeClose(dx, gradientTolerance(backend, route, inputs));
  if (inputs.gamma) expect(value.dgamma).toBeClose(dgamma, tolerance(backend, route, inputs, 'sums'));
  if (inputs.beta) expect(value.dbeta).toBeClose(dbeta, tolerance(backend, route, inputs, 'sums'));
  if (route !== 'ops') checkMoments(backend, route, inputs, value.moments, moments, inputs.rescale);
  expect(leaked).toEqual({ tensors: 0, data: 0 });
  // The case itself puts the two results together.
  if (oursAlone) expectOurs(backend, route, kernels, ['Normalize', 'NormalizeGrad']);
}

describeEverywhere('kernels', (backend) => {
  test('the backend has the kernels it should have', async () => {
    expect((await backend.run('hasKernels', {})).value).toBe(isFused(backend));
  });

  describe.each(ROUTES[backend.name])('normalize by %s', (route) => {
    const thorough = isThorough(backend, route);
    const large = route === 'kernel' || isWasm(backend.name) ? LARGE_VIEWS : [];
    test.each(named(thorough ? [...VIEWS, ...large] : KINDS))('%s', async (_, inputs) => {
      await checkNormalize(backend, route, { ...USUAL, ...inputs });
      if (inputs.shape) await checkNormalize(backend, route, { ...USUAL, ...inputs, mean: 1e4 });
    });

    test.each(named(large.length > 0 ? SAMPLES : SAMPLES.slice(0, 1)))('samples far apart, %s', (_, inputs) =>
      checkNormalize(backend, route, { ...USUAL, ...inputs, special: 'apart' }),
    );

    test.each(named(KINDS))('values of 1e-12 without epsilon, %s', (_, inputs) =>
      checkNormalize(backend, route, { ...USUAL, ...inputs, std: 1e-12, epsilon: 0 }),
    );

    test.each(named(UNEVEN))('equal values without epsilon give beta and no gradient, %s', async (_, inputs) => {
      for (const epsilonPlacement of PLACEMENTS) {
        // Sums of 0.1 are rounded, which must not leave a variance.
        const options = { ...USUAL, ...inputs, epsilonPlacement, epsilon: 0, mean: 0.1, special: 'constant' } as const;
        const { value } = await backend.run('normalize', { route, ...options });
        const beta = normalizeInputs(options).beta!;
        expect(Array.from(value.y!)).toEqual(Array.from(value.y!, (_, i) => beta[i % beta.length]));
        for (const gradient of [value.dx!, value.dgamma!])
          expect(new Set(gradient.map(Math.abs))).toEqual(new Set([0]));
      }
    });

    const all = [...CONDITIONAL_VIEWS, ...(large.length > 0 ? LARGE_CONDITIONAL_VIEWS : [])];
    const conditional = thorough ? all : CONDITIONAL_VIEWS.filter((_, i) => i % 6 === 0);
    test.each(named(conditional))('%s', async (_, inputs) => {
      await checkNormalize(backend, route, { ...USUAL, ...inputs });
      await checkNormalize(backend, route, { ...USUAL, ...inputs, mean: 1e4 });
    });

    test.each(named(CONDITIONAL_VIEWS.filter((_, i) => i % 3 === 0)))('attributes, %s', async (_, inputs) => {
      for (const attributes of thorough ? ATTRIBUTES : ATTRIBUTES.slice(0, 1)) {
        for (const parameters of [PARAMETERS[1]!, PARAMETERS[2]!]) {
          await checkNormalize(backend, route, { ...inputs, epsilon: 0.1, ...attributes, ...parameters });
        }
      }
    });

    if (route === 'kernel') {
      test.each(named(KINDS))('statistics with further columns, %s', (_, inputs) =>
        checkNormalize(backend, route, { ...USUAL, ...inputs, further: 3 }, false),
      );
    }

    test.each(named(conditional.filter((_, i) => i % 3 === 0)))('neither gamma nor beta, %s', (_, inputs) =>
      checkNormalize(backend, route, { ...USUAL, ...inputs, gamma: false, beta: false }),
    );

    const summed = [...KINDS, ...(thorough ? [...WIDE, ...large, ...CONDITIONAL_VIEWS] : [])];
    test.each(named(summed))('x and a residual, %s', async (_, inputs) => {
      const run = { ...USUAL, ...inputs, residual: true };
      await checkNormalize(backend, route, run, false);
      await checkNormalize(backend, route, { ...run, center: false, beta: false, mean: 100 }, false);
      const isConditional = inputs.view.rowsPerCondition !== undefined;
      await checkNormalize(backend, route, { ...run, gamma: isConditional, beta: false, mean: 1e4 }, false);
    });

    describe.each(named(KINDS))('%s', (_, inputs) => {
      test.each(ATTRIBUTES)('%j', async (attributes) => {
        for (const parameters of thorough ? PARAMETERS : PARAMETERS.slice(0, 1)) {
          await checkNormalize(backend, route, { ...inputs, epsilon: 0.1, ...attributes, ...parameters });
        }
      });

      test('deviations on both sides of a floor', async () => {
        for (const epsilon of [0.5, 1, 1.5]) {
          const options = { epsilonPlacement: 'floor', epsilon } as const;
          await checkNormalize(backend, route, { ...USUAL, ...inputs, ...options });
          await checkNormalize(backend, route, { ...USUAL, ...inputs, ...options, center: false });
        }
        // Where sums are exact, deviations of 1 are not above a floor of 1.
        if (route !== 'kernel' || backend.name === 'tensorflow-ops') return;
        const equal = { epsilonPlacement: 'floor', epsilon: 1, center: false, special: 'signs' } as const;
        await checkNormalize(backend, route, { ...USUAL, ...inputs, ...equal });
      });

      test.each(OFFSETS)('mean %d', async (mean) => {
        for (const wide of [inputs, WIDE[KINDS.indexOf(inputs)]!]) {
          await checkNormalize(backend, route, { ...USUAL, ...wide, mean });
          await checkNormalize(backend, route, { ...USUAL, ...wide, mean, rescale: false });
          await checkNormalize(backend, route, { ...USUAL, ...wide, mean, center: false });
        }
      });

      test.each(PLACEMENTS)('equal values, epsilon %s', async (epsilonPlacement) => {
        for (const [mean, center] of [
          [0, true],
          [0, false],
          [3, true],
          [3, false],
        ] as const) {
          const options = { ...USUAL, epsilonPlacement, center, mean, special: 'constant' as const };
          await checkNormalize(backend, route, { ...inputs, ...options });
        }
      });

      test.each([1e25, 1e30])('values of %d, whose squares are no floats, give finite ones', async (std) => {
        for (const center of [true, false]) {
          const { value } = await backend.run('normalize', { route, ...USUAL, ...inputs, center, std });
          for (const values of [value.y!, value.dx!, value.dgamma!]) {
            expect(Array.from(values).filter((one) => !Number.isFinite(one))).toEqual([]);
          }
        }
      });

      test('a zero gradient', () => checkNormalize(backend, route, { ...USUAL, ...inputs, special: 'zero dy' }));

      test('a mean square of NaN is above every floor', async () => {
        const options = { ...USUAL, ...inputs, center: false, epsilonPlacement: 'floor', special: 'nan' } as const;
        const { value } = await backend.run('normalize', { route, ...options });
        const inside = Array.from(value.y!).filter((_, i) => inFirstGroup(inputs.view, i));
        expect(inside.filter(Number.isFinite)).toEqual([]);
      });

      test.each(['nan', 'infinity'] as const)('%s stays in its group', async (special) => {
        const run = { route, ...USUAL, ...inputs };
        const { value } = await backend.run('normalize', { ...run, special });
        const { value: clean } = await backend.run('normalize', run);
        for (const name of ['y', 'dx'] as const) {
          const touched = Array.from(value[name]!).map((_, i) => inFirstGroup(inputs.view, i));
          const outside = (values: ArrayLike<number>) => Array.from(values).filter((_, i) => !touched[i]);
          const inside = Array.from(value[name]!).filter((_, i) => touched[i]);
          expect(outside(value[name]!)).toEqual(outside(clean[name]!));
          expect(inside.filter(Number.isFinite)).toEqual([]);
        }
        const { c, groups } = inputs.view;
        const dgamma = Array.from(value.dgamma!);
        expect(dgamma.slice(c / groups)).toEqual(Array.from(clean.dgamma!).slice(c / groups));
        expect(dgamma.slice(0, c / groups).filter(Number.isFinite)).toEqual([]);
        expect(value.dbeta).toEqual(clean.dbeta);
      });
    });
  });
});
