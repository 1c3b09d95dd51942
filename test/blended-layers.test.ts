/**
 * The layers that blend statistics (Batch-Instance, Switchable, Batch Renormalization) against float64: values, state,
 * gradients of first and second order, and what they cost; on every backend.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as ours from '../layers/index.ts';
import { type Backend, describeBackends } from './support/backends.ts';
import {
  BLENDED,
  BLENDED_NAMES,
  everyAxis,
  SUBJECTS,
  settingOf,
  startOf,
  titled,
  weightsOf,
} from './support/blended-table.ts';
import { type LayerCase, layerInputs } from './support/layer-inputs.ts';
import { gradient, loss, type Point, penaltyGradient, type Weights } from './support/layer-oracle.ts';
import { lastPart, makeLayer } from './support/layers.ts';
import type { Tolerance } from './support/matchers.ts';

/** Shares of the largest value; `atol` where all values may be 0. */
const FORWARD: Tolerance = { ofMax: 5e-6, atol: 1e-6 }; // moments travel as float32, and roots of small variances amplify
const GRADIENT: Tolerance = { ofMax: 2e-5, atol: 2e-5 }; // sums of products, and differences of step 1e-4
const SECOND_ORDER: Tolerance = { ofMax: 2e-4, atol: 2e-4 }; // sums of sums, and mixed differences of step 1e-3

function expectClose(actual: Record<string, ArrayLike<number>>, expected: Weights, tolerance: Tolerance): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, values] of Object.entries(expected)) expect(actual[name]).toBeClose(values, tolerance);
}

/** The point at which a call computes, and the formula whose differences are its gradients. */
function at(args: LayerCase) {
  const { project, formulaAt } = BLENDED[args.className]!;
  const setting = settingOf(args);
  const { x, ...weights } = startOf(args);
  const point = { ...(args.training && project ? project(weights) : weights), x } as Point;
  return { setting, point, formula: formulaAt(setting, point), ...weightsOf(setting, args.className) };
}

/** y and the state without a gradient, then y, the gradients and the state with one. */
async function checkLayer({ run }: Backend, args: LayerCase): Promise<void> {
  const { setting, point, formula, trainable, sizes } = at(args);
  const { x, ...weights } = point;
  const expected = formula(setting)(x, weights);
  const after = { ...weights, ...expected.state };

  const { value, leaked } = await run('applyLayer', args);
  expect(value.y).toBeClose(expected.y, FORWARD);
  expectClose(value.weights, after, FORWARD);
  expect(leaked).toEqual({ tensors: 0, data: 0 });
  expect(value).toMatchObject({ outputShape: args.shape, yShape: args.shape, dtype: 'float32', trainable });
  expect(value.count).toBe(Object.values(sizes).reduce((a, b) => a + b, 0));
  const shapes = Object.entries(sizes).map(([name, size]) => [name, name === 'step' ? [] : [size]]);
  expect(Object.entries(value.weightShapes)).toEqual(shapes);

  const gradients = gradient(loss(formula, setting, layerInputs(args).dy), point, ['x', ...trainable]);
  const differentiated = await run('differentiateLayer', args);
  expect(differentiated.value.y).toBeClose(expected.y, FORWARD);
  expectClose(differentiated.value.gradients, gradients, GRADIENT);
  expectClose(differentiated.value.weights, after, FORWARD);
  expect(differentiated.leaked).toEqual({ tensors: 0, data: 0 });
}

describeBackends('layers that blend statistics', (backend) => {
  test.each(titled(SUBJECTS))('%s: values, weights and gradients', async (_, subject) => {
    await checkLayer(backend, { ...subject, training: true });
    await checkLayer(backend, { ...subject, training: false });
  });

  test.each(titled(SUBJECTS))('%s: a gradient penalty', async (_, subject) => {
    for (const training of [true, false]) {
      const args = { ...subject, training };
      const { setting, point, formula, trainable } = at(args);
      const f = loss(formula, setting, layerInputs(args).dy);
      const { value, leaked } = await backend.run('penalizeLayer', args);
      // A weight that has no part in dx, as beta, gets no gradient or zeros.
      const zeros = Object.fromEntries(trainable.map((name) => [name, new Float32Array(point[name]!.length)]));
      const expected = penaltyGradient(f, point, ['x', ...trainable]);
      expectClose({ ...zeros, ...value.gradients }, expected, SECOND_ORDER);
      expect(leaked).toEqual({ tensors: 0, data: 0 });
    }
  });

  test.each(BLENDED_NAMES)('%s: the same in every kind of model, and in fit', async (className) => {
    const args = { className, options: {}, shape: [4, 3, 2, 3], training: true };
    const { value, leaked } = await backend.run('layerInModels', args);
    for (const result of Object.values(value.results)) expect(result).toBeClose(value.own, FORWARD);
    expect(Object.keys(value.results)).toHaveLength(6);
    expect(value.parameters).toEqual(value.parameters.map(() => value.count));
    expect(leaked).toEqual({ tensors: 0, data: 0 });
    const fit = await backend.run('fitLayer', args);
    const { losses, grown } = fit.value;
    expect(losses[5]! / losses[0]!).toBeLessThan(0.9);
    expect(grown).toBe(0);
    expect(fit.leaked).toEqual({ tensors: 0, data: 0 });
  });
});

describeBackends(
  'layers that blend statistics everywhere',
  (backend) => {
    test.each(BLENDED_NAMES)('%s: every rank and axis, and one value for each statistic', async (className) => {
      for (const subject of everyAxis(className)) await checkLayer(backend, { ...subject, training: true });
      for (const shape of [
        [1, 4],
        [1, 1, 4],
        [3, 1, 1, 4],
        [1, 3, 2, 4],
        [5, 1],
        [3, 4, 1],
      ]) {
        for (const training of [true, false]) {
          await checkLayer(backend, { className, options: { epsilon: 0.1 }, shape, training });
        }
      }
    });
  },
  { only: ['cpu'] },
);
