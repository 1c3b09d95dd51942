/**
 * What every layer keeps to, one row of `support/layer-table.ts` after the other: values and gradients against float64, and
 * the contract of a layer of TensorFlow.js in models, training, freezing and memory.
 */
import { describe, expect, test } from '@jest/globals';
import { type BackendName, describeBackends } from '../support/backends.ts';
import { type LayerCase, layerInputs, sizeOf } from '../support/layer-inputs.ts';
import { gradient, loss, type Point, penaltyGradient, type Weights } from '../support/layer-oracle.ts';
import {
  centerAndScale,
  everyAxis,
  FIRST,
  LAYER_NAMES,
  rowOf,
  SUBJECTS,
  startOf,
  titled,
  weightNames,
} from '../support/layer-table.ts';
import type { Tolerance } from '../support/matchers.ts';
import { memoized } from '../support/memoized.ts';

/** Shares of the largest value; `atol` where all values may be 0. */
const FORWARD: Tolerance = { ofMax: 3e-6, atol: 1e-6 }; // float32 resolves 6e-8, and a few operations add up
const GRADIENT: Tolerance = { ofMax: 1e-5, atol: 1e-5 }; // sums of products, and differences of step 1e-4
const SECOND_ORDER: Tolerance = { ofMax: 1e-4, atol: 1e-4 }; // sums of sums, and mixed differences of step 1e-3

/** A tolerance for this layer. */
function forLayer({ className }: Pick<LayerCase, 'className'>, { ofMax = 0, atol = 0 }: Tolerance): Tolerance {
  const { slack = 1 } = rowOf(className);
  return { ofMax: slack * ofMax, atol: slack * atol };
}

function expectClose(actual: Record<string, ArrayLike<number>>, expected: Weights, tolerance: Tolerance): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, values] of Object.entries(expected)) expect(actual[name]).toBeClose(values, tolerance);
}

const gradientsOf = memoized((args: LayerCase) => {
  const { setting, point, trainable, formula } = startOf(args);
  return gradient(loss(formula, setting, layerInputs(args).dy), point, ['x', ...trainable]);
});

const penaltyGradientsOf = memoized((args: LayerCase) => {
  const { setting, point, trainable, formula } = startOf(args);
  return penaltyGradient(loss(formula, setting, layerInputs(args).dy), point, ['x', ...trainable]);
});

/** The gradient of the sum of squares of the gradient of gamma. */
const gammaPenaltyOf = memoized((args: LayerCase) => {
  const { setting, point, formula } = startOf(args);
  const f = loss(formula, setting, layerInputs(args).dy);
  const squares = (p: Point) => gradient(f, p, ['gamma']).gamma!.reduce((sum, d) => sum + d * d, 0);
  return gradient(squares, point, ['x']);
});

type Run = Parameters<Parameters<typeof describeBackends>[1]>[0]['run'];

/** y and the state without a gradient, then y, the gradients and the state with one. */
async function checkLayer(run: Run, args: LayerCase): Promise<void> {
  const { setting, point, shapes, trainable, formula } = startOf(args);
  const { x, ...weights } = point;
  const expected = formula(setting)(x, weights);
  const after = { ...weights, ...expected.state };
  const forward = forLayer(args, FORWARD);

  const { value, leaked } = await run('applyLayer', args);
  expect(value.y).toBeClose(expected.y, forward);
  expectClose(value.weights, after, forward);
  expect(leaked).toEqual({ tensors: 0, data: 0 });
  expect(value).toMatchObject({ outputShape: args.shape, yShape: args.shape, dtype: 'float32', trainable });
  expect(value.count).toBe(Object.values(shapes).reduce((sum, shape) => sum + sizeOf(shape), 0));
  expect(Object.entries(value.weightShapes)).toEqual(Object.entries(shapes));

  const differentiated = await run('differentiateLayer', args);
  expect(differentiated.value.y).toBeClose(expected.y, forward);
  expectClose(differentiated.value.gradients, gradientsOf(args), forLayer(args, GRADIENT));
  expectClose(differentiated.value.weights, after, forward);
  expect(differentiated.leaked).toEqual({ tensors: 0, data: 0 });
}

