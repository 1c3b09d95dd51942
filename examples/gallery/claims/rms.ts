import * as tf from '@tensorflow/tfjs';
import { layerNormalization, rmsNormalization } from 'tfjs-normalizations';
import { claimsOf } from './claim.ts';
import { ratio, SHAPES, slower } from './costs.ts';
import type { DataName } from './data.ts';
import { digits, time } from './families.ts';
import { gain, type Trial } from './learning.ts';

const layer = () => layerNormalization();
const rms = () => rmsNormalization();
const transformer = (norm: Trial['norm']): Trial => ({ network: 'transformer', norm, batch: 32, steps: 30 });
const offset = (norm: Trial['norm'], data: DataName): Trial => ({
  network: 'normalized inputs',
  norm,
  data,
  batch: 32,
  steps: 60,
});

/** Of ordinary operations, as the formulas say. */
const composed = {
  layer(x: tf.Tensor): tf.Tensor {
    const centered = tf.sub(x, tf.mean(x, -1, true));
    return tf.div(centered, tf.sqrt(tf.add(tf.mean(tf.square(centered), -1, true), 1e-6)));
  },
  rms: (x: tf.Tensor): tf.Tensor => tf.div(x, tf.sqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-6))),
};

export const rmsClaims = claimsOf(
  'RMSNormalization',
  'rms',
  {
    'Efficient variant of LayerNorm': time({
      experiment: 'Layer normalization takes longer than root mean square normalization, both as one fused kernel.',
      networks: 'the layer alone, at 4 x 128 x 768 (BERT base)',
      conditions: {
        training: slower(layer, rms, SHAPES.transformer, true),
        prediction: slower(layer, rms, SHAPES.transformer, false),
      },
    }),
    'Reduces computation by skipping mean subtraction': time({
      experiment:
        'Composed of ordinary operations, layer normalization takes longer than the same without subtracting the mean.',
      networks: 'the formulas alone, at 4 x 128 x 768 (BERT base)',
      conditions: {
        prediction: async ({ seed, frame }) => {
          const x = tf.randomNormal([...SHAPES.transformer], 0, 1, 'float32', seed);
          const call = (norm: (x: tf.Tensor) => tf.Tensor) => () =>
            tf.tidy(() => tf.slice(tf.reshape(norm(x), [-1]), [0], [1]));
          const slowerBy = await ratio(call(composed.layer), call(composed.rms), frame);
          x.dispose();
          return slowerBy;
        },
      },
    }),
    'Suitable for large-scale models': digits({
      experiment: 'A transformer of four blocks does better with root mean square normalization than without.',
      networks: 'four post-norm blocks of attention, 16 features wide',
      limit: 'Four blocks of 16 features are no large model.',
      conditions: { 'four blocks': gain(transformer('rms'), transformer('none')) },
    }),
  },
  {
    'Lack of mean subtraction can cause instability in certain tasks': digits({
      experiment:
        'Where all pixels are brighter by the same, a network whose inputs are normalized does worse with root mean square than with layer normalization.',
      threshold: 2,
      data: 'MNIST digits of 14 x 14 pixels, as they are, or with 3 or 30 added to each pixel',
      networks: 'the normalization, a dense layer of 32 units with a ReLU, and another',
      conditions: Object.fromEntries(
        (['plain', 'offset 3', 'offset 30'] as const).map((data) => [
          data === 'plain' ? 'no offset' : data,
          gain(offset('layer, last axis', data), offset('rms', data)),
        ]),
      ),
    }),
  },
);
