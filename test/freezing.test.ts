/**
 * A frozen layer stays still to the last bit, with all its statistics: wherever a plain dense layer of TensorFlow.js does, and
 * where `trainable` was set before the layer was built.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as ours from '../layers/index.ts';
import { FIRST } from './support/layer-table.ts';
import { type Layer, layerClass, variableOf } from './support/layers.ts';
import { normals } from './support/random.ts';

beforeAll(() => tf.setBackend('cpu'));

type Options = { name?: string; trainable?: boolean; inputShape?: number[] };
interface Kind {
  readonly make: (options: Options) => Layer;
  readonly shape: readonly number[];
}

const { spectralNormalization, weightNormalization } = ours;
const dense = () => tf.layers.dense({ units: 3 });
const lstm = () => tf.layers.lstm({ units: 3 });
const separable = () => tf.layers.separableConv2d({ filters: 3, kernelSize: 2 });
const withoutWeights = { center: false, scale: false };

const KINDS: Record<string, Kind> = {
  ...Object.fromEntries(
    FIRST.map(({ className, options, shape }): [string, Kind] => [
      className,
      { make: (more) => new (layerClass(className))({ ...options, ...more }), shape },
    ]),
  ),
  'BatchNormalization without gamma and beta': {
    make: (options) => ours.batchNormalization({ ...withoutWeights, ...options }),
    shape: [4, 3],
  },
  'BatchNormalization with renorm': {
    make: (options) => ours.batchNormalization({ renorm: true, ...options }),
    shape: [4, 3],
  },
  'BatchRenormalization without gamma and beta': {
    make: (options) => ours.batchRenormalization({ ...withoutWeights, ...options }),
    shape: [4, 3],
  },
  'MeanOnlyBatchNormalization without beta': {
    make: (options) => ours.meanOnlyBatchNormalization({ center: false, ...options }),
    shape: [4, 3],
  },
  'weight-normalized dense': { make: (options) => weightNormalization({ layer: dense(), ...options }), shape: [4, 5] },
  'weight-normalized dense, by data': {
    make: (options) => weightNormalization({ layer: dense(), dataInit: true, ...options }),
    shape: [4, 5],
  },
  'weight-normalized lstm': { make: (options) => weightNormalization({ layer: lstm(), ...options }), shape: [4, 3, 2] },
  'spectral-normalized dense': {
    make: (options) => spectralNormalization({ layer: dense(), ...options }),
    shape: [4, 5],
  },
  'spectral-normalized lstm': {
    make: (options) => spectralNormalization({ layer: lstm(), ...options }),
    shape: [4, 3, 2],
  },
  'spectral-normalized separableConv2d': {
    make: (options) => spectralNormalization({ layer: separable(), ...options }),
    shape: [4, 3, 3, 2],
  },
  "spectral-normalized dense, Keras's": {
    make: (options) => spectralNormalization({ layer: dense(), reparameterize: false, ...options }),
    shape: [4, 5],
  },
  "weight-normalized dense, Addons's": {
    make: (options) => new ours.AddonsWeightNormalization({ layer: dense(), ...options }),
    shape: [4, 5],
  },
  "spectral-normalized dense, Addons's": {
    make: (options) => new ours.AddonsSpectralNormalization({ layer: dense(), ...options }),
    shape: [4, 5],
  },
};
const PLAIN: Kind = { make: (options) => tf.layers.dense({ units: 3, ...options }), shape: [4, 5] };
const kinds = Object.entries(KINDS);
const wrapped = kinds.filter(([name]) => name.includes('-normalized'));

/** A model of one layer, in a model with a layer of its own that is left to train. */
interface Setting {
  readonly layer: Layer;
  readonly holder: tf.Sequential;
  readonly around: tf.LayersModel;
}

/** Where and when `trainable` becomes false. */
const PLACES = {
  'an option of the layer': { option: true },
  'the layer, before it is built': { early: ({ layer }: Setting) => (layer.trainable = false) },
  'the layer': { late: ({ layer }: Setting) => (layer.trainable = false) },
  'the model, before it is built': { early: ({ holder }: Setting) => (holder.trainable = false) },
  'the model': { late: ({ holder }: Setting) => (holder.trainable = false) },
} as Record<string, { option?: true; early?: (setting: Setting) => void; late?: (setting: Setting) => void }>;

const inputOf = ({ shape }: Kind) => tf.tensor(normals(1, tf.util.sizeFromShape([...shape])), [...shape]);
const lossOf = ({ around }: Setting, x: tf.Tensor) =>
  tf.mean(tf.square(tf.sub(around.apply(x, { training: true }) as tf.Tensor, 1))) as tf.Scalar;
const compile = ({ around }: Setting) => around.compile({ optimizer: tf.train.sgd(0.5), loss: 'meanSquaredError' });

/** How the model around is trained, for two steps. */
const TRAINERS: Record<string, (setting: Setting, x: tf.Tensor) => Promise<void> | void> = {
  async fit(setting, x) {
    compile(setting);
    await setting.around.fit(x, tf.ones([4, 1]), { epochs: 2, verbose: 0 });
  },
  async trainOnBatch(setting, x) {
    compile(setting);
    for (let i = 0; i < 2; i++) await setting.around.trainOnBatch(x, tf.ones([4, 1]));
  },
  minimize(setting, x) {
    const optimizer = tf.train.sgd(0.5);
    for (let i = 0; i < 2; i++) optimizer.minimize(() => lossOf(setting, x));
  },
  variableGrads(setting, x) {
    const optimizer = tf.train.sgd(0.5);
    for (let i = 0; i < 2; i++) optimizer.applyGradients(tf.variableGrads(() => lossOf(setting, x)).grads);
  },
};

function settingOf(kind: Kind, place: keyof typeof PLACES): Setting {
  const { option, early, late } = PLACES[place]!;
  const inputShape = kind.shape.slice(1);
  const layer = kind.make({ inputShape, ...(option ? { trainable: false } : {}) });
  const holder = tf.sequential();
  early?.({ layer, holder } as Setting);
  holder.add(layer);
  const around = tf.sequential();
  around.add(holder);
  if ((holder.outputs[0] as tf.SymbolicTensor).shape.length > 2) around.add(tf.layers.flatten());
  around.add(tf.layers.dense({ units: 1 }));
  const setting = { layer, holder, around };
  late?.(setting);
  return setting;
}

const valuesOf = ({ weights }: Pick<Layer, 'weights'>) => weights.map((weight) => Array.from(weight.read().dataSync()));

/** Whether training moved the layer; the layer beside it has to move. */
async function moves(setting: Setting, kind: Kind, trainer: keyof typeof TRAINERS): Promise<boolean> {
  const { layer, around } = setting;
  const free = around.layers.at(-1) as Layer;
  const [before, freely] = [valuesOf(layer), valuesOf(free)];
  await TRAINERS[trainer]!(setting, inputOf(kind));
  expect(valuesOf(free)).not.toEqual(freely);
  return JSON.stringify(valuesOf(layer)) !== JSON.stringify(before);
}

/** One test at a time: `minimize` trains every variable there is. */
async function alone<T>(f: () => Promise<T>): Promise<T> {
  try {
    return await f();
  } finally {
    tf.disposeVariables();
  }
}

describe.each(Object.keys(PLACES))('frozen by %s', (place) => {
  describe.each(Object.keys(TRAINERS))('trained by %s', (trainer) => {
    test.each(kinds)('%s stays', (_, kind) =>
      alone(async () => {
        expect(await moves(settingOf(kind, place), kind, trainer)).toBe(false);
      }),
    );
  });
});
