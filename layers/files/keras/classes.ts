/**
 * What becomes of each class of layers in a file of Keras 3: its options there, or why it has no place there. All classes that
 * TensorFlow.js and this package have are listed; one that is missing is a user's own.
 */
import type { layers } from '@tensorflow/tfjs-layers';
import { fail } from '../../../kernels/core/errors.ts';
import { lastPartOfName } from '../../base/inner-layer.ts';
import { type Config, GROUPED_ATTENTION } from '../../models/keras/saved.ts';

/** A layer with the members that TensorFlow.js does not declare, of which each class has some. */
export type Described = layers.Layer & {
  readonly cell?: Described;
  readonly cells?: readonly Described[];
  readonly layer?: Described;
  readonly forwardLayer?: Described;
  readonly backwardLayer?: Described;
  readonly [option: string]: unknown;
};

/** Fails with the layer's name and class. Nothing of the file is written by then. */
export function refuse(layer: layers.Layer, message: string): never {
  return fail('saveKeras', `the layer '${layer.name}' (${layer.getClassName()}) ${message}`);
}

/** How a class is written. */
export interface Rule {
  /** Keras's name of it, where that is another. */
  readonly className?: string;
  /** The same where it depends on the options. */
  readonly nameIn?: (config: Config) => string;
  /** The options with Keras's values, still under TensorFlow.js's names; refuses what Keras cannot represent. */
  readonly options?: (config: Config, layer: Described) => Config;
  /** Whether it is one of the classes of tfjs_normalizations.py rather than Keras's own. */
  readonly isOurs?: (config: Config, layer: Described) => boolean;
  /** Why the class cannot be written, and what to use. */
  readonly refused?: string;
}

const same: Rule = {};
const refused = (why: string): Rule => ({ refused: why });
const without = (config: Config, ...names: string[]): Config =>
  Object.fromEntries(Object.entries(config).filter(([name]) => !names.includes(name)));
const onlyOf = (config: Config, ...names: string[]): Config =>
  Object.fromEntries(names.map((name) => [name, config[name]]));

const ofAddons = (removal: string): Rule =>
  refused(`is of TensorFlow Addons, which Keras 3 does not have; take it off with ${removal}`);

const IN_ADDONS = 'is of TensorFlow Addons, which Keras 3 does not have; use filterResponseNormalization';

/** The options of a recurrent layer apart from its cell. */
const OF_SEQUENCES = ['returnSequences', 'returnState', 'goBackwards', 'unroll'];

const recurrent: Rule = {
  options(config, layer) {
    if (layer.stateful) refuse(layer, 'is stateful, and a file holds no states; make it with stateful: false');
    // TensorFlow.js saves the options of the one cell, too.
    if (layer.getClassName() === 'RNN') return onlyOf(config, 'trainable', ...OF_SEQUENCES);
    const cell = layer.cell ?? layer;
    const bias = cell.unitForgetBias === undefined ? {} : { unitForgetBias: cell.unitForgetBias };
    return { ...without(config, 'implementation'), ...bias };
  },
};

/** Our cells, which Keras has not. */
const ownCell: Rule = { ...recurrent, isOurs: () => true };

const bidirectional: Rule = {
  options(config, layer) {
    const { forwardLayer } = layer;
    const isWrapped = forwardLayer?.layer !== undefined;
    if (isWrapped) refuse(layer, 'holds a wrapper, which Keras reads forwards twice; wrap no layer of it');
    if (forwardLayer?.goBackwards)
      refuse(layer, 'holds a layer with goBackwards: true, which Keras refuses; make it without');
    return config;
  },
};

/** The number of axes of the input, as far as it is known: a layer within another has no input of its own. */
const rankOf = (layer: Described): number | undefined =>
  [layer.inputSpec].flat()[0]?.ndim ?? layer.inboundNodes[0]?.inputTensors[0]?.shape.length;

/** The axes counted from the front. */
function frontAxes(axis: unknown, layer: Described): number[] {
  const rank = rankOf(layer) ?? 0;
  return ([axis].flat() as number[]).map((one) => (one < 0 ? one + rank : one));
}

