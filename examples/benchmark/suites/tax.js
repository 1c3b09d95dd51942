/** The normalization tax: a whole training step of a model with normalization over the same without. */
import * as tf from '@tensorflow/tfjs';
import { batchNormalization, layerNormalization } from 'tfjs-normalizations';
import { asyncCalls, race } from '../race.js';

export const title = 'The normalization tax: a training step with normalization (cpu backend)';

const { dense, conv2d, flatten, reLU } = tf.layers;

/** Two hidden layers of `width` units, each normalized. */
const perceptron = (batch, width) => ({
  label: `MLP ${batch}x${width}, two LN`,
  shape: [batch, width],
  ours: () => layerNormalization(),
  builtIn: () => tf.layers.layerNormalization(),
  layers: (norm) => [
    dense({ units: width, activation: 'relu', inputShape: [width] }),
    ...norm(),
    dense({ units: width, activation: 'relu' }),
    ...norm(),
    dense({ units: 10, activation: 'softmax' }),
  ],
});

const convolutional = {
  label: 'CNN 8x16x16x3, two BN',
  shape: [8, 16, 16, 3],
  ours: () => batchNormalization(),
  builtIn: () => tf.layers.batchNormalization(),
  layers: (norm) => [
    conv2d({ filters: 8, kernelSize: 3, strides: 2, padding: 'same', inputShape: [16, 16, 3] }),
    ...norm(),
    reLU(),
    conv2d({ filters: 16, kernelSize: 3, strides: 2, padding: 'same' }),
    ...norm(),
    reLU(),
    flatten(),
    dense({ units: 10, activation: 'softmax' }),
  ],
};

const models = [perceptron(64, 128), perceptron(256, 256), convolutional];

export async function run({ effort, progress }) {
  const table = { title: 'One training step', unit: 'time', columns: ['without', 'ours', 'TF.js layers'], rows: [] };
  const checks = [];
  const rounds = Math.ceil(0.6 * effort.rounds); // a tax of 5 % needs all of them, also where a step is slow
  for (const { label, shape, layers, ours, builtIn } of models) {
    progress(label);
    const x = tf.randomNormal(shape, 0, 1, 'float32', 1);
    const labels = tf.oneHot(tf.range(0, shape[0], 1, 'int32').mod(tf.scalar(10, 'int32')), 10);
    const step = (norm) => {
      const model = tf.sequential({ layers: layers(norm) });
      model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
      return asyncCalls(() => model.trainOnBatch(x, labels));
    };
    const us = await race(
      { without: step(() => []), ours: step(() => [ours()]), builtIn: step(() => [builtIn()]) },
      { ...effort, rounds, slowRounds: rounds },
    );
    table.rows.push({ label, values: [us.without, us.ours, us.builtIn] });
    checks.push({ label: `${label}: tax of ours`, value: us.ours / us.without, aim: 1.1, lower: true });
    checks.push({ label: `${label}: tax of TensorFlow.js's`, value: us.builtIn / us.without });
    tf.dispose([x, labels]);
  }
  return { tables: [table], checks };
}
