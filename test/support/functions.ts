/** The public functions of one input, by name. */
import type * as tf from '@tensorflow/tfjs';
import * as library from '../../layers/index.ts';

export const functions = {
  layerNorm: library.layerNorm,
  rmsNorm: library.rmsNorm,
  groupNorm: library.groupNorm,
  instanceNorm: library.instanceNorm,
  batchNorm: (x: tf.Tensor, options: library.BatchNormOptions) => library.batchNorm(x, options).y,
};
export type FunctionName = keyof typeof functions;
