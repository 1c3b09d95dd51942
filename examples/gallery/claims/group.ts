import { claimsOf } from './claim.ts';
import { digits, spreadsMore } from './families.ts';
import { convolutional, gain, steadier } from './learning.ts';

export const group = claimsOf(
  'GroupNormalization',
  'group',
  {
    'Works well with small mini-batches': digits({
      experiment: 'With small batches, group normalization is better than batch normalization.',
      threshold: 2,
      limit:
        'Trained for few steps; in the Batch size lab, with more, batch normalization falls far behind at a batch of 1.',
      conditions: Object.fromEntries(
        [1, 2].map((size) => [`batches of ${size}`, gain(convolutional('group', size), convolutional('batch', size))]),
      ),
    }),
    'Effective for visual recognition tasks': digits({
      experiment: 'A convolutional network reads digits better with group normalization than without.',
      conditions: Object.fromEntries(
        [2, 32].map((size) => [`batches of ${size}`, gain(convolutional('group', size), convolutional('none', size))]),
      ),
    }),
    'Less sensitive to batch size': digits({
      experiment:
        'From batches of 32 to batches of 2, group normalization loses less accuracy than batch normalization.',
      threshold: 2,
      conditions: { 'batches of 32 and of 2': steadier('group', 'batch') },
    }),
  },
  {
    'Needs manual tuning of the number of groups': digits({
      experiment: 'The accuracies with 1, 2, 4 and 8 groups differ more than those of four other starts with 4 groups.',
      measure:
        'difference of the spreads, from the lowest to the highest accuracy, each at the best of three learning rates',
      conditions: {
        'batches of 8': spreadsMore(
          [1, 2, 4, 8].map((groups) => convolutional('group', 8, { groups })),
          convolutional('group', 8, { groups: 4 }),
        ),
      },
    }),
    'Not as effective as BatchNorm with large batches': digits({
      experiment: 'With batches of 64, group normalization is behind batch normalization.',
      conditions: { 'batches of 64': gain(convolutional('batch', 64), convolutional('group', 64)) },
    }),
  },
);
