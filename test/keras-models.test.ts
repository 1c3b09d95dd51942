/** Models of Keras 2 and 3, TensorFlow Addons and keras_contrib: `loadModel`, what it refuses, and what Keras reads of ours. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { loadModel, removeSpectralNormalization, removeWeightNormalization } from '../layers/index.ts';
import { fromKeras } from '../layers/models/keras/format.ts';
import type { GoldenRun } from './cases/goldens.ts';
import { describeBackends, isWasm } from './support/backends.ts';
import { folder } from './support/folder.ts';
import { type Golden, goldens, type Kind } from './support/goldens.ts';

const MODELS = join(__dirname, 'goldens', 'models');
const folders = readdirSync(MODELS).sort();
/** Those of one input and output, as other tests load them too; the others are graphs of Keras 3, and files of Keras 2. */
const simple = folders.filter((name) => !/^(graph|session|fields)-/.test(name));
const readJson = (...path: string[]) => JSON.parse(readFileSync(join(MODELS, ...path), 'utf8'));

/** What a folder's model makes of its inputs. */
function expectedOf(name: string) {
  const { input, output, inputs = [input], outputs = [output], tolerance } = readJson(name, 'expected.json');
  return { inputs, outputs, tolerance };
}

beforeEach(() => tf.setBackend('cpu')); // the tests of other backends leave theirs
const numbers = (tensor: tf.Tensor) => Array.from(tensor.dataSync());
const predictions = (model: tf.LayersModel, x: tf.Tensor) => numbers(model.predict(x) as tf.Tensor);

/** The artifacts of a folder, as a handler gives them. */
function artifactsOf(name: string, modelFile = 'model.json') {
  const { weightsManifest, modelTopology } = readJson(name, modelFile);
  const bytes = [...readFileSync(join(MODELS, name, weightsManifest[0].paths[0]))];
  return { modelTopology, weightSpecs: weightsManifest[0].weights as tf.io.WeightsManifestEntry[], bytes };
}

test('there are 21 folders, 19 of graphs, 10 of second sessions, and one of fields that TensorFlow.js refuses', () => {
  expect(simple).toHaveLength(21);
  expect(folders).toHaveLength(21 + 19 + 10 + 1);
});

describeBackends('loaded as they are', ({ name: backend, run }) => {
  test.each(folders)('%s: predicts, trains, is saved and loaded again', async (name) => {
    const { inputs, outputs, tolerance } = expectedOf(name);
    const artifacts = artifactsOf(name);
    // It has no gradient of a convolution or an embedding.
    const isHard = artifacts.weightSpecs.some(({ name, shape }) => shape.length > 2 || name.endsWith('embeddings'));
    const train = !(isWasm(backend) && isHard);
    const { value, leaked } = await run('loadTrainSave', { ...artifacts, inputs, train });
    expect(value.outputs).toHaveLength(outputs.length);
    value.outputs.forEach((y, i) => {
      expect(y).toBeClose(outputs[i].data, { ...tolerance, what: `output ${i}` });
    });
    expect(value.classes).not.toContain('undefined');
    if (train) {
      expect(value.losses.every(Number.isFinite)).toBe(true);
      expect(value.losses[2]).toBeLessThan(value.losses[0]!);
      expect(value.moved).toBeGreaterThan(1);
    }
    for (const again of value.again) expect(again.map((y) => [...y])).toEqual(value.trained.map((y) => [...y]));
    expect(leaked).toEqual({ tensors: 0, data: 0 });
  });
});

describe('by tf.loadLayersModel too, where TensorFlow.js reads the file', () => {
  test.each(simple.filter((name) => !name.startsWith('keras3')))('%s', async (name) => {
    const { input, output, tolerance } = readJson(name, 'expected.json');
    const model = await tf.loadLayersModel(folder(join(MODELS, name)));
    expect(predictions(model, tf.tensor(input.data, input.shape))).toBeClose(output.data, tolerance);
  });
});

test('from a place by name, and weights that may be missing', async () => {
  const name = 'keras3-mlp-rmsnorm';
  const { input, output, tolerance } = readJson(name, 'expected.json');
  tf.io.registerLoadRouter((url) => (url === `folder://${name}` ? folder(join(MODELS, name)) : (null as never)));
  const model = await loadModel(`folder://${name}`);
  expect(predictions(model, tf.tensor(input.data, input.shape))).toBeClose(output.data, tolerance);

  const { weightSpecs, bytes, ...others } = artifactsOf(name);
  const cut = { ...others, weightSpecs: weightSpecs.slice(0, -1), weightData: Uint8Array.from(bytes).buffer };
  await expect(loadModel(tf.io.fromMemory(cut))).rejects.toThrow('and the file does not have it');
  const partial = await loadModel(tf.io.fromMemory(cut), { strict: false });
  expect(partial.layers).toHaveLength(model.layers.length);
});

