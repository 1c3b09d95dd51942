/**
 * What each normalization is for, in one place: the tables of the README and the guides, the docstrings of the classes and the
 * gallery say the same because they take it from here; and which one suits a network. Not part of the entry; import
 * `tfjs-normalizations/layers/catalog`.
 *
 * @module tfjs-normalizations/layers/catalog
 */
import { fail, show } from '../kernels/core/errors.ts';

/** One normalization, and what it is for. */
export interface CatalogEntry {
  /** The name of the layer's class. */
  readonly className: string;
  /** The values that share one statistic. */
  readonly axis: string;
  /** The formula of training, in one line. */
  readonly formula: string;
  /** Advantages, as phrases that a comma or semicolon can join. */
  readonly advantages: readonly string[];
  /** Disadvantages, as such phrases. */
  readonly disadvantages: readonly string[];
  /** The networks for which it serves best. */
  readonly use: string;
  /** The paper that proposed it. */
  readonly paper: Paper;
}

/** A citation. */
export interface Paper {
  /** The last names of the authors. */
  readonly authors: string;
  /** The title, shortened if it is long. */
  readonly title: string;
  /** The year of the first version. */
  readonly year: number;
  /** The page of the paper on arXiv. */
  readonly url: string;
}

const arxiv = (authors: string, title: string, year: number, id: string): Paper => ({
  authors,
  title,
  year,
  url: `https://arxiv.org/abs/${id}`,
});

const weightNormalizationPaper = arxiv('Salimans, Kingma', 'Weight Normalization', 2016, '1602.07868');

/**
 * The normalizations: twelve that are long in use, then those whose scale and shift come from another input, then younger ones.
 *
 * @example
 * ```js
 * import { catalog } from 'tfjs-normalizations/layers/catalog';
 *
 * catalog.length; // 24
 * catalog[0].formula; // 'γ (x − μ) / √(σ² + ε) + β'
 * ```
 */
