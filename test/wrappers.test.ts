/**
 * WeightNormalization and SpectralNormalization around every layer with a kernel: values, gradients and states against
 * float64, and what becomes of the wrapped layer in models, files, training and errors.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as library from '../layers/index.ts';
import type { WrapperCase } from './cases/wrappers.ts';
import { type Backend, describeBackends, isWasm } from './support/backends.ts';
import type { Tolerance } from './support/matchers.ts';
import { normals } from './support/random.ts';
import { type SizedKernel, sizedKernelInputs } from './support/sized-kernel.ts';
import * as oracle from './support/wrapper-oracle.ts';
import { WRAPPABLE, type Wrappable } from './support/wrapper-table.ts';

const { removeSpectralNormalization, removeWeightNormalization, spectralNormalization, weightNormalization } = library;

/** u, v and sigma after the same steps, and what is made of them. */
const STEPS: Tolerance = { ofMax: 1e-5 };
/** The same layer with the same kernel, wrapped or not: one kernel was made in another order. */
const SAME: Tolerance = { ofMax: 3e-6, atol: 1e-6 };
const GRADIENT: Tolerance = { ofMax: 2e-5, atol: 1e-5 }; // sums over positions and time steps, in float32
const SECOND_ORDER: Tolerance = { ofMax: 1e-4 };

const NO_LEAK = { tensors: 0, data: 0 };
const table = Object.entries(WRAPPABLE);
/** TensorFlow.js's wasm backend has no gradients of convolutions, nor of gathered rows. */
const trains = (backend: Backend, { convolution, indices }: Wrappable) =>
  !isWasm(backend.name) || !(convolution || indices);

type Weights = Record<string, ArrayLike<number>>;

function expectClose(actual: Weights, expected: Weights, tolerance: Tolerance): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [what, values] of Object.entries(expected)) expect(actual[what]).toBeClose(values, { ...tolerance, what });
}

const added = (kernel: string, name: string) => kernel.replace('embeddings', '').replace('kernel', '') + name;

async function checkWeight(backend: Backend, { layer, shape, kernels, ...row }: Wrappable): Promise<void> {
  const args: WrapperCase = { className: 'WeightNormalization', options: {}, layer, shape, ...row, training: true };
  const { value, leaked } = await backend.run('wrapLayer', args);
  const { wrapped, unwrapped, before, names } = value;
  const own = Object.keys(kernels).map((kernel) => added(kernel, 'g'));
  expect(names).toEqual([...own, ...Object.keys(unwrapped.gradients)]);
  expect(value.count).toBe(Object.values(before).reduce((sum, { length }) => sum + length, 0));
  expect(value.after).toEqual(before);
  expect(wrapped.y).toBeClose(unwrapped.y, SAME);
  const expected: Weights = { ...unwrapped.gradients };
  for (const [kernel, { shape, units }] of Object.entries(kernels)) {
    const matrix = oracle.matrixOf(shape, units);
    const [v, g] = [before[kernel]!, before[added(kernel, 'g')]!];
    expect(value.kernels[kernel]).toBeClose(oracle.weightNorm(v, g, matrix), STEPS);
    const { dg, dv } = oracle.weightNormGrad(unwrapped.gradients[kernel]!, v, g, matrix);
    Object.assign(expected, { [kernel]: dv, [added(kernel, 'g')]: dg });
  }
  expectClose(wrapped.gradients, expected, GRADIENT);
  expect(leaked).toEqual(NO_LEAK);
}

async function checkSpectral(backend: Backend, row: Wrappable, training: boolean): Promise<void> {
  const { kernels, ...rest } = row;
  const steps = 2;
  const options = { powerIterations: steps };
  const args: WrapperCase = { className: 'SpectralNormalization', options, ...rest, training };
  const { value, leaked } = await backend.run('wrapLayer', args);
  const { wrapped, unwrapped, before, names } = value;
  const own = Object.keys(kernels).flatMap((kernel) => [added(kernel, 'vector_u'), added(kernel, 'vector_v')]);
  expect(names).toEqual([...Object.keys(unwrapped.gradients), ...own]);
  expect(wrapped.y).toBeClose(unwrapped.y, SAME);
  const expected: Weights = { ...unwrapped.gradients };
  const state: Weights = { ...before };
  for (const [kernel, { shape, units }] of Object.entries(kernels)) {
    const matrix = oracle.matrixOf(shape, units);
    const [uName, vName] = [added(kernel, 'vector_u'), added(kernel, 'vector_v')];
    const [w, start] = [before[kernel]!, { u: before[uName]!, v: before[vName]! }];
    const { sigma, ...vectors } = oracle.powerIteration(w, start, training ? steps : 0, 'u', matrix);
    Object.assign(state, { [uName]: vectors.u, [vName]: vectors.v });
    expect(value.kernels[kernel]).toBeClose(
      Array.from(w, (value) => value / sigma),
      STEPS,
    );
    expected[kernel] = oracle.spectralNormGrad(unwrapped.gradients[kernel]!, w, vectors, sigma, matrix);
  }
  expectClose(value.after, state, STEPS);
  expectClose(wrapped.gradients, expected, GRADIENT);
  expect(leaked).toEqual(NO_LEAK);
}

/** Keras's form, where Keras has it. */
const KERAS = table.filter(([, { layer }]) => /^(Dense|Conv[123]D|Conv2DTranspose|Embedding)$/.test(layer.className));