function axisInKeras(config: Config, layer: Described): Config {
  const { axis } = config;
  if (axis === null || axis === undefined) return config;
  const axes = frontAxes(axis, layer);
  if (axes.includes(0)) refuse(layer, 'has the batch among its axes, which Keras does not normalize; use other axes');
  if (axes.some((axis, i) => axis < (axes[i - 1] ?? 0))) {
    refuse(layer, `has the axes [${axes}], whose weights Keras orders otherwise; list them in ascending order`);
  }
  return Array.isArray(axis) ? { ...config, axis: axes } : config;
}

const normalizationOfKeras: Rule = {
  options(config, layer) {
    // Keras divides by the root of the variance alone then, which is 0 where nothing varies.
    if (config.epsilon === 0) refuse(layer, 'has epsilon 0, with which Keras divides by 0; give it a small epsilon');
    return axisInKeras(config, layer);
  },
};
const ours: Rule = { isOurs: () => true, options: axisInKeras };

/** What a saved RMSNormalization is that says nothing of these options. */
const RMS_OF_KERAS = { center: false, scale: true, epsilonPlacement: 'inside' };
/** Whether Keras's layer is the same: it has no other options, and multiplies along wrong axes where they are not the last ones. */
const isRmsOfKeras = (config: Config, layer: Described): boolean =>
  !('center' in config) &&
  frontAxes(config.axis, layer).every((axis, i, { length }) => axis === (rankOf(layer) ?? 0) - length + i);

/** Keras has fewer heads of keys and values in a class of its own, with fewer options. */
const isGrouped = ({ numKeyValueHeads }: Config) => numKeyValueHeads !== undefined;

const attention: Rule = {
  options(config, layer) {
    if (config.queryKeyNorm)
      refuse(layer, 'has queryKeyNorm, which attention of Keras does not have; use qkNormAttention');
    if (!isGrouped(config)) return config;
    const { keyDim, numHeads, valueDim, outputShape, attentionAxes, ...others } = config;
    if (valueDim !== keyDim || outputShape || attentionAxes) {
      const why = 'valueDim, outputShape or attentionAxes';
      refuse(layer, `has numKeyValueHeads and ${why}, which Keras has not together; leave these out`);
    }
    const widths = layer.inboundNodes.map(({ inputTensors }) =>
      inputTensors.slice(0, 2).map(({ shape }) => shape.at(-1)),
    );
    if (widths.some(([query, value]) => query !== value) || rankOf(layer) !== 3) {
      refuse(
        layer,
        'has numKeyValueHeads, with which Keras takes queries and values of the same width, of rank 3; leave it out',
      );
    }
    return { ...others, headDim: keyDim, numQueryHeads: numHeads };
  },
  nameIn: (config) => (isGrouped(config) ? GROUPED_ATTENTION : 'MultiHeadAttention'),
};