export const catalog: readonly CatalogEntry[] = [
  {
    className: 'BatchNormalization',
    axis: 'the batch and all positions, per channel',
    formula: 'γ (x − μ) / √(σ² + ε) + β',
    advantages: ['speeds up convergence', 'regularizes', 'works well with large batches'],
    disadvantages: ['fails with small batches', 'does not suit recurrent networks and sequences of varying length'],
    use: 'convolutional and fully connected networks for vision',
    paper: arxiv('Ioffe, Szegedy', 'Batch Normalization', 2015, '1502.03167'),
  },
  {
    className: 'InstanceNormalization',
    axis: 'the positions, per example and channel',
    formula: 'γ (x − μ) / √(σ² + ε) + β',
    advantages: ['right where the statistics of the single example matter', 'works well for style transfer'],
    disadvantages: [
      'ignores the statistics of the batch',
      'weaker where examples must stay comparable across the batch',
    ],
    use: 'style transfer, generative adversarial networks',
    paper: arxiv('Ulyanov, Vedaldi, Lempitsky', 'Instance Normalization', 2016, '1607.08022'),
  },
  {
    className: 'LayerNormalization',
    axis: 'the features, per example',
    formula: 'γ (x − μ) / √(σ² + ε) + β',
    advantages: [
      'independent of the batch size',
      'works well in recurrent networks and transformers',
      'suits sequences',
    ],
    disadvantages: ['costs more computation than batch normalization', 'less effective in convolutional layers'],
    use: 'transformers, recurrent networks, attention models',
    paper: arxiv('Ba, Kiros, Hinton', 'Layer Normalization', 2016, '1607.06450'),
  },
  {
    className: 'RMSNormalization',
    axis: 'the features, per example, by their root mean square',
    formula: 'γ x / (√mean(x²) + ε) + β',
    advantages: ['a cheaper layer normalization', 'saves computation by not subtracting a mean', 'suits large models'],
    disadvantages: ['without a mean subtracted, some tasks become unstable'],
    use: 'transformers and large models where efficiency counts',
    paper: arxiv('Zhang, Sennrich', 'Root Mean Square Layer Normalization', 2019, '1910.07467'),
  },
  {
    className: 'GroupNormalization',
    axis: 'the positions and groups of channels, per example',
    formula: 'γ (x − μ) / √(σ² + ε) + β',
    advantages: ['works with small batches', 'effective for visual recognition', 'hardly depends on the batch size'],
    disadvantages: [
      'the number of groups must be chosen by hand',
      'falls behind batch normalization with large batches',
    ],
    use: 'vision models such as residual networks and object detectors',
    paper: arxiv('Wu, He', 'Group Normalization', 2018, '1803.08494'),
  },
  {
    className: 'WeightNormalization',
    axis: 'the weights of each output unit',
    formula: 'w = g v / ‖v‖',
    advantages: ['makes optimization simpler', 'trains faster', 'hardly depends on the batch size'],
    disadvantages: ['does its best only in combination with other methods'],
    use: 'reinforcement learning, generative models',
    paper: weightNormalizationPaper,
  },
  {
    className: 'SpectralNormalization',
    axis: 'the whole weight matrix, by its spectral norm',
    formula: 'w / σ(w), σ the largest singular value',
    advantages: ['bounds the Lipschitz constant', 'stabilizes the training of GANs', 'keeps gradients from exploding'],
    disadvantages: ['adds computation', 'made for GANs and less general'],
    use: 'generative adversarial networks, above all the discriminator',
    paper: arxiv('Miyato, Kataoka, Koyama, Yoshida', 'Spectral Normalization for GANs', 2018, '1802.05957'),
  },
  {
    className: 'BatchInstanceNormalization',
    axis: 'a learned mix of batch and instance statistics, per channel',
    formula: 'γ (ρ x̂_batch + (1 − ρ) x̂_instance) + β',
    advantages: ['balances statistics of the batch and of the example as needed', 'adapts to different vision tasks'],
    disadvantages: ['two normalizations are more complex than one', 'the best balance may take tuning'],
    use: 'vision tasks such as style transfer and object detection',
    paper: arxiv('Nam, Kim', 'Batch-Instance Normalization', 2018, '1805.07925'),
  },
  {
    className: 'SwitchableNormalization',
    axis: 'a learned weighting of instance, layer and batch statistics',
    formula: 'γ (x − Σ wₖ μₖ) / √(Σ w′ₖ σ²ₖ + ε) + β',
    advantages: [
      'adapts to what each layer needs',
      'combines the strengths of batch, instance and layer normalization',
    ],
    disadvantages: ['costs more computation', 'needs further parameters for the weights'],
    use: 'deep networks in general, where adapting is the point',
    paper: arxiv('Luo, Ren, Peng, Zhang, Li', 'Differentiable Learning-to-Normalize', 2018, '1806.10779'),
  },
  {
    className: 'BatchRenormalization',
    axis: 'the batch and all positions, per channel, corrected towards moving averages',
    formula: 'γ ((x − μ) / σ · r + d) + β',
    advantages: ['works with small batches', 'steadier in online learning and on non-i.i.d. data'],
    disadvantages: ['more complex', 'a little slower than batch normalization'],
    use: 'training with small batches, online learning, reinforcement learning',
    paper: arxiv('Ioffe', 'Batch Renormalization', 2017, '1702.03275'),
  },
  {
    className: 'MeanOnlyBatchNormalization',
    axis: 'the batch and all positions, per channel, the mean alone',
    formula: 'x − μ + β',
    advantages: ['cheap to compute', 'prevents a shift of the mean'],
    disadvantages: ['does not normalize the variance, so it is less robust on complex data'],
    use: 'large models where the variance need not be normalized',
    paper: { ...weightNormalizationPaper, title: 'Weight Normalization (section 4)' },
  },
  {
    className: 'QKNormalization',
    axis: 'the width of each query and key',
    formula: 'softmax(g q̂ k̂ᵀ) v, q̂ = q / ‖q‖, k̂ = k / ‖k‖',
    advantages: [
      'keeps attention logits bounded, so that softmax does not saturate',
      'better translation from little data',
    ],
    disadvantages: ['needs a typical sequence length to start its scale', 'serves attention alone'],
    use: 'transformers, above all on small data',
    paper: arxiv('Henry, Dachapally, Pawar, Chen', 'Query-Key Normalization for Transformers', 2020, '2010.04245'),
  },
  {
    className: 'AdaptiveInstanceNormalization',
    axis: 'the positions, per example and channel; scale and shift are the statistics of a style',
    formula: 'σ(s) (x − μ(x)) / σ(x) + μ(s)',
    advantages: ['any style at once', 'nothing to be trained in the layer itself'],
    disadvantages: [
      'a style is no more than means and deviations of channels',
      'needs a decoder that has been trained with it',
    ],
    use: 'style transfer with styles that were not seen in training',
    paper: arxiv(
      'Huang, Belongie',
      'Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization',
      2017,
      '1703.06868',
    ),
  },
  {
    className: 'ConditionalBatchNormalization',
    axis: 'the batch and all positions, per channel; γ and β are of each example, from a condition',
    formula: 'γ(z) (x − μ) / √(σ² + ε) + β(z)',
    advantages: ['a condition reaches every layer of a network at little cost', 'one network serves many classes'],
    disadvantages: ['fails with small batches, as batch normalization does', 'needs a condition in inference, too'],
    use: 'class-conditional generators, and images about which something is asked',
    paper: arxiv('de Vries et al.', 'Modulating early visual processing by language', 2017, '1707.00683'),
  },
  {
    className: 'FeaturewiseLinearModulation',
    axis: 'nothing: scale and shift alone, of each example, from a condition',
    formula: 'γ(z) x + β(z)',
    advantages: ['cheap to compute', 'joins text, sound or labels with images wherever there are channels'],
    disadvantages: ['does not normalize', 'the same for all positions of an example'],
    use: 'networks with a second input, such as visual question answering',
    paper: arxiv('Perez et al.', 'FiLM: Visual Reasoning with a General Conditioning Layer', 2017, '1709.07871'),
  },
  {
    className: 'AdaptiveLayerNormalization',
    axis: 'the features, per example; scale and shift come from a condition',
    formula: '(1 + γ(z)) (x − μ) / √(σ² + ε) + β(z)',
    advantages: [
      'a condition reaches every token at little cost',
      'with gates that start at 0, deep networks train steadily',
    ],
    disadvantages: ['needs a projection of the condition in every block', 'the same for all tokens of an example'],
    use: 'diffusion transformers',
    paper: arxiv('Peebles, Xie', 'Scalable Diffusion Models with Transformers', 2022, '2212.09748'),
  },
  {
    className: 'SpatiallyAdaptiveNormalization',
    axis: 'the batch and all positions, per channel; scale and shift are of each position, from a map',
    formula: '(1 + γ(m)) (x − μ) / √(σ² + ε) + β(m)',
    advantages: ['keeps what a map says of each position, which normalization would wash away'],
    disadvantages: ['two convolutions more for every normalization', 'needs a map of each image'],
    use: 'images from segmentations',
    paper: arxiv(
      'Park, Liu, Wang, Zhu',
      'Semantic Image Synthesis with Spatially-Adaptive Normalization',
      2019,
      '1903.07291',
    ),
  },
  {
    className: 'ScaleNormalization',
    axis: 'the features, per example, by their length',
    formula: 'g x / ‖x‖',
    advantages: [
      'one parameter in place of two for each feature',
      'a little faster than layer normalization',
      'helps translation from little data',
    ],
    disadvantages: ['all features share one scale', 'needs a good start of g'],
    use: 'transformers on small data',
    paper: arxiv('Nguyen, Salazar', 'Transformers without Tears', 2019, '1910.05895'),
  },
  {
    className: 'PixelNormalization',
    axis: 'the channels of each position, by their root mean square',
    formula: 'x / √(mean(x²) + ε)',
    advantages: ['keeps the signals of a generator from growing', 'needs no weights and no batch'],
    disadvantages: ['made for generators and less general', 'forgets how strong a position is'],
    use: 'the generators of generative adversarial networks',
    paper: arxiv('Karras, Aila, Laine, Lehtinen', 'Progressive Growing of GANs', 2017, '1710.10196'),
  },
  {
    className: 'GlobalResponseNormalization',
    axis: 'the positions, per example and channel, compared across channels',
    formula: 'γ x g / (mean(g) + ε) + β + x, g = ‖x‖',
    advantages: ['keeps features from collapsing in self-supervised training', 'independent of the batch'],
    disadvantages: [
      'made for one place, the wide layer of a ConvNeXt block',
      'adds to another normalization rather than taking its place',
    ],
    use: 'ConvNeXt V2',
    paper: arxiv('Woo, Debnath, Hu and others', 'ConvNeXt V2', 2023, '2301.00808'),
  },
  {
    className: 'FilterResponseNormalization',
    axis: 'the positions, per example and channel, by their root mean square',
    formula: 'max(γ x / √(mean(x²) + ε) + β, τ)',
    advantages: [
      'independent of the batch',
      'as good as batch normalization with large batches, better with small ones',
    ],
    disadvantages: ['brings its own activation', 'needs a slow start of the learning rate'],
    use: 'convolutional networks with small batches',
    paper: arxiv('Singh, Krishnan', 'Filter Response Normalization Layer', 2019, '1911.09737'),
  },
  {
    className: 'WeightStandardization',
    axis: 'the weights of each output unit, by their mean and variance',
    formula: 'w = (v − μ) / √(σ² + ε)',
    advantages: [
      'makes the loss smoother',
      'brings group normalization up to batch normalization',
      'independent of the batch',
    ],
    disadvantages: ['needs a normalization of activations after it', 'starts by changing what the layer computes'],
    use: 'convolutions before group normalization, with small batches',
    paper: arxiv(
      'Qiao, Wang, Liu, Shen, Yuille',
      'Micro-Batch Training with Batch-Channel Normalization and Weight Standardization',
      2019,
      '1903.10520',
    ),
  },
  {
    className: 'DynamicTanh',
    axis: 'each value by itself',
    formula: 'γ tanh(α x) + β',
    advantages: ['takes no statistics, so that each value stands by itself', 'bounds what is far away'],
    disadvantages: ['alpha must start well, above all in wide models', 'can fall behind with more training'],
    use: 'transformers in place of layer normalization',
    paper: arxiv('Zhu, Chen, He, LeCun, Liu', 'Transformers without Normalization', 2025, '2503.10622'),
  },
  {
    className: 'DynamicErf',
    axis: 'each value by itself',
    formula: 'γ erf(α x + s) + β',
    advantages: [
      'takes no statistics, so that each value stands by itself',
      'fits unseen data better than a dynamic tanh',
    ],
    disadvantages: ['young and little tried', 'alpha must start well'],
    use: 'transformers in place of layer normalization',
    paper: arxiv('Chen, Lu, Zhu, Sun, Liu', 'Stronger Normalization-Free Transformers', 2025, '2512.10938'),
  },
];

