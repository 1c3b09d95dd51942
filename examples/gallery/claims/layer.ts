import { batchNormalization, layerNormalization } from 'tfjs-normalizations';
import { claimsOf } from './claim.ts';
import { SHAPES, slower } from './costs.ts';
import type { DataName } from './data.ts';
import { digits, time } from './families.ts';
import { convolutional, gain, steadier, type Trial } from './learning.ts';

const sequence = (network: Trial['network'], norm: Trial['norm'], data: DataName = 'plain'): Trial => ({
  network,
  norm,
  data,
  batch: 32,
  steps: network === 'recurrent' ? 40 : 30,
});
const helps = (network: Trial['network'], data: DataName = 'plain') =>
  gain(sequence(network, 'layer, last axis', data), sequence(network, 'none', data));

export const layer = claimsOf(
  'LayerNormalization',
  'layer',
  {
    'Independent of batch size': digits({
      experiment:
        'From batches of 32 to batches of 2, layer normalization loses less accuracy than batch normalization.',
      threshold: 2,
      conditions: { 'batches of 32 and of 2': steadier('layer', 'batch') },
    }),
    'Works well with RNNs and transformers': digits({
      experiment:
        'A recurrent network and a transformer that read digits row by row do better with layer normalization than without.',
      networks: 'h = tanh(norm(W x + U h)) with 32 units; four post-norm blocks of attention, 16 features wide',
      conditions: {
        'a recurrent network': helps('recurrent'),
        'a transformer': helps('transformer'),
      },
    }),
    'Effective for sequential data': digits({
      experiment:
        'On sequences that vary in length, or whose level drifts, a recurrent network does better with layer normalization than without.',
      data: 'MNIST digits of 7 to 14 rows, padded with zeros; or each with an offset of its own, from -2 to 2',
      networks: 'h = tanh(norm(W x + U h)) with 32 units',
      conditions: {
        'varying length': helps('recurrent', 'varying length'),
        'drifting level': helps('recurrent', 'drifting'),
      },
    }),
  },
  {
    'Computationally more intensive than BatchNorm': time({
      experiment: 'Layer normalization takes longer than batch normalization of the same activations.',
      conditions: {
        'training, 4 x 128 x 768': slower(
          () => layerNormalization(),
          () => batchNormalization(),
          SHAPES.transformer,
          true,
        ),
        'prediction, 4 x 128 x 768': slower(
          () => layerNormalization(),
          () => batchNormalization(),
          SHAPES.transformer,
          false,
        ),
        'training, 4 x 56 x 56 x 64': slower(
          () => layerNormalization(),
          () => batchNormalization(),
          SHAPES.vision,
          true,
        ),
      },
    }),
    'Not as effective for convolutional layers': digits({
      experiment: 'In a convolutional network with batches of 32, layer normalization is behind batch normalization.',
      conditions: {
        'normalized over channels': gain(convolutional('batch', 32), convolutional('layer, last axis', 32)),
        'normalized over channels and positions': gain(convolutional('batch', 32), convolutional('layer', 32)),
      },
    }),
  },
);
