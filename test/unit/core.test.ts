/** What everything stands on: how messages show a value, and numbers that float32 cannot hold. */
import { describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { show } from '../../kernels/core/errors.ts';
import { isDivisor, momentsIn, reciprocal, unrounded } from '../../kernels/core/numbers.ts';

describe('show', () => {
  const circular: Record<string, unknown> = {};
  circular.itself = circular;
  test.each<[unknown, string]>([
    [Number.NaN, 'NaN'],
    [-0.5, '-0.5'],
    [10n, '10'],
    [null, 'null'],
    [undefined, 'undefined'],
    [Symbol('s'), 'Symbol(s)'],
    ['text', '"text"'],
    [[1, null], '[1,null]'],
    [Object.create(null), '{}'],
    [circular, '[object Object]'],
  ])('%p', (value, text) => expect(show(value)).toBe(text));

  test('200 characters are shown, and of longer texts the first 200', () => {
    const text = (length: number) => 'x'.repeat(length - 2); // and two quotation marks
    expect(show(text(200))).toBe(`"${text(200)}"`);
    expect(show(text(201))).toBe(`"${'x'.repeat(199)}...`);
  });

  test('layers and symbolic tensors, also of another copy of TensorFlow.js, are called what they are', () => {
    const input = tf.input({ shape: [2] });
    for (const value of [input, tf.layers.flatten(), { sourceLayer: 1 }, { inboundNodes: [] }]) {
      expect(show(value)).toMatch(/^a layer or symbolic tensor/);
    }
    expect(show({ source: 1 })).toBe('{"source":1}');
  });
});

test('what is smaller than the root of the smallest float32 counts as nothing to divide by', () => {
  const root = 2 ** -63;
  expect([0, root / 2, root, 4].map(reciprocal)).toEqual([0, 0, 2 ** 63, 0.25]);
  expect([0, root, 2 * root, 1].map(isDivisor)).toEqual([false, false, true, true]);
});

test('a variance is nothing where rounding may have left it, in the square of the mean', () => {
  expect(unrounded(2 ** -64, 2)).toBe(0);
  expect(unrounded(2 ** -63, 2)).toBe(2 ** -63);
  expect(unrounded(2 ** -64, 1)).toBe(2 ** -64);
  expect(unrounded(0, 0)).toBe(0);
});

test('moments of a few groups are found in those that are padded', () => {
  const padded = Float32Array.of(1, 2, 0, 0, 3, 4, 0, 0);
  expect([...momentsIn(padded, 2)]).toEqual([1, 2, 3, 4]);
  expect(momentsIn(padded, 4)).toBe(padded);
});
