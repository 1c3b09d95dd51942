/**
 * Layers in models that Keras is to open, each a branch from inputs of its own to outputs of its own. A model of many branches is
 * opened by Python in the time of one.
 */
import * as tf from '@tensorflow/tfjs';
import {
  adaptiveInstanceNormalization,
  adaptiveLayerNormalization,
  adaptiveLayerNormalizationZero,
  addLayerNormalization,
  addRMSNormalization,
  conditionalBatchNormalization,
  featurewiseLinearModulation,
  gru,
  gruCell,
  layerNormGRUCell,
  layerNormLSTMCell,
  multiHeadAttention,
  pixelNormalization,
  qkNormAttention,
  qkNormalization,
  spatiallyAdaptiveNormalization,
  spectralNormalization,
  weightNormalization,
  weightStandardization,
} from '../../../layers/index.ts';
import { FIRST, SUBJECTS } from '../layer-table.ts';
import { makeLayer } from '../layers.ts';
import { WRAPPABLE } from '../wrapper-table.ts';

const { layers: l } = tf;
type Layer = tf.layers.Layer;
type Symbolic = tf.SymbolicTensor;

export interface Branch {
  /** Of each input, without the batch. */
  readonly shapes: readonly (readonly number[])[];
  /** What the layers make of the inputs. */
  readonly apply: (inputs: Symbolic[]) => Symbolic | Symbolic[];
  /** Inputs that are whole numbers from 0 up to this, and not real numbers; by the index of the input. */
  readonly below?: readonly (number | undefined)[];
  /** Whether some positions of the sequences are zeros. */
  readonly zeros?: boolean;
}
export type Branches = Readonly<Record<string, Branch>>;

const one = (shape: readonly number[], layer: Layer, more: Partial<Branch> = {}): Branch => ({
  shapes: [shape],
  apply: ([input]) => layer.apply(input!) as Symbolic,
  ...more,
});
const merging = (shapes: readonly (readonly number[])[], layer: Layer): Branch => ({
  shapes,
  apply: (inputs) => layer.apply(inputs) as Symbolic,
});
const inTurn = (shape: readonly number[], layers: readonly Layer[], more: Partial<Branch> = {}): Branch => ({
  shapes: [shape],
  apply: ([input]) => layers.reduce((x, layer) => layer.apply(x) as Symbolic, input!),
  ...more,
});

const image = [6, 5, 3];
const sequence = [6, 3];
const volume = [4, 4, 4, 2];
const tokens = { below: [10] };
const indices = { inputDim: 10, outputDim: 3 };
/** TensorFlow.js's default is another function in Keras. */
const gates = { recurrentActivation: 'sigmoid' } as const;

