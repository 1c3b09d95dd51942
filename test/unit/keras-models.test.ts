/** Models of Keras 2 and 3, TensorFlow Addons and keras_contrib: where they are loaded from, and how their files are rewritten. */
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { loadModel, removeSpectralNormalization, removeWeightNormalization } from '../../layers/index.ts';
import { fromKeras } from '../../layers/models/keras/format.ts';
import { folder } from '../support/folder.ts';
import { artifactsOf, folders, MODELS, readJson } from '../support/keras-models.ts';

/** Those of one input and output, as other tests load them too; the others are graphs of Keras 3, and files of Keras 2. */
const simple = folders.filter((name) => !/^(graph|session|fields|recurrent)-/.test(name));
const numbers = (tensor: tf.Tensor) => Array.from(tensor.dataSync());
const predictions = (model: tf.LayersModel, x: tf.Tensor) => numbers(model.predict(x) as tf.Tensor);

test('there are 21 folders, 19 of graphs, 10 of second sessions, one of fields that TensorFlow.js refuses, 3 of what it lacks', () => {
  expect(simple).toHaveLength(21);
  expect(folders).toHaveLength(21 + 19 + 10 + 1 + 3);
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
