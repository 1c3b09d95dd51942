/**
 * Importing the package breaks nothing that worked without it: what TensorFlow.js's own two classes accept, ours load and
 * run with the same outputs, gradients and statistics. What differs is in the table "From tf.layers" of the guide to migration,
 * and is said here where it is left out of the comparison.
 */
import { beforeAll, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import * as ours from '../../layers/index.ts';
import { normals } from '../support/random.ts';

beforeAll(() => tf.setBackend('cpu'));

type Layer = tf.layers.Layer;
type Config = tf.serialization.ConfigDict;
type Name = 'BatchNormalization' | 'LayerNormalization';
const FACTORIES = {
  BatchNormalization: tf.layers.batchNormalization,
  LayerNormalization: tf.layers.layerNormalization,
} as unknown as Record<Name, (config: object) => Layer>;
const OURS = { BatchNormalization: ours.BatchNormalization, LayerNormalization: ours.LayerNormalization };

/** Ours from the saved config of TensorFlow.js's, by way of JSON as in a file. */
function loaded(theirs: Layer): Layer {
  const name = theirs.getClassName() as Name;
  const config = JSON.parse(JSON.stringify(theirs.getConfig())) as Config;
  const [cls, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[name]!;
  expect(cls).toBe(OURS[name]);
  return fromConfig(cls, config) as unknown as Layer;
}

const numbers = (t: tf.Tensor) => Array.from(t.dataSync());

/** Both compute in float32 and sum in other orders; gradients of theirs go through the moments. */
const TOLERANCE = 2e-4;
function expectClose(actual: tf.Tensor, expected: tf.Tensor, what: string): void {
  expect([what, actual.shape]).toEqual([what, expected.shape]);
  const [a, b] = [numbers(actual), numbers(expected)];
  const largest = Math.max(1, ...b.map(Math.abs).filter(Number.isFinite));
  for (const [i, value] of b.entries()) {
    const isClose = Math.abs(a[i]! - value) <= TOLERANCE * largest;
    if (!isClose) expect([what, a]).toEqual([what, b]);
  }
}

/** Values of both, for comparison, in one call. */
function results(layer: Layer, x: tf.Tensor, dy: tf.Tensor, kwargs: object, gradients: boolean) {
  const call = (x: tf.Tensor) => layer.apply(x, kwargs) as tf.Tensor;
  const y = call(x);
  // The call above has moved the averages of a layer that trains; so do those of the gradients.
  const state = layer.nonTrainableWeights.map((weight) => tf.clone(weight.read()));
  if (!gradients) return { y, state, grads: [] };
  const dx = tf.grad((x: tf.Tensor) => tf.sum(tf.mul(call(x), dy)))(x);
  const variables = layer.trainableWeights.map((weight) => (weight as unknown as { val: tf.Variable }).val);
  const grads: Record<string, tf.Tensor> =
    variables.length > 0 ? tf.variableGrads(() => tf.sum(tf.mul(call(x), dy)) as tf.Scalar, variables).grads : {};
  return { y, state, grads: [dx, ...variables.map(({ name }) => grads[name]!)] };
}

const initializer = fc.constantFrom(
  undefined,
  'zeros',
  'ones',
  { className: 'Constant', config: { value: 0.5 } },
  { className: 'RandomNormal', config: { mean: 1, stddev: 0.1, seed: 3 } },
);
const regularizer = fc.constantFrom(undefined, 'l1l2', { className: 'L1L2', config: { l1: 0.01, l2: 0.02 } });
const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 4 });
const epsilon = fc.constantFrom(undefined, 0, 1e-40, 1e-7, 1e-5, 1e-3, 0.5);
const options = {
  epsilon,
  center: fc.constantFrom(undefined, true, false),
  scale: fc.constantFrom(undefined, true, false),
  betaInitializer: initializer,
  gammaInitializer: initializer,
  betaRegularizer: regularizer,
  gammaRegularizer: regularizer,
  trainable: fc.constantFrom(undefined, true),
  dtype: fc.constantFrom(undefined, 'float32'),
  name: fc.constantFrom(undefined, 'norm'),
};
const usual = {
  options: fc.record(options),
  shape: sizes,
  /** Which the batch is empty. */
  isEmpty: fc.integer({ max: 9, min: 0 }).map((n) => n === 0),
  training: fc.constantFrom<unknown>(undefined, null, false, 0, '', true, 1, 'yes'),
  seed: fc.integer({ min: 1, max: 1e6 }),
  /** Adds an input shape, as a first layer of a model has. */
  asFirst: fc.boolean(),
};
const hasBoth = ({ center, scale }: { center?: unknown; scale?: unknown }) => center !== false && scale !== false;
const present = (record: object) =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));

