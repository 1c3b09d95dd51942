/** Several copies of the package on one TensorFlow.js: two versions among the dependencies, or a module that is loaded again. */
import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as core from '@tensorflow/tfjs-core';
import * as tfLayers from '@tensorflow/tfjs-layers';
import { normals } from '../support/random.ts';

type Copy = typeof import('../../layers/index.ts');

const { classNameMap } = tf.serialization.SerializationMap.getMap();
const NAMES = ['BatchNormalization', 'LayerNormalization'] as const;
const own = NAMES.map((name) => classNameMap[name]);

/** Evaluates the package again. */
function loadCopy(): Copy {
  jest.resetModules();
  jest.doMock('@tensorflow/tfjs-core', () => core);
  jest.doMock('@tensorflow/tfjs-layers', () => tfLayers);
  return require('../../layers/index.ts') as Copy;
}

const copies = [loadCopy(), loadCopy(), loadCopy()] as const;
const [first, second, third] = copies;

beforeAll(() => tf.setBackend('cpu'));

test('they are copies, and of the last one files are made', () => {
  expect(first.BatchNormalization).not.toBe(second.BatchNormalization);
  expect(classNameMap.BatchNormalization![0]).toBe(third.BatchNormalization);
});

test.each([0, 1, 2])("restoreBuiltIns of copy %d gives TensorFlow.js's own back, and no other class", (i) => {
  const { RMSNormalization } = third;
  copies[i]!.restoreBuiltIns();
  expect(NAMES.map((name) => classNameMap[name])).toEqual(own);
  expect(NAMES.map((name) => classNameMap[name]![0])).toEqual(own.map((entry) => entry![0]));
  expect(classNameMap.RMSNormalization![0]).toBe(RMSNormalization);
  for (const name of NAMES) tf.serialization.registerClass(third[name] as never);
});

test('also where a copy is loaded after they were given back', () => {
  first.restoreBuiltIns();
  const { restoreBuiltIns, LayerNormalization } = loadCopy();
  expect(classNameMap.LayerNormalization![0]).toBe(LayerNormalization);
  restoreBuiltIns();
  expect(NAMES.map((name) => classNameMap[name]![0])).toEqual(own.map((entry) => entry![0]));
});

describe('wrappers come off by the function of any copy', () => {
  const x = tf.tidy(() => tf.keep(tf.tensor(normals(1, 10), [2, 5])));
  const predict = (model: tf.LayersModel) => (model.predict(x) as tf.Tensor).dataSync();
  const dense = () => tf.layers.dense({ units: 3 });

  test.each([
    ['WeightNormalization', (copy: Copy) => copy.weightNormalization({ layer: dense(), inputShape: [5] })],
    ['SpectralNormalization', (copy: Copy) => copy.spectralNormalization({ layer: dense(), inputShape: [5] })],
    [
      'Addons',
      (copy: Copy) => new copy.AddonsWeightNormalization({ layer: dense(), inputShape: [5], dataInit: false }),
    ],
    ['Addons', (copy: Copy) => new copy.AddonsSpectralNormalization({ layer: dense(), inputShape: [5] })],
  ])('%s', (_, wrap) => {
    for (const from of copies) {
      for (const by of copies) {
        const model = tf.sequential({ layers: [wrap(from), tf.layers.dense({ units: 2 })] });
        const y = predict(model);
        const isWeight = wrap(from).getClassName().includes('Weight');
        const plain = (isWeight ? by.removeWeightNormalization : by.removeSpectralNormalization)(model as never);
        expect(plain.layers.map((layer) => layer.getClassName())).toEqual(['Dense', 'Dense']);
        expect(predict(plain as never)).toBeClose(y, { ofMax: 3e-6, atol: 1e-6 });
      }
    }
  });

  test('both in one model', () => {
    const model = tf.sequential();
    model.add(new first.AddonsWeightNormalization({ layer: dense(), inputShape: [5] }));
    model.add(new second.AddonsWeightNormalization({ layer: dense() }));
    model.add(first.weightNormalization({ layer: dense() }));
    model.add(second.weightNormalization({ layer: dense() }));
    const y = predict(model);
    expect(predict(third.removeWeightNormalization(model as never) as never)).toBeClose(y, { ofMax: 3e-6, atol: 1e-6 });
  });

  test('one is not wrapped in the other', () => {
    const layer = first.weightNormalization({ layer: dense() });
    expect(() => second.spectralNormalization({ layer })).toThrow(/is wrapped already/);
  });
});