async function checkKeras(backend: Backend, { kernels, ...rest }: Wrappable): Promise<void> {
  const options = { reparameterize: false, powerIterations: 2 };
  const args: WrapperCase = { className: 'SpectralNormalization', options, ...rest, training: true };
  const { value, leaked } = await backend.run('wrapLayer', args);
  const { wrapped, unwrapped, before, names } = value;
  expect(names).toEqual([...Object.keys(unwrapped.gradients), 'vector_u']);
  const [kernel, { shape }] = Object.entries(kernels)[0]!;
  const matrix = oracle.matrixOf(shape, [shape.length - 1]);
  const w = before[kernel]!;
  const start = { u: before.vector_u!, v: [] };
  const { sigma, u } = oracle.powerIteration(w, start, 2, 'v', matrix);
  const normalized = Array.from(w, (value) => value / sigma);
  expectClose(value.after, { ...before, vector_u: u, [kernel]: normalized }, STEPS);
  expect(value.kernels[kernel]).toEqual(value.after[kernel]);
  expect(wrapped.y).toBeClose(unwrapped.y, SAME);
  expectClose(wrapped.gradients, unwrapped.gradients, GRADIENT);
  expect(leaked).toEqual(NO_LEAK);
}

/** Which loss a model has does not matter to the tests below; they ask for equal predictions. */
function expectEqualPredictions(predictions: readonly ArrayLike<number>[]): void {
  const [own, ...others] = predictions;
  for (const other of others) expect(other).toBeClose(own!, SAME);
}

