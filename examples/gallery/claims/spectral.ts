import * as tf from '@tensorflow/tfjs';
import { spectralNormalization } from 'tfjs-normalizations';
import { claimsOf } from './claim.ts';
import { SHAPES, slower } from './costs.ts';
import { better, steepest } from './critics.ts';
import { digits, time } from './families.ts';
import { difference, growth } from './inside.ts';
import { convolutional, gain } from './learning.ts';

const gans = {
  data: 'a ring of eight Gaussians in the plane',
  networks:
    'a generator and a critic of 64 units in each hidden layer, 200 steps with the hinge loss at two learning rates',
};
const dense = () => tf.layers.dense({ units: 512 });

export const spectral = claimsOf(
  'SpectralNormalization',
  'spectral',
  {
    'Ensures a bounded Lipschitz constant': {
      ...gans,
      experiment:
        'The steepest slope of a spectrally normalized critic stays below 1, within 5 %, and the plain one is at least twice as steep.',
      measure: 'room below 1.05, in slope; or how many times as steep the plain critic is, beyond twice',
      unit: 'slope',
      threshold: 0,
      conditions: {
        'a bound of 1': async (run) => 1.05 - (await steepest(true, run)),
        'beside the plain critic': async (run) => (await steepest(false, run)) / (await steepest(true, run)) - 2,
      },
    },
    'Stabilizes GAN training': {
      ...gans,
      experiment:
        'The generator that learns from a spectrally normalized critic makes samples nearer to the data, and reaches more of them.',
      measure: 'difference of the share of samples near the data times the share of the data near samples',
      unit: 'points',
      threshold: 5,
      limit: 'After 200 steps neither generator has learned the ring; the page ‘Critic of a GAN’ trains longer.',
      conditions: {
        'the better learning rate of each': (run) => better(Math.max, run),
        'the worse learning rate of each': (run) => better(Math.min, run),
      },
    },
    'Reduces exploding gradients': {
      experiment: 'On their way through eight layers, gradients grow less with spectral normalization than without.',
      measure: 'difference of the growth of the gradient from the outputs to the inputs, in powers of ten',
      unit: 'powers of ten',
      threshold: 1,
      data: 'MNIST digits of 14 x 14 pixels',
      networks:
        'eight dense layers of 32 units before training, with first weights as usual (He) or three times as large',
      conditions: {
        'weights as usual': difference((norm, run) => growth(norm, 1, run), 'none' as const, 'spectral' as const),
        'weights three times as large': difference(
          (norm, run) => growth(norm, 3, run),
          'none' as const,
          'spectral' as const,
        ),
      },
    },
  },
  {
    'Can increase computational overhead': time({
      experiment: 'A dense layer takes longer with spectral normalization than without.',
      networks: 'a dense layer from 512 to 512 features, with batches of 64',
      conditions: {
        training: slower(() => spectralNormalization({ layer: dense() }), dense, SHAPES.dense, true),
        prediction: slower(() => spectralNormalization({ layer: dense() }), dense, SHAPES.dense, false),
      },
    }),
    'Specialized for GANs, less generalizable': digits({
      experiment: 'As a classifier of digits, a spectrally normalized network is behind others.',
      conditions: {
        'against none': gain(convolutional('none', 32), convolutional('spectral', 32)),
        'against batch normalization': gain(convolutional('batch', 32), convolutional('spectral', 32)),
      },
    }),
  },
);