interface Compared {
  readonly name: Name;
  readonly config: object;
  readonly shape: readonly number[];
  readonly training: unknown;
  readonly seed: number;
  readonly kwargs?: object;
  readonly gradients: boolean;
}

/** Both classes, with the same weights, on the same input. */
function compare({ name, config, shape, training, seed, kwargs = {}, gradients }: Compared): void {
  tf.tidy(() => {
    const theirs = FACTORIES[name](config);
    const mine = loaded(theirs);
    const size = shape.reduce((a, b) => a * b, 1);
    const x = tf.tensor(normals(seed, size, 0.5, 2), [...shape]);
    const dy = tf.tensor(normals(seed + 1, size), [...shape]);
    theirs.build([...shape]);
    mine.build([...shape]);
    expect(mine.countParams()).toBe(theirs.countParams());
    const names = (layer: Layer) => layer.weights.map(({ originalName }) => originalName.split('/').at(-1));
    expect(names(mine)).toEqual(names(theirs));
    expect(mine.weights.map(({ shape }) => shape)).toEqual(theirs.weights.map(({ shape }) => shape));
    const weights = theirs.weights.map(({ originalName, shape }, i) => {
      const values = normals(
        seed + 2 + i,
        shape.reduce<number>((a, b) => a * b!, 1),
        1,
        0.3,
      );
      return tf.tensor(originalName.includes('variance') ? values.map((v) => v * v + 0.5) : values, shape as number[]);
    });
    for (const layer of [theirs, mine]) layer.setWeights(weights);
    const [a, b] = [mine, theirs].map((layer) => results(layer, x, dy, { ...kwargs, training }, gradients));
    expectClose(a!.y, b!.y, 'y');
    for (const [i, one] of b!.state.entries()) expectClose(a!.state[i]!, one, `state ${i}`);
    for (const [i, one] of b!.grads.entries()) expectClose(a!.grads[i]!, one, `gradient ${i}`);
    for (const weight of [...mine.weights, ...theirs.weights]) weight.dispose();
  });
}

/** Lists of distinct axes of a shape in any order, some counted from the end. */
const axesOf = (rank: number) =>
  fc
    .shuffledSubarray([...Array(rank).keys()], { minLength: 1 })
    .chain((axes) => fc.tuple(...axes.map((axis) => fc.constantFrom(axis, axis - rank))));

test('layer normalization', () => {
  const cases = fc.record(usual).chain((one) =>
    fc.record({
      one: fc.constant(one),
      axis: fc.oneof(
        fc.constant(undefined),
        axesOf(one.shape.length),
        axesOf(one.shape.length).map(([axis]) => axis),
      ),
    }),
  );
  fc.assert(
    fc.property(cases, ({ one: { options, shape, isEmpty, training, seed, asFirst }, axis }) => {
      const rank = shape.length;
      const axes = [axis ?? -1].flat().map((axis) => (axis < 0 ? axis + rank : axis));
      // Groups of one value have no variance: with epsilon 0 theirs give NaN. A small one makes gradients of rounding.
      const count = axes.reduce((n, axis) => n * shape[axis]!, 1);
      const isSteep = options.epsilon !== undefined && options.epsilon < 1e-3;
      fc.pre(count > 4 || !isSteep);
      // With a parameter for each index of all axes theirs does not reshape it, and its gradient has another shape.
      const inOrder = axes.every((axis, i) => i === 0 || axis > axes[i - 1]!);
      // Without gamma or beta its gradient fails.
      const gradients = (axes.length < rank || inOrder) && hasBoth(options);
      const batch = isEmpty && !axes.includes(0) ? [0, ...shape.slice(1)] : shape;
      const first = asFirst ? { batchInputShape: [axes.includes(0) ? shape[0] : null, ...shape.slice(1)] } : {};
      const config = present({ ...options, axis, ...first });
      compare({ name: 'LayerNormalization', config, shape: batch, training, seed, gradients });
    }),
    { numRuns: 300, seed: 11 },
  );
});

