/** The oracle's gradients against central differences of its own forwards, in float64. */
import { describe, expect, test } from '@jest/globals';
import type { EpsilonPlacement } from '../../kernels/core/contract.ts';
import { conditionsOf, type View } from '../../kernels/core/view.ts';
import * as oracle from '../support/oracle.ts';
import { normals } from '../support/random.ts';

const VIEWS: Record<string, View> = {
  rows: { n: 5, s: 1, c: 6, groups: 1 },
  batch: { n: 1, s: 7, c: 3, groups: 3 },
  instance: { n: 2, s: 5, c: 3, groups: 3 },
  group: { n: 2, s: 4, c: 6, groups: 2 },
  'row groups': { n: 3, s: 1, c: 8, groups: 2 },
  'rows with conditions': { n: 6, s: 1, c: 4, groups: 1, rowsPerCondition: 2 },
  'a batch with conditions': { n: 1, s: 6, c: 3, groups: 3, rowsPerCondition: 3 },
  'groups with a condition for each position': { n: 2, s: 3, c: 4, groups: 2, rowsPerCondition: 1 },
};
const PLACEMENTS: readonly EpsilonPlacement[] = ['inside', 'outside', 'floor'];
const STEP = 1e-5;
/** Central differences err by about step^2 (third derivative) and 1e-16 / step (rounding): both below 1e-9 here. */
const DIFFERENCE_TOLERANCE = 1e-8;

/** d(loss)/d(values), one value moved at a time. */
function differences(values: Float64Array, loss: () => number): number[] {
  return Array.from(values, (original, i) => {
    values[i] = original + STEP;
    const above = loss();
    values[i] = original - STEP;
    const below = loss();
    values[i] = original;
    return (above - below) / (2 * STEP);
  });
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => Array.from(a).reduce((sum, v, i) => sum + v * b[i]!, 0);
const random = (seed: number, count: number, mean = 0) => Float64Array.from(normals(seed, count, mean));

function expectEqual(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  const scale = Math.max(1, ...Array.from(expected, Math.abs));
  const worst = Math.max(...Array.from(actual, (v, i) => Math.abs(v - expected[i]!)));
  expect(worst / scale).toBeLessThan(DIFFERENCE_TOLERANCE);
}

describe.each(Object.entries(VIEWS))('view %s', (_, view) => {
  const size = view.n * view.s * view.c;
  const x = random(1, size, 0.5);
  const dy = random(2, size);
  const gamma = random(3, view.c * conditionsOf(view), 1);
  const beta = random(4, view.c * conditionsOf(view));

  const combinations = PLACEMENTS.flatMap((epsilonPlacement) =>
    [true, false].flatMap((center) => [true, false].map((rescale) => ({ epsilonPlacement, center, rescale }))),
  );
  test.each(combinations)('normalizeGrad %j', (attributes) => {
    const options = { view, epsilon: 0.1, ...attributes };
    const loss = () => dot(oracle.normalize(x, gamma, beta, options).y, dy);
    const { dx, dgamma, dbeta } = oracle.normalizeGrad(dy, x, gamma, options);
    expectEqual(dx, differences(x, loss));
    expectEqual(dgamma, differences(gamma, loss));
    expectEqual(dbeta, differences(beta, loss));
    const bare = oracle.normalizeGrad(dy, x, undefined, options).dx;
    expectEqual(
      bare,
      differences(x, () => dot(oracle.normalize(x, undefined, undefined, options).y, dy)),
    );
  });

  test('momentsGrad', () => {
    const dmoments = random(5, 2 * view.n * view.groups);
    const dx = oracle.momentsGrad(dmoments, x, view);
    expectEqual(
      dx,
      differences(x, () => dot(oracle.moments(x, view), dmoments)),
    );
  });

  test.each([1, view.n])('scaleShiftGrad and blendGrad with %d rows of parameters', (rows) => {
    const mean = random(6, rows * view.c);
    const shift = random(7, view.n * view.c);
    const scale = random(8, view.n * view.c);
    const { dscale, dshift } = oracle.scaleShiftGrad(dy, x, mean, view);
    const loss = () => dot(oracle.scaleShift(x, { mean, scale, shift }, view), dy);
    expectEqual(dscale, differences(scale, loss));
    expectEqual(dshift, differences(shift, loss));

    // sum(dy (x - mean) scale + a (x - mean)^2 / 2 + b x) has blendGrad for its gradient.
    const a = random(9, view.n * view.c);
    const b = random(10, view.n * view.c);
    const blended = () => {
      const centred = oracle.scaleShift(x, { mean }, view);
      const squares = centred.map((v) => (v * v) / 2);
      const one = new Float64Array(size).fill(1);
      return (
        dot(oracle.scaleShift(centred, { scale }, view), dy) +
        dot(oracle.scaleShift(squares, { scale: a }, view), one) +
        dot(oracle.scaleShift(x, { scale: b }, view), one)
      );
    };
    expectEqual(oracle.blendGrad(dy, x, { mean, scale, a, b }, view), differences(x, blended));
  });
});

test('groups of equal values: what each placement does where the square root has no derivative', () => {
  const view = VIEWS.rows!;
  const x = new Float64Array(30).fill(3);
  const dy = random(2, 30);
  for (const epsilonPlacement of PLACEMENTS) {
    const options = { view, epsilon: 0.1, epsilonPlacement, center: true, rescale: true };
    expectEqual(oracle.normalize(x, undefined, undefined, options).y, new Float64Array(30));
    const { dx } = oracle.normalizeGrad(dy, x, undefined, options);
    const divisor = epsilonPlacement === 'inside' ? Math.sqrt(0.1) : 0.1;
    const expected = Array.from(dy, (v, i) => {
      const row = dy.subarray(6 * Math.floor(i / 6), 6 * Math.floor(i / 6) + 6);
      return epsilonPlacement === 'floor' ? 0 : (v - row.reduce((a, b) => a + b) / 6) / divisor;
    });
    expectEqual(dx, expected);
  }
});

test('known values', () => {
  const view = { n: 1, s: 2, c: 4, groups: 2 };
  const x = [1, 2, 10, 20, 3, 6, 30, 40];
  expect(Array.from(oracle.moments(x, view))).toEqual([3, 25, 3.5, 125]);
  expect(Array.from(oracle.average([1, 2], [10, 20, 30, 40], 1, 0.75))).toEqual([8.25, 11.5]);
  const affine = { mean: [1, 1, 1, 1], variance: [3, 3, 3, 3], scale: [2, 2, 2, 2], shift: [5, 5, 5, 5] };
  expect(Array.from(oracle.scaleShift(x, affine, view, 1))).toEqual(x.map((v) => v + 4));
});
