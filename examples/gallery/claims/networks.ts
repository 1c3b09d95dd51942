/** The networks that read digits: for the same seed all have the same first weights, whatever normalizes them. */
import * as tf from '@tensorflow/tfjs';
import {
  batchInstanceNormalization,
  batchNormalization,
  batchRenormalization,
  groupNormalization,
  instanceNormalization,
  layerNormalization,
  meanOnlyBatchNormalization,
  multiHeadAttention,
  rmsNormalization,
  spectralNormalization,
  switchableNormalization,
  weightNormalization,
} from 'tfjs-normalizations';
import { CLASSES } from '../shared/digits.ts';
import { variablesOf } from '../shared/training.ts';
import { PIXELS, WIDTH } from './data.ts';

type Layer = tf.layers.Layer;

export interface Design {
  readonly network: keyof typeof builders;
  readonly norm: Norm;
  /** Steps of the training: some normalizations have schedules. */
  readonly steps: number;
  readonly seed: number;
  /** Factor of the usual first weights (He's) of hidden layers. Default: 1. */
  readonly start?: number;
  /** Of group normalization. Default: 4. */
  readonly groups?: number;
  /** Where the gates of batch-instance normalization start. Default: 1, the layer's. */
  readonly rho?: number;
}

/** A network as a training needs it. */
export interface Network {
  /** x [batch, PIXELS], logits [batch, CLASSES] */
  logits(x: tf.Tensor2D, training: boolean): tf.Tensor2D;
  variables(): tf.Variable[];
  /** Of networks of layers in a row: what goes into each ReLU. */
  beforeActivations?(x: tf.Tensor2D, training: boolean): tf.Tensor[];
  dispose(): void;
}

const none = () => tf.layers.activation({ activation: 'linear' });
const momentum = 0.9; // trainings here are short

/** What comes after a layer. */
const normalizers = {
  none,
  batch: () => batchNormalization({ momentum }),
  group: ({ groups = 4 }) => groupNormalization({ groups }),
  /** Over all features of an example. */
  layer: () => layerNormalization({ axis: [1, 2, 3] }),
  /** Over the last axis: in a convolutional network, the channels of each position. */
  'layer, last axis': () => layerNormalization(),
  instance: () => instanceNormalization(),
  rms: () => rmsNormalization(),
  renorm: ({ steps }) => {
    const ramp: [number, number] = [Math.floor(0.05 * steps), Math.max(2, Math.floor(0.3 * steps))];
    return batchRenormalization({ momentum, rampSteps: { rmax: ramp, dmax: ramp } });
  },
  'mean-only': () => meanOnlyBatchNormalization({ momentum }),
  'batch-instance': ({ rho = 1 }) =>
    batchInstanceNormalization({ momentum, rhoInitializer: tf.initializers.constant({ value: rho }) }),
  switchable: () => switchableNormalization({ momentum }),
  weight: none,
  'weight and mean-only': () => meanOnlyBatchNormalization({ momentum }),
  spectral: none,
} satisfies Record<string, (design: Design) => Layer>;
export type Norm = keyof typeof normalizers;

/** The normalizations of weights wrap the layer. */
function wrapped(layer: Layer, norm: Norm): Layer {
  if (norm === 'weight') return weightNormalization({ layer, dataInit: true });
  if (norm === 'weight and mean-only') return weightNormalization({ layer });
  return norm === 'spectral' ? spectralNormalization({ layer }) : layer;
}

const makeNorm = (design: Design): Layer => normalizers[design.norm](design);

/** Layers in a row, each hidden one with its normalization and a ReLU. */
function sequence(
  design: Design,
  hidden: readonly ((initializer: object) => Layer)[],
  before: readonly Layer[],
): Network {
  const { norm, seed, start = 1 } = design;
  const initializer = (i: number, scale: number) =>
    tf.initializers.varianceScaling({ scale, mode: 'fanIn', distribution: 'normal', seed: 100 * seed + i });
  const model = tf.sequential();
  for (const layer of before) model.add(layer);
  for (const [i, make] of hidden.entries()) {
    model.add(wrapped(make(initializer(i, 2 * start * start)), norm));
    model.add(makeNorm(design));
    model.add(tf.layers.reLU());
  }
  if (model.outputs[0].rank > 2) model.add(tf.layers.flatten());
  model.add(tf.layers.dense({ units: CLASSES, kernelInitializer: initializer(99, 1) }));
  return { ...ofModel(model), beforeActivations: (x, training) => beforeActivations(model, x, training) };
}

function beforeActivations(model: tf.Sequential, x: tf.Tensor, training: boolean): tf.Tensor[] {
  const found: tf.Tensor[] = [];
  for (const layer of model.layers) {
    if (layer.getClassName() === 'ReLU') found.push(x);
    x = layer.apply(x, { training }) as tf.Tensor;
  }
  return found;
}