test('batch normalization', () => {
  const cases = fc.record({
    one: fc.record(usual),
    axis: fc.constantFrom('absent', 'last', 'positive', 'list'),
    momentum: fc.constantFrom(undefined, 0, 0.5, 0.99, 1, 1.5, -0.5),
    movingMeanInitializer: initializer,
    movingVarianceInitializer: initializer,
    /** A mask that does not fit, which TensorFlow.js never looks at. */
    mask: fc.constantFrom<unknown>(undefined, null, 'of another shape', 'list', 'no tensor'),
  });
  fc.assert(
    fc.property(cases, ({ one, axis, momentum, mask, ...initializers }) => {
      const { options, shape, isEmpty, training, seed, asFirst } = one;
      const last = shape.length - 1;
      const positions = shape.slice(0, -1).reduce((a, b) => a * b, 1);
      // TensorFlow.js fails in training without gamma or beta; with another axis than the last it fails in the gradient and
      // gives wrong numbers on this backend. Its frozen layer goes on.
      const config = present({
        ...options,
        ...(training ? { center: undefined, scale: undefined } : {}),
        ...initializers,
        momentum,
        axis: { absent: undefined, last: -1, positive: last, list: [last] }[axis],
        ...(asFirst ? { inputShape: shape.slice(1) } : {}),
      });
      const isSteep = options.epsilon !== undefined && options.epsilon < 1e-3;
      fc.pre(!training || positions > 4 || !isSteep);
      // Nothing has no statistics: theirs move the averages towards 0, and their gradient fails.
      const isNothing = isEmpty && !training;
      const batch = isNothing ? [0, ...shape.slice(1)] : shape;
      const masks = { 'of another shape': tf.zeros([3, 7]), list: [tf.zeros([5])], 'no tensor': [[true]] };
      const given = typeof mask === 'string' ? masks[mask as keyof typeof masks] : mask;
      const gradients = !isNothing && (Boolean(training) || hasBoth(options));
      compare({ name: 'BatchNormalization', config, shape: batch, training, seed, kwargs: { mask: given }, gradients });
      tf.dispose(masks as never);
    }),
    { numRuns: 300, seed: 12 },
  );
});

test('with epsilon 0 ours give beta where theirs give NaN', () => {
  for (const [name, shape] of [
    ['BatchNormalization', [1, 4]],
    ['LayerNormalization', [3, 1]],
  ] as const) {
    const theirs = FACTORIES[name]({ epsilon: 0, betaInitializer: 'ones' });
    const x = tf.ones([...shape]);
    const mine = loaded(theirs);
    expect(numbers(theirs.apply(x, { training: true }) as tf.Tensor).every(Number.isNaN)).toBe(true);
    expect(new Set(numbers(mine.apply(x, { training: true }) as tf.Tensor))).toEqual(new Set([1]));
  }
});

test('an empty batch in training moves no average of ours, and its gradients are 0', () => {
  const layer = ours.batchNormalization({ movingMeanInitializer: 'ones' });
  layer.build([null, 4]);
  const y = layer.apply(tf.zeros([0, 4]), { training: true }) as tf.Tensor;
  expect(y.shape).toEqual([0, 4]);
  expect(layer.getWeights().slice(2).map(numbers)).toEqual([
    [1, 1, 1, 1],
    [1, 1, 1, 1],
  ]);
});

