/**
 * A frozen layer stays still to the last bit, with all its statistics: wherever a plain dense layer of TensorFlow.js does, and
 * where `trainable` was set before the layer was built.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as ours from '../../layers/index.ts';
import { FIRST } from '../support/layer-table.ts';
import { type Layer, layerClass, variableOf } from '../support/layers.ts';
import { normals } from '../support/random.ts';

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

/** A model of one layer, and a layer on top of it that is left to train. */
interface Setting {
  readonly layer: Layer;
  readonly holder: tf.Sequential;
  readonly free: Layer;
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

/** A training call of both, without a model around. */
function lossOf({ holder, free }: Setting, x: tf.Tensor): tf.Scalar {
  const y = holder.apply(x, { training: true }) as tf.Tensor;
  return tf.mean(tf.square(tf.sub(free.apply(tf.reshape(y, [x.shape[0]!, -1])) as tf.Tensor, 1)));
}

/** Both in one model, or in a model within a model. */
function around({ holder, free }: Setting, inner = holder as tf.LayersModel): tf.LayersModel {
  const input = tf.input({ batchShape: holder.inputs[0]!.shape });
  const y = inner.apply(input) as tf.SymbolicTensor;
  const flat = y.rank > 2 ? (tf.layers.flatten().apply(y) as tf.SymbolicTensor) : y;
  const model = tf.model({ inputs: input, outputs: free.apply(flat) as tf.SymbolicTensor });
  model.compile({ optimizer: tf.train.sgd(0.5), loss: 'meanSquaredError' });
  return model;
}
const targetsFor = (x: tf.Tensor) => tf.ones([x.shape[0]!, 1]);

/** How both are trained, for two steps. */
const TRAINERS: Record<string, (setting: Setting, x: tf.Tensor) => Promise<void> | void> = {
  async fit(setting, x) {
    await around(setting).fit(x, targetsFor(x), { epochs: 2, verbose: 0 });
  },
  async trainOnBatch(setting, x) {
    const model = around(setting);
    for (let i = 0; i < 2; i++) await model.trainOnBatch(x, targetsFor(x));
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

function settingOf(kind: Kind, place: string): Setting {
  const { option, early, late } = PLACES[place] ?? {};
  const inputShape = kind.shape.slice(1);
  const layer = kind.make({ inputShape, ...(option ? { trainable: false } : {}) });
  const holder = tf.sequential();
  early?.({ layer, holder } as Setting);
  holder.add(layer);
  const free = tf.layers.dense({ units: 1 });
  free.build([null, tf.util.sizeFromShape(layer.outputShape.slice(1) as number[])]);
  const setting = { layer, holder, free };
  holder.build();
  late?.(setting);
  return setting;
}

/** The weights that are to be trained, frozen or not. */
const trainedIn = (layer: Layer) => (layer as unknown as { _trainableWeights: Layer['weights'] })._trainableWeights;

const numbers = (tensor: tf.Tensor) => Array.from(tensor.dataSync());
const valuesOf = ({ weights }: Pick<Layer, 'weights'>) => weights.map((weight) => numbers(weight.read()));

/** Whether training moved the layer; the layer beside it has to move. */
async function moves(setting: Setting, kind: Kind, trainer: keyof typeof TRAINERS): Promise<boolean> {
  const { layer, free } = setting;
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

test('a model that is built within the loss keeps its layers', () =>
  alone(async () => {
    const kind = KINDS['spectral-normalized dense'] as Kind;
    const layer = kind.make({ inputShape: [5] });
    const holder = tf.sequential();
    holder.trainable = false;
    holder.add(layer);
    const free = tf.layers.dense({ units: 1 });
    free.build([null, 3]);
    const setting = { layer, holder, free };
    expect(await moves(setting, kind, 'minimize')).toBe(false);
    // The gradient in a frozen weight can be had all the same.
    const [kernel] = layer.weights.filter(({ originalName }) => originalName.endsWith('kernel'));
    const dKernel = tf.grads(() => lossOf(setting, inputOf(kind)))([kernel!.read()]);
    expect(numbers(dKernel[0]!).some((value) => value !== 0)).toBe(true);
  }));

describe('a plain dense layer of TensorFlow.js', () => {
  test.each(Object.keys(TRAINERS))('stays, frozen after it was built, trained by %s', (trainer) =>
    alone(async () => {
      for (const place of ['the layer', 'the model']) {
        expect(await moves(settingOf(PLAIN, place), PLAIN, trainer)).toBe(false);
      }
    }),
  );

  test('moves in minimize, frozen before it was built', () =>
    alone(async () => {
      expect(await moves(settingOf(PLAIN, 'an option of the layer'), PLAIN, 'minimize')).toBe(true);
    }));
});

describe('frozen by the layer within the wrapper', () => {
  describe.each(Object.keys(TRAINERS))('trained by %s', (trainer) => {
    test.each(wrapped)('%s stays', (_, kind) =>
      alone(async () => {
        const setting = settingOf(kind, 'nowhere');
        (setting.layer as unknown as { layer: Layer }).layer.trainable = false;
        expect(await moves(setting, kind, trainer)).toBe(false);
      }),
    );
  });
});

test.each(kinds)('%s: a frozen layer stays when its model is built again', (_, kind) =>
  alone(async () => {
    const setting = settingOf(kind, 'the layer');
    setting.holder.add(tf.layers.activation({ activation: 'relu' }));
    setting.holder.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    expect(await moves(setting, kind, 'minimize')).toBe(false);
  }),
);

// A training call itself moves statistics, and what the first batch sets or Keras's form overwrites, unless the layer is frozen.
const learning = kinds.filter(([name]) => !/without|by data|Keras's|Addons's/.test(name));
test.each(learning)('%s: by fit, a model two levels up keeps what is trained', (_, kind) =>
  alone(async () => {
    const setting = settingOf(kind, 'nowhere');
    const input = tf.input({ batchShape: setting.holder.inputs[0]!.shape });
    const middle = tf.model({ inputs: input, outputs: setting.holder.apply(input) as tf.SymbolicTensor });
    middle.trainable = false;
    const kept = { weights: setting.layer.trainableWeights };
    const before = valuesOf(kept);
    const x = inputOf(kind);
    const [freely] = valuesOf(setting.free);
    await around(setting, middle).fit(x, targetsFor(x), { epochs: 2, verbose: 0 });
    expect(valuesOf(setting.free)[0]).not.toEqual(freely);
    expect(valuesOf(kept)).toEqual(before);
  }),
);

describe.each(Object.keys(PLACES))('thawed after it was frozen by %s', (place) => {
  test.each(kinds)('%s learns, and its state is never trained', (_, kind) =>
    alone(async () => {
      const setting = settingOf(kind, place);
      const { layer, holder } = setting;
      const state = layer.nonTrainableWeights.filter((weight) => !trainedIn(layer).includes(weight));
      const order = layer.weights.map(({ originalName }) => originalName);
      layer.trainable = true;
      holder.trainable = true;
      expect(layer.weights.map(({ originalName }) => originalName)).toEqual(order);
      expect(state.map((weight) => variableOf(weight).trainable)).toEqual(state.map(() => false));
      const trained = layer.trainableWeights;
      expect(trained.map((weight) => variableOf(weight).trainable)).toEqual(trained.map(() => true));
      if (trained.length > 0 || state.length > 0) expect(await moves(setting, kind, 'minimize')).toBe(true);
    }),
  );
});

test.each([{ trainable: false }, {}])('QKNormAttention, frozen by an option or by its model %j', (options) =>
  alone(async () => {
    const layer = ours.qkNormAttention({ sequenceLength: 8, ...options });
    const inputs = [1, 2, 3].map(() => tf.input({ shape: [4, 3] }));
    const model = tf.model({ inputs, outputs: layer.apply(inputs) as tf.SymbolicTensor });
    if (!('trainable' in options)) model.trainable = false;
    const free = tf.layers.dense({ units: 1 });
    const x = [1, 2, 3].map((seed) => tf.tensor(normals(seed, 24), [2, 4, 3]));
    const loss = () => tf.mean(tf.square(free.apply(model.apply(x, { training: true })) as tf.Tensor)) as tf.Scalar;
    loss();
    const [before, freely] = [valuesOf(layer), valuesOf(free)];
    tf.train.sgd(0.5).minimize(loss);
    expect(valuesOf(layer)).toEqual(before);
    expect(valuesOf(free)).not.toEqual(freely);
    layer.trainable = true;
    model.trainable = true;
    tf.train.sgd(0.5).minimize(loss);
    expect(valuesOf(layer)).not.toEqual(before);
  }),
);
