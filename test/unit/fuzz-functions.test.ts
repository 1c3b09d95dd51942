/**
 * Arguments and options that are anything, for every public function: each call fails with an error that names the function, or gives
 * finite numbers, and finite gradients, of finite ones. Nothing is left in memory.
 */
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import { recommend } from '../../layers/catalog.ts';
import * as files from '../../layers/files/index.ts';
import * as ours from '../../layers/index.ts';
import * as surgery from '../../layers/models/surgery/index.ts';
import { anything, expectNamed, madeOrRefused } from '../support/anything.ts';
import { modelOf } from '../support/layers.ts';
import { normals } from '../support/random.ts';
import { scratchFolder } from '../support/scratch.ts';

beforeAll(() => tf.setBackend('cpu'));

/** A description of a tensor: the tensor itself is made within the test. */
interface Described {
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32' | 'bool' | 'string' | 'complex64';
  readonly values: 'ordinary' | 'equal' | 'large';
}
const described = (
  shapes: readonly (readonly number[])[],
  dtypes: readonly Described['dtype'][] = ['float32'],
): fc.Arbitrary<Described> =>
  fc.record({
    shape: fc.constantFrom(...shapes),
    dtype: fc.constantFrom(...dtypes),
    values: fc.constantFrom<Described['values'][]>('ordinary', 'equal', 'large'),
  });
const isDescribed = (value: unknown): value is Described =>
  typeof value === 'object' && value !== null && 'dtype' in value && 'values' in value;

function made({ shape, dtype, values }: Described): tf.Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  if (dtype === 'string') return tf.fill([...shape], 'text' as never, 'string');
  const numbers = {
    ordinary: normals(3, size),
    equal: new Float32Array(size).fill(2),
    large: normals(3, size, 1e6, 1e3),
  };
  const t = tf.tensor(numbers[values], [...shape]);
  return dtype === 'complex64' ? tf.complex(t, t) : tf.cast(t, dtype);
}

const INPUTS = [
  [4, 6],
  [2, 3, 4],
  [2, 3, 3, 4],
  [3, 1, 2],
  [2, 4, 3, 2, 2, 2],
  [0, 4],
  [2, 0, 3],
];
const WRONG_INPUTS = [[], [5], [1, 1, 1, 1, 1, 1, 2]];
const DTYPES = ['float32', 'float32', 'float32', 'int32', 'bool', 'string', 'complex64'] as const;
const input: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 12, arbitrary: described(INPUTS) },
  { weight: 2, arbitrary: described([...INPUTS, ...WRONG_INPUTS], DTYPES) },
  { weight: 1, arbitrary: anything },
);
/** A parameter: one value per channel, per example and channel, or something else. */
const PARAMETERS = [[6], [4], [2], [1], [4, 6], [2, 4], [3, 2], [2, 1, 4], [3, 4], [], [0]];
const parameter: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: described(PARAMETERS) },
  { weight: 1, arbitrary: described(PARAMETERS, DTYPES) },
  { weight: 2, arbitrary: anything },
);
/** Any option: half of the time one that may be right. */
const RIGHT: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  axis: fc.constantFrom<unknown>(-1, 1, 2, -2, [1, 2], [-1]),
  epsilon: fc.constantFrom(0, 1e-30, 1e-5, 0.1),
  groups: fc.constantFrom(1, 2, -1, 3),
  epsilonPlacement: fc.constantFrom('inside', 'outside', 'floor'),
  gammaOffset: fc.constantFrom(0, 1),
  causal: fc.boolean(),
  dropout: fc.constantFrom(0, 0.5),
  powerIterations: fc.constantFrom(0, 1, 3),
};
const IS_TENSOR = ['gamma', 'beta', 'mean', 'variance', 'g', 'u', 'v', 'mask'];
const NAMES = [...Object.keys(RIGHT), ...IS_TENSOR, 'seed', 'training', 'scale', 'bias', 'eps', '__proto__'];

const optionNamed = (name: string): fc.Arbitrary<readonly [string, unknown]> =>
  fc.tuple(
    fc.constant(name),
    IS_TENSOR.includes(name)
      ? parameter
      : fc.oneof(
          { weight: 3, arbitrary: (Object.hasOwn(RIGHT, name) && RIGHT[name]) || anything },
          { weight: 1, arbitrary: anything },
        ),
  );
/** Options of the function, and now and then one of another. */
const optionsOf = (own: readonly string[]): fc.Arbitrary<unknown> =>
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc
        .uniqueArray(
          fc.oneof(
            { weight: 9, arbitrary: fc.constantFrom(...own) },
            { weight: 1, arbitrary: fc.constantFrom(...NAMES) },
          ),
          {
            maxLength: 4,
          },
        )
        .chain((names) => fc.tuple(...names.map(optionNamed)))
        .map((entries) => Object.fromEntries(entries)),
    },
    { weight: 1, arbitrary: anything },
  );

