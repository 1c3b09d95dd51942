/**
 * What everything stands on: how messages show a value, numbers that float32 or 16-bit floats cannot hold, and kernels that are made
 * of other kernels.
 */
import { describe, expect, jest, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { byCondition } from '../../kernels/core/by-condition.ts';
import type { Inputs, Kernel, Name, NormalizeGradAttrs } from '../../kernels/core/contract.ts';
import { show } from '../../kernels/core/errors.ts';
import { kernelsIn } from '../../kernels/core/frame.ts';
import { LARGEST, splitMean } from '../../kernels/core/half-values.ts';
import { isDivisor, momentsIn, reciprocal, unrounded } from '../../kernels/core/numbers.ts';
import type { View } from '../../kernels/core/view.ts';
import { Normalize, NormalizeGrad, ScaleShift, ScaleShiftGrad } from '../../kernels/ops/gradients.ts';
import { joinHeads, splitHeads } from '../../kernels/ops/heads.ts';
import { erf, tanh } from '../../kernels/ops/pointwise.ts';
import { rows } from '../../kernels/ops/reference.ts';
import { toHalf } from '../support/half-subjects.ts';
import { normals } from '../support/random.ts';

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
  const found = rows(tf.tensor(padded, [2, 4]), 2);
  expect(found.map((row) => [...row.dataSync()])).toEqual([
    [1, 2],
    [3, 4],
  ]);
});

describe('a mean as two 16-bit floats', () => {
  test('of which the first is the nearest one, and both add up to it', () => {
    const means = Float32Array.of(1, 1.0003, -1.0006, 0.1, -1234.567, 2047.5, 65000, 3e-3);
    const [large, rest] = splitMean(means);
    expect([...large]).toEqual([...means].map(toHalf));
    expect(means.map((_, i) => large[i]! + rest[i]!)).toEqual(means);
  });

  test('nothing, what is too large, and what is no number', () => {
    const [large, rest] = splitMean(Float32Array.of(0, 7e4, -7e4, Number.NaN, Number.POSITIVE_INFINITY));
    expect([...large]).toEqual([0, LARGEST, -LARGEST, Number.NaN, Number.POSITIVE_INFINITY]);
    expect([...rest.subarray(0, 3)]).toEqual([0, 7e4 - LARGEST, LARGEST - 7e4]);
  });
});

test('three gradients of tanh and of the error function', () => {
  const at = [-1.5, -0.3, 0, 0.4, 2];
  const gradients = (f: (x: tf.Tensor) => tf.Tensor) => {
    const [first, second, third] = [tf.grad(f), tf.grad(tf.grad(f)), tf.grad(tf.grad(tf.grad(f)))];
    return [f, first, second, third].map((of) => of!(tf.tensor1d(at)).dataSync());
  };
  const [, ...ofTanh] = gradients(tanh);
  const [, ...ofErf] = gradients(erf);
  const t = at.map(Math.tanh);
  const tanhs = [
    t.map((t) => 1 - t * t),
    t.map((t) => -2 * t * (1 - t * t)),
    t.map((t) => (6 * t * t - 2) * (1 - t * t)),
  ];
  for (const [i, expected] of tanhs.entries()) expect(ofTanh[i]).toBeClose(expected, { atol: 1e-5 });
  const bell = at.map((x) => (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x));
  const erfs = [bell, bell.map((b, i) => -2 * at[i]! * b), bell.map((b, i) => (4 * at[i]! ** 2 - 2) * b)];
  for (const [i, expected] of erfs.entries()) expect(ofErf[i]).toBeClose(expected, { atol: 1e-5 });
});

test.each([
  [
    [1, 2],
    [2, 3, 4, 5, 6],
    [0, 3, 1, 2, 4],
    [2, 5, 12, 6],
  ],
  [[2], [2, 3, 4, 5, 6], [0, 1, 3, 2, 4], [2, 15, 4, 6]],
  [[1], [2, 3, 4, 5, 6], [0, 2, 3, 1, 4], [2, 20, 3, 6]],
  [[1], [2, 3, 5, 6], [0, 2, 1, 3], [2, 5, 3, 6]],
])('heads of attention along %j of %j, and back', (axes, shape, order, expected) => {
  const x = tf.reshape(tf.range(0, tf.util.sizeFromShape(shape)), shape);
  const split = splitHeads(x, axes);
  expect(split.shape).toEqual(expected);
  expect(split.dataSync()).toEqual(tf.transpose(x, order).dataSync());
  const joined = joinHeads(split, [...shape.slice(0, -2), 7], axes);
  expect(joined.shape).toEqual(shape);
  expect(joined.dataSync()).toEqual(x.dataSync());
});