describeBackends('layers', ({ run }) => {
  test.each(titled(SUBJECTS))('%s: values, weights and gradients', async (_, subject) => {
    await checkLayer(run, { ...subject, training: true });
    await checkLayer(run, { ...subject, training: false });
  });

  test.each(titled(SUBJECTS))('%s: a gradient penalty', async (_, subject) => {
    for (const training of [true, false]) {
      const args = { ...subject, training };
      const { point, trainable } = startOf(args);
      const { value, leaked } = await run('penalizeLayer', args);
      // A weight that has no part in dx, as beta, gets no gradient or zeros.
      const zeros = Object.fromEntries(trainable.map((name) => [name, new Float32Array(point[name]!.length)]));
      expectClose({ ...zeros, ...value.gradients }, penaltyGradientsOf(args), forLayer(args, SECOND_ORDER));
      expect(leaked).toEqual({ tensors: 0, data: 0 });
    }
  });

  const withGamma = SUBJECTS.filter((subject) => weightNames(subject).trainable.includes('gamma'));
  test.each(titled(withGamma))('%s: a gradient of the gradient of gamma alone', async (_, subject) => {
    // It leaves the inner gradient of x untaken: nothing of that pass may reach the outer one.
    const args = { ...subject, training: true };
    const { value, leaked } = await run('penalizeGamma', args);
    expectClose(value.gradients, gammaPenaltyOf(args), forLayer(args, SECOND_ORDER));
    expect(leaked).toEqual({ tensors: 0, data: 0 });
  });

  test.each(titled(FIRST))('%s: the same in every kind of model', async (_, subject) => {
    const { value, leaked } = await run('layerInModels', { ...subject, training: false });
    const kinds = ['sequential 0', 'functional 0', 'shared 0', 'shared 1', 'time 0', 'time 1'];
    expect(Object.keys(value.results)).toEqual(kinds);
    for (const result of Object.values(value.results)) expect(result).toBeClose(value.own, FORWARD);
    expect(value.parameters).toEqual(value.parameters.map(() => value.count));
    expect(leaked).toEqual({ tensors: 0, data: 0 });
  });

  test.each(titled(FIRST))('%s: fit, evaluate and predict', async (_, subject) => {
    const { value, leaked } = await run('fitLayer', { ...subject, training: true });
    const { losses, evaluated, predicted, grown } = value;
    expect(losses).toHaveLength(6);
    for (const [i, after] of losses.slice(1).entries()) expect(after).toBeLessThan(losses[i]!);
    expect(losses[5]! / losses[0]!).toBeLessThan(0.9);
    expect(Array.from(evaluated).every(Number.isFinite)).toBe(true);
    expect(predicted).toHaveLength(2 * subject.shape[0]!);
    expect(Array.from(predicted).every(Number.isFinite)).toBe(true);
    expect(grown).toBe(0);
    expect(leaked).toEqual({ tensors: 0, data: 0 });
  });
});

describeBackends('layers of five and six axes', ({ run }) => {
  test.each(LAYER_NAMES)('%s', async (className) => {
    for (const subject of everyAxis(className).filter(({ shape }) => shape.length > 4)) {
      await checkLayer(run, { ...subject, training: true });
    }
  });

  test.each([{ shape: [2, 2, 1, 3, 2] }, { shape: [2, 2, 1, 2, 2, 2] }])(
    'BatchNormalization with a mask: %j',
    async ({ shape }) => {
      const mask = Array.from({ length: sizeOf(shape) / shape.at(-1)! }, (_, i) => i % 3 !== 1);
      const options = { epsilon: 0.1 };
      await checkLayer(run, { className: 'BatchNormalization', shape, options, mask, training: true });
    },
  );
});

/** What is small, TensorFlow.js's webgpu backend computes on the processor otherwise, where its operations know all types. */
const GPU_ALONE = { only: ['webgpu'] as BackendName[], flags: { WEBGPU_CPU_FORWARD: false } };

describeBackends(
  'layers on the GPU alone',
  ({ run }) => {
    test.each(LAYER_NAMES)('%s: an integer input, on other axes than the last', async (className) => {
      const subjects = everyAxis(className).filter(({ shape, options }) => shape.length === 3 && options.axis !== -1);
      expect(subjects.length).toBeGreaterThan(0);
      for (const subject of subjects) await checkLayer(run, { ...subject, dtype: 'int32', training: true });
    });

    test('an average over the steps that a mask counts', async () => {
      const { value, leaked } = await run('averageUnmasked', {
        ids: [
          [1, 2, 0],
          [0, 4, 0],
        ],
      });
      expect(value).toBeClose([1.5, 15, 4, 40], FORWARD);
      expect(leaked).toEqual({ tensors: 0, data: 0 });
    });
  },
  GPU_ALONE,
);

const CPU: { only: BackendName[] } = { only: ['cpu'] };

describeBackends(
  'layers everywhere',
  ({ run }) => {
    describe.each(LAYER_NAMES)('%s', (className) => {
      test.each(centerAndScale(className))('every rank and axis, %j', async (options) => {
        for (const subject of everyAxis(className)) {
          await checkLayer(run, { ...subject, options: { ...subject.options, ...options }, training: true });
        }
      });

      test('an integer input', async () => {
        const subject = FIRST.find((s) => s.className === className)!;
        await checkLayer(run, { ...subject, dtype: 'int32', training: true });
        await checkLayer(run, { ...subject, dtype: 'int32', training: false });
      });

      test('a batch of one, and one value for each statistic', async () => {
        const first = FIRST.find((s) => s.className === className)!;
        // Of blends some statistics are over few values where others are not: a tiny epsilon makes gradients too steep.
        const options = { ...first.options, ...(rowOf(className).slack ? { epsilon: 0.1 } : {}) };
        const one = className === 'GroupNormalization' ? 2 : 1;
        for (const shape of [
          [1, 4],
          [1, 1, 4],
          [3, 1, 1, 4],
          [1, 3, 2, 4],
          [5, 2],
          [3, 4, 2],
          [5, one],
          [3, 4, one],
        ]) {
          for (const training of [true, false]) await checkLayer(run, { className, options, shape, training });
        }
      });
    });
  },
  CPU,
);
