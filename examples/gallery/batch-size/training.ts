/** Training networks in turns, so that all have seen the same digits at any time. */
import * as tf from '@tensorflow/tfjs';
import { type Digits, digitTensors, part, SIZE } from '../shared/digits.ts';
import { random } from '../shared/random.ts';
import { setRate } from '../shared/training.ts';

/** A network in training. */
export interface Trainee {
  readonly model: tf.LayersModel;
  readonly optimizer: tf.Optimizer;
  /** Of each step. */
  readonly milliseconds: number[];
}

export function trainee(model: tf.LayersModel): Trainee {
  const optimizer = tf.train.adam();
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  return { model, optimizer, milliseconds: [] };
}

export function disposeOf({ model, optimizer }: Trainee): void {
  model.dispose();
  optimizer.dispose(); // it is ours, not the model's
}

/** One step of training. Returns the loss. */
export async function trainStep(trainee: Trainee, digits: Digits, learningRate: number): Promise<number> {
  const { model, optimizer, milliseconds } = trainee;
  setRate(optimizer, learningRate);
  const { images, labels } = digitTensors(digits);
  const start = performance.now();
  const loss = (await model.trainOnBatch(images, labels)) as number;
  milliseconds.push(performance.now() - start);
  tf.dispose([images, labels]);
  return loss;
}

export interface Score {
  readonly accuracy: number;
  readonly loss: number;
}

const CHUNK = 100;

/** In inference mode. `frame` is awaited between chunks of digits. */
export async function evaluate(model: tf.LayersModel, digits: Digits, frame: () => Promise<void>): Promise<Score> {
  const count = digits.labels.length;
  let right = 0;
  let loss = 0;
  for (let start = 0; start < count; start += CHUNK) {
    const sums = tf.tidy(() => {
      const { images, labels } = digitTensors(part(digits, start, Math.min(start + CHUNK, count)));
      const predicted = model.predictOnBatch(images) as tf.Tensor2D;
      const isRight = tf.equal(tf.argMax(predicted, -1), tf.argMax(labels, -1));
      const losses = tf.metrics.categoricalCrossentropy(labels, predicted);
      return tf.stack([tf.sum(tf.cast(isRight, 'float32')), tf.sum(losses)]);
    });
    const [rightOnes, losses] = await sums.data();
    sums.dispose();
    right += rightOnes;
    loss += losses;
    await frame();
  }
  return { accuracy: right / count, loss: loss / count };
}

/** The numbers from 0 to count - 1 in random order. */
export function shuffled(count: number, seed: number): Uint32Array {
  const { uniform } = random(seed);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(uniform() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** The `step`-th batch of the digits in this order. */
export function batchOf({ labels, pixels }: Digits, order: Uint32Array, step: number, size: number): Digits {
  const length = SIZE * SIZE;
  const batch = { labels: new Uint8Array(size), pixels: new Uint8Array(size * length) };
  for (let i = 0; i < size; i++) {
    const at = order[(step * size + i) % order.length];
    batch.labels[i] = labels[at];
    batch.pixels.set(pixels.subarray(at * length, (at + 1) * length), i * length);
  }
  return batch;
}
