/** For layers: normalization by the standard deviation without a mean subtracted, which old models of Keras have. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { divideByDeviation as divideAlong } from '../ops/deviation.ts';
import { checkAxes } from './checks.ts';
import type { LayerNormOptions } from './normalization.ts';

/** x / sqrt(variance + epsilon) * gamma over the axes of the options, where the variance is about the mean; no beta is added. */
export function divideByDeviation(
  who: string,
  x: Tensor,
  { axis = -1, epsilon = 1e-3, gamma }: Omit<LayerNormOptions, 'beta'>,
): Tensor {
  return divideAlong(x, gamma as Tensor, checkAxes(who, axis, x.rank, 'with batch'), epsilon);
}