describeBackends(
  'wrappers',
  (backend) => {
    const { run } = backend;
    const trainable = table.filter(([, row]) => trains(backend, row));

    test.each(trainable)('weight normalization of %s', (_, row) => checkWeight(backend, row));
    test.each(trainable)('spectral normalization of %s, training', (_, row) => checkSpectral(backend, row, true));
    test.each(trainable)('spectral normalization of %s, inference', (_, row) => checkSpectral(backend, row, false));
    test.each(KERAS.filter(([, row]) => trains(backend, row)))("Keras's spectral normalization of %s", (_, row) =>
      checkKeras(backend, row),
    );

    const CLASSES = ['WeightNormalization', 'SpectralNormalization'] as const;
    const saved = table.filter(([name]) => backend.name === 'cpu' || ['dense', 'conv2d', 'lstm'].includes(name));
    const cases = CLASSES.flatMap((className) => saved.map(([name, row]) => [className, name, row] as const));
    test.each(cases)('%s of %s: trained, saved, loaded and taken off', async (className, _, { kernels, ...row }) => {
      const args = { className, options: {}, ...row, training: trains(backend, { kernels, ...row }) };
      const { value, leaked } = await run('wrappedModel', args);
      expectEqualPredictions(value.predictions);
      expect(value.topology).not.toContain(`"class_name":"${className}"`);
      expect(value.names[0]).toEqual(value.names[1]);
      expect(leaked).toEqual(NO_LEAK);
    });

    test.each(CLASSES)('%s shared, in models, in timeDistributed and in bidirectional', async (className) => {
      const { value, leaked } = await run('nestedModel', { className, options: {} });
      expectEqualPredictions(value.predictions);
      expect(value.topology).not.toContain(`"class_name":"${className}"`);
      expect(leaked).toEqual(NO_LEAK);
    });

    const RECURRENT = [
      ['SimpleRNN', { units: 4, goBackwards: true, returnSequences: true }],
      ['GRU', { units: 4, returnSequences: true }],
      ['LSTM', { units: 4, goBackwards: true }],
      ['LSTM', { units: 4, returnSequences: true }],
    ] as const;
    test.each(RECURRENT)('bidirectional around wrapped %s %j is two of them', async (layerName, config) => {
      for (const className of CLASSES) {
        for (const states of [false, true]) {
          const layer = { className: layerName, config: { ...config, returnState: states } };
          const { value, leaked } = await run('inBothDirections', { className, options: {}, layer, states });
          expect(value.actual).toHaveLength(value.expected.length);
          for (const [i, one] of value.expected.entries()) expect(value.actual[i]).toBeClose(one, SAME);
          expect(leaked).toEqual(NO_LEAK);
        }
      }
    });

    test.each([
      ['WeightNormalization', {}],
      ['WeightNormalization', { dataInit: true }],
      ['SpectralNormalization', {}],
      ['SpectralNormalization', { reparameterize: false, powerIterations: 2 }],
    ] as const)('fit of %s %j', async (className, options) => {
      const args = { className, options, ...WRAPPABLE.dense!, training: true, steps: 20 };
      const { value, leaked } = await run('fitWrapped', args);
      expect(value.losses.at(-1)! / value.losses[0]!).toBeLessThan(0.95);
      expect(value.grown).toBe(0);
      expect(leaked).toEqual(NO_LEAK);
      if (className === 'SpectralNormalization') {
        // sigma never overestimates; in Keras's form the last step has moved the kernel since.
        const sigma = oracle.largestSingularValue(value.kernels.kernel!, oracle.matrixOf([6, 8], [1]));
        expect(sigma).toBeGreaterThan('reparameterize' in options ? 0.9 : 1 - 1e-5);
        expect(sigma).toBeLessThan(1.1);
      }
    });

    const STILL: [string, Wrappable, object][] = [
      ['dense', WRAPPABLE.dense!, {}],
      ['conv2d', WRAPPABLE.conv2d!, {}],
      ['conv2dTranspose', WRAPPABLE.conv2dTranspose!, { powerIterations: 3 }],
      ['separableConv2d', WRAPPABLE.separableConv2d!, {}],
      ['lstm', WRAPPABLE.lstm!, {}],
      ['dense', WRAPPABLE.dense!, { reparameterize: false }],
    ];
    test.each(STILL)('%s: 200 calls find the largest singular value', async (_, { kernels, ...row }, options) => {
      const args = { className: 'SpectralNormalization', options, ...row, training: true, calls: 200 } as const;
      const { value, leaked } = await run('callOften', { ...args, options: { ...options } });
      for (const [kernel, { shape, units }] of Object.entries(kernels)) {
        const sigma = oracle.largestSingularValue(value.kernels[kernel]!, oracle.matrixOf(shape, units));
        expect(Math.abs(sigma - 1)).toBeLessThan(0.01);
      }
      expect(leaked).toEqual(NO_LEAK);
    });

    test.each([
      ['dense', 1, 5],
      ['dense', 3, 2],
      ['conv2dTranspose', 2, 3],
    ] as const)('%s: u, v and sigma after calls of %d steps', async (name, powerIterations, calls) => {
      const { kernels, ...row } = WRAPPABLE[name]!;
      const className = 'SpectralNormalization';
      const { value } = await run('callOften', {
        className,
        options: { powerIterations },
        ...row,
        training: true,
        calls,
      });
      const { shape, units } = kernels.kernel!;
      const { before, after } = value;
      const start = { u: before.vector_u!, v: before.vector_v! };
      const w = before.kernel!;
      const wanted = oracle.powerIteration(w, start, powerIterations * calls, 'u', oracle.matrixOf(shape, units));
      expect(after.vector_u).toBeClose(wanted.u, STEPS);
      expect(after.vector_v).toBeClose(wanted.v, STEPS);
      const largest = Array.from(w, Math.abs).reduce((best, value, i) => (value > Math.abs(w[best]!) ? i : best), 0);
      expect([w[largest]! / value.kernels.kernel![largest]!]).toBeClose([wanted.sigma], STEPS);
    });

    test.each([{}, { powerIterations: 3 }, { reparameterize: false }])(
      'a kernel of zeros stays one, %j',
      async (options) => {
        for (const training of [true, false]) {
          const args = { className: 'SpectralNormalization', options, ...WRAPPABLE.dense!, training } as const;
          const { value, leaked } = await run('zeroKernel', args);
          expect(value.y).toEqual(value.y.map(() => 0));
          expect(value.after).toEqual(value.before);
          for (const gradient of Object.values(value.gradients)) expect(gradient.every(Number.isFinite)).toBe(true);
          expect(leaked).toEqual(NO_LEAK);
        }
      },
    );

    const seeded = { className: 'RandomNormal', config: { mean: 0, stddev: 0.5, seed: 3 } };
    const started = { kernelInitializer: seeded, depthwiseInitializer: seeded, biasInitializer: 'ones' };
    const MEASURED: [string, Wrappable['layer']['config'], number[]][] = [
      ['Dense', { units: 4, activation: 'relu', ...started }, [40, 6]],
      ['Conv2D', { filters: 3, kernelSize: [2, 2], activation: 'tanh', ...started }, [6, 5, 5, 2]],
      ['DepthwiseConv2D', { kernelSize: [2, 2], depthMultiplier: 2, activation: 'relu', ...started }, [6, 5, 5, 2]],
    ];
    test.each(MEASURED.filter(([className]) => !isWasm(backend.name) || className === 'Dense'))(
      'dataInit of %s standardizes the first outputs',
      async (className, config, shape) => {
        const layer = { className, config };
        const options = { dataInit: true };
        const args = { className: 'WeightNormalization', options, layer, shape, training: true } as const;
        const { value, leaked } = await run('initializeFromData', args);
        expect(value.untouched).toEqual(value.start);
        expect(value.start.initialized).toEqual(new Float32Array([0]));
        expect(value.first.initialized).toEqual(new Float32Array([1]));
        expect(value.second).toEqual(value.first);
        // Before its activation the output has mean 0 and variance 1 in each channel.
        const linear = { ...args, layer: { className, config: { ...config, activation: 'linear' } } };
        const { y, first } = (await run('initializeFromData', linear)).value;
        expect(first).toEqual(value.first);
        const units = value.first.bias!.length;
        for (let unit = 0; unit < units; unit++) {
          const channel = Array.from(y).filter((_, i) => i % units === unit);
          const mean = channel.reduce((a, b) => a + b) / channel.length;
          const variance = channel.reduce((sum, v) => sum + (v - mean) ** 2, 0) / channel.length;
          expect(Math.abs(mean)).toBeLessThan(1e-5);
          expect(Math.abs(variance - 1)).toBeLessThan(1e-4);
        }
        for (const gradient of Object.values(value.gradients)) expect(gradient.some((g) => g !== 0)).toBe(true);
        expect(leaked).toEqual(NO_LEAK);
      },
    );

    test('a gradient penalty through the normalized kernel', async () => {
      const { value, leaked } = await run('penalizeKernel', { shape: [6, 5] });
      for (const form of ['weight', 'spectral']) {
        for (const name of ['w', 'g']) {
          expect(value[`${form} ${name}`]).toBeClose(value[`${form}ByHand ${name}`]!, SECOND_ORDER);
        }
      }
      expect(leaked).toEqual(NO_LEAK);
    });

    test.each([
      [[5, 4], -1],
      [[5, 4], 0],
      [[3, 2, 4, 5], 2],
      [
        [3, 2, 4, 5],
        [2, 3],
      ],
      [
        [3, 2, 4, 5],
        [0, -2],
      ],
      [[1, 7], 1],
      [[33, 65], 1],
      [[2, 1, 3, 2, 2, 3], 5],
    ] as const)('weightNorm and spectralNorm of a kernel [%j], units along %j', async (shape, axis) => {
      const axes = [axis].flat().map((one) => (one < 0 ? one + shape.length : one));
      const matrix = oracle.matrixOf(shape, axes);
      const { units, rest } = matrix;
      const { value, leaked } = await run('normalizeKernel', { shape, axis, units });
      const w = normals(91, units * rest);
      const [g, u] = [normals(92, units), normals(93, units)];
      expect(value.weight).toBeClose(oracle.weightNorm(w, g, matrix), STEPS);
      expect(value.bare).toBeClose(oracle.weightNorm(w, new Float64Array(units).fill(1), matrix), STEPS);
      const first = oracle.powerIteration(w, { u, v: [] }, 3, 'v', matrix);
      const second = oracle.powerIteration(w, first, 2, 'u', matrix);
      const over = (sigma: number) => Array.from(w, (value) => value / sigma);
      expectClose(
        value as Weights,
        {
          ...{ weight: value.weight!, bare: value.bare! },
          ...{ u: first.u, v: first.v, sigma: [first.sigma], spectral: over(first.sigma) },
          ...{ u2: second.u, v2: second.v, sigma2: [second.sigma], kernel2: over(second.sigma) },
        },
        STEPS,
      );
      expect(leaked).toEqual(NO_LEAK);
    });
  },
  // The cpu backend is the same in the browser.
  { only: ['cpu', 'wasm', 'tensorflow', 'webgl'] },
);

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
  { only: ['cpu', 'wasm', 'tensorflow', 'webgl'] },
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