const ofModel = (model: tf.LayersModel): Network => ({
  logits: (x, training) => model.apply(x, { training }) as tf.Tensor2D,
  variables: () => variablesOf(model),
  dispose: () => void model.dispose(),
});

const asImages = () => tf.layers.reshape({ targetShape: [WIDTH, WIDTH, 1], inputShape: [PIXELS] });
const asVectors = () => tf.layers.reshape({ targetShape: [PIXELS], inputShape: [PIXELS] });
const conv = (filters: number) => (kernelInitializer: object) =>
  tf.layers.conv2d({ filters, kernelSize: 3, strides: 2, padding: 'same', kernelInitializer } as never);
const dense = (kernelInitializer: object) => tf.layers.dense({ units: 32, kernelInitializer } as never);

export const builders = {
  /** Two convolutions of 8 and 16 channels. */
  convolutional: (design: Design) => sequence(design, [conv(8), conv(16)], [asImages()]),
  /** Two dense layers of 32 units. */
  dense: (design: Design) => sequence(design, [dense, dense], [asVectors()]),
  /** Eight dense layers of 32 units. */
  deep: (design: Design) => sequence(design, Array(8).fill(dense), [asVectors()]),
  /** The pixels themselves are normalized, before one dense layer. */
  'normalized inputs': (design: Design) =>
    sequence({ ...design, norm: 'none' }, [dense], [asVectors(), makeNorm(design)]),
  /** Reads the rows of a digit one after the other. */
  recurrent: (design: Design) => recurrent(design),
  /** Four blocks of attention and dense layers, normalized after each addition; the rows of a digit are its tokens. */
  transformer: (design: Design) => transformer(design, 4),
};

const STATE = 32;

/** h = tanh(norm(W x + U h)), of which the last step's is read. */
function recurrent(design: Design): Network {
  const { seed, start = 1 } = design;
  const weights = (rows: number, columns: number, scale: number, i: number) =>
    tf.variable(tf.randomNormal([rows, columns], 0, scale / Math.sqrt(rows), 'float32', 100 * seed + i));
  const norm = makeNorm(design);
  const variables = tf.tidy(() => {
    norm.build([null, STATE]);
    return [weights(WIDTH, STATE, start, 0), weights(STATE, STATE, start, 1), weights(STATE, CLASSES, 1, 2)] as const;
  });
  const bias = tf.variable(tf.zeros([STATE]));
  const [w, u, out] = variables;
  return {
    logits(x, training) {
      const rows = tf.unstack(tf.reshape(x, [-1, WIDTH, WIDTH]), 1) as tf.Tensor2D[];
      let h = tf.zeros([x.shape[0], STATE]);
      for (const row of rows) {
        const sum = tf.add(
          tf.add(tf.matMul(row, w as tf.Tensor2D), tf.matMul(h as tf.Tensor2D, u as tf.Tensor2D)),
          bias,
        );
        h = tf.tanh(norm.apply(sum, { training }) as tf.Tensor);
      }
      return tf.matMul(h as tf.Tensor2D, out as tf.Tensor2D);
    },
    variables: () => [...variables, bias, ...norm.trainableWeights.map((weight) => weight.read() as tf.Variable)],
    dispose() {
      tf.dispose([...variables, bias]);
      for (const weight of norm.weights) weight.dispose();
    },
  };
}

const TOKEN = 16;

function transformer(design: Design, blocks: number): Network {
  const { seed, start = 1 } = design;
  let i = 0;
  const units = (units: number, activation: 'relu' | 'linear' = 'linear') => {
    const scale = (activation === 'relu' ? 2 : 1) * start * start;
    const options = { scale, mode: 'fanIn', distribution: 'normal', seed: 100 * seed + i++ } as const;
    return tf.layers.dense({ units, activation, kernelInitializer: tf.initializers.varianceScaling(options) });
  };
  const input = tf.input({ shape: [PIXELS] });
  const tokens = tf.layers.reshape({ targetShape: [WIDTH, WIDTH] }).apply(input) as tf.SymbolicTensor;
  let x = units(TOKEN).apply(tokens) as tf.SymbolicTensor;
  const added = (y: tf.SymbolicTensor) => makeNorm(design).apply(tf.layers.add().apply([x, y])) as tf.SymbolicTensor;
  for (let block = 0; block < blocks; block++) {
    const kernelInitializer = tf.initializers.glorotUniform({ seed: 100 * seed + 50 + block });
    const attention = multiHeadAttention({ numHeads: 2, keyDim: TOKEN / 2, kernelInitializer });
    x = added(attention.apply([x, x]) as tf.SymbolicTensor);
    x = added(units(TOKEN).apply(units(2 * TOKEN, 'relu').apply(x)) as tf.SymbolicTensor);
  }
  const outputs = units(CLASSES).apply(tf.layers.flatten().apply(x)) as tf.SymbolicTensor;
  return ofModel(tf.model({ inputs: input, outputs }));
}
