/** 10,000 MNIST digits as tensors, for training and testing. */
import * as tf from '@tensorflow/tfjs';
import { readImages, SIZE } from './mnist.js';

export const DIGITS = 10_000;
export const TEST_DIGITS = 1000;

/**
 * Reads all digits, shuffles them and splits them, so that both parts hold every digit from 0 to 9.
 *
 * @param {number} samples how many digits to train with; the test set is always the same
 * @param {number} seed of the shuffle
 * @returns {{train: Digits, test: Digits}}
 *
 * @typedef {{images: tf.Tensor4D, labels: tf.Tensor2D}} Digits
 *   images [count, 28, 28, 1] of values in [0, 1], and labels [count, 10], one-hot
 */
export function loadDigits(samples, seed) {
  const images = [];
  for (const [label, bytes] of readImages().entries()) {
    const pixels = Float32Array.from(bytes, (byte) => byte / 255);
    for (let at = 0; at < pixels.length; at += SIZE) images.push({ label, pixels: pixels.subarray(at, at + SIZE) });
  }
  shuffle(images, seed);
  return {
    test: asTensors(images.slice(0, TEST_DIGITS)),
    train: asTensors(images.slice(TEST_DIGITS, TEST_DIGITS + samples)),
  };
}

function asTensors(digits) {
  const pixels = new Float32Array(digits.length * SIZE);
  for (const [i, digit] of digits.entries()) pixels.set(digit.pixels, i * SIZE);
  const labels = tf.tidy(() =>
    tf.oneHot(
      tf.tensor1d(
        digits.map(({ label }) => label),
        'int32',
      ),
      10,
    ),
  );
  return { images: tf.tensor4d(pixels, [digits.length, 28, 28, 1]), labels };
}

/** Shuffles in place (Fisher and Yates), the same way for the same seed. */
function shuffle(items, seed) {
  const random = seeded(seed);
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j], items[i]];
  }
}

/** Uniform in [0, 1): mulberry32. */
function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
