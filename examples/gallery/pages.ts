/** The pages in the order of the navigation. Each is a folder of this name with index.html and main.ts. */
import type { Named } from './shared/colors.ts';

export interface PageEntry {
  readonly folder: string;
  readonly title: string;
  /** One sentence for the start page. */
  readonly summary: string;
  readonly layers: readonly Named[];
}

/** The start page. */
export const start = {
  title: 'tfjs-normalizations: see what each normalization does',
  summary: 'Normalizations for TensorFlow.js, on real data, trained in your browser by the real kernels.',
} as const;

export const pages: readonly PageEntry[] = [
  {
    folder: 'style-transfer',
    title: 'Style transfer',
    summary: 'One network paints in 26 styles, and only the gammas and betas of its instance normalizations change.',
    layers: ['InstanceNormalization', 'AdaptiveInstanceNormalization', 'FeaturewiseLinearModulation'],
  },
  {
    folder: 'batch-size',
    title: 'Batch size lab',
    summary: 'Train the same network on handwritten digits with a batch of 2, and see who still learns.',
    layers: [
      'BatchNormalization',
      'GroupNormalization',
      'LayerNormalization',
      'BatchRenormalization',
      'MeanOnlyBatchNormalization',
      'WeightNormalization',
      'WeightStandardization',
      'FilterResponseNormalization',
    ],
  },
  {
    folder: 'averages',
    title: 'What is averaged with what',
    summary: 'Point at one activation, and see which others share its mean and variance, and which its gamma and beta.',
    layers: [
      'BatchNormalization',
      'InstanceNormalization',
      'LayerNormalization',
      'RMSNormalization',
      'GroupNormalization',
      'BatchInstanceNormalization',
      'SwitchableNormalization',
      'BatchRenormalization',
      'MeanOnlyBatchNormalization',
      'PixelNormalization',
      'GlobalResponseNormalization',
      'AdaptiveInstanceNormalization',
      'ConditionalBatchNormalization',
      'FeaturewiseLinearModulation',
      'AdaptiveLayerNormalization',
      'SpatiallyAdaptiveNormalization',
    ],
  },
  {
    folder: 'gates',
    title: 'Learned gates',
    summary: 'Contrast is noise in one data set and the label in another: the gates find out which.',
    layers: ['BatchInstanceNormalization', 'SwitchableNormalization'],
  },
  {
    folder: 'critic',
    title: 'Critic of a GAN',
    summary:
      'The largest singular values of a critic, with and without a bound on them, and what the generator learns.',
    layers: ['SpectralNormalization'],
  },
  {
    folder: 'attention',
    title: 'Attention',
    summary:
      'A small transformer learns a task in the page, with its logits bounded by query-key normalization or not.',
    layers: [
      'QKNormalization',
      'RMSNormalization',
      'LayerNormalization',
      'ScaleNormalization',
      'DynamicTanh',
      'DynamicErf',
      'AdaptiveLayerNormalization',
    ],
  },
  {
    folder: 'reparameterization',
    title: 'Weight normalization',
    summary:
      'Drag a weight, slide its length, and watch gradient descent with and without: where it helps, and where not.',
    layers: ['WeightNormalization'],
  },
  {
    folder: 'claims',
    title: 'Does it hold?',
    summary: '48 claims about what normalizations do well and badly, each put to the test: five seeds, and a verdict.',
    layers: [
      'BatchNormalization',
      'InstanceNormalization',
      'LayerNormalization',
      'RMSNormalization',
      'GroupNormalization',
      'WeightNormalization',
      'SpectralNormalization',
      'BatchInstanceNormalization',
      'SwitchableNormalization',
      'BatchRenormalization',
      'MeanOnlyBatchNormalization',
    ],
  },
  {
    folder: 'federated',
    title: 'Federated training',
    summary:
      'Three clients, none of which has all digits, train one network, and batch normalization is merged exactly.',
    layers: ['BatchNormalization'],
  },
  {
    folder: 'save-and-load',
    title: 'Save and load',
    summary: 'Train, save into the browser or to a file, reload the page, load, and compare the predictions.',
    layers: ['BatchNormalization', 'GroupNormalization', 'LayerNormalization', 'WeightNormalization'],
  },
  {
    folder: 'benchmark',
    title: 'Benchmark',
    summary: 'Our kernels against TensorFlow.js, on your own GPU.',
    layers: [
      'LayerNormalization',
      'RMSNormalization',
      'BatchNormalization',
      'InstanceNormalization',
      'GroupNormalization',
    ],
  },
];

export const findPage = (folder: string): PageEntry => {
  const page = pages.find((page) => page.folder === folder);
  if (!page) throw new Error(`no page '${folder}' in pages.ts`);
  return page;
};