describe('the oracle', () => {
  const matrix = oracle.matrixOf([3, 4], [1]);
  const random = (seed: number, count: number) => Float64Array.from(normals(seed, count));
  const [w, dw, g] = [random(1, 12), random(2, 12), random(3, 4)];
  const dot = (a: ArrayLike<number>) => dw.reduce((sum, d, i) => sum + d * a[i]!, 0);
  const difference = (values: Float64Array, loss: () => number) =>
    Array.from(values, (value, i) => {
      const at = (moved: number) => {
        values[i] = moved;
        return loss();
      };
      const slope = (at(value + 1e-5) - at(value - 1e-5)) / 2e-5;
      values[i] = value;
      return slope;
    });

  test('weightNormGrad by differences', () => {
    const { dg, dv } = oracle.weightNormGrad(dw, w, g, matrix);
    expect(dg).toBeClose(
      difference(g, () => dot(oracle.weightNorm(w, g, matrix))),
      { ofMax: 1e-8 },
    );
    expect(dv).toBeClose(
      difference(w, () => dot(oracle.weightNorm(w, g, matrix))),
      { ofMax: 1e-8 },
    );
  });

  test('spectralNormGrad by differences, with u and v held', () => {
    const { sigma, ...vectors } = oracle.powerIteration(w, { u: random(4, 4), v: random(5, 3) }, 2, 'u', matrix);
    const loss = () => {
      const { sigma } = oracle.powerIteration(w, vectors, 0, 'u', matrix);
      return dot(w.map((value) => value / sigma));
    };
    expect(oracle.spectralNormGrad(dw, w, vectors, sigma, matrix)).toBeClose(difference(w, loss), { ofMax: 1e-8 });
  });

  test('largestSingularValue of known matrices', () => {
    expect(oracle.largestSingularValue([3, 0, 0, -5], oracle.matrixOf([2, 2], [1]))).toBeCloseTo(5, 12);
    expect(oracle.largestSingularValue([1, 2, 3, 4, 5, 6], oracle.matrixOf([2, 3], [1]))).toBeCloseTo(
      9.508032000695724,
      12,
    );
    expect(oracle.largestSingularValue(new Float64Array(12).fill(1), matrix)).toBeCloseTo(Math.sqrt(12), 12);
  });
});

const wrapKinds = [
  ['WeightNormalization', weightNormalization],
  ['SpectralNormalization', spectralNormalization],
] as [string, typeof weightNormalization | typeof spectralNormalization][];
const dense = (options = {}) => tf.layers.dense({ units: 3, ...options });
const lastParts = (layer: tf.layers.Layer) => layer.weights.map(({ originalName }) => originalName.split('/').at(-1));