test('a kernel ends its frame, also where it fails', () => {
  const end = jest.fn();
  const kernel = kernelsIn((backend: string) => ({ end, backend }));
  const swap = kernel<'SwapAxes'>(({ backend }, { x }, { n }) => {
    expect(end).toHaveBeenCalledTimes(n);
    if (backend === 'broken') throw new Error('it is');
    return [x];
  });
  const x = tf.tensor1d([1]);
  const call = (backend: string, n: number) => swap({ inputs: { x }, attrs: { n, a: 1, b: 1 }, backend });
  expect(call('good', 0)).toEqual([x]);
  expect(() => call('broken', 1)).toThrow('it is');
  expect(end).toHaveBeenCalledTimes(2);
});

describe('conditional kernels that are made of those without conditions', () => {
  /** Kernels on tensors, which refuse conditions, and give no more than is asked for. */
  const composed = <K extends Name>({
    name,
    compose,
  }: {
    name: K;
    compose(inputs: Inputs<K, tf.Tensor>, attrs: never): unknown;
  }) =>
    (({ inputs, attrs }) => {
      const { view, yOnly, affine } = attrs as NormalizeGradAttrs;
      expect(view.rowsPerCondition).toBeUndefined();
      const outputs = tf.tidy(() => compose(inputs as never, attrs as never) as tf.Tensor[]);
      const wanted = (name === 'Normalize' ? yOnly : affine === false) ? 1 : outputs.length;
      tf.dispose(outputs.slice(wanted));
      return outputs.slice(0, wanted) as never;
    }) as Kernel<K, undefined>;
  const kernels = byCondition<undefined>({
    Normalize: composed<'Normalize'>(Normalize),
    NormalizeGrad: composed<'NormalizeGrad'>(NormalizeGrad),
    ScaleShift: composed<'ScaleShift'>(ScaleShift),
    ScaleShiftGrad: composed<'ScaleShiftGrad'>(ScaleShiftGrad),
    zeros: (_, size) => tf.zeros([size]),
    dispose: (_, info) => (info as tf.Tensor).dispose(),
  });
  const close = (actual: unknown, expected: unknown) => {
    const [values, others] = [actual as tf.Tensor[], expected as tf.Tensor[]];
    expect(values.map(({ shape }) => shape)).toEqual(others.map(({ shape }) => shape));
    for (const [i, value] of values.entries())
      expect(value.dataSync()).toBeClose(others[i]!.dataSync(), { atol: 1e-5 });
  };
  const form = { epsilon: 1e-3, epsilonPlacement: 'inside', center: true, rescale: true } as const;
  const VIEWS: View[] = [
    { n: 4, s: 3, c: 6, groups: 2, rowsPerCondition: 3 },
    { n: 4, s: 3, c: 6, groups: 3, rowsPerCondition: 6 },
    { n: 1, s: 12, c: 5, groups: 5, rowsPerCondition: 2 },
    { n: 4, s: 3, c: 6, groups: 2 },
  ];

  test.each(VIEWS)('%j', (view) => {
    const { n, s, c, rowsPerCondition } = view;
    const parameterShape = rowsPerCondition === undefined ? [c] : [(n * s) / rowsPerCondition, c];
    const random = (seed: number, shape: number[]) => tf.tensor(normals(seed, tf.util.sizeFromShape(shape), 1), shape);
    const [x, residual, dy, dsum] = [1, 2, 3, 4].map((seed) => random(seed, [n, s, c])) as [tf.Tensor, ...tf.Tensor[]];
    const [gamma, beta] = [5, 6].map((seed) => random(seed, parameterShape));
    const attrs = { ...form, view };
    const statistics = tf.tidy(() => Normalize.compose({ x }, attrs)[1] as tf.Tensor);
    for (const inputs of [
      { x, gamma, beta },
      { x, gamma },
      { x, beta },
      { x, residual, gamma, beta },
    ]) {
      const { numTensors } = tf.memory();
      const outputs = kernels.Normalize({ inputs, attrs, backend: undefined }) as readonly tf.TensorInfo[];
      expect(tf.memory().numTensors).toBe(numTensors + outputs.length);
      tf.tidy(() => close(outputs, Normalize.compose(inputs, attrs)));
    }
    for (const inputs of [
      { dy, x, statistics, gamma },
      { dy, x, statistics },
      { dy, dsum, x, statistics, gamma },
    ]) {
      for (const affine of [true, false]) {
        const all = { ...attrs, affine };
        const { numTensors } = tf.memory();
        const grads = kernels.NormalizeGrad({ inputs, attrs: all, backend: undefined }) as readonly tf.TensorInfo[];
        expect(tf.memory().numTensors).toBe(numTensors + grads.length);
        const expected = tf.tidy(() => NormalizeGrad.compose(inputs as Inputs<'NormalizeGrad', tf.Tensor>, all));
        close(grads, (expected as tf.Tensor[]).slice(0, grads.length));
        expect(grads.slice(1).map(({ shape }) => shape)).toEqual(affine ? [parameterShape, parameterShape] : []);
      }
    }
  });
});