test('the batch as an axis: TensorFlow.js gives these numbers where its kernels broadcast', () => {
  const layer = loaded(tf.layers.batchNormalization({ axis: 0 }));
  layer.build([3, 2]);
  const vectors = [
    [1, 2, 3],
    [0, 10, 20],
    [1, 2, 3],
    [1, 4, 9],
  ];
  layer.setWeights(vectors.map((v) => tf.tensor(v)));
  const x = [
    [1, 2],
    [3, 5],
    [7, 1],
  ];
  const expected = x.map((row, i) => {
    const [gamma, beta, mean, variance] = vectors.map((v) => v[i]!) as [number, number, number, number];
    return row.map((value) => ((value - mean) / Math.sqrt(variance + 1e-3)) * gamma + beta);
  });
  expectClose(layer.apply(tf.tensor(x)) as tf.Tensor, tf.tensor(expected), 'y');
  const trained = layer.apply(tf.tensor(x), { training: true }) as tf.Tensor;
  const { mean, variance } = tf.moments(tf.tensor(x), 1, true);
  const byHand = tf.mul(
    tf.div(tf.sub(tf.tensor(x), mean), tf.sqrt(tf.add(variance, 1e-3))),
    tf.tensor([[1], [2], [3]]),
  );
  expectClose(trained, tf.add(byHand, tf.tensor([[0], [10], [20]])), 'y in training');
});

test('models: topology and weights of TensorFlow.js load, and give and train the same', async () => {
  const make = () => {
    const model = tf.sequential();
    model.add(tf.layers.conv2d({ filters: 4, kernelSize: 2, inputShape: [5, 5, 2] }));
    model.add(tf.layers.batchNormalization({ epsilon: 0, momentum: 1.2 }));
    model.add(tf.layers.layerNormalization({ axis: [3, 1, 2], epsilon: 1e-40 }));
    model.add(tf.layers.globalAveragePooling2d({}));
    model.add(tf.layers.layerNormalization({ axis: [1] }));
    model.add(tf.layers.dense({ units: 2 }));
    return model;
  };
  const theirs = make();
  let artifacts: tf.io.ModelArtifacts | undefined;
  await theirs.save({
    save: async (saved) => {
      artifacts = saved;
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    },
  });
  const mine = await tf.loadLayersModel({ load: async () => artifacts! });
  expect(mine.layers[1]).toBeInstanceOf(ours.BatchNormalization);
  expect(mine.layers[2]).toBeInstanceOf(ours.LayerNormalization);
  const x = tf.tensor(normals(3, 6 * 50), [6, 5, 5, 2]);
  const labels = tf.tensor(normals(4, 12), [6, 2]);
  expectClose(mine.predict(x) as tf.Tensor, theirs.predict(x) as tf.Tensor, 'before');
  for (const model of [mine, theirs]) {
    model.compile({ optimizer: tf.train.sgd(0.05), loss: 'meanSquaredError' });
    for (let step = 0; step < 3; step++) await model.trainOnBatch(x, labels);
  }
  expectClose(mine.predict(x) as tf.Tensor, theirs.predict(x) as tf.Tensor, 'after');
  for (const [i, weight] of theirs.getWeights().entries()) expectClose(mine.getWeights()[i]!, weight, `weight ${i}`);
});

test('a layer that pools calls its norm with the mask that it was given', () => {
  const train = (norm: Layer) => {
    const x = tf.tensor(normals(3, 24), [2, 3, 4]);
    const pooled = tf.mean(x, 1);
    return norm.apply(pooled, { training: true, mask: tf.ones([2, 3]) }) as tf.Tensor;
  };
  const theirs = tf.layers.batchNormalization();
  expectClose(train(loaded(theirs)), train(theirs), 'y');
});