describe.each(wrapKinds)('%s as a layer', (className, wrap) => {
  beforeAll(() => tf.setBackend('cpu'));
  const x = tf.tidy(() => tf.keep(tf.tensor(normals(1, 10), [2, 5])));
  const own = className === 'WeightNormalization' ? 1 : 0;

  test('an exception in the middle of a call leaves the wrapped layer as it was', () => {
    const layer = dense();
    const wrapper = wrap({ layer });
    wrapper.apply(x);
    const { kernel } = layer as unknown as { kernel: object };
    const call = layer.call;
    layer.call = () => {
      throw new Error('in the middle');
    };
    const before = tf.memory().numTensors;
    expect(() => wrapper.apply(x, { training: true })).toThrow('in the middle');
    expect(tf.memory().numTensors).toBe(before);
    layer.call = call;
    expect((layer as unknown as { kernel: object }).kernel).toBe(kernel);
    expect(Array.from((wrapper.apply(x) as tf.Tensor).dataSync()).every(Number.isFinite)).toBe(true);
  });

  test('wrapping changes nothing at first but by the scale', () => {
    const wrapper = wrap({ layer: dense({ useBias: false }) });
    wrapper.apply(x);
    const { kernel } = wrapper.effectiveKernels();
    const stored = wrapper.layer.weights[0]!.read();
    const ratio = Array.from(tf.div(kernel!, stored).dataSync());
    for (const one of ratio) expect(one).toBeCloseTo(ratio[0]!, 5);
    if (className === 'WeightNormalization') expect(ratio[0]).toBeCloseTo(1, 6);
    else {
      // 15 steps at the start come near.
      const sigma = oracle.largestSingularValue(kernel!.dataSync(), oracle.matrixOf([5, 3], [1]));
      expect(sigma).toBeGreaterThan(1 - 1e-5);
      expect(sigma).toBeLessThan(1.1);
    }
  });

  test('frozen layers do not change, and the order of the weights stays', () => {
    const wrapper = wrap({ layer: dense() });
    wrapper.apply(x);
    const names = lastParts(wrapper);
    expect(wrapper.trainableWeights).toHaveLength(2 + own);
    const values = () => wrapper.weights.map((weight) => Array.from(weight.read().dataSync()));
    const before = values();
    wrapper.trainable = false;
    wrapper.apply(x, { training: true });
    expect(values()).toEqual(before);
    expect(wrapper.trainableWeights).toEqual([]);
    expect(wrapper.layer.trainable).toBe(false);
    expect(lastParts(wrapper)).toEqual(names);
    wrapper.trainable = true;
    expect(wrapper.trainableWeights).toHaveLength(2 + own);
    expect(lastParts(wrapper)).toEqual(names);
    const frozen = wrap({ layer: dense(), inputShape: [5], trainable: false });
    const model = tf.sequential({ layers: [frozen] });
    expect(model.trainableWeights).toEqual([]);
    const weights = () => frozen.weights.map((weight) => Array.from(weight.read().dataSync()));
    const given = weights();
    frozen.apply(x, { training: true });
    expect(weights()).toEqual(given);
  });

  test('after a kernel of zeros the next one is divided by a length of its size', () => {
    const wrapper = wrap({ layer: dense({ kernelInitializer: 'zeros', useBias: false }) });
    wrapper.build([null, 5]);
    const { kernel: zeros } = wrapper.effectiveKernels();
    expect(Array.from(zeros!.dataSync())).toEqual(new Array(15).fill(0));
    wrapper.layer.weights[0]!.write(tf.tensor(normals(4, 15), [5, 3]));
    const { kernel } = wrapper.effectiveKernels();
    expect(Math.hypot(...kernel!.dataSync())).toBeLessThan(className === 'WeightNormalization' ? 1e-6 : 100);
  });

  test('with a seeded kernel all weights start the same', () => {
    const weights = () => {
      const layer = dense({ kernelInitializer: tf.initializers.glorotNormal({ seed: 3 }) });
      const wrapper = wrap({ layer });
      wrapper.build([null, 5]);
      return wrapper.getWeights().map((weight) => weight.dataSync());
    };
    expect(weights()).toEqual(weights());
  });

  test('setWeights gives what getWeights gave', () => {
    const [one, other] = [wrap({ layer: dense() }), wrap({ layer: dense() })];
    const y = one.apply(x) as tf.Tensor;
    other.apply(x);
    other.setWeights(one.getWeights());
    expect((other.apply(x) as tf.Tensor).dataSync()).toEqual(y.dataSync());
    expect(() => other.setWeights(one.getWeights().slice(1))).toThrow(/weight list of length/);
    const given = dense({ weights: [tf.ones([5, 3]), tf.ones([3])] });
    const wrapper = wrap({ layer: given });
    wrapper.apply(x);
    expect(given.getWeights()[0]!.dataSync()).toEqual(new Float32Array(15).fill(1));
  });

  test('weights that are about to be loaded are not initialized', () => {
    const wrapper = wrap({ layer: tf.layers.lstm({ units: 2, useBias: false }) });
    wrapper.setFastWeightInitDuringBuild(true);
    wrapper.build([1, 3, 4]);
    const stored = wrapper.weights.filter(({ originalName }) => !originalName.includes('vector'));
    for (const weight of stored)
      expect(
        weight
          .read()
          .dataSync()
          .every((value) => value === 0),
      ).toBe(true);
  });

  test('regularizers of the wrapped layer count', () => {
    const layer = dense({ kernelRegularizer: 'l1l2', inputShape: [5] });
    const wrapper = wrap({ layer });
    const model = tf.sequential({ layers: [wrapper] });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const losses = model.calculateLosses();
    const kernel = layer.weights[0]!.read();
    const expected = tf.add(tf.mul(0.01, tf.sum(tf.abs(kernel))), tf.mul(0.01, tf.sum(tf.square(kernel))));
    expect(losses).toHaveLength(1);
    expect(losses[0]!.dataSync()[0]).toBeCloseTo(expected.dataSync()[0]!, 5);
  });

  test('constraints of the wrapped layer hold for what is read and saved after fit', async () => {
    const constrained = dense({ kernelConstraint: 'nonNeg', biasConstraint: 'nonNeg' });
    const model = tf.sequential({ layers: [wrap({ layer: constrained, inputShape: [5] })] });
    model.compile({ optimizer: tf.train.sgd(1), loss: 'meanSquaredError' });
    const y = tf.fill([2, 3], -5);
    await model.fit(tf.abs(x), y, { epochs: 2, verbose: 0 });
    const values = model.getWeights();
    const places = model.weights.flatMap(({ originalName }, i) => (/\/(kernel|bias)$/.test(originalName) ? [i] : []));
    expect(places).toHaveLength(2);
    for (const i of places) expect(Math.min(...values[i]!.dataSync())).toBeGreaterThanOrEqual(0);
    const artifacts = await new Promise<tf.io.ModelArtifacts>((resolve) => {
      model.save(
        tf.io.withSaveHandler(async (given) => {
          resolve(given);
          return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
        }),
      );
    });
    const saved = Object.values(tf.io.decodeWeights(artifacts.weightData!, artifacts.weightSpecs!));
    expect(saved.map((value) => [...value.dataSync()])).toEqual(values.map((value) => [...value.dataSync()]));
    const free = tf.sequential({ layers: [wrap({ layer: dense(), inputShape: [5] })] });
    free.setWeights(values);
    const predict = (one: tf.LayersModel) => [...(one.predict(x) as tf.Tensor).dataSync()];
    expect(predict(free)).toEqual(predict(model));
  });

  test('masks pass through, and embeddings make them', () => {
    const gru = { units: 2, kernelInitializer: 'ones', recurrentInitializer: 'ones' } as const;
    const tokens = tf.tensor2d([
      [1, 2, 0, 0],
      [3, 0, 0, 0],
    ]);
    const embedding = () => tf.layers.embedding({ inputDim: 4, outputDim: 3, maskZero: true, inputLength: 4 });
    const wrapped = [wrap({ layer: embedding() }), wrap({ layer: tf.layers.gru(gru) })] as const;
    const model = tf.sequential({ layers: [...wrapped] });
    const y = model.predict(tokens) as tf.Tensor;
    const [rows, recurrent] = [
      tf.layers.embedding({ inputDim: 4, outputDim: 3, maskZero: true, inputLength: 4 }),
      tf.layers.gru(gru),
    ];
    const plain = tf.sequential({ layers: [rows, recurrent] });
    rows.setWeights([wrapped[0].effectiveKernels().embeddings!]);
    const { kernel, recurrent_kernel } = wrapped[1].effectiveKernels();
    recurrent.setWeights([kernel!, recurrent_kernel!, tf.zeros([6])]);
    expect(y.dataSync()).toBeClose((plain.predict(tokens) as tf.Tensor).dataSync(), SAME);
    // Padding has no part: the second row is the one token.
    const token = recurrent.apply(tf.reshape(tf.gather(rows.weights[0]!.read(), [3]), [1, 1, 3])) as tf.Tensor;
    expect(y.dataSync().slice(2)).toBeClose(token.dataSync(), SAME);
  });

  test('initial states of a wrapped recurrent layer', () => {
    const [a, h, c] = [tf.input({ shape: [4, 3] }), tf.input({ shape: [2] }), tf.input({ shape: [2] })];
    const options = { units: 2, returnState: true };
    const wrapper = wrap({ layer: tf.layers.lstm(options) });
    const outputs = wrapper.apply(a, { initialState: [h, c] }) as tf.SymbolicTensor[];
    const model = tf.model({ inputs: [a, h, c], outputs });
    const inputs = [
      [2, 4, 3],
      [2, 2],
      [2, 2],
    ].map((shape, i) => tf.tensor(normals(i, tf.util.sizeFromShape(shape)), shape));
    const actual = model.predict(inputs) as tf.Tensor[];
    const plain = tf.layers.lstm(options);
    plain.build([2, 4, 3]);
    plain.built = true;
    const { kernel, recurrent_kernel } = wrapper.effectiveKernels();
    plain.setWeights([kernel!, recurrent_kernel!, wrapper.layer.weights[2]!.read()]);
    const expected = plain.apply(inputs[0]!, { initialState: inputs.slice(1) }) as tf.Tensor[];
    for (const [i, one] of expected.entries()) expect(actual[i]!.dataSync()).toBeClose(one.dataSync(), SAME);
  });

  test('a stateful recurrent layer', () => {
    const layer = tf.layers.simpleRNN({ units: 2, stateful: true, batchInputShape: [2, 4, 3] });
    const wrapper = wrap({ layer });
    const model = tf.sequential({ layers: [wrapper] });
    const input = tf.tensor(normals(3, 24), [2, 4, 3]);
    const predict = () => (model.predict(input, { batchSize: 2 }) as tf.Tensor).dataSync();
    expect(wrapper.stateful).toBe(true);
    const [first, second] = [predict(), predict()];
    expect(second).not.toEqual(first);
    model.resetStates();
    expect(predict()).toEqual(first);
  });

  test('the config is the same before and after build, and gives the same layer', () => {
    const wrapper = wrap({
      layer: tf.layers.separableConv2d({ filters: 4, kernelSize: 2, depthMultiplier: 2 }),
      name: 'w',
    });
    const before = JSON.stringify(wrapper.getConfig());
    wrapper.apply(tf.ones([1, 3, 3, 2]));
    const config = wrapper.getConfig();
    expect(JSON.stringify(config)).toBe(before);
    const [cls, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
    const again = fromConfig(cls, config) as tf.layers.Layer;
    expect(JSON.stringify(config)).toBe(before);
    expect(JSON.stringify(again.getConfig())).toBe(before);
    expect((again as typeof wrapper).layer).toMatchObject({ depthMultiplier: 2 });
    expect(() => fromConfig(cls, { ...config, unheardOf: 1 })).toThrow(/unknown option 'unheardOf'/);
  });

  test('depthwise constraints and regularizers survive', () => {
    const depthwise = { kernelSize: 2, depthwiseRegularizer: 'l1l2', depthwiseConstraint: 'maxNorm' } as const;
    const wrapper = wrap({ layer: tf.layers.depthwiseConv2d(depthwise) });
    const [cls, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
    const { layer } = fromConfig(cls, wrapper.getConfig()) as typeof wrapper;
    const { depthwiseConstraint, depthwiseRegularizer } = layer as unknown as Record<
      string,
      tf.serialization.Serializable
    >;
    expect([depthwiseConstraint!.getClassName(), depthwiseRegularizer!.getClassName()]).toEqual(['MaxNorm', 'L1L2']);
  });

  test('a class of your own, registered or among customObjects', () => {
    class Twice extends tf.layers.Layer {
      static className = 'Twice';
      kernel: tf.LayerVariable | undefined = undefined;
      override build(): void {
        this.kernel = this.addWeight('kernel', [5, 2], 'float32', tf.initializers.ones());
        this.built = true;
      }
      override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
        return tf.matMul(Array.isArray(inputs) ? inputs[0]! : inputs, this.kernel!.read());
      }
    }
    const wrapper = wrap({ layer: new Twice() });
    expect((wrapper.apply(x) as tf.Tensor).shape).toEqual([2, 2]);
    const [cls, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
    expect(() => fromConfig(cls, wrapper.getConfig())).toThrow(/there is no layer class 'Twice'/);
    const customObjects = { Twice: [Twice, Twice.fromConfig] } as never;
    const again = fromConfig(cls, { ...wrapper.getConfig(), customObjects }) as typeof wrapper;
    expect(again.layer).toBeInstanceOf(Twice);
  });

  const BAD: [string, () => unknown, RegExp][] = [
    ['no layer', () => wrap({} as never), /layer must be a layer.*received undefined/],
    ['something else', () => wrap({ layer: 3 as never }), /layer must be a layer.*received 3/],
    ['no such class', () => wrap({ layer: { className: 'Foo', config: {} } }), /no layer class 'Foo'/],
    ['itself', () => wrap({ layer: wrap({ layer: dense() }) }), /wrapped already/],
    ['the other', () => spectralNormalization({ layer: weightNormalization({ layer: dense() }) }), /wrapped already/],
    ['a wrapper', () => wrap({ layer: tf.layers.timeDistributed({ layer: dense() }) }), /wrap the layer inside/],
    ['a model', () => wrap({ layer: tf.sequential() as never }), /wrap its layers/],
    ['a cell', () => wrap({ layer: tf.layers.lstmCell({ units: 2 }) }), /wrap the recurrent layer around it/],
    [
      'several cells',
      () => wrap({ layer: tf.layers.rnn({ cell: [1, 2].map((units) => tf.layers.gruCell({ units })) }) }),
      /has several cells/,
    ],
    ['no gradient', () => wrap({ layer: tf.layers.conv3dTranspose({ filters: 2, kernelSize: 2 }) }), /has no gradient/],
    ['no kernel', () => wrap({ layer: tf.layers.flatten() }).apply(tf.ones([2, 2, 2])), /has no kernel/],
    ['weights but no kernel', () => wrap({ layer: tf.layers.prelu() }).apply(tf.ones([2, 2])), /has no kernel/],
    ['an unknown option', () => wrap({ layer: dense(), units: 3 } as never), /unknown option 'units'/],
    ['effectiveKernels too early', () => wrap({ layer: dense() }).effectiveKernels(), /not built/],
  ];
  test.each(BAD)('%s is an error', (_, act, message) => {
    expect(act).toThrow(message);
    expect(act).toThrow(new RegExp(`^(${className}|SpectralNormalization): `));
  });
});

describe('options and files', () => {
  beforeAll(() => tf.setBackend('cpu'));
  const fromConfig = (className: string, config: object) => {
    const [cls, make] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
    return make(cls, config as tf.serialization.ConfigDict);
  };
  const layer = { className: 'Dense', config: { units: 2 } };

  test("a config of Keras's form has no key that Keras lacks, and without the key it is Keras's", () => {
    const keras = spectralNormalization({ layer: dense(), reparameterize: false });
    expect(keras.getConfig()).not.toHaveProperty('reparameterize');
    expect(spectralNormalization({ layer: dense() }).getConfig()).toMatchObject({ reparameterize: true });
    expect(fromConfig('SpectralNormalization', { layer, powerIterations: 2 })).toMatchObject({
      reparameterize: false,
      powerIterations: 2,
    });
    expect(fromConfig('SpectralNormalization', { layer, reparameterize: true })).toMatchObject({
      reparameterize: true,
    });
  });

  test.each([
    [true, true],
    [false, true],
    [true, false],
  ])('what is frozen stays so without the wrapper: wrapper trainable %p, layer trainable %p', (outer, inner) => {
    const wrapper = weightNormalization({ layer: dense({ trainable: inner }), inputShape: [2], trainable: outer });
    const plain = removeWeightNormalization(tf.sequential({ layers: [wrapper] }));
    expect(plain.layers.map(({ trainable }) => trainable)).toEqual([outer && inner]);
  });

  test('Keras 3 spellings', () => {
    const dtype = { module: 'keras', className: 'DTypePolicy', config: { name: 'float32' }, registeredName: null };
    const saved = {
      name: 's',
      dtype,
      layer: {
        module: 'keras.layers',
        className: 'Dense',
        config: { units: 2, dtype, kernelRegularizer: null },
        registeredName: null,
        buildConfig: { inputShape: [null, 3] },
      },
    };
    const wrapper = fromConfig('SpectralNormalization', saved) as ReturnType<typeof spectralNormalization>;
    expect((wrapper.apply(tf.ones([1, 3])) as tf.Tensor).shape).toEqual([1, 2]);
  });

  test.each([
    [() => spectralNormalization({ layer: dense(), powerIterations: 0 }), /powerIterations must be a positive integer/],
    [
      () => spectralNormalization({ layer: dense(), powerIterations: 1.5 }),
      /powerIterations must be a positive integer/,
    ],
    [
      () => spectralNormalization({ layer: dense(), reparameterize: 1 as never }),
      /reparameterize must be true or false/,
    ],
    [() => weightNormalization({ layer: dense(), dataInit: 'yes' as never }), /dataInit must be true or false/],
    [
      () => weightNormalization({ layer: tf.layers.lstm({ units: 2 }), dataInit: true }).apply(tf.ones([1, 2, 2])),
      /dataInit is for layers with one kernel/,
    ],
    [
      () =>
        spectralNormalization({ layer: tf.layers.gru({ units: 2 }), reparameterize: false }).apply(tf.ones([1, 2, 2])),
      /use reparameterize: true/,
    ],
    [() => removeWeightNormalization(tf.sequential({ layers: [dense({ inputShape: [2] })] })), /has no layer wrapped/],
    [() => removeSpectralNormalization(dense() as never), /model must be a model/],
    [() => library.weightNorm([1, 2] as never), /the kernel must be a tensor/],
    [() => library.weightNorm(tf.ones([3])), /2 to 6 axes/],
    [() => library.weightNorm(tf.ones([2, 2], 'int32')), /must be float32/],
    [() => library.weightNorm(tf.ones([2, 2]), { axis: 2 }), /axis, that of the output units/],
    [() => library.weightNorm(tf.ones([2, 2]), { axis: [0, 1] }), /axis, that of the output units/],
    [() => library.weightNorm(tf.ones([2, 3]), { g: tf.ones([2]) }), /g must hold 3 values/],
    [() => library.spectralNorm(tf.ones([2, 3]), {}), /u or v to start from is missing/],
    [() => library.spectralNorm(tf.ones([2, 3]), { u: tf.ones([3]), powerIterations: 0 }), /both are needed/],
    [() => library.spectralNorm(tf.ones([2, 3]), { u: tf.ones([2]) }), /u must hold 3 values/],
    [() => library.spectralNorm(tf.ones([2, 3]), { u: tf.ones([3]), powerIterations: -1 }), /whole number/],
  ])('%s is an error', (act, message) => {
    expect(act as () => unknown).toThrow(message);
  });

  test('a loaded model goes on where the saved one was, also in data-dependent initialization', async () => {
    const wrapper = weightNormalization({ layer: dense({ useBias: false }), dataInit: true, inputShape: [5] });
    const model = tf.sequential({ layers: [wrapper] });
    const x = tf.tensor(normals(1, 40), [8, 5]);
    wrapper.apply(x, { training: true });
    let saved: tf.io.ModelArtifacts | undefined;
    await model.save(
      tf.io.withSaveHandler(async (artifacts) => {
        saved = artifacts;
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      }),
    );
    const loaded = await tf.loadLayersModel(tf.io.fromMemory(saved!));
    const again = loaded.layers[0]!;
    const values = () => again.weights.map((weight) => Array.from(weight.read().dataSync()));
    const before = values();
    expect(before).toEqual(wrapper.weights.map((weight) => Array.from(weight.read().dataSync())));
    again.apply(tf.mul(x, 7), { training: true });
    expect(values()).toEqual(before);
    // Set back to 0, it starts anew.
    again.weights.at(-1)!.write(tf.scalar(0));
    again.apply(tf.mul(x, 7), { training: true });
    expect(values()[0]).not.toEqual(before[0]);
  });

  interface Saved {
    readonly class_name: string;
    config: { readonly name: string };
  }
  const readJson = (...path: string[]) =>
    JSON.parse(readFileSync(join(__dirname, 'goldens', 'models', ...path), 'utf8'));
  const layersOf = ({ model_config }: { model_config: { config: { layers: Saved[] } } }) => model_config.config.layers;

  test.each([
    ['tf_keras-gan-critic-spectralnorm', 'model.json', 'model.json'],
    ['keras3-gan-critic-spectralnorm', 'model-legacy.json', 'model-legacy.json'],
    ['keras3-gan-critic-spectralnorm', 'model-legacy.json', 'model.json'],
  ])('the trained model %s: %s with the configs of %s', async (folder, file, configs) => {
    const { modelTopology, weightsManifest } = readJson(folder, file);
    const original = layersOf(readJson(folder, configs).modelTopology);
    for (const layer of layersOf(modelTopology)) {
      if (layer.class_name === 'SpectralNormalization') {
        layer.config = original.find(({ config }) => config.name === layer.config.name)!.config;
      }
    }
    const { input, output, tolerance } = readJson(folder, 'expected.json');
    const weightSpecs = weightsManifest.flatMap(({ weights }: { weights: object[] }) => weights);
    const bytes = readFileSync(join(__dirname, 'goldens', 'models', folder, weightsManifest[0].paths[0]));
    const weightData = new Uint8Array(bytes).buffer;
    const model = await tf.loadLayersModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData }));
    const wrappers = model.layers.filter((layer) => layer.getClassName() === 'SpectralNormalization');
    expect(wrappers.length).toBeGreaterThan(1);
    for (const wrapper of wrappers) expect(wrapper).toMatchObject({ reparameterize: false });
    const x = tf.tensor(input.data, input.shape);
    const plain = removeSpectralNormalization(model);
    for (const one of [model, plain]) {
      expect((one.predict(x) as tf.Tensor).dataSync()).toBeClose(output.data, tolerance);
    }
  });
});
