/** Models of layers for the modules of test/goldens/pytorch: with their weights, they compute what PyTorch computed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import * as tfn from '../../layers/index.ts';

const FOLDER = join(__dirname, '..', 'goldens', 'pytorch');

export interface Golden {
  readonly module: string;
  readonly input: { readonly shape: number[]; readonly data: number[] };
  readonly output: { readonly shape: number[]; readonly data: number[] };
}
export const goldenOf = (name: string): Golden => JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8'));
export const fileOf = (name: string): Uint8Array => new Uint8Array(readFileSync(join(FOLDER, `${name}.safetensors`)));

const IMAGE = [4, 5, 2];
const SEQUENCE = [5, 3];
const { layers: l } = tf;
type Layer = tf.layers.Layer;

/** A model of these layers, the first of which gets inputs of this shape. */
const sequence = (inputShape: number[], ...layers: Layer[]): tf.LayersModel => {
  const input = tf.input({ shape: inputShape });
  const output = layers.reduce((x, layer) => layer.apply(x) as tf.SymbolicTensor, input);
  return tf.model({ inputs: input, outputs: output });
};
const tokens = (layer: Layer) => sequence([4], layer);
const recurrent = { units: 4, returnSequences: true, name: 'rnn' } as const;
const lstm = (more = {}) => l.lstm({ ...recurrent, recurrentActivation: 'sigmoid', ...more });
const bidirectional = (layer: Layer) => l.bidirectional({ layer: layer as tf.RNN, mergeMode: 'concat', name: 'rnn' });
const batchNorm = (name: string) => tfn.batchNormalization({ epsilon: 1e-5, name });

function branches(): tf.LayersModel {
  const x = tf.input({ shape: IMAGE });
  const flat = (layer: Layer) => l.flatten().apply(layer.apply(x)) as tf.SymbolicTensor;
  const left = flat(l.conv2d({ filters: 3, kernelSize: 2, name: 'left' }));
  const right = flat(l.conv2d({ filters: 4, kernelSize: 3, name: 'right' }));
  const joined = l.concatenate().apply([left, right]) as tf.SymbolicTensor;
  const outputs = l.dense({ units: 5, name: 'head' }).apply(joined) as tf.SymbolicTensor;
  return tf.model({ inputs: x, outputs });
}

/** A Sequential encoder and a Functional head, which takes what the encoder has flattened. */
function nested(): tf.LayersModel {
  const encoder = tf.sequential({
    name: 'encoder',
    layers: [
      l.conv2d({ filters: 3, kernelSize: 2, name: 'conv', inputShape: IMAGE }),
      batchNorm('norm'),
      l.reLU(),
      l.flatten(),
    ],
  });
  const features = tf.input({ shape: [36] });
  const hidden = l.dense({ units: 6, activation: 'relu', name: 'hidden' }).apply(features);
  const out = l.dense({ units: 2, name: 'out' }).apply(hidden) as tf.SymbolicTensor;
  const head = tf.model({ inputs: features, outputs: out, name: 'head' });
  const x = tf.input({ shape: IMAGE });
  return tf.model({ inputs: x, outputs: head.apply(encoder.apply(x)) as tf.SymbolicTensor });
}

const fc = (more = {}) => l.dense({ units: 3, name: 'fc', ...more });
const conv = (more = {}) => l.conv2d({ filters: 3, kernelSize: [3, 2], name: 'conv', ...more });
const up = (more = {}) => l.conv2dTranspose({ filters: 3, kernelSize: [3, 2], name: 'conv', ...more });
const pooling = (): { poolSize: [number, number]; padding: 'same' } => ({ poolSize: [1, 2], padding: 'same' });
const pointwise = () => conv({ kernelSize: 1, name: 'fc' });
const depthwise = (kernelSize: [number, number], depthMultiplier = 2) =>
  l.depthwiseConv2d({ kernelSize, depthMultiplier, name: 'conv' });
