/** Weight and spectral normalization of kernels of any size of values, in float32 and in 16-bit floats. */
import { expect, test } from '@jest/globals';
import { describeBackends } from '../support/backends.ts';
import type { Tolerance } from '../support/matchers.ts';
import { type SizedKernel, sizedKernelInputs } from '../support/sized-kernel.ts';
import * as oracle from '../support/wrapper-oracle.ts';

/** u, v and sigma after the same steps, and what is made of them. */
const STEPS: Tolerance = { ofMax: 1e-5 };
const NO_LEAK = { tensors: 0, data: 0 };

type Weights = Record<string, ArrayLike<number>>;

function expectClose(actual: Weights, expected: Weights, tolerance: Tolerance): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [what, values] of Object.entries(expected)) expect(actual[what]).toBeClose(values, { ...tolerance, what });
}

/** What the oracle says of a kernel of any size and of what its results get; see the case `normalizeSizedKernel`. */
function ofSizedKernel(args: SizedKernel, steps: number) {
  const { kernel, norms, g, u, dy, dyOfUnits } = sizedKernelInputs(args);
  const matrix = oracle.matrixOf(args.shape, [args.shape.length - 1]);
  const ones = new Float32Array(matrix.units).fill(1);
  // Without a direction there is neither a result nor a gradient.
  const alive = (values: ArrayLike<number>) => Array.from(values, (value) => (Number.isNaN(value) ? 0 : value));
  const { dv, dg } = oracle.weightNormGrad(dy, kernel, g, matrix);
  const bare = alive(oracle.weightNorm(kernel, ones, matrix));
  const dBare = alive(oracle.weightNormGrad(dyOfUnits, kernel, ones, matrix).dv);
  const { sigma, ...vectors } = oracle.powerIteration(kernel, { u, v: [] }, steps, 'v', matrix);
  return {
    norms,
    weight: { weight: alive(oracle.weightNorm(kernel, g, matrix)), dv: alive(dv), dg: alive(dg), bare, dBare },
    spectral: {
      ...vectors,
      sigma: [sigma],
      once: Array.from(kernel, (value) => value / sigma),
      dSpectral: oracle.spectralNormGrad(dyOfUnits, kernel, vectors, sigma, matrix),
    },
    vectors: {
      vector: bare,
      dVector: dBare,
      query: bare.map((value) => 4 * value),
      dQuery: dBare.map((value) => 4 * value),
    },
  };
}

/** Those of one name at a time; of what 16-bit floats cannot hold the largest of them, and what they round. */
function expectHalf(value: Readonly<Record<string, ArrayLike<number> | undefined>>, expected: Weights): void {
  for (const [what, values] of Object.entries(expected)) {
    const held = Array.from(values, (one) => Math.max(-65504, Math.min(65504, one)));
    expect(value[what]).toBeClose(held, { ofMax: 2e-3, atol: 2 ** -24, what });
  }
}

const finite = (all: Weights) =>
  expect(Object.entries(all).filter(([, values]) => !Array.from(values).every(Number.isFinite))).toEqual([]);

describeBackends(
  'kernels of any size',
  (backend) => {
    const { run } = backend;
    const steps = 8;

    test.each([1e-30, 1e-20, 1e-6, 1, 1e6, 1e20, 1e30])('values of %d', async (std) => {
      for (const shape of [
        [5, 4],
        [3, 3, 4, 6],
      ]) {
        const args = { shape, std };
        const { value, leaked } = await run('normalizeSizedKernel', { ...args, steps });
        const expected = ofSizedKernel(args, steps);
        expectClose({ norms: value.norms! }, { norms: expected.norms }, STEPS);
        const names = Object.keys(expected.spectral);
        const actual = Object.fromEntries(names.map((name) => [name, value[name as 'u']!]));
        expectClose(actual, expected.spectral, STEPS);
        // Where squares of values are no floats, lengths are none, and what is divided by them is not right, but finite.
        const { weight, bare, dv, dg } = value;
        finite({ weight: weight!, bare: bare!, dv: dv!, dg: dg! });
        if (std >= 1e-6 && std <= 1e6) {
          for (const [what, values] of Object.entries({ ...expected.weight, ...expected.vectors })) {
            expect(value[what as 'bare']).toBeClose(values, { ...STEPS, what });
          }
        }
        expect(leaked).toEqual(NO_LEAK);
      }
    });
  },
  { only: ['cpu', 'wasm', 'tensorflow', 'webgl', 'webgpu'] },
);

