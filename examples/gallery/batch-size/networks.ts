/** One small network for digits, with any of the normalizations after its convolutions. */
import * as tf from '@tensorflow/tfjs';
import {
  batchNormalization,
  batchRenormalization,
  groupNormalization,
  instanceNormalization,
  layerNormalization,
  meanOnlyBatchNormalization,
  weightNormalization,
} from 'tfjs-normalizations';
import { CLASSES, SIZE } from '../shared/digits.ts';

export const GROUPS = 4;
const FILTERS = [8, 16, 32];
const KERNELS = [5, 3, 3];
const STRIDES = [3, 2, 2];
/** The outputs of the convolutions, which are normalized: width (and height) and channels. */
const BLOCKS = FILTERS.map((channels, i) => ({ channels, width: [10, 5, 3][i] }));

export const kinds = [
  'none',
  'BatchNormalization',
  'GroupNormalization',
  'LayerNormalization',
  'InstanceNormalization',
  'BatchRenormalization',
  'MeanOnlyBatchNormalization',
] as const;
export type Kind = (typeof kinds)[number];

type Layer = tf.layers.Layer;

/** @param steps how long the training will be */
function normalization(kind: Kind, steps: number): Layer {
  switch (kind) {
    case 'none':
      return tf.layers.activation({ activation: 'linear' });
    case 'BatchNormalization':
      return batchNormalization();
    case 'GroupNormalization':
      return groupNormalization({ groups: GROUPS });
    case 'LayerNormalization':
      return layerNormalization({ axis: [1, 2, 3] });
    case 'InstanceNormalization':
      return instanceNormalization();
    case 'BatchRenormalization': {
      // Its default ramp begins after 5,000 steps: later than most trainings here end.
      const from = Math.floor(0.05 * steps);
      const ramp: [number, number] = [from, Math.max(from + 1, Math.floor(0.3 * steps))];
      return batchRenormalization({ rampSteps: { rmax: ramp, dmax: ramp } });
    }
    case 'MeanOnlyBatchNormalization':
      return meanOnlyBatchNormalization({ momentum: 0.99 });
  }
}

/** The same first weights for the same seed, whatever the normalization. */
export function buildNetwork(kind: Kind, { seed, steps }: { seed: number; steps: number }): tf.Sequential {
  const model = tf.sequential();
  for (const [i, filters] of FILTERS.entries()) {
    const inputShape = i === 0 ? { inputShape: [SIZE, SIZE, 1] } : {};
    const weightNormalized = kind === 'MeanOnlyBatchNormalization';
    const layer = tf.layers.conv2d({
      filters,
      kernelSize: KERNELS[i],
      strides: STRIDES[i],
      padding: 'same',
      useBias: kind === 'none', // a normalization brings its own, beta
      kernelInitializer: tf.initializers.heNormal({ seed: 10 * seed + i }),
      ...(!weightNormalized && inputShape),
    });
    // Subtracting the mean leaves the scale to the weights.
    model.add(weightNormalized ? weightNormalization({ layer, ...inputShape }) : layer);
    model.add(normalization(kind, steps));
    model.add(tf.layers.reLU());
  }
  model.add(tf.layers.globalAveragePooling2d({ dataFormat: 'channelsLast' }));
  const kernelInitializer = tf.initializers.heNormal({ seed: 10 * seed + 9 });
  model.add(tf.layers.dense({ units: CLASSES, activation: 'softmax', kernelInitializer }));
  return model;
}

/** How many values each mean is taken of, in each of the blocks. */
export function averaged(kind: Kind, batch: number): number[] | undefined {
  if (kind === 'none') return undefined;
  return BLOCKS.map(({ width, channels }) => {
    const positions = width * width;
    if (kind === 'InstanceNormalization') return positions;
    if (kind === 'LayerNormalization') return positions * channels;
    if (kind === 'GroupNormalization') return (positions * channels) / GROUPS;
    return positions * batch;
  });
}