/** Layers that learn and draw no random numbers: one step of training is compared, too. */
export const trained = (): Branches => ({
  Dense: one([4], l.dense({ units: 3, activation: 'relu', kernelRegularizer: 'l1l2' })),
  'Dense of sequences': one(sequence, l.dense({ units: 3, useBias: false })),
  Embedding: one([4], l.embedding({ ...indices, inputLength: 4 }), tokens),
  Conv1D: one(sequence, l.conv1d({ filters: 2, kernelSize: 3, strides: 2, padding: 'same' })),
  Conv2D: one(image, l.conv2d({ filters: 2, kernelSize: [3, 2], strides: [2, 1], padding: 'same' })),
  Conv3D: one(volume, l.conv3d({ filters: 2, kernelSize: 2 })),
  Conv2DTranspose: one(image, l.conv2dTranspose({ filters: 2, kernelSize: 3, strides: 2, padding: 'same' })),
  DepthwiseConv2D: one(image, l.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2 })),
  SeparableConv2D: one(image, l.separableConv2d({ filters: 2, kernelSize: 3, depthMultiplier: 2 })),
  PReLU: one(image, l.prelu({ sharedAxes: [1, 2], alphaInitializer: 'randomNormal' })),
  SimpleRNN: one(sequence, l.simpleRNN({ units: 4 })),
  GRU: one(sequence, l.gru({ units: 4, ...gates })),
  'GRU, reset after': one(sequence, gru({ units: 4, resetAfter: true })),
  'RNN of LayerNormLSTMCell': one(sequence, l.rnn({ cell: layerNormLSTMCell({ units: 4 }) as never })),
  'RNN of LayerNormGRUCell': one(
    sequence,
    l.rnn({ cell: layerNormGRUCell({ units: 4 }) as never, returnSequences: true }),
  ),
  PixelNormalization: one(image, pixelNormalization({ axis: 1 })),
  LSTM: one(sequence, l.lstm({ units: 4, unitForgetBias: true, ...gates })),
  "TensorFlow.js's BatchNormalization": one(image, l.batchNormalization()),
  "TensorFlow.js's LayerNormalization": one(image, l.layerNormalization({ axis: [2, 3] })),
  ...normalizations(TRAINED),
  ...wrapped(TRAINED_WRAPPERS),
  ...ofSeveralInputs(),
  QKNormalization: merging([sequence, [5, 3]], qkNormalization({ sequenceLength: 8 })),
  QKNormAttention: merging(
    [
      [2, 4, 3],
      [2, 5, 3],
      [2, 5, 4],
    ],
    qkNormAttention({ sequenceLength: 8, causal: true }),
  ),
  MultiHeadAttention: {
    shapes: [sequence],
    apply: ([x]) => multiHeadAttention({ numHeads: 2, keyDim: 3 }).apply([x!, x!], { useCausalMask: true }) as Symbolic,
  },
  'MultiHeadAttention of three': merging(
    [
      [4, 3],
      [5, 6],
      [5, 2],
    ],
    multiHeadAttention({ numHeads: 2, keyDim: 3, outputShape: 5, useBias: false }),
  ),
  'MultiHeadAttention with few heads of keys': merging(
    [
      [4, 6],
      [5, 6],
    ],
    multiHeadAttention({ numHeads: 6, keyDim: 3, numKeyValueHeads: 2 }),
  ),
  'QKNormAttention with a mask': {
    ...merging(
      [[4, 3], [5, 3], [5, 4], [5]],
      qkNormAttention({ scaleInitializer: tf.initializers.constant({ value: 3 }) }),
    ),
    below: [undefined, undefined, undefined, 2],
  },
});

/** Of the tables of layers those whose training is compared; that of all would take Python a minute. */
type Row = (typeof SUBJECTS)[number];
const TRAINED = (row: Row) => FIRST.includes(row) || row.className === 'BatchRenormalization';
const TRAINED_WRAPPERS = (name: string) =>
  ['dense', 'conv2dTranspose', 'depthwiseConv2d', 'embedding', 'lstm'].includes(name);

function normalizations(isWanted: (row: Row) => boolean): Branches {
  const entries = SUBJECTS.filter(isWanted).map(({ className, options, shape }) => [
    `${className} of [${shape}] ${JSON.stringify(options)}`,
    one(shape.slice(1), makeLayer({ className, options })),
  ]);
  return Object.fromEntries(entries);
}

/** Layers that can be wrapped, in each wrapper. Recurrent layers have activations that Keras has, too. */
function wrapped(isWanted: (name: string) => boolean): Branches {
  const branches: Record<string, Branch> = {};
  for (const [name, { layer, shape, indices }] of Object.entries(WRAPPABLE).filter(([name]) => isWanted(name))) {
    const { className, config } = layer;
    const isGated = ['ConvLSTM2D', 'GRU', 'LSTM'].includes(className);
    const inner = { className, config: { ...config, ...(isGated ? gates : {}) } } as tf.serialization.ConfigDict;
    const more = indices === undefined ? {} : { below: [indices] };
    const inputShape = shape.slice(1);
    branches[`WeightNormalization of ${name}`] = one(inputShape, weightNormalization({ layer: inner }), more);
    branches[`WeightStandardization of ${name}`] = one(inputShape, weightStandardization({ layer: inner }), more);
    const spectral = spectralNormalization({ layer: inner, powerIterations: 2 });
    branches[`SpectralNormalization of ${name}`] = one(inputShape, spectral, more);
  }
  return branches;
}

