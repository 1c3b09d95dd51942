import { batchInstanceNormalization, batchNormalization } from 'tfjs-normalizations';
import { claimsOf } from './claim.ts';
import { parameters, SHAPES, slower } from './costs.ts';
import { betterAtItsWorst, digits, spreadsMore, time } from './families.ts';
import { trainedGates } from './gate-runs.ts';
import { convolutional } from './learning.ts';
import { meanOf } from './verdict.ts';

const both = () => batchInstanceNormalization();
const batch = () => batchNormalization();

export const batchInstance = claimsOf(
  'BatchInstanceNormalization',
  'batch-instance',
  {
    'Flexibility in balancing global and instance-level statistics': {
      experiment:
        'Asked for the style of a picture, the gates take more of the batch than asked for its digit, where contrast and colour are noise.',
      measure: 'difference of the mean gate, from 0 (instance) to 1 (batch), after 40 steps from one half',
      unit: 'gate',
      threshold: 0.05,
      data: 'MNIST digits in ten styles: five colours, strong or weak',
      networks: 'two convolutions of 16 channels, each with batch-instance normalization',
      conditions: {
        'style or digit': async (run) => {
          const [style, digit] = [
            await trainedGates('BatchInstanceNormalization', 'style', run),
            await trainedGates('BatchInstanceNormalization', 'digit', run),
          ];
          return meanOf(style.flat()) - meanOf(digit.flat());
        },
      },
    },
    'Adaptable to various vision tasks': digits({
      experiment:
        'Of two tasks, a contrast that was not trained with and the contrast as label, it does better at its worse one than batch and instance normalization at theirs.',
      limit: 'Two tasks are few.',
      conditions: {
        'two tasks': betterAtItsWorst(
          'batch-instance',
          ['batch', 'instance'],
          [{ data: 'weaker contrast' }, { data: 'contrast as label' }],
        ),
      },
    }),
  },
  {
    'Additional complexity with two normalizations': time({
      experiment: 'Batch-instance normalization takes longer than batch normalization, and learns more numbers.',
      measure:
        'by how many percent the median call takes longer, of 31 in turns; or by how many percent more numbers are learned',
      unit: '%',
      networks: 'the layer alone, at 4 x 56 x 56 x 64 (ResNet-50)',
      conditions: {
        'time of training': slower(both, batch, SHAPES.vision, true),
        'time of prediction': slower(both, batch, SHAPES.vision, false),
        'numbers learned': async () => 100 * (parameters(both, SHAPES.vision) / parameters(batch, SHAPES.vision) - 1),
      },
    }),
    'Needs fine-tuning for optimal balance': digits({
      experiment:
        'The accuracies with gates that start at 0, one half and 1 differ more than those of three other starts of the weights.',
      measure:
        'difference of the spreads, from the lowest to the highest accuracy, each at the best of three learning rates',
      data: 'MNIST digits of 14 x 14 pixels, tested with three tenths of the contrast',
      conditions: {
        'a contrast that was not trained with': spreadsMore(
          [0, 0.5, 1].map((rho) => convolutional('batch-instance', 32, { rho, data: 'weaker contrast' })),
          convolutional('batch-instance', 32, { rho: 0.5, data: 'weaker contrast' }),
        ),
      },
    }),
  },
);