/** What a network is, learns from and runs on. */
export interface Situation {
  /** The kind of network, or the part of one. */
  readonly network: NetworkKind;
  /** What it learns from. */
  readonly data: DataKind;
  /** Examples in a batch: one, 2 to 15, or more. */
  readonly batch: BatchKind;
  /** Where it has to run. */
  readonly runs: PlaceKind;
}

/** Kinds of networks. */
export type NetworkKind =
  | 'convolutional'
  | 'dense'
  | 'transformer'
  | 'recurrent'
  | 'generator'
  | 'critic'
  | 'reinforcement';
/** Kinds of data. */
export type DataKind = 'usual' | 'styles' | 'stream';
/** Sizes of batches. */
export type BatchKind = 'one' | 'small' | 'large';
/** Where networks run. */
export type PlaceKind = 'here' | 'keras';

/** Kinds of networks, in words. */
export const networks: Readonly<Record<NetworkKind, string>> = {
  convolutional: 'a convolutional network',
  dense: 'fully connected layers',
  transformer: 'a transformer, or attention',
  recurrent: 'a recurrent network',
  generator: 'style transfer, or the generator of a GAN',
  critic: 'the critic of a GAN',
  reinforcement: 'reinforcement learning, or a generative model of densities',
};
/** Kinds of data, in words. */
export const data: Readonly<Record<DataKind, string>> = {
  usual: 'shuffled, and all of one kind',
  styles: 'of several styles, contrasts or domains',
  stream: 'a stream: neighbours resemble each other, or it changes',
};
/** Sizes of batches, in words. */
export const batches: Readonly<Record<BatchKind, string>> = {
  one: 'one example',
  small: '2 to 15',
  large: '16 or more',
};
/** Where networks run, in words. */
export const places: Readonly<Record<PlaceKind, string>> = {
  here: 'TensorFlow.js alone',
  keras: 'Keras in Python, too',
};