const embedding = () => l.embedding({ inputDim: 6, outputDim: 3, name: 'embedding' });
const weight = (layer: Layer) => tfn.weightNormalization({ layer, name: layer.name });
const spectral = (layer: Layer) => tfn.spectralNormalization({ layer, name: layer.name });
const epsilon = 1e-5;

/** By the name of the golden. */
export const MODULES: Readonly<Record<string, () => tf.LayersModel>> = {
  linear: () => sequence([4], fc()),
  'linear-without-bias': () => sequence([4], fc({ useBias: false })),
  'linear-of-sequences': () => sequence(SEQUENCE, fc({ units: 4 })),
  conv1d: () => sequence([7, 3], l.conv1d({ filters: 4, kernelSize: 2, strides: 2, name: 'conv' })),
  conv2d: () => sequence(IMAGE, conv({ strides: [1, 2] })),
  conv3d: () => sequence([3, 2, 4, 2], l.conv3d({ filters: 3, kernelSize: [2, 1, 3], name: 'conv' })),
  'conv-transpose2d': () => sequence(IMAGE, up({ strides: 2 })),
  'conv2d-same': () => sequence(IMAGE, conv({ strides: [1, 2], padding: 'same' })),
  'conv2d-same-even': () => sequence(IMAGE, conv({ kernelSize: 3, strides: [1, 2], padding: 'same' })),
  'conv-transpose2d-same': () => sequence(IMAGE, up({ kernelSize: [4, 1], strides: 2, padding: 'same' })),
  'conv-transpose2d-same-odd': () => sequence(IMAGE, up({ kernelSize: [3, 4], strides: [2, 1], padding: 'same' })),
  'max-pool-same': () => sequence(IMAGE, l.maxPooling2d(pooling()), pointwise()),
  'average-pool-same': () => sequence(IMAGE, l.averagePooling2d(pooling()), pointwise()),
  'conv-transpose3d': () =>
    sequence([3, 2, 4, 2], l.conv3dTranspose({ filters: 3, kernelSize: [2, 1, 3], name: 'conv' })),
  depthwise: () => sequence(IMAGE, depthwise([3, 2], 3)),
  separable: () =>
    sequence([4, 5, 3], l.separableConv2d({ filters: 4, kernelSize: 3, depthMultiplier: 2, name: 'separable' })),
  embedding: () => tokens(embedding()),
  'batch-norm1d': () => sequence([4], batchNorm('norm')),
  'batch-norm2d': () => sequence(IMAGE, batchNorm('norm')),
  'batch-norm2d-not-affine': () =>
    sequence(IMAGE, tfn.batchNormalization({ epsilon, center: false, scale: false, name: 'norm' })),
  'layer-norm': () => sequence(SEQUENCE, tfn.layerNormalization({ epsilon, name: 'norm' })),
  'layer-norm-without-bias': () => sequence(SEQUENCE, tfn.layerNormalization({ epsilon, center: false, name: 'norm' })),
  'layer-norm-of-images': () => sequence(IMAGE, tfn.layerNormalization({ epsilon, axis: [1, 2, 3], name: 'norm' })),
  'rms-norm': () =>
    sequence(SEQUENCE, tfn.rmsNormalization({ center: false, epsilonPlacement: 'inside', name: 'norm' })),
  'group-norm': () => sequence([3, 2, 4], tfn.groupNormalization({ epsilon, groups: 2, name: 'norm' })),
  'instance-norm2d': () => sequence(IMAGE, tfn.instanceNormalization({ epsilon, name: 'norm' })),
  prelu: () => sequence(IMAGE, l.prelu({ sharedAxes: [1, 2], name: 'act' })),
  'prelu-one': () => sequence(IMAGE, l.prelu({ sharedAxes: [1, 2, 3], name: 'act' })),
  lstm: () => sequence(SEQUENCE, lstm()),
  'lstm-without-bias': () => sequence(SEQUENCE, lstm({ useBias: false })),
  'lstm-bidirectional': () => sequence(SEQUENCE, bidirectional(lstm())),
  'lstm-bidirectional-last': () =>
    sequence(SEQUENCE, bidirectional(lstm({ returnSequences: false })), l.dense({ units: 2, name: 'head' })),
  rnn: () => sequence(SEQUENCE, l.simpleRNN(recurrent)),
  'rnn-relu': () => sequence(SEQUENCE, l.simpleRNN({ ...recurrent, activation: 'relu' })),
  'weight-norm-linear': () => sequence([4], weight(fc())),
  'weight-norm-conv2d': () => sequence(IMAGE, weight(conv())),
  'weight-norm-conv-transpose2d': () => sequence(IMAGE, weight(up())),
  'weight-norm-depthwise': () => sequence(IMAGE, weight(depthwise([3, 3]))),
  'weight-norm-embedding': () => tokens(weight(embedding())),
  'weight-norm-lstm': () => sequence(SEQUENCE, weight(lstm())),
  'spectral-norm-linear': () => sequence([4], spectral(fc())),
  'spectral-norm-conv2d': () => sequence(IMAGE, spectral(conv())),
  'spectral-norm-conv-transpose2d': () => sequence(IMAGE, spectral(up())),
  'spectral-norm-depthwise': () => sequence(IMAGE, spectral(depthwise([3, 2]))),
  'spectral-norm-embedding': () => tokens(spectral(embedding())),
  'spectral-norm-flattened': () =>
    sequence(
      IMAGE,
      spectral(conv({ kernelSize: 2 })),
      l.leakyReLU({ alpha: 0.2 }),
      l.flatten(),
      spectral(fc({ units: 2 })),
    ),
  'flattened-images': () =>
    sequence(
      IMAGE,
      conv({ kernelSize: 2 }),
      batchNorm('norm'),
      l.activation({ activation: 'relu' }),
      l.maxPooling2d({ poolSize: [1, 2] }),
      l.flatten(),
      l.dropout({ rate: 0.5 }),
      fc({ units: 4 }),
      l.dense({ units: 2, name: 'out' }),
    ),
  'flattened-norms': () =>
    sequence(
      IMAGE,
      conv({ kernelSize: 2 }),
      l.flatten(),
      batchNorm('batch'),
      tfn.layerNormalization({ epsilon, name: 'layer' }),
      tfn.rmsNormalization({ center: false, epsilonPlacement: 'inside', name: 'rms' }),
      l.prelu({ sharedAxes: [1], name: 'act' }),
      weight(fc({ units: 2 })),
    ),
  'flattened-signals': () =>
    sequence(
      [7, 3],
      l.conv1d({ filters: 4, kernelSize: 2, name: 'conv' }),
      l.maxPooling1d({ poolSize: 2 }),
      l.flatten(),
      fc({ units: 2 }),
    ),
  'flattened-sequences': () => sequence(SEQUENCE, l.simpleRNN(recurrent), l.flatten(), fc({ units: 2 })),
  'flattened-branches': branches,
  'flattened-in-a-model': nested,
  'reshaped-to-images': () =>
    sequence(
      [5],
      l.dense({ units: 24, name: 'project' }),
      batchNorm('norm'),
      l.reLU(),
      l.reshape({ targetShape: [2, 3, 4] }),
      l.conv2dTranspose({ filters: 2, kernelSize: 2, strides: 2, name: 'up' }),
    ),
  float16: () => sequence([4], fc()),
  bfloat16: () => sequence([4], fc()),
  float64: () => sequence([4], fc()),
};

/** What PyTorch's modules are called, where it is not what the layers are. */
export const NAMES: Readonly<Record<string, Record<string, string>>> = { 'flattened-sequences': { rnn: 'rnn.rnn' } };