/** Normalizations of several inputs: by a residual, a style, a condition or parameters. */
function ofSeveralInputs(): Branches {
  const kernel = { kernelInitializer: 'glorotNormal' } as const;
  return {
    AddLayerNormalization: merging([sequence, sequence], addLayerNormalization({ axis: [1, 2], center: false })),
    AddRMSNormalization: merging([sequence, sequence], addRMSNormalization({ gammaOffset: 1 })),
    "AddRMSNormalization as Keras's": merging(
      [sequence, sequence],
      addRMSNormalization({ center: false, epsilonPlacement: 'inside' }),
    ),
    AdaptiveInstanceNormalization: merging([image, [3, 4, 3]], adaptiveInstanceNormalization()),
    'AdaptiveInstanceNormalization, channels first': merging(
      [
        [3, 6, 5],
        [3, 2, 2],
      ],
      adaptiveInstanceNormalization({ axis: 1 }),
    ),
    AdaptiveLayerNormalization: merging([sequence, [4]], adaptiveLayerNormalization(kernel)),
    'AdaptiveLayerNormalization by position': merging([sequence, [6, 4]], adaptiveLayerNormalization(kernel)),
    'AdaptiveLayerNormalization by parameters': merging([[3, 6], [3], [3]], adaptiveLayerNormalization({ axis: 1 })),
    AdaptiveLayerNormalizationZero: merging(
      [sequence, [4]],
      adaptiveLayerNormalizationZero({ ...kernel, useBias: false }),
    ),
    'AdaptiveLayerNormalizationZero by position': merging([sequence, [6, 4]], adaptiveLayerNormalizationZero(kernel)),
    'AdaptiveLayerNormalizationZero by parameters': merging(
      [sequence, [3], [3], [3]],
      adaptiveLayerNormalizationZero(),
    ),
    ConditionalBatchNormalization: merging([image, [4]], conditionalBatchNormalization({ ...kernel, momentum: 0.8 })),
    'ConditionalBatchNormalization by parameters': merging([[4], [4], [4]], conditionalBatchNormalization()),
    FeaturewiseLinearModulation: merging([image, [4]], featurewiseLinearModulation(kernel)),
    'FeaturewiseLinearModulation by parameters': merging(
      [[3, 6, 5], [3], [3, 6, 1]],
      featurewiseLinearModulation({ axis: 1 }),
    ),
    SpatiallyAdaptiveNormalization: merging(
      [image, [4, 7, 2]],
      spatiallyAdaptiveNormalization({ ...kernel, hiddenUnits: 4 }),
    ),
    'SpatiallyAdaptiveNormalization of each example': merging(
      [image, [6, 5, 2]],
      spatiallyAdaptiveNormalization({ ...kernel, hiddenUnits: 4, statistics: 'instance' }),
    ),
    'SpatiallyAdaptiveNormalization by parameters': merging(
      [image, image, image],
      spatiallyAdaptiveNormalization({ axis: 1 }),
    ),
    'one tensor twice': {
      shapes: [sequence],
      apply: ([x]) => addLayerNormalization().apply([x!, x!]) as Symbolic[],
    },
  };
}

const ACTIVATIONS = [
  'elu',
  'gelu',
  'hardSilu',
  'linear',
  'logSoftmax',
  'mish',
  'relu',
  'relu6',
  'selu',
  'sigmoid',
  'softmax',
];
ACTIVATIONS.push('softplus', 'softsign', 'swish', 'tanh');
const INITIALIZERS = {
  constant: { value: 0.5 },
  glorotNormal: {},
  glorotUniform: {},
  heNormal: {},
  heUniform: {},
  identity: { gain: 2 },
  leCunNormal: {},
  leCunUniform: {},
  ones: {},
  orthogonal: { gain: 1.5 },
  randomNormal: { stddev: 0.2 },
  randomUniform: { minval: -1, maxval: 1 },
  truncatedNormal: { stddev: 0.2 },
  varianceScaling: { scale: 2, mode: 'fanAvg', distribution: 'normal' },
  zeros: {},
};
const CONSTRAINTS = { maxNorm: {}, minMaxNorm: {}, nonNeg: {}, unitNorm: {} };
const MERGE_MODES = ['concat', 'sum', 'mul', 'ave', null] as const;
type Make = (options: object) => never;
const makeOf = (kind: object, name: string) => (kind as Record<string, Make>)[name]!;