test.each([
  ['tfa-cnn-weightnorm-data-init', removeWeightNormalization],
  ['tfa-mlp-weightnorm', removeWeightNormalization],
  ['tfa-gan-critic-spectralnorm', removeSpectralNormalization],
])('%s without its wrappers', async (name, remove) => {
  const { input, output, tolerance } = readJson(name, 'expected.json');
  const plain = remove(await loadModel(folder(join(MODELS, name))));
  expect(predictions(plain, tf.tensor(input.data, input.shape))).toBeClose(output.data, tolerance);
  expect(plain.toJSON()).not.toContain('Addons');
});

describe('the rewriting', () => {
  const rewrite = ({ modelTopology, weightSpecs }: Pick<tf.io.ModelArtifacts, 'modelTopology' | 'weightSpecs'>) =>
    fromKeras({ modelTopology: modelTopology!, weightSpecs: weightSpecs! }).artifacts;
  const frozen = <T>(value: T): T => {
    if (typeof value === 'object' && value !== null) for (const one of Object.values(Object.freeze(value))) frozen(one);
    return value;
  };

  test.each(folders.filter((name) => name.startsWith('keras3')))('%s becomes the legacy file', (name) => {
    const result = rewrite(frozen(artifactsOf(name)));
    const legacy = artifactsOf(name, 'model-legacy.json');
    expect(result.modelTopology).toEqual(legacy.modelTopology);
    expect(result.weightSpecs).toEqual(legacy.weightSpecs);
  });

  test.each(folders)('%s, rewritten, stays as it is', (name) => {
    const once = rewrite(frozen(artifactsOf(name)));
    expect(rewrite(frozen(once))).toEqual(once);
  });

  test('a file of TensorFlow.js is handed on', async () => {
    const saved = frozen({ modelTopology: { keras_version: 'tfjs-layers 4.22.0', model_config: { any: 'thing' } } });
    expect(fromKeras(saved).artifacts).toBe(saved);
  });
});

describeBackends('values of other implementations', (backend) => {
  /** A golden on a class with the source's own state: each step starts from the state the source was in. */
  function raw(golden: Golden, className: string, options: Readonly<Record<string, unknown>>): GoldenRun {
    const weights = new Map(golden.weights.map(({ name, shape, data }) => [name, { name, shape, data }]));
    const copies = options.dataInit ? ['kernel', 'bias'] : [];
    const copied = copies
      .filter((name) => weights.has(name))
      .map((name) => ({ ...weights.get(name)!, name: `data_dep_init/${name}` }));
    const flat = (data: unknown) => [data].flat().map(Number);
    const steps = golden.steps.map(({ training, inputs, upstream, expect: { state } }) => {
      const start = [...weights.values(), ...copied].map((one) => ({ ...one, data: flat(one.data) }));
      for (const [name, { data }] of Object.entries(state)) weights.set(name, { ...weights.get(name)!, data });
      return {
        training,
        weights: start,
        inputs: Object.entries(inputs).map(([name, tensor]) => ({ name, ...tensor })),
        upstream,
      };
    });
    return { className, options, scores: false, steps };
  }

  const all = goldens();
  const renorm = all.filter(
    ({ layer, semantics }) => layer === 'BatchRenormalization' && semantics.variant === 'keras',
  );
  const addons = all.filter(({ id }) => /WeightNormalization\/tfa\/(data|norm)-init/.test(id));
  const runs = [
    ...renorm.map(
      (golden) => [golden.id, golden, raw(golden, 'BatchNormalization', { renorm: true, ...golden.config })] as const,
    ),
    ...addons.map((golden) => [golden.id, golden, raw(golden, 'AddonsWeightNormalization', golden.config)] as const),
  ];
  expect(renorm.length).toBeGreaterThan(3);
  expect(addons).toHaveLength(3);

  test.each(runs)('%s', async (_, golden, run) => {
    const { value: results } = await backend.run('runGolden', run);
    const { rtol, atol } = golden.tolerance.float32;
    golden.steps.forEach(({ expect: { y, inputGrads = {}, weightGrads = {}, state } }, i) => {
      const { y: actual, gradients, weights } = results![i]!;
      const close = (kind: Kind, what: string, actual: ArrayLike<number> | undefined, expected: unknown) =>
        expect(actual).toBeClose([expected].flat().map(Number), { rtol, atol: atol[kind], what: `step ${i}: ${what}` });
      close('y', 'y', actual, y.data);
      for (const [name, { data }] of Object.entries(inputGrads)) close('inputGrads', name, gradients[name], data);
      for (const [name, { data }] of Object.entries(weightGrads)) close('weightGrads', name, gradients[name], data);
      for (const [name, { data }] of Object.entries(state)) close('state', name, weights[name], data);
    });
  });
});
