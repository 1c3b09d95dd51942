import { batchNormalization, batchRenormalization } from 'tfjs-normalizations';
import { claimsOf } from './claim.ts';
import { SHAPES, slower } from './costs.ts';
import { digits, time } from './families.ts';
import { convolutional, gain, type Trial } from './learning.ts';

const renorm = () => batchRenormalization();
const batch = () => batchNormalization();
const sorted = (norm: Trial['norm'], size: number) => convolutional(norm, size, { order: 'two labels in a batch' });

export const renormClaims = claimsOf(
  'BatchRenormalization',
  'renorm',
  {
    'Works with small mini-batches': digits({
      experiment: 'With small batches, batch renormalization is better than batch normalization.',
      conditions: Object.fromEntries(
        [2, 8].map((size) => [`batches of ${size}`, gain(convolutional('renorm', size), convolutional('batch', size))]),
      ),
    }),
    'More stable for online learning or non-i.i.d. data': digits({
      experiment:
        'Where each batch holds only two of the ten digits, batch renormalization is better than batch normalization.',
      threshold: 2,
      conditions: Object.fromEntries(
        [8, 32].map((size) => [`batches of ${size}`, gain(sorted('renorm', size), sorted('batch', size))]),
      ),
    }),
  },
  {
    'Additional complexity': {
      experiment: 'Batch renormalization has more to be set than batch normalization.',
      measure: 'options of the layer that batch normalization does not have',
      unit: 'options',
      threshold: 1,
      data: 'none',
      networks: 'the layer alone',
      conditions: {
        options: async () => {
          const known = new Set(Object.keys(batch().getConfig()));
          return Object.keys(renorm().getConfig()).filter((name) => !known.has(name)).length;
        },
      },
    },
    'Slightly slower than standard BatchNorm': time({
      experiment: 'Batch renormalization takes longer than batch normalization.',
      threshold: 2,
      networks: 'the layer alone, at 4 x 56 x 56 x 64 (ResNet-50)',
      conditions: {
        training: slower(renorm, batch, SHAPES.vision, true),
        prediction: slower(renorm, batch, SHAPES.vision, false),
      },
    }),
  },
);
