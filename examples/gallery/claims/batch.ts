import { claimsOf } from './claim.ts';
import type { DataName } from './data.ts';
import { digits } from './families.ts';
import { convolutional, gain, score, type Trial } from './learning.ts';

const deep = (norm: Trial['norm']): Trial => ({ network: 'deep', norm, batch: 32, steps: 30 });
const recurrent = (norm: Trial['norm'], data: DataName = 'plain'): Trial => ({
  network: 'recurrent',
  norm,
  data,
  batch: 32,
  steps: 40,
});
const few = (norm: Trial['norm'], batch: number): Trial =>
  convolutional(norm, batch, { examples: 200, steps: (200 * 8) / batch });

/** How much better a network does on what it was trained with. */
const gapOf = async (trial: Trial, run: Parameters<typeof score>[1]) => {
  const { accuracy, trained } = await score(trial, run);
  return trained - accuracy;
};

export const batch = claimsOf(
  'BatchNormalization',
  'batch',
  {
    'Accelerates convergence': digits({
      experiment: 'After 30 steps with batches of 32, batch normalization is ahead of none.',
      threshold: 2,
      networks: 'two convolutions; eight dense layers of 32 units',
      conditions: {
        'two convolutions': gain(convolutional('batch', 32, { steps: 30 }), convolutional('none', 32, { steps: 30 })),
        'eight dense layers': gain(deep('batch'), deep('none')),
      },
    }),
    'Provides regularization': digits({
      experiment:
        'Trained 8 times with the same 200 digits, batch normalization does less better on them than on others than none does.',
      measure:
        'difference of the gap between the accuracies in training and test, each at the best of three learning rates',
      conditions: Object.fromEntries(
        [10, 40].map((size) => [
          `batches of ${size}`,
          async (run) => (await gapOf(few('none', size), run)) - (await gapOf(few('batch', size), run)),
        ]),
      ),
    }),
    'Effective for large batches': digits({
      experiment: 'With batches of 64, batch normalization is better than none.',
      conditions: { 'batches of 64': gain(convolutional('batch', 64), convolutional('none', 64)) },
    }),
  },
  {
    'Ineffective with small batches': digits({
      experiment: 'With small batches, batch normalization is worse than none.',
      threshold: 2,
      limit:
        'Trained for few steps; in the Batch size lab, with more, batch normalization falls far behind at a batch of 1.',
      conditions: Object.fromEntries(
        [1, 2].map((size) => [`batches of ${size}`, gain(convolutional('none', size), convolutional('batch', size))]),
      ),
    }),
    'Not ideal for RNNs or variable-length sequences': digits({
      experiment:
        'In a recurrent network that reads digits row by row, batch normalization in each step is worse than layer normalization.',
      threshold: 2,
      data: 'MNIST digits of 14 rows; or of 7 to 14 rows, padded with zeros',
      networks: 'h = tanh(norm(W x + U h)) with 32 units',
      conditions: {
        'sequences of one length': gain(recurrent('layer, last axis'), recurrent('batch')),
        'sequences of varying length': gain(
          recurrent('layer, last axis', 'varying length'),
          recurrent('batch', 'varying length'),
        ),
      },
    }),
  },
);
