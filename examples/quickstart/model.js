/** The network: two strided convolutions, each with a normalization, and a classifier. */
import * as tf from '@tensorflow/tfjs';
import {
  batchInstanceNormalization,
  batchNormalization,
  batchRenormalization,
  groupNormalization,
  instanceNormalization,
  layerNormalization,
  meanOnlyBatchNormalization,
  rmsNormalization,
  switchableNormalization,
} from 'tfjs-normalizations';

/** What can be put after a convolution; each makes a layer like those of `tf.layers`. */
export const normalizations = {
  none: () => tf.layers.activation({ activation: 'linear' }),
  batch: () => batchNormalization(),
  instance: () => instanceNormalization(),
  layer: () => layerNormalization(),
  rms: () => rmsNormalization(),
  group: () => groupNormalization({ groups: 4 }),
  'mean-only': () => meanOnlyBatchNormalization(),
  'batch-instance': () => batchInstanceNormalization(),
  switchable: () => switchableNormalization(),
  // Its default ramp begins after 5000 steps; a run here has fewer than 1000.
  'batch-renorm': () => batchRenormalization({ rampSteps: { rmax: [100, 500], dmax: [100, 500] } }),
};

/**
 * An untrained network for images [28, 28, 1] and ten classes; the same weights for the same seed.
 *
 * @param {keyof typeof normalizations} norm
 * @param {number} seed
 */
export function buildModel(norm, seed) {
  const kernelInitializer = tf.initializers.heNormal({ seed });
  // The normalizations bring a bias of their own, beta.
  const shared = { kernelInitializer, useBias: norm === 'none' };
  return tf.sequential({
    layers: [
      tf.layers.conv2d({ filters: 8, kernelSize: 5, strides: 3, inputShape: [28, 28, 1], ...shared }),
      normalizations[norm](),
      tf.layers.reLU(),
      tf.layers.conv2d({ filters: 16, kernelSize: 2, strides: 2, ...shared }),
      normalizations[norm](),
      tf.layers.reLU(),
      tf.layers.flatten(),
      tf.layers.dense({ units: 10, activation: 'softmax', kernelInitializer }),
    ],
  });
}
