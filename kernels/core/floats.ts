/** Numbers of any type as float32. */
import { cast, engine, mul, type Tensor } from '@tensorflow/tfjs-core';
import { castsInPlace } from './registry.ts';

/**
 * Integers, bools or floats in float32. Where a cast leaves the integers in their buffer, as that of a caller may have, they are multiplied
 * by 1: some operations of TensorFlow.js, such as transpose and with it sums over an axis, give zeros there.
 */
export function toFloat(t: Tensor): Tensor {
  if (castsInPlace()) return engine().state.tensorInfo.get(t.dataId)?.dtype === 'float32' ? t : mul(t, 1);
  return t.dtype === 'float32' ? t : cast(t, 'float32');
}