describeBackends(
  'kernels of any size in 16-bit textures',
  (backend) => {
    const { run } = backend;
    const half = true;
    const steps = 8;

    // From a deviation of 300 or 1000 on the long columns are longer than 65504. Those of one value are too short for 1e-6.
    const SIZES = [1e-6, 1e-4, 1e-2, 1, 300, 1000];
    const ofShape = (shape: number[], sizes = SIZES) => sizes.map((std) => [shape, std] as const);
    test.each([
      ...ofShape([5, 4]),
      ...ofShape([1, 3], SIZES.slice(1)),
      ...ofShape([7, 1]),
      ...ofShape([3, 3, 16, 25]),
      ...ofShape([9, 512, 2]),
    ])('[%j], values of %d', async (shape, std) => {
      const variants: Omit<SizedKernel, 'shape' | 'std'>[] = [{ mean: 0 }, { mean: 10 }];
      if (shape.at(-1)! > 1) variants.push({ dead: true }, { gain: 1e-2 }, { gain: 30 });
      for (const variant of variants) {
        const args = { shape, std, half, ...variant };
        const { value, leaked } = await run('normalizeSizedKernel', { ...args, steps });
        const { norms, weight, spectral, vectors } = ofSizedKernel(args, steps);
        expectHalf(value, { norms, ...weight, ...spectral });
        // The gradient of a vector of one value is 0, but for rounding of what cancels.
        if (std >= 1e-2 && shape.length + shape[0]! > 3) expectHalf(value, vectors);
        expect(leaked).toEqual(NO_LEAK);
      }
    });

    test('300 I, whose sigma is 300, and 1000 of a matrix with a sigma of 256000', async () => {
      const { value } = await run('spectralNormOf', { matrix: 'identity', size: 256, factor: 300 });
      expect(value.sigma).toBeClose([300], { ofMax: 2e-3 });
      expect(Array.from(value.kernel!).filter((_, i) => i % 257 === 0)).toBeClose(new Array(256).fill(1), {
        ofMax: 2e-3,
      });
      const large = (await run('spectralNormOf', { matrix: 'ones', size: 256, factor: 1000 })).value;
      expect(large.sigma![0]).toBe(65504);
      // The bound holds all the same.
      expect(large.kernel).toBeClose(new Array(256 * 256).fill(1 / 256), { ofMax: 2e-3 });
    });

    test('a gradient penalty through the normalized kernel', async () => {
      const { value, leaked } = await run('penalizeKernel', { shape: [6, 5] });
      for (const form of ['weight', 'spectral']) {
        for (const name of ['w', 'g']) {
          // What is done by hand is rounded to 16 bits after each op.
          expect(value[`${form} ${name}`]).toBeClose(value[`${form}ByHand ${name}`]!, { ofMax: 2e-2 });
        }
      }
      expect(leaked).toEqual(NO_LEAK);
    });

    test.each(SIZES)('wrapping changes nothing at first: weight normalization of values of %d', async (std) => {
      for (const variant of [{ mean: 0 }, { mean: 10 }, { dead: true }]) {
        const args = { shape: [24, 6], std, half, ...variant };
        const { value, leaked } = await run('wrapSizedKernel', {
          ...{ ...args, className: 'WeightNormalization', options: {}, calls: 0 },
        });
        const { kernel, norms } = sizedKernelInputs(args);
        expectHalf(value.start, { g: norms });
        expectHalf(value.first, { kernel });
        for (const all of [value.gradients, value.trained, { y: value.y }]) finite(all);
        expect(leaked).toEqual(NO_LEAK);
      }
    });

    test.each(SIZES.flatMap((std) => [true, false].map((reparameterize) => [std, reparameterize] as const)))(
      'the largest singular value is 1: spectral normalization of values of %d, reparameterize %p',
      async (std, reparameterize) => {
        for (const variant of [{ mean: 0 }, { mean: 10 }, { dead: true }]) {
          const args = { shape: [24, 6], std, half, ...variant };
          const options = { reparameterize, powerIterations: 3 };
          const { value, leaked } = await run('wrapSizedKernel', {
            ...{ ...args, className: 'SpectralNormalization', options, calls: 20 },
          });
          const matrix = oracle.matrixOf([24, 6], [1]);
          expect(Math.abs(oracle.largestSingularValue(value.last.kernel!, matrix) - 1)).toBeLessThan(5e-3);
          for (const all of [value.start, value.gradients, value.trained, { y: value.y }]) finite(all);
          expect(leaked).toEqual(NO_LEAK);
        }
      },
    );

    test.each(SIZES)(
      'dataInit with kernels and data of any size, a unit without a direction: kernel %d',
      async (std) => {
        for (const data of [1e-2, 1, 300].flatMap((std) => [0, 10].map((mean) => ({ std, mean: mean * std })))) {
          const args = { shape: [24, 6], std, dead: true, half, data };
          const { value, leaked } = await run('initializeFromSizedData', args);
          finite({ ...value.weights, y: value.y });
          // The first unit has no direction. The others have a mean of 0 and a variance of 1.
          for (let unit = 1; unit < 6; unit++) {
            const channel = Array.from(value.y).filter((_, i) => i % 6 === unit);
            const mean = channel.reduce((a, b) => a + b) / channel.length;
            const variance = channel.reduce((sum, v) => sum + (v - mean) ** 2, 0) / channel.length;
            expect(Math.abs(mean)).toBeLessThan(5e-2);
            expect(Math.abs(variance - 1)).toBeLessThan(5e-2);
          }
          expect(leaked).toEqual(NO_LEAK);
        }
      },
    );

    test.each([1e-2, 1, 300])('dataInit with a batch of equal examples of %d', async (std) => {
      const args = { shape: [24, 6], std: 1, half, data: { mean: std, std, same: true } };
      const { value, leaked } = await run('initializeFromSizedData', args);
      finite({ ...value.weights, y: value.y });
      expect(leaked).toEqual(NO_LEAK);
    });
  },
  { only: ['webgl'], flags: { WEBGL_FORCE_F16_TEXTURES: true } },
);