test('what true means in a training call, in every layer that it concerns', () => {
  const x = tf.tensor(normals(3, 24, 2), [6, 4]);
  const of = (make: () => Layer, training: unknown) => {
    const layer = make();
    layer.apply(x, { training } as object);
    return layer.getWeights().map(numbers);
  };
  const dense = () => tf.layers.dense({ units: 3, kernelInitializer: tf.initializers.glorotNormal({ seed: 3 }) });
  const makers: (() => Layer)[] = [
    () => ours.batchNormalization(),
    () => ours.batchRenormalization(),
    () => ours.meanOnlyBatchNormalization(),
    () => ours.batchInstanceNormalization(),
    () => ours.switchableNormalization(),
    () => ours.spectralNormalization({ layer: dense() }),
    () => ours.weightNormalization({ layer: dense(), dataInit: true }),
  ];
  for (const make of makers) {
    const [trained, not] = [of(make, true), of(make, false)];
    expect(trained).not.toEqual(not);
    for (const yes of [1, 'yes', {}, -1]) expect(of(make, yes)).toEqual(trained);
    for (const no of [undefined, null, 0, '', Number.NaN]) expect(of(make, no)).toEqual(not);
  }
  const attention = ours.qkNormAttention({ sequenceLength: 4, dropout: 0.9 });
  const [q, k, v] = [1, 2, 3].map((seed) => tf.tensor(normals(seed, 2 * 8 * 4), [2, 8, 4])) as [
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
  ];
  const attend = (training: unknown) => numbers(attention.apply([q, k, v], { training } as object) as tf.Tensor);
  expect(attend(1)).not.toEqual(attend(false));
  for (const no of [undefined, null, 0]) expect(attend(no)).toEqual(attend(false));
  const input = tf.input({ shape: [8, 4] });
  const outputs = attention.apply([input, input, input], { training: true }) as tf.SymbolicTensor;
  const dropping = tf.model({ inputs: input, outputs });
  expect(numbers(dropping.predict(q) as tf.Tensor)).not.toEqual(numbers(attention.apply([q, q, q]) as tf.Tensor));
});

test('classes from the map of TensorFlow.js can be extended, and keep their names for what they have', () => {
  type Class = new (config: object) => Layer & Record<string, unknown>;
  const { classNameMap } = tf.serialization.SerializationMap.getMap();
  for (const name of ['BatchNormalization', 'LayerNormalization'] as const) {
    const [Base] = classNameMap[name] as unknown as [Class];
    class Mine extends Base {
      static className = `My${name}`;
      readonly gain: number;
      constructor(config: { gain: number }) {
        super(config);
        this.gain = config.gain;
      }
    }
    const layer = new Mine({ gain: 2, epsilon: 0.5 } as never) as unknown as Layer & Record<string, unknown>;
    expect(layer.apply(tf.ones([2, 3]))).toBeInstanceOf(tf.Tensor);
    expect(layer).toMatchObject({ gain: 2, epsilon: 0.5, axis: -1, center: true, scale: true });
    const theirs = FACTORIES[name]({}) as Layer & Record<string, unknown>;
    theirs.build([2, 3]);
    const built = loaded(theirs) as Layer & Record<string, unknown>;
    built.build([2, 3]);
    for (const [key, value] of Object.entries(theirs)) {
      if (value === null || typeof value !== 'object' || Array.isArray(value) || key.startsWith('_')) continue;
      const own = built[key] as object | undefined;
      expect([key, typeof own]).toEqual([key, 'object']);
      if ('read' in value) expect(numbers((own as typeof value & { read(): tf.Tensor }).read())).toBeDefined();
    }
  }
});

test('configs say the same, before and after build', () => {
  const configs = [
    { epsilon: 0, axis: [2, 1] },
    { axis: -1, betaRegularizer: 'l1l2' },
    { scale: false, gammaInitializer: 'zeros' },
  ];
  for (const config of configs) {
    const theirs = tf.layers.layerNormalization(config as object);
    const before = theirs.getConfig();
    expect(loaded(theirs).getConfig()).toMatchObject(JSON.parse(JSON.stringify({ ...before, name: theirs.name })));
  }
  const theirs = tf.layers.batchNormalization({ momentum: 2, epsilon: 0 });
  expect(loaded(theirs).getConfig()).toMatchObject(JSON.parse(JSON.stringify(theirs.getConfig())));
});