/** What to use, and why. */
export interface Recommendation {
  /** The layer's class. */
  readonly className: string;
  /** In one sentence. */
  readonly why: string;
  /** How it is written. */
  readonly code: string;
  /** Another layer that is worth a try, or belongs beside it. */
  readonly also?: string;
}

const batch = (): Recommendation => ({
  className: 'BatchNormalization',
  why: 'In large batches of shuffled data its statistics are those of all data; when it predicts, it costs one multiplication and one addition.',
  code: 'batchNormalization()',
  also: 'GroupNormalization',
});
const group = (why: string): Recommendation => ({
  className: 'GroupNormalization',
  why,
  code: 'groupNormalization({ groups: 8 })',
  also: 'LayerNormalization',
});
const layer = (why: string): Recommendation => ({
  className: 'LayerNormalization',
  why,
  code: 'layerNormalization()',
  also: 'RMSNormalization',
});

/**
 * What to use in a situation: the first rule that fits.
 *
 * @throws if a part of the situation is none of those in the tables
 * @example
 * ```js
 * import { recommend } from 'tfjs-normalizations/layers/catalog';
 *
 * const { className, code } = recommend({ network: 'convolutional', data: 'usual', batch: 'small', runs: 'here' });
 * className; // 'GroupNormalization'
 * code; // 'groupNormalization({ groups: 8 })'
 * ```
 */
