import { batchNormalization, switchableNormalization } from 'tfjs-normalizations';
import { claimsOf } from './claim.ts';
import { parameters, SHAPES, slower } from './costs.ts';
import { betterAtItsWorst, digits, time } from './families.ts';
import { farthest, trainedGates } from './gate-runs.ts';

const switchable = () => switchableNormalization();
const batch = () => batchNormalization();

export const switchableClaims = claimsOf(
  'SwitchableNormalization',
  'switchable',
  {
    'Adapts to the specific needs of each layer': {
      experiment:
        'After training, the weights of instance, layer and batch statistics differ between two layers, and between two tasks.',
      measure: 'largest difference of a weight, from 0 to 1, after 40 steps from one third each',
      unit: 'weight',
      threshold: 0.05,
      data: 'MNIST digits in ten styles: five colours, strong or weak',
      networks: 'two convolutions of 16 channels, each with switchable normalization',
      conditions: {
        'between layers': async (run) => {
          const [first, second] = await trainedGates('SwitchableNormalization', 'digit', run);
          return farthest(first, second);
        },
        'between tasks': async (run) => {
          const style = await trainedGates('SwitchableNormalization', 'style', run);
          const digit = await trainedGates('SwitchableNormalization', 'digit', run);
          return farthest(style.flat(), digit.flat());
        },
      },
    },
    'Can combine strengths of BatchNorm, InstanceNorm, and LayerNorm': digits({
      experiment:
        'Of three tasks (plain digits, a contrast that was not trained with, the contrast as label) it does better at its worst than each of the three at theirs.',
      conditions: {
        'three tasks': betterAtItsWorst(
          'switchable',
          ['batch', 'instance', 'layer'],
          [{}, { data: 'weaker contrast' }, { data: 'contrast as label' }],
        ),
      },
    }),
  },
  {
    'Computationally expensive': time({
      experiment: 'Switchable normalization takes at least half as long again as batch normalization.',
      threshold: 50,
      networks: 'the layer alone, at 4 x 56 x 56 x 64 (ResNet-50)',
      conditions: {
        training: slower(switchable, batch, SHAPES.vision, true),
        prediction: slower(switchable, batch, SHAPES.vision, false),
      },
    }),
    'Requires extra parameters for weighting': {
      experiment: 'Switchable normalization learns more numbers than batch normalization.',
      measure: 'numbers learned beyond those of batch normalization',
      unit: 'numbers',
      threshold: 1,
      data: 'none',
      networks: 'the layer alone, for 64 channels',
      conditions: {
        '64 channels': async () => parameters(switchable, SHAPES.vision) - parameters(batch, SHAPES.vision),
      },
    },
  },
);
