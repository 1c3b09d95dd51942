/** The float64 oracle of weight and spectral normalization against differences and known matrices. */
import { describe, expect, test } from '@jest/globals';
import { normals } from '../support/random.ts';
import * as oracle from '../support/wrapper-oracle.ts';

describe('the oracle', () => {
  const matrix = oracle.matrixOf([3, 4], [1]);
  const random = (seed: number, count: number) => Float64Array.from(normals(seed, count));
  const [w, dw, g] = [random(1, 12), random(2, 12), random(3, 4)];
  const dot = (a: ArrayLike<number>) => dw.reduce((sum, d, i) => sum + d * a[i]!, 0);
  const difference = (values: Float64Array, loss: () => number) =>
    Array.from(values, (value, i) => {
      const at = (moved: number) => {
        values[i] = moved;
        return loss();
      };
      const slope = (at(value + 1e-5) - at(value - 1e-5)) / 2e-5;
      values[i] = value;
      return slope;
    });

  test('weightNormGrad by differences', () => {
    const { dg, dv } = oracle.weightNormGrad(dw, w, g, matrix);
    expect(dg).toBeClose(
      difference(g, () => dot(oracle.weightNorm(w, g, matrix))),
      { ofMax: 1e-8 },
    );
    expect(dv).toBeClose(
      difference(w, () => dot(oracle.weightNorm(w, g, matrix))),
      { ofMax: 1e-8 },
    );
  });

  test('spectralNormGrad by differences, with u and v held', () => {
    const { sigma, ...vectors } = oracle.powerIteration(w, { u: random(4, 4), v: random(5, 3) }, 2, 'u', matrix);
    const loss = () => {
      const { sigma } = oracle.powerIteration(w, vectors, 0, 'u', matrix);
      return dot(w.map((value) => value / sigma));
    };
    expect(oracle.spectralNormGrad(dw, w, vectors, sigma, matrix)).toBeClose(difference(w, loss), { ofMax: 1e-8 });
  });

  test('largestSingularValue of known matrices', () => {
    expect(oracle.largestSingularValue([3, 0, 0, -5], oracle.matrixOf([2, 2], [1]))).toBeCloseTo(5, 12);
    expect(oracle.largestSingularValue([1, 2, 3, 4, 5, 6], oracle.matrixOf([2, 3], [1]))).toBeCloseTo(
      9.508032000695724,
      12,
    );
    expect(oracle.largestSingularValue(new Float64Array(12).fill(1), matrix)).toBeCloseTo(Math.sqrt(12), 12);
  });
});