interface Fuzzed {
  readonly call: (...args: never[]) => unknown;
  /** How many tensors come before the options. */
  readonly inputs: number;
  readonly options: readonly string[];
}
const affine = ['gamma', 'beta', 'axis', 'epsilon'];
const rms = [...affine, 'epsilonPlacement', 'gammaOffset'];
const FUNCTIONS: Readonly<Record<string, Fuzzed>> = {
  layerNorm: { call: ours.layerNorm, inputs: 1, options: affine },
  rmsNorm: { call: ours.rmsNorm, inputs: 1, options: rms },
  groupNorm: { call: ours.groupNorm, inputs: 1, options: [...affine, 'groups'] },
  instanceNorm: { call: ours.instanceNorm, inputs: 1, options: affine },
  batchNorm: { call: ours.batchNorm, inputs: 1, options: [...affine, 'mean', 'variance'] },
  film: { call: ours.film, inputs: 1, options: ['gamma', 'beta', 'axis'] },
  adaptiveInstanceNorm: { call: ours.adaptiveInstanceNorm, inputs: 2, options: ['axis', 'epsilon'] },
  addLayerNorm: { call: ours.addLayerNorm, inputs: 2, options: affine },
  addRmsNorm: { call: ours.addRmsNorm, inputs: 2, options: rms },
  qkNorm: { call: ours.qkNorm, inputs: 3, options: ['axis', 'epsilon'] },
  qkAttention: { call: ours.qkAttention, inputs: 4, options: ['epsilon', 'mask', 'causal', 'dropout', 'seed'] },
  weightNorm: { call: ours.weightNorm, inputs: 1, options: ['g', 'axis', 'epsilon'] },
  spectralNorm: { call: ours.spectralNorm, inputs: 1, options: ['u', 'v', 'powerIterations', 'axis'] },
};

const tensorsIn = (result: unknown): tf.Tensor[] => {
  if (result instanceof tf.Tensor) return [result];
  return typeof result === 'object' && result !== null ? Object.values(result).flatMap(tensorsIn) : [];
};
const resolved = (value: unknown): unknown => (isDescribed(value) ? made(value) : value);
const withTensors = (options: unknown): unknown => {
  const isPlain =
    typeof options === 'object' && options !== null && Object.getPrototypeOf(options) === Object.prototype;
  if (!isPlain) return options;
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [name, resolved(value)]));
};
function expectFinite(what: string, tensors: readonly tf.Tensor[]): void {
  for (const t of tensors) {
    const wrong = [...t.dataSync()].find((value) => !Number.isFinite(value));
    if (wrong !== undefined) throw new Error(`${what} is ${wrong} of finite data`);
  }
}

test('every function of tensors is among them', () => {
  const makesLayer = /ormalization(Zero)?$|tandardization$|Attention$|Modulation$|^gru|Cell$|^dynamic/;
  const others = ['registerKernels', 'normalizationKernels', 'restoreBuiltIns', 'loadModel'];
  const names = Object.keys(ours).filter(
    (name) => /^[a-z]/.test(name) && !makesLayer.test(name) && !others.includes(name),
  );
  const functions = Object.keys(FUNCTIONS).filter((name) => !makesLayer.test(name));
  expect(names.sort()).toEqual(functions.sort());
});

describe.each(Object.entries(FUNCTIONS))('%s', (who, { call, inputs, options }) => {
  const args = fc.tuple(
    inputs === 1 ? fc.tuple(input) : fc.oneof(sameInputs(inputs), fc.tuple(...new Array(inputs).fill(input))),
    fc.option(optionsOf(options), { nil: undefined }),
  );
  test('any arguments and options', () => {
    fc.assert(
      fc.property(args, ([described, given]) => {
        const before = tf.memory().numTensors;
        tf.tidy(() => {
          const tensors = (described as unknown[]).map(resolved);
          const all = [...tensors, ...(given === undefined ? [] : [withTensors(given)])];
          const run = (...xs: unknown[]) => tensorsIn(call(...([...xs, ...all.slice(xs.length)] as never[])));
          const results = madeOrRefused(who, () => run(...tensors));
          if (!results) return;
          if ((given as { variance?: Described } | undefined)?.variance?.values === 'ordinary') return; // some are negative
          expectFinite('the result', results);
          const x = tensors[0] as tf.Tensor;
          if (x.dtype !== 'float32' || x.size === 0) return;
          const isDropped = (given as { dropout?: number } | undefined)?.dropout;
          if (isDropped) return;
          expectFinite('the gradient', [tf.grad((x: tf.Tensor) => tf.addN(run(x).map((y) => tf.sum(y))))(x)]);
        });
        expect(tf.memory().numTensors).toBe(before);
      }),
      { numRuns: 400, seed: 7 },
    );
  });
});

