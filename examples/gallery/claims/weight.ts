import { claimsOf } from './claim.ts';
import { digits } from './families.ts';
import { convolutional, gain, steadier, type Trial } from './learning.ts';

const started = (norm: Trial['norm'], start: number): Trial => ({ network: 'deep', norm, start, batch: 32, steps: 50 });
const early = (network: Trial['network'], norm: Trial['norm']): Trial => ({ network, norm, batch: 32, steps: 30 });

export const weight = claimsOf(
  'WeightNormalization',
  'weight',
  {
    'Simplifies optimization': digits({
      experiment:
        'From weights of a wrong scale, eight dense layers learn more with weight normalization, started by the first batch, than without.',
      threshold: 2,
      networks:
        'eight dense layers of 32 units, whose first weights are a third, one or three times as large as usual (He)',
      conditions: Object.fromEntries(
        [1 / 3, 1, 3].map((start) => [
          `weights ${start === 1 ? 'as usual' : start < 1 ? 'a third as large' : 'three times as large'}`,
          gain(started('weight', start), started('none', start)),
        ]),
      ),
    }),
    'Improves training speed': digits({
      experiment: 'After 30 steps with batches of 32, weight normalization is ahead of none.',
      threshold: 2,
      networks: 'two convolutions; eight dense layers of 32 units',
      conditions: {
        'two convolutions': gain(early('convolutional', 'weight'), early('convolutional', 'none')),
        'eight dense layers': gain(early('deep', 'weight'), early('deep', 'none')),
      },
    }),
    'Less sensitive to batch size': digits({
      experiment:
        'From batches of 32 to batches of 2, weight normalization loses less accuracy than batch normalization.',
      threshold: 2,
      conditions: { 'batches of 32 and of 2': steadier('weight', 'batch') },
    }),
  },
  {
    'Needs to be combined with other methods for optimal performance': digits({
      experiment:
        'Weight normalization together with mean-only batch normalization is better than alone, and so is batch normalization.',
      conditions: {
        'mean-only batch normalization besides': gain(
          convolutional('weight and mean-only', 32),
          convolutional('weight', 32),
        ),
        'batch normalization instead': gain(convolutional('batch', 32), convolutional('weight', 32)),
      },
    }),
  },
);