/** Layers whose predictions alone are compared. */
export const predicted = (): Branches => ({
  ...normalizations((row) => !TRAINED(row)),
  ...wrapped((name) => !TRAINED_WRAPPERS(name)),
  Dropout: one([4], l.dropout({ rate: 0.5, seed: 1 })),
  SpatialDropout1D: one(sequence, l.spatialDropout1d({ rate: 0.5 })),
  GaussianNoise: one([4], l.gaussianNoise({ stddev: 0.5 })),
  GaussianDropout: one([4], l.gaussianDropout({ rate: 0.5 })),
  AlphaDropout: one([4], l.alphaDropout({ rate: 0.5 })),
  Flatten: one(image, l.flatten()),
  'Flatten, channels first': one(image, l.flatten({ dataFormat: 'channelsFirst' })),
  RepeatVector: one([4], l.repeatVector({ n: 3 })),
  Reshape: one(image, l.reshape({ targetShape: [15, null] })),
  Permute: one(image, l.permute({ dims: [3, 1, 2] })),
  'Conv1D, dilated': one(sequence, l.conv1d({ filters: 2, kernelSize: 3, dilationRate: 2 })),
  'Conv2D, dilated': one(image, l.conv2d({ filters: 2, kernelSize: 2, dilationRate: 2 })),
  'Conv2D, channels first': one([3, 6, 5], l.conv2d({ filters: 2, kernelSize: 3, dataFormat: 'channelsFirst' })),
  'Conv2DTranspose, valid': one(image, l.conv2dTranspose({ filters: 2, kernelSize: 3, strides: 2 })),
  Conv3DTranspose: one(volume, l.conv3dTranspose({ filters: 2, kernelSize: 2, strides: 2 })),
  'DepthwiseConv2D with a constraint': one(image, l.depthwiseConv2d({ kernelSize: 3, depthwiseConstraint: 'nonNeg' })),
  Cropping2D: one(
    image,
    l.cropping2D({
      cropping: [
        [1, 2],
        [0, 1],
      ],
    }),
  ),
  ZeroPadding2D: one(
    image,
    l.zeroPadding2d({
      padding: [
        [1, 2],
        [0, 1],
      ],
    }),
  ),
  'ZeroPadding2D, channels first': one(image, l.zeroPadding2d({ padding: 1, dataFormat: 'channelsFirst' })),
  UpSampling2D: one(image, l.upSampling2d({ size: [2, 3] })),
  MaxPooling1D: one(sequence, l.maxPooling1d({ poolSize: 2, strides: 1 })),
  MaxPooling2D: one(image, l.maxPooling2d({ poolSize: [2, 3], padding: 'same' })),
  MaxPooling3D: one(volume, l.maxPooling3d({ poolSize: 2 })),
  AveragePooling1D: one(sequence, l.averagePooling1d({ poolSize: 2, strides: 1 })),
  AveragePooling2D: one(image, l.averagePooling2d({ poolSize: 3, strides: 2, padding: 'same' })),
  AveragePooling3D: one(volume, l.averagePooling3d({ poolSize: 2, padding: 'same' })),
  GlobalAveragePooling1D: one(sequence, l.globalAveragePooling1d()),
  GlobalAveragePooling2D: one(image, l.globalAveragePooling2d({})),
  GlobalMaxPooling1D: one(sequence, l.globalMaxPooling1d()),
  GlobalMaxPooling2D: one(image, l.globalMaxPooling2d({ dataFormat: 'channelsFirst' })),
  Add: merging([sequence, sequence], l.add()),
  'Add of other shapes': merging([sequence, [1, 3]], l.add()),
  Multiply: merging([sequence, sequence], l.multiply()),
  Average: merging([sequence, sequence, sequence], l.average()),
  Maximum: merging([sequence, sequence], l.maximum()),
  Minimum: merging([sequence, sequence], l.minimum()),
  Concatenate: merging([sequence, [4, 3]], l.concatenate({ axis: 1 })),
  Dot: merging([sequence, sequence], l.dot({ axes: 1 })),
  'Dot, normalized': merging([[4], [4]], l.dot({ axes: -1, normalize: true })),
  'Dot of two axes': merging(
    [
      [4, 3],
      [3, 5],
    ],
    l.dot({ axes: [2, 1] }),
  ),
  ReLU: one(image, l.reLU({ maxValue: 1 })),
  LeakyReLU: one(image, l.leakyReLU({ alpha: 0.2 })),
  ELU: one(image, l.elu()),
  Softmax: one([4], l.softmax({ axis: -1 })),
  'GRU, backwards': one(sequence, l.gru({ units: 4, goBackwards: true, returnSequences: true, ...gates })),
  'LSTM with its states': one(sequence, l.lstm({ units: 4, returnSequences: true, returnState: true, ...gates })),
  'LSTM with dropout': one(sequence, l.lstm({ units: 4, dropout: 0.1, recurrentDropout: 0.1, ...gates })),
  'LSTM from given states': {
    shapes: [sequence, [4], [4]],
    apply: ([x, ...initialState]) => l.lstm({ units: 4, ...gates }).apply(x!, { initialState }) as Symbolic,
  },
  'GRU, reset after, backwards, without a bias': one(
    sequence,
    gru({ units: 4, resetAfter: true, goBackwards: true, returnSequences: true, useBias: false }),
  ),
  'Bidirectional GRU, reset after': one(
    sequence,
    l.bidirectional({ layer: gru({ units: 4, resetAfter: true, returnSequences: true }), mergeMode: 'concat' }),
  ),
  RNN: one(sequence, l.rnn({ cell: l.gruCell({ units: 4, ...gates }) })),
  'RNN of both cells with layer normalization': one(
    sequence,
    l.rnn({
      cell: [
        layerNormLSTMCell({ units: 4, normalizedCarry: false, normEpsilon: 0.1 }),
        layerNormGRUCell({ units: 3, useBias: false }),
      ] as never,
    }),
  ),
  'Bidirectional RNN of LayerNormLSTMCell': one(
    sequence,
    l.bidirectional({ layer: l.rnn({ cell: layerNormLSTMCell({ units: 4 }) as never }), mergeMode: 'concat' }),
  ),
  'RNN of cells, reset after': one(
    sequence,
    l.rnn({ cell: [gruCell({ units: 4, resetAfter: true }), gruCell({ units: 3, ...gates })] }),
  ),
  'RNN of three cells': one(
    sequence,
    l.rnn({
      cell: [l.lstmCell({ units: 4, ...gates }), l.simpleRNNCell({ units: 3 }), l.lstmCell({ units: 2, ...gates })],
      returnSequences: true,
    }),
  ),
  ConvLSTM2D: one([4, 6, 5, 2], l.convLstm2d({ filters: 3, kernelSize: 3, padding: 'same', ...gates })),
  ...Object.fromEntries(
    MERGE_MODES.map((mergeMode) => [
      `Bidirectional, ${mergeMode}`,
      one(
        sequence,
        l.bidirectional({ layer: l.lstm({ units: 4, returnSequences: true, ...gates }), mergeMode: mergeMode! }),
      ),
    ]),
  ),
  'Bidirectional, the last output': one(
    sequence,
    l.bidirectional({ layer: l.gru({ units: 4, ...gates }) as tf.RNN, mergeMode: 'concat' }),
  ),
  TimeDistributed: one([3, ...image], l.timeDistributed({ layer: l.conv2d({ filters: 2, kernelSize: 3 }) })),
  Rescaling: one(image, l.rescaling({ scale: 0.5, offset: 0.25 })),
  // TensorFlow.js's layer changes the shape of its input to that of its output, so that they must be the same.
  'CategoryEncoding, multiHot': one([10], l.categoryEncoding({ numTokens: 10, outputMode: 'multiHot' }), tokens),
  'CategoryEncoding, count': one([10], l.categoryEncoding({ numTokens: 10, outputMode: 'count' }), tokens),
  UnitNormalization: one(image, makeLayer({ className: 'UnitNormalization', options: { axis: [1, 3] } })),
  FeatureNormalization: one([4], makeLayer({ className: 'FeatureNormalization', options: {} })),
  'FeatureNormalization by given numbers': one(
    [4],
    makeLayer({ className: 'FeatureNormalization', options: { axis: null, mean: 2, variance: 3, invert: true } }),
  ),
  'LayerNormalization with rmsScaling': one(
    sequence,
    makeLayer({ className: 'LayerNormalization', options: { rmsScaling: true } }),
  ),
  "SpectralNormalization, Keras's form": one(
    image,
    spectralNormalization({ layer: l.conv2d({ filters: 2, kernelSize: 2 }), reparameterize: false }),
  ),
  'InstanceNormalization, all placements of epsilon': {
    shapes: [image, image, image],
    apply: (inputs) =>
      (['outside', 'floor', 'inside'] as const).map((epsilonPlacement, i) => {
        const options = { epsilonPlacement, epsilon: 0.5, axis: epsilonPlacement === 'inside' ? null : 1 };
        return makeLayer({ className: 'InstanceNormalization', options }).apply(inputs[i]!) as Symbolic;
      }),
  },
  ...Object.fromEntries(ACTIVATIONS.map((name) => [name, one([4], l.activation({ activation: name as 'elu' }))])),
  ...Object.fromEntries(
    Object.entries(INITIALIZERS).map(([name, options]) => [
      name,
      one([4], l.dense({ units: 4, kernelInitializer: makeOf(tf.initializers, name)(options) })),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(CONSTRAINTS).map(([name, options]) => [
      name,
      one([4], l.dense({ units: 4, kernelConstraint: makeOf(tf.constraints, name)(options) })),
    ]),
  ),
});

/** Layers that use masks. Each is a model of its own: TensorFlow.js hands one mask to all recurrent layers of a model. */
export const masked = (): Branches => ({
  Masking: one(sequence, l.masking({ maskValue: 0 }), { zeros: true }),
  'Embedding with maskZero': one([4], l.embedding({ ...indices, maskZero: true }), tokens),
  'LSTM after Masking': inTurn(sequence, [l.masking({ maskValue: 0 }), l.lstm({ units: 4, ...gates })], {
    zeros: true,
  }),
  'GRU after an embedding with maskZero': inTurn(
    [6],
    [
      l.embedding({ ...indices, maskZero: true }),
      l.gru({ units: 4, returnSequences: true, ...gates }),
      l.dropout({ rate: 0.1 }),
      l.dense({ units: 3 }),
      l.gru({ units: 3, ...gates }),
    ],
    tokens,
  ),
  'Bidirectional after Masking': inTurn(
    sequence,
    [
      l.masking({ maskValue: 0 }),
      l.bidirectional({ layer: l.lstm({ units: 4, ...gates }) as tf.RNN, mergeMode: 'sum' }),
    ],
    { zeros: true },
  ),
  'LSTM after AddLayerNormalization after Masking': {
    shapes: [sequence],
    zeros: true,
    apply: ([input]) => {
      const x = l.masking({ maskValue: 0 }).apply(input!) as Symbolic;
      const [y] = addLayerNormalization().apply([x, input!]) as Symbolic[];
      return l.lstm({ units: 4, ...gates }).apply(y!) as Symbolic;
    },
  },
  'QKNormAttention after Masking': {
    shapes: [sequence],
    zeros: true,
    apply: ([input]) => {
      const x = l.masking({ maskValue: 0 }).apply(input!) as Symbolic;
      return qkNormAttention({ sequenceLength: 8 }).apply([x, x, x]) as Symbolic;
    },
  },
});