/** The same tensor as every argument, or almost. */
function sameInputs(count: number): fc.Arbitrary<unknown[]> {
  const scales = described([[], [1], [2, 1, 1]]);
  return fc.tuple(described(INPUTS), scales).map(([x, g]) => {
    const inputs: unknown[] = new Array(count).fill(x);
    if (count > 2) inputs[count - 1] = g;
    return inputs;
  });
}

test('recommend: any situation', () => {
  const parts = { network: 'dense', data: 'usual', batch: 'large', runs: 'here' };
  const part = (value: string) => fc.oneof(fc.constant<unknown>(value), anything);
  const situation = fc.oneof(
    fc.record(Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, part(value)])), {
      requiredKeys: [],
    }),
    anything,
  );
  fc.assert(
    fc.property(situation, (situation) => {
      const found = madeOrRefused('recommend', () => recommend(situation as never));
      if (found) expect(found.className).toMatch(/Normalization$/);
    }),
    { numRuns: 500, seed: 8 },
  );
});

/** Functions that take models, files and settings, with the arguments that are right. */
const model = () =>
  modelOf(
    [3],
    tf.layers.dense({ units: 2, kernelInitializer: 'ones', name: 'dense' }),
    ours.batchNormalization({ name: 'norm' }),
  );
const data = () =>
  tf.tensor2d([
    [1, 2, 3],
    [4, 5, 7],
  ]);
const onProgress = () => undefined;
const folder = scratchFolder();
/** Any text is the name of a file: it is written to a folder of these tests. */
const saveWithin = (model: tf.LayersModel, to: unknown, options: object): Promise<unknown> =>
  files.saveSafetensors(
    model,
    (typeof to === 'string' ? join(folder, encodeURIComponent(`_${to}`)) : to) as string,
    options,
  );
type Any = (...args: never[]) => unknown;
const WHOLE: Readonly<Record<string, readonly [Any, () => unknown[] | Promise<unknown[]>]>> = {
  foldBatchNormalization: [surgery.foldBatchNormalization, () => [model()]],
  describeNormalizations: [surgery.describeNormalizations, () => [model()]],
  mergeStatistics: [surgery.mergeStatistics, () => [[model()], [1]]],
  recalibrate: [surgery.recalibrate, () => [model(), data(), { batchSize: 2, onProgress }]],
  adapt: [surgery.adapt, () => [ours.featureNormalization({ inputShape: [3] } as never), data(), { batchSize: 2 }]],
  replaceNormalization: [
    surgery.replaceNormalization,
    () => [model(), { from: 'BatchNormalization', to: { className: 'RMSNormalization', config: { axis: -1 } } }],
  ],
  accelerate: [surgery.accelerate, () => ['nowhere', {}]],
  saveKeras: [files.saveKeras, () => [model()]],
  kerasFile: [files.kerasFile, () => ['model.keras']],
  saveSafetensors: [saveWithin, () => [model(), undefined, { mode: 'pytorch', modules: {}, onProgress }]],
  loadSafetensors: [
    files.loadSafetensors,
    async () => [model(), await files.saveSafetensors(model()), { strict: true, fetchFunc: fetch, onProgress }],
  ],
  pytorchNotes: [files.pytorchNotes, () => [model(), {}]],
  loadWeights: [
    files.loadWeights,
    async () => [model(), await files.saveKeras(model()), { requestInit: {}, fetchFunc: fetch, onProgress }],
  ],
  loadModel: [
    files.loadModel,
    async () => [await files.saveKeras(model()), { strict: true, fetchFunc: fetch, onProgress }],
  ],
  removeWeightNormalization: [ours.removeWeightNormalization, () => [model()]],
  removeSpectralNormalization: [ours.removeSpectralNormalization, () => [model()]],
  removeWeightStandardization: [ours.removeWeightStandardization, () => [model()]],
  registerKernels: [ours.registerKernels, () => ['cpu', 'cpu']],
};

describe.each(Object.entries(WHOLE))('%s', (who, [call, right]) => {
  test('any argument in the place of a right one', async () => {
    const given = await right();
    const weights = given.flatMap((one) => (one instanceof tf.LayersModel ? one.getWeights() : []));
    const before = weights.map((weight) => [...weight.dataSync()]);
    const places = fc.tuple(fc.nat({ max: Math.max(0, given.length - 1) }), anything, fc.boolean(), fc.nat());
    await fc.assert(
      fc.asyncProperty(places, async ([place, value, isWithin, key]) => {
        const args = [...given];
        const old = args[place];
        const isOptions = typeof old === 'object' && old !== null && Object.getPrototypeOf(old) === Object.prototype;
        const keys = isOptions ? Object.keys(old) : [];
        args[place] = isWithin && keys.length > 0 ? { ...(old as object), [keys[key % keys.length]!]: value } : value;
        try {
          await call(...(args as never[]));
        } catch (error) {
          expectNamed(who, error);
        }
      }),
      { numRuns: 120, seed: 9 },
    );
    expect(weights.map((weight) => [...weight.dataSync()])).toEqual(before);
  });
});