export function recommend(situation: Situation): Recommendation {
  const tables = { network: networks, data, batch: batches, runs: places };
  for (const [name, table] of Object.entries(tables)) {
    const value = situation?.[name as keyof Situation];
    const choices = Object.keys(table).join(', ');
    if (typeof value !== 'string' || !Object.hasOwn(table, value))
      fail('recommend', `${name} must be one of ${choices}; received ${show(value)}`);
  }
  const { network, runs } = situation;
  switch (network) {
    case 'critic':
      return {
        className: 'SpectralNormalization',
        why: 'It bounds how steep the critic can be, whatever the batch, so that the generator gets slopes it can follow.',
        code: `spectralNormalization({ layer: tf.layers.dense({ units: 64 })${runs === 'keras' ? ', reparameterize: false' : ''} })`,
      };
    case 'generator':
      return {
        className: 'InstanceNormalization',
        why: 'It takes the contrast and colour of the single picture away, which gamma and beta then give anew.',
        code: runs === 'keras' ? 'groupNormalization({ groups: -1 })' : 'instanceNormalization()',
        also: 'BatchInstanceNormalization',
      };
    case 'recurrent':
      return layer(
        'It looks at one step of one example at a time, so that sequences may be of any length, and batches of any size.',
      );
    case 'transformer':
      if (runs === 'keras') return layer('It looks at one position at a time, and every library has it.');
      return {
        className: 'RMSNormalization',
        why: 'It does what layer normalization does without subtracting a mean, which transformers do not need.',
        code: 'rmsNormalization()',
        also: 'QKNormalization',
      };
    case 'reinforcement':
      return reinforcement(situation);
    case 'convolutional':
      return convolutional(situation);
    case 'dense':
      return dense(situation);
    default:
      return network satisfies never;
  }
}

function reinforcement({ data, batch: size, runs }: Situation): Recommendation {
  if (runs === 'keras') return layer('It depends on no other example, and every library has it.');
  if (data === 'usual' && size === 'large') {
    return {
      className: 'MeanOnlyBatchNormalization',
      why: 'Beside weight normalization it centres what goes on, and adds less noise than a variance of the batch would.',
      code: 'weightNormalization({ layer: tf.layers.dense({ units: 64 }) }), meanOnlyBatchNormalization()',
      also: 'WeightNormalization',
    };
  }
  return {
    className: 'WeightNormalization',
    why: 'It depends on the weights alone: no example changes what the network says of another, and data may drift.',
    code: 'weightNormalization({ layer: tf.layers.dense({ units: 64 }), dataInit: true })',
    also: 'LayerNormalization',
  };
}

function convolutional({ data, batch: size, runs }: Situation): Recommendation {
  const alone = 'It looks at one example at a time: the size of the batch does not matter, nor what else is in it.';
  if (size === 'one' || runs === 'keras') return size === 'large' && data === 'usual' ? batch() : group(alone);
  if (data === 'stream') return renormalization;
  if (data === 'styles') return size === 'large' ? batchInstance : switchable;
  return size === 'large' ? batch() : group(alone);
}

function dense({ data, batch: size, runs }: Situation): Recommendation {
  if (data === 'stream' && size !== 'one' && runs === 'here') return renormalization;
  if (data === 'usual' && size === 'large') return batch();
  return layer('It looks at one example at a time: the size of the batch does not matter, nor what else is in it.');
}

const renormalization: Recommendation = {
  className: 'BatchRenormalization',
  why: 'It corrects the statistics of the batch towards the running ones, so that training and prediction agree where batches are small or not mixed.',
  code: 'batchRenormalization()',
  also: 'GroupNormalization',
};
const batchInstance: Recommendation = {
  className: 'BatchInstanceNormalization',
  why: 'Each channel learns whether the style of the single picture is noise to be removed, or says something.',
  code: 'batchInstanceNormalization()',
  also: 'SwitchableNormalization',
};
const switchable: Recommendation = {
  className: 'SwitchableNormalization',
  why: 'It learns how much to take from the picture, the example and the batch, and takes less of the batch where that is small.',
  code: 'switchableNormalization()',
  also: 'GroupNormalization',
};
