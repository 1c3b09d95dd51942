/** For layers: features brought to mean 0 and variance 1 by statistics that are given, as Keras's preprocessing does. */
import { add, div, maximum, mul, reshape, sqrt, sub, type Tensor } from '@tensorflow/tfjs-core';
import { copyIfHalf, mapWeight } from '../ops/half.ts';

/** The smallest divisor: Keras's. */
const SMALLEST_DEVIATION = 1e-7;

/**
 * y = (x - mean) / max(sqrt(variance), 1e-7), or the way back with `invert`: y = x max(sqrt(variance), 1e-7) + mean.
 *
 * @param axes the axes with a mean and a variance for each index, counted from the front, ascending
 * @param mean of the sizes of these axes, or of the last of them; a size may be 1
 * @param variance as mean
 */
export function standardizeFeatures(
  x: Tensor,
  axes: readonly number[],
  mean: Tensor,
  variance: Tensor,
  invert: boolean,
): Tensor {
  // 16-bit floats would round the mean and may not hold the variance: there both are read on the host.
  const centre = alongAxes(copyIfHalf(mean), x.rank, axes);
  const root = alongAxes(mapWeight(variance, sqrt, Math.sqrt), x.rank, axes);
  const deviation = maximum(root, SMALLEST_DEVIATION);
  return invert ? add(mul(x, deviation), centre) : div(sub(x, centre), deviation);
}

/** A statistic with the rank of x, aligned from the right: one of fewer axes than `axes` belongs to the last of them. */
function alongAxes(statistic: Tensor, rank: number, axes: readonly number[]): Tensor {
  if (statistic.size === 1) return reshape(statistic, []);
  const shape: number[] = Array(rank).fill(1);
  for (let i = 1; i <= axes.length; i++) shape[axes.at(-i) as number] = statistic.shape.at(-i) ?? 1;
  return reshape(statistic, shape);
}
