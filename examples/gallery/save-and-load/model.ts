/** A small network with batch, group and layer normalization, and one layer under weight normalization. */
import * as tf from '@tensorflow/tfjs';
import { batchNormalization, groupNormalization, layerNormalization, weightNormalization } from 'tfjs-normalizations';
import { CLASSES, type Digits, digitTensors, part, predict, SIZE } from '../shared/digits.ts';

const BATCH = 32;

const glorot = (seed: number) => tf.initializers.glorotUniform({ seed });
const relu = () => tf.layers.activation({ activation: 'relu' });
const pool = () => tf.layers.maxPooling2d({ poolSize: 2 });
const conv = (filters: number, seed: number, inputShape?: number[]) =>
  tf.layers.conv2d({
    filters,
    kernelSize: 3,
    padding: 'same',
    useBias: false,
    kernelInitializer: glorot(seed),
    ...(inputShape && { inputShape }),
  });

export function makeModel(): tf.LayersModel {
  const dense = (units: number, seed: number) => tf.layers.dense({ units, kernelInitializer: glorot(seed) });
  const model = tf.sequential({
    layers: [
      conv(8, 1, [SIZE, SIZE, 1]),
      batchNormalization({ momentum: 0.9 }),
      relu(),
      pool(),
      conv(16, 2),
      groupNormalization({ groups: 4 }),
      relu(),
      pool(),
      tf.layers.flatten(),
      weightNormalization({ layer: dense(32, 3) }),
      layerNormalization(),
      relu(),
      dense(CLASSES, 4),
      tf.layers.activation({ activation: 'softmax' }),
    ],
  });
  // An optimizer by its name belongs to the model, and is saved and disposed of with it.
  model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
  return model;
}

/** TensorFlow.js disposes of the optimizer with the model that made it, but not with one that was loaded. */
export function disposeModel(model: tf.LayersModel): void {
  model.optimizer.dispose();
  model.dispose();
}

/** One step, on the batch that comes after so many steps. Returns the loss. */
export async function trainStep(model: tf.LayersModel, digits: Digits, steps: number): Promise<number> {
  const start = (steps * BATCH) % (digits.labels.length - BATCH + 1);
  const { images, labels } = digitTensors(part(digits, start, start + BATCH));
  const loss = (await model.trainOnBatch(images, labels)) as number;
  tf.dispose([images, labels]);
  return loss;
}

export async function accuracyOf(model: tf.LayersModel, digits: Digits): Promise<number> {
  const probabilities = await predict(model, digits);
  const right = probabilities.filter((row, i) => row.indexOf(Math.max(...row)) === digits.labels[i]);
  return right.length / digits.labels.length;
}
