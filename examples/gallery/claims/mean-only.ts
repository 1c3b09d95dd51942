import { batchNormalization, meanOnlyBatchNormalization } from 'tfjs-normalizations';
import { claimsOf } from './claim.ts';
import { SHAPES, slower } from './costs.ts';
import type { DataName } from './data.ts';
import { digits, time } from './families.ts';
import { difference, meanShift } from './inside.ts';
import { convolutional, gain, type Trial } from './learning.ts';

const batch = () => batchNormalization();
const meanOnly = () => meanOnlyBatchNormalization();
const dense = (norm: Trial['norm'], data: DataName): Trial => ({ network: 'dense', norm, data, batch: 32, steps: 60 });

export const meanOnlyClaims = claimsOf(
  'MeanOnlyBatchNormalization',
  'mean-only',
  {
    'Computationally efficient': time({
      experiment: 'Batch normalization takes longer than mean-only batch normalization.',
      networks: 'the layer alone, at 4 x 56 x 56 x 64 (ResNet-50)',
      conditions: {
        training: slower(batch, meanOnly, SHAPES.vision, true),
        prediction: slower(batch, meanOnly, SHAPES.vision, false),
      },
    }),
    'Prevents mean-shift': {
      experiment:
        'After a training, what goes into ReLUs is nearer to a mean of 0 with mean-only batch normalization than without.',
      measure: 'difference of the mean distance of the means from 0, in standard deviations',
      unit: 'deviations',
      threshold: 0.5,
      data: 'MNIST digits of 14 x 14 pixels, as they are, or with 3 added to each pixel',
      networks: 'two dense layers of 32 units, 40 steps',
      conditions: {
        'no offset': difference((norm, run) => meanShift(norm, 'plain', run), 'none' as const, 'mean-only' as const),
        'offset 3': difference((norm, run) => meanShift(norm, 'offset 3', run), 'none' as const, 'mean-only' as const),
      },
    },
    'Simplifies training': digits({
      experiment: 'Dense layers learn more with mean-only batch normalization than without.',
      data: 'MNIST digits of 14 x 14 pixels, as they are, or with 3 added to each pixel',
      networks: 'two dense layers of 32 units',
      conditions: Object.fromEntries(
        (['plain', 'offset 3'] as const).map((data) => [
          data === 'plain' ? 'no offset' : data,
          gain(dense('mean-only', data), dense('none', data)),
        ]),
      ),
    }),
  },
  {
    'Skips variance normalization, less robust for complex data': digits({
      experiment:
        'Where the contrast of digits is heavy-tailed, mean-only batch normalization is behind batch normalization; plain digits for comparison.',
      data: 'MNIST digits of 14 x 14 pixels, as they are, or each times e to the power of a normal number',
      conditions: {
        'plain digits': gain(convolutional('batch', 32), convolutional('mean-only', 32)),
        'heavy tails': gain(
          convolutional('batch', 32, { data: 'heavy tails' }),
          convolutional('mean-only', 32, { data: 'heavy tails' }),
        ),
      },
    }),
  },
);