export const RULES: Readonly<Record<string, Rule>> = {
  InputLayer: { options: ({ batchInputShape }) => ({ batchShape: batchInputShape }) },
  Dense: same,
  Activation: same,
  Dropout: same,
  Flatten: same,
  RepeatVector: same,
  Reshape: {
    options: (config) => ({ ...config, targetShape: (config.targetShape as unknown[]).map((size) => size ?? -1) }),
  },
  Permute: same,
  Masking: same,
  SpatialDropout1D: { options: (config) => without(config, 'noiseShape', 'seed', 'trainable') },
  Embedding: { options: (config) => without(config, 'inputLength') },

  // TensorFlow.js does not save dataFormat of one-dimensional convolutions.
  Conv1D: { options: (config, { dataFormat }) => ({ ...config, dataFormat }) },
  Conv2D: same,
  Conv3D: same,
  Conv2DTranspose: same,
  Conv3DTranspose: same,
  DepthwiseConv2D: same,
  SeparableConv2D: same,
  Cropping2D: same,
  ZeroPadding2D: same,
  UpSampling2D: {
    options(config, layer) {
      if (config.interpolation === 'nearest') return config;
      return refuse(layer, `has the interpolation ${config.interpolation}, in Keras another one; use 'nearest'`);
    },
  },
  MaxPooling1D: same,
  MaxPooling2D: same,
  MaxPooling3D: same,
  AveragePooling1D: same,
  AveragePooling2D: same,
  AveragePooling3D: same,
  GlobalAveragePooling1D: same,
  GlobalAveragePooling2D: same,
  GlobalMaxPooling1D: same,
  GlobalMaxPooling2D: same,

  Add: same,
  Multiply: same,
  Average: same,
  Maximum: same,
  Minimum: same,
  Concatenate: same,
  Dot: same,

  ReLU: same,
  LeakyReLU: { options: ({ alpha, ...config }) => ({ ...config, negativeSlope: alpha }) },
  PReLU: same,
  ELU: same,
  Softmax: same,
  ThresholdedReLU: refused('is of a class that Keras 3 does not have; use reLU'),
  GaussianNoise: same,
  GaussianDropout: same,
  AlphaDropout: same,

  RNN: recurrent,
  SimpleRNN: recurrent,
  GRU: recurrent,
  LSTM: recurrent,
  ConvLSTM2D: recurrent,
  SimpleRNNCell: recurrent,
  GRUCell: recurrent,
  LSTMCell: recurrent,
  LayerNormLSTMCell: ownCell,
  LayerNormGRUCell: ownCell,
  StackedRNNCells: same,
  ConvLSTM2DCell: refused('is a cell that Keras 3 has within ConvLSTM2D alone; use convLstm2d'),
  Bidirectional: bidirectional,
  KerasBidirectional: { ...bidirectional, className: 'Bidirectional' },
  TimeDistributed: same,

  MultiHeadAttention: attention,
  Attention: same,
  KerasGlobalAveragePooling1D: { className: 'GlobalAveragePooling1D' },
  KerasGlobalAveragePooling2D: { className: 'GlobalAveragePooling2D' },
  KerasGlobalMaxPooling1D: { className: 'GlobalMaxPooling1D' },
  KerasGlobalMaxPooling2D: { className: 'GlobalMaxPooling2D' },

  Rescaling: same,
  CategoryEncoding: same,
  CenterCrop: refused('cuts elsewhere in Keras; use cropping2D'),
  Resizing: refused('places pixels elsewhere in Keras; resize images before the model'),
  RandomWidth: refused('is of a class that Keras 3 does not have; leave it out'),

  BatchNormalization: normalizationOfKeras,
  LayerNormalization: normalizationOfKeras,
  GroupNormalization: normalizationOfKeras,
  UnitNormalization: { options: axisInKeras },
  Normalization: { options: axisInKeras },
  RMSNormalization: {
    options: (config, layer) =>
      axisInKeras(isRmsOfKeras(config, layer) ? config : { ...RMS_OF_KERAS, ...config }, layer),
    isOurs: (config, layer) => !isRmsOfKeras(config, layer),
  },
  SpectralNormalization: { isOurs: (config) => 'reparameterize' in config },
  InstanceNormalization: {
    isOurs: () => true,
    // keras_contrib's form is saved without it.
    options: (config, layer) => axisInKeras({ ...config, epsilonPlacement: layer.epsilonPlacement }, layer),
  },
  BatchInstanceNormalization: ours,
  SwitchableNormalization: ours,
  BatchRenormalization: ours,
  MeanOnlyBatchNormalization: ours,
  ScaleNormalization: ours,
  PixelNormalization: ours,
  GlobalResponseNormalization: ours,
  FilterResponseNormalization: ours,
  DynamicTanh: ours,
  DynamicErf: ours,
  WeightStandardization: { isOurs: () => true },
  WeightNormalization: {
    isOurs: () => true,
    options(config, layer) {
      const initialized = layer.weights.find((weight) => lastPartOfName(weight) === 'initialized');
      if (initialized?.read().dataSync()[0] === 0) {
        refuse(
          layer,
          'has not chosen g and the bias by a batch yet, which Keras does not do; train it on one batch first',
        );
      }
      return config;
    },
  },
  QKNormalization: ours,
  QKNormAttention: ours,
  AddLayerNormalization: ours,
  AddRMSNormalization: {
    isOurs: () => true,
    options: (config, layer) => axisInKeras({ ...RMS_OF_KERAS, ...config }, layer),
  },
  AdaptiveInstanceNormalization: ours,
  AdaptiveLayerNormalization: ours,
  AdaptiveLayerNormalizationZero: ours,
  ConditionalBatchNormalization: ours,
  FeaturewiseLinearModulation: ours,
  SpatiallyAdaptiveNormalization: ours,
  'Addons>FilterResponseNormalization': refused(IN_ADDONS),
  'Addons>TLU': refused(IN_ADDONS),
  'Addons>WeightNormalization': ofAddons('removeWeightNormalization'),
  'Addons>SpectralNormalization': ofAddons('removeSpectralNormalization'),
};
