/** `PowerIteration` on every backend against the float64 oracle, and what it leaves alone. */
import { describe, expect, test } from '@jest/globals';
import { describeBackends, describeKernels } from '../support/backends.ts';
import { toHalf } from '../support/half-subjects.ts';
import { expectOurs, isFused } from '../support/kernel-checks.ts';
import { type PowerIterationInputs, powerIterationInputs } from '../support/power-iteration-inputs.ts';
import * as oracle from '../support/wrapper-oracle.ts';

// One value, vectors within and beyond four lanes, sums long enough to be taken in parts, odd ends.
const SIZES = [
  [1, 1],
  [5, 3],
  [33, 65],
  [4, 1030],
  [1031, 6],
  [2500, 3],
] as const;

describeKernels('power iteration', (backend) => {
  const route = isFused(backend) ? 'kernel' : 'reference';
  const run = async (args: PowerIterationInputs) => {
    const { value, kernels, leaked } = await backend.run('powerIteration', { ...args, route });
    expect(leaked).toEqual({ tensors: 0, data: 0 });
    if (route === 'kernel') {
      const ran = kernels.filter((kernel) => kernel !== 'Exp'); // made the inputs
      expectOurs(backend, route, ran, ['PowerIteration']);
    }
    return value;
  };

  describe.each(SIZES)('[%i, %i]', (rest, out) => {
    test.each([
      ['u', 0],
      ['u', 1],
      ['v', 1],
      ['u', 3],
      ['v', 3],
    ] as const)('%s first, %i iterations', async (first, iterations) => {
      const args = { rest, out, first, iterations, epsilon: 1e-12, scale: 1 };
      const { w, u, v } = powerIterationInputs(args);
      const expected = oracle.powerIteration(w, { u, v }, iterations, first, oracle.matrixOf([rest, out], [1]));
      const value = await run(args);
      expect(value.u).toBeClose(expected.u, { ofMax: 1e-5 });
      expect(value.v).toBeClose(expected.v, { ofMax: 1e-5 });
      // Before the first step u and v have nothing to do with w, and the terms of sigma cancel.
      const size = Math.max(Math.abs(expected.sigma), iterations === 0 ? Math.hypot(...v) * Math.hypot(...u) : 0);
      expect(Math.abs(Number(value.sigma![0]) - expected.sigma)).toBeLessThan(1e-5 * size);
    });
  });

  // One iteration: later ones would make up for an error in what the first reads.
  test.each([
    [1031, 6, 'u'],
    [6, 1031, 'v'],
  ] as const)('[%i, %i], the results of another op, %s first', async (rest, out, first) => {
    const args = { rest, out, first, iterations: 1, epsilon: 1e-12, scale: 1, exponentials: true };
    const { w, u, v } = powerIterationInputs(args);
    const expected = oracle.powerIteration(w, { u, v }, 1, first, oracle.matrixOf([rest, out], [1]));
    const value = await run(args);
    expect(value.u).toBeClose(expected.u, { ofMax: 1e-5 });
    expect(value.v).toBeClose(expected.v, { ofMax: 1e-5 });
    expect(value.sigma).toBeClose([expected.sigma], { ofMax: 1e-5 });
  });

  test.each([1e-30, 1e-20, 1e20, 1e30])('values of %d, whose squares are no floats', async (scale) => {
    for (const [rest, out] of [
      [5, 3],
      [1031, 6],
    ] as const) {
      const args = { rest, out, first: 'u', iterations: 2, epsilon: 0, scale } as const;
      const { w, u, v } = powerIterationInputs(args);
      const expected = oracle.powerIteration(w, { u, v }, 2, 'u', oracle.matrixOf([rest, out], [1]));
      const value = await run(args);
      expect(value.u).toBeClose(expected.u, { ofMax: 1e-5 });
      expect(value.v).toBeClose(expected.v, { ofMax: 1e-5 });
      expect(value.sigma).toBeClose([expected.sigma], { ofMax: 1e-5 });
    }
  });

  test.each([1e-12, 0])('a matrix of zeros keeps u and v, epsilon %d', async (epsilon) => {
    const args = { rest: 5, out: 3, first: 'u', iterations: 2, epsilon, scale: 0 } as const;
    const { u, v } = powerIterationInputs(args);
    const value = await run(args);
    expect(value.u).toBeClose(u, { ofMax: 0 });
    expect(value.v).toBeClose(v, { ofMax: 0 });
    expect(value.sigma![0]).toBeCloseTo(0, 12);
  });

  test('products that are no longer than epsilon keep u and v', async () => {
    const args = { rest: 5, out: 3, first: 'v', iterations: 2, epsilon: 1e3, scale: 1 } as const;
    const { u, v } = powerIterationInputs(args);
    const value = await run(args);
    expect(value.u).toBeClose(u, { ofMax: 0 });
    expect(value.v).toBeClose(v, { ofMax: 0 });
  });

  test('NaN comes out', async () => {
    const { sigma } = await run({ rest: 5, out: 3, first: 'v', iterations: 1, epsilon: 1e-12, scale: Number.NaN });
    expect(sigma![0]).toBeNaN();
  });
});

describeBackends(
  'power iteration in 16-bit textures',
  (backend) => {
    // Larger ones are not asked for: the kernel is brought near 1 before.
    test.each([1e-2, 1, 300])('values of %d', async (scale) => {
      for (const [rest, out] of [
        [5, 3],
        [1031, 6],
        [6, 1031],
      ] as const) {
        for (const first of ['u', 'v'] as const) {
          const args = { rest, out, first, iterations: 3, epsilon: 0, scale };
          const { value } = await backend.run('powerIteration', { ...args, route: 'kernel' });
          const { w, u, v } = powerIterationInputs(args);
          const half = { w: w.map(toHalf), u: u.map(toHalf), v: v.map(toHalf) };
          const expected = oracle.powerIteration(half.w, half, 3, first, oracle.matrixOf([rest, out], [1]));
          expect(value.u).toBeClose(expected.u, { ofMax: 2e-3 });
          expect(value.v).toBeClose(expected.v, { ofMax: 2e-3 });
          expect(value.sigma).toBeClose([Math.min(65504, expected.sigma)], { ofMax: 2e-3 });
        }
      }
    });
  },
  { only: ['webgl'], flags: { WEBGL_FORCE_F16_TEXTURES: true } },
);
