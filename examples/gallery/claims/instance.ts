import { claimsOf } from './claim.ts';
import type { DataName } from './data.ts';
import { digits } from './families.ts';
import { convolutional, gain, type Trial } from './learning.ts';
import { paintsBetter } from './painting.ts';

const on = (norm: Trial['norm'], data: DataName) => convolutional(norm, 32, { data });

export const instance = claimsOf(
  'InstanceNormalization',
  'instance',
  {
    'Effective for tasks requiring instance-level statistics': digits({
      experiment: 'Where digits differ in contrast, instance normalization reads them better than batch normalization.',
      threshold: 2,
      data: 'MNIST digits of 14 x 14 pixels; tested with three tenths of the contrast, or each of its own contrast (0.15 to 1.2)',
      conditions: {
        'a contrast that was not trained with': gain(on('instance', 'weaker contrast'), on('batch', 'weaker contrast')),
        'mixed contrasts': gain(on('instance', 'mixed contrast'), on('batch', 'mixed contrast')),
      },
    }),
    'Good for style transfer': {
      experiment:
        'A network that paints digits in stripes comes closer to style and content with instance than with batch normalization.',
      measure:
        'by how many percent the loss of style and content is lower on 100 other digits, each at the better of two learning rates',
      unit: '% of loss',
      threshold: 5,
      data: 'MNIST digits of 14 x 14 pixels, of one contrast or mixed contrasts, and diagonal stripes',
      networks: 'three convolutions (8, 8 and 1 channels), judged by the Gram matrix of random features',
      conditions: {
        'contents of one contrast': paintsBetter('plain'),
        'contents of mixed contrasts': paintsBetter('mixed contrast'),
      },
    },
  },
  {
    'Ignores global batch statistics': digits({
      experiment:
        'Asked for the contrast of a picture, one of four, instance normalization does worse than batch normalization.',
      threshold: 10,
      conditions: { 'contrast as label': gain(on('batch', 'contrast as label'), on('instance', 'contrast as label')) },
    }),
    'Less effective for tasks requiring batch-wide consistency': digits({
      experiment:
        'Asked for the contrast of a picture, which only means something beside others, instance normalization does worse than none.',
      threshold: 10,
      conditions: { 'contrast as label': gain(on('none', 'contrast as label'), on('instance', 'contrast as label')) },
    }),
  },
);
