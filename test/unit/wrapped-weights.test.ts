/**
 * Wrappers around layers that have weights already: what is predicted, what is saved, and who else uses the weights. And what
 * becomes of g, u and v where the wrapped layer is given other weights.
 */
import { afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import {
  AddonsSpectralNormalization,
  AddonsWeightNormalization,
  removeSpectralNormalization,
  removeWeightNormalization,
  spectralNormalization,
  weightNormalization,
} from '../../layers/index.ts';
import type { Layer } from '../support/layers.ts';
import type { Tolerance } from '../support/matchers.ts';
import { normals } from '../support/random.ts';
import { largestSingularValue, matrixOf } from '../support/wrapper-oracle.ts';
import { WRAPPABLE, type Wrappable } from '../support/wrapper-table.ts';

beforeAll(() => tf.setBackend('cpu'));

const SAME: Tolerance = { ofMax: 3e-6, atol: 1e-6 };
const table = Object.entries(WRAPPABLE);

function make({ layer: { className, config } }: Wrappable, more: object = {}): Layer {
  const [cls, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
  return fromConfig(cls, { ...config, ...more } as tf.serialization.ConfigDict) as Layer;
}

function inputOf({ shape, indices }: Wrappable): tf.Tensor {
  const values = normals(31, tf.util.sizeFromShape([...shape]));
  return tf.tensor(indices ? values.map((_, i) => (i * 3) % indices) : values, [...shape]);
}

/** Weights as training leaves them: of any size. */
const trainedWeights = (layer: Layer, seed = 1, scale = 5) =>
  layer.weights.map(({ shape }, i) =>
    tf.tensor(normals(seed + i, tf.util.sizeFromShape(shape as number[])), shape as number[]).mul(scale),
  );

/** A layer that was called, and given weights. */
function trained(row: Wrappable, more: object = {}): { layer: Layer; x: tf.Tensor; y: Float32Array } {
  const layer = make(row, more);
  const x = inputOf(row);
  layer.apply(x);
  layer.setWeights(trainedWeights(layer));
  return { layer, x, y: numbers(layer.apply(x) as tf.Tensor) };
}

const numbers = (tensor: tf.Tensor) => tensor.dataSync() as Float32Array;
const predict = (model: tf.LayersModel, x: tf.Tensor) => numbers(model.predict(x) as tf.Tensor);
const valuesOf = (layer: Pick<Layer, 'weights'>) => layer.weights.map((weight) => Array.from(weight.read().dataSync()));
const namesOf = (layer: Pick<Layer, 'weights'>) => layer.weights.map(({ originalName }) => originalName);

async function savedAndLoaded(model: tf.LayersModel): Promise<tf.LayersModel> {
  let saved: tf.io.ModelArtifacts | undefined;
  const handler = tf.io.withSaveHandler(async (artifacts) => {
    saved = artifacts;
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
  });
  await model.save(handler);
  return tf.loadLayersModel(tf.io.fromMemory(saved!));
}

type Wrapper = ReturnType<typeof spectralNormalization> | ReturnType<typeof weightNormalization>;

/** The largest singular values of the kernels that the wrapper uses. */
function singularValues(wrapper: Wrapper, { kernels }: Wrappable): number[] {
  const used = wrapper.effectiveKernels();
  return Object.entries(kernels).map(([name, { shape, units }]) =>
    largestSingularValue(numbers(used[name]!), matrixOf(shape, units)),
  );
}

describe.each(table)('%s', (_, row) => {
  test('weight normalization keeps the predictions', () => {
    const { layer, x, y } = trained(row);
    const wrapper = weightNormalization({ layer });
    expect(numbers(wrapper.apply(x) as tf.Tensor)).toBeClose(y, SAME);
  });

  test('spectral normalization finds the largest singular value', () => {
    const { layer, x } = trained(row);
    const wrapper = spectralNormalization({ layer });
    wrapper.apply(x);
    for (const sigma of singularValues(wrapper, row)) expect(Math.abs(sigma - 1)).toBeLessThan(1e-3);
  });

  test.each([
    ['weight', weightNormalization, removeWeightNormalization],
    ['spectral', spectralNormalization, removeSpectralNormalization],
  ] as const)(
    '%s normalization: saved, loaded and taken off, as if it had been built within',
    async (_, wrap, remove) => {
      const { layer, x } = trained(row);
      const options = { inputShape: row.shape.slice(1), name: 'wrapper' };
      const model = tf.sequential({ layers: [wrap({ layer, ...options })] });
      const fresh = tf.sequential({ layers: [wrap({ layer: make(row), ...options })] });
      expect(namesOf(model)).toEqual(namesOf(fresh));
      const y = predict(model, x);
      const again = await savedAndLoaded(model);
      expect(predict(again, x)).toEqual(y);
      expect(predict(remove(model), x)).toBeClose(y, SAME);
      expect(predict(await savedAndLoaded(remove(again)), x)).toBeClose(y, SAME);
    },
  );

  test('setWeights of the layer renews g, u and v', () => {
    const { layer, x } = trained(row);
    const [weight, spectral] = [weightNormalization({ layer }), spectralNormalization({ layer: make(row) })];
    weight.apply(x);
    spectral.apply(x);
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const given = trainedWeights(layer, 11, 40);
      layer.setWeights(given);
      const plain = make(row);
      plain.apply(x);
      plain.setWeights(given);
      expect(numbers(weight.apply(x) as tf.Tensor)).toBeClose(numbers(plain.apply(x) as tf.Tensor), SAME);
      for (const one of plain.weights) one.dispose();
      spectral.layer.setWeights(given);
      for (const sigma of singularValues(spectral, row)) expect(Math.abs(sigma - 1)).toBeLessThan(1e-3);
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});

const dense = WRAPPABLE.dense!;

describe.each([
  ['weight', weightNormalization],
  ['spectral', spectralNormalization],
] as const)('%s normalization', (_, wrap) => {
  test('what is given to the wrapper or its model is written as it is', () => {
    const wrapper = wrap({ layer: tf.layers.dense({ units: 3 }), inputShape: [4] });
    const model = tf.sequential({ layers: [wrapper] });
    for (const target of [wrapper, model] as const) {
      const given = trainedWeights(wrapper as Layer, 7);
      target.setWeights(given);
      expect(valuesOf(wrapper)).toEqual(given.map((value) => Array.from(value.dataSync())));
    }
  });

  test('initial weights of the layer', () => {
    const weights = [tf.tensor(normals(1, 12, 0, 9), [4, 3]), tf.ones([3])];
    const layer = tf.layers.dense({ units: 3, weights });
    const wrapper = wrap({ layer });
    wrapper.apply(tf.ones([1, 4]));
    expect(numbers(layer.getWeights()[0]!)).toEqual(numbers(weights[0]!));
    const used = numbers(wrapper.effectiveKernels().kernel!);
    const expected =
      wrap === weightNormalization ? largestSingularValue(numbers(weights[0]!), matrixOf([4, 3], [1])) : 1;
    expect(largestSingularValue(used, matrixOf([4, 3], [1])) / expected).toBeCloseTo(1, 3);
  });

  test('a layer of another model is shared with it, and both are saved and loaded', async () => {
    const base = tf.sequential({ layers: [tf.layers.dense({ units: 3, inputShape: [4], name: 'first' })] });
    base.add(tf.layers.dense({ units: 2, name: 'second' }));
    const x = tf.tensor(normals(3, 8), [2, 4]);
    const before = predict(base, x);
    const tail = wrap({ layer: base.layers[1]! });
    const inner = tf.sequential({ layers: [wrap({ layer: base.layers[0]!, inputShape: [4] })] });
    const input = tf.input({ shape: [4] });
    const model = tf.model({ inputs: input, outputs: tail.apply(inner.apply(input)) as tf.SymbolicTensor });
    expect(predict(base, x)).toEqual(before);
    expect(namesOf(base).map((name) => name.split('/')[0])).toEqual(['first', 'first', 'second', 'second']);
    const y = predict(model, x);
    expect(predict(await savedAndLoaded(model), x)).toEqual(y);
    expect(predict(await savedAndLoaded(base), x)).toEqual(before);
    // The weights are the same ones.
    const kernel = base.layers[1]!.weights[0]!;
    tail.layer.setWeights([tf.ones([3, 2]), tf.zeros([2])]);
    expect(Array.from(kernel.read().dataSync())).toEqual(new Array(6).fill(1));
    // Who goes last takes them along.
    const state = model.weights.length - base.weights.length;
    const tensors = tf.memory().numTensors;
    expect(model.dispose().numDisposedVariables).toBe(state);
    expect(tf.memory().numTensors).toBe(tensors - state);
    expect(predict(base, x)).not.toEqual(before);
    base.layers[1]!.setWeights([tf.zeros([3, 2]), tf.zeros([2])]);
    expect(predict(base, x)).toEqual(new Float32Array(4));
    base.dispose();
    expect(() => kernel.read()).toThrow(/already disposed/);
  });

  test('a weight of the layer that is frozen by itself stays, and the others learn', () => {
    const wrapper = wrap({ layer: tf.layers.dense({ units: 3 }) });
    const x = tf.tensor(normals(1, 20), [4, 5]);
    wrapper.apply(x);
    const bias = wrapper.trainableWeights.find(({ originalName }) => originalName.endsWith('/bias'))!;
    bias.trainable = false;
    expect(wrapper.layer.weights.map(({ trainable }) => trainable)).toEqual([true, false]);
    const before = wrapper.weights.map((weight) => [weight, Array.from(numbers(weight.read() as tf.Tensor))] as const);
    tf.train.sgd(0.1).minimize(() => tf.mean(tf.square(tf.sub(wrapper.apply(x, { training: true }) as tf.Tensor, 1))));
    for (const [weight, values] of before) {
      const after = expect(Array.from(numbers(weight.read() as tf.Tensor)));
      if (weight === bias) after.toEqual(values);
      else if (weight.trainable) after.not.toEqual(values);
    }
  });

  test('a recurrent layer that was built, and not called, keeps its weights', () => {
    const layer = tf.layers.lstm({ units: 2 });
    layer.build([2, 4, 3]);
    layer.setWeights(trainedWeights(layer));
    const before = valuesOf(layer);
    wrap({ layer }).apply(tf.ones([2, 4, 3]));
    expect(valuesOf(layer)).toEqual(before);
  });

  test('a layer with a part, and with weights that are not trained', async () => {
    class Parted extends tf.layers.Layer {
      static className = 'Parted';
      kernel: tf.LayerVariable | undefined = undefined;
      readonly others: tf.LayerVariable[] = [];
      override build(): void {
        this.kernel = this.addWeight('part/kernel', [5, 2], 'float32', tf.initializers.ones());
        this.others.push(this.addWeight('bias', [2], 'float32', tf.initializers.ones()));
        this.others.push(this.addWeight('part/count', [2], 'float32', tf.initializers.ones(), undefined, false));
        this.built = true;
      }
      override computeOutputShape(shape: tf.Shape): tf.Shape {
        return [shape[0]!, 2];
      }
      override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
        return tf.matMul([inputs].flat()[0]!, this.kernel!.read());
      }
    }
    const wrapper = wrap({ layer: new Parted({}), inputShape: [5], name: 'w' });
    tf.sequential({ layers: [wrapper] });
    const names = namesOf(wrapper).filter((name) => !/w.(g|vector_.)$/.test(name));
    expect(names).toEqual(['w/part/kernel', 'w/bias', 'w/part/count']);
    expect(namesOf({ weights: wrapper.trainableWeights })).not.toContain('w/part/count');
  });

  test('a layer that was called alone goes with its wrapper', () => {
    const { layer } = trained(dense);
    const before = tf.memory().numTensors;
    const model = tf.sequential({ layers: [wrap({ layer, inputShape: [5] })] });
    const { numDisposedVariables } = model.dispose();
    expect(numDisposedVariables).toBeGreaterThan(2);
    expect(tf.memory().numTensors).toBe(before - 2);
  });

  test('a layer used in the same model, wrapped and not', async () => {
    const layer = tf.layers.dense({ units: 4, name: 'both' });
    const input = tf.input({ shape: [4] });
    const once = layer.apply(input) as tf.SymbolicTensor;
    const model = tf.model({ inputs: input, outputs: wrap({ layer }).apply(once) as tf.SymbolicTensor });
    const x = tf.tensor(normals(3, 8), [2, 4]);
    expect(predict(await savedAndLoaded(model), x)).toBeClose(predict(model, x), SAME);
  });

  test('timeDistributed and bidirectional around it', async () => {
    const { layer } = trained(dense);
    const times = tf.layers.timeDistributed({ layer: wrap({ layer }) as never, inputShape: [3, 5] });
    const gru = tf.layers.gru({ units: 2, returnSequences: true });
    gru.apply(tf.ones([1, 3, 4]));
    const model = tf.sequential({
      layers: [times, tf.layers.bidirectional({ layer: wrap({ layer: gru }) as never, mergeMode: 'concat' })],
    });
    const x = tf.tensor(normals(3, 30), [2, 3, 5]);
    expect(predict(await savedAndLoaded(model), x)).toBeClose(predict(model, x), SAME);
  });

  test('trains', async () => {
    const { layer, x } = trained(dense);
    const model = tf.sequential({ layers: [wrap({ layer, inputShape: [5] })] });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const before = valuesOf({ weights: layer.trainableWeights });
    await model.fit(x, tf.ones([3, 4]), { verbose: 0 });
    for (const [i, values] of valuesOf({ weights: layer.trainableWeights }).entries())
      expect(values).not.toEqual(before[i]);
  });

  test('frozen weights stay frozen, and the wrapper is built once', () => {
    const { layer, x } = trained(dense, { trainable: false });
    const wrapper = wrap({ layer });
    wrapper.apply(x);
    expect(wrapper.trainableWeights).toEqual([]);
    expect(() => wrapper.build([null, 5])).toThrow(/is built already/);
    wrapper.trainable = true;
    expect(wrapper.trainableWeights.length).toBeGreaterThanOrEqual(2);
  });

  test('an input that does not fit the weights is an error', () => {
    const { layer } = trained(dense);
    expect(() => wrap({ layer }).apply(tf.ones([2, 7]))).toThrow(/incompatible/);
  });

  test('the layer alone, as in Keras and PyTorch', () => {
    const layer = tf.layers.dense({ units: 3 });
    const wrapper = wrap(layer, { name: 'n', inputShape: [4] });
    expect(wrapper).toMatchObject({ layer, name: 'n', batchInputShape: [null, 4] });
    expect((wrap(tf.layers.dense({ units: 2 })).apply(tf.ones([1, 4])) as tf.Tensor).shape).toEqual([1, 2]);
    expect(() => wrap(layer, 2 as never)).toThrow(/the options must be one object/);
    expect(() => wrap(layer, { units: 2 } as never)).toThrow(/unknown option 'units'/);
    expect(() => wrap({ layer }, { name: 'n' } as never)).toThrow(/the options are one object, such as \{layer, name/);
    expect(() => wrap(tf.sequential() as never)).toThrow(/wrap its layers/);
  });
});

test('300 kernels of one shape after another, none of them used with the u and v of another', () => {
  const wrapper = spectralNormalization({ layer: tf.layers.dense({ units: 8 }) });
  wrapper.apply(tf.ones([1, 6]));
  const matrix = matrixOf([6, 8], [1]);
  for (let seed = 0; seed < 300; seed++) {
    tf.tidy(() => {
      wrapper.layer.setWeights([tf.tensor(normals(seed, 48, 0, 30), [6, 8]), tf.zeros([8])]);
      const sigma = largestSingularValue(numbers(wrapper.effectiveKernels().kernel!), matrix);
      expect(Math.abs(sigma - 1)).toBeLessThan(0.01);
    });
  }
});

test('u and v start anew: those of the old kernel may see nothing of the new one', () => {
  const wrapper = spectralNormalization({ layer: tf.layers.dense({ units: 2, useBias: false }) });
  wrapper.apply(tf.ones([1, 2]));
  wrapper.layer.setWeights([
    tf.tensor([
      [5, 0],
      [0, 0],
    ]),
  ]);
  wrapper.layer.setWeights([
    tf.tensor([
      [1, 0],
      [0, 7],
    ]),
  ]);
  expect(numbers(wrapper.effectiveKernels().kernel!)).toBeClose([1 / 7, 0, 0, 1], SAME);
});

test("Keras's form: u is found for the kernel, so that the first training call divides by the right sigma", () => {
  for (const wrap of [
    (layer: Layer) => spectralNormalization({ layer, reparameterize: false }),
    (layer: Layer) => new AddonsSpectralNormalization(layer),
  ]) {
    const { layer, x } = trained(dense);
    const wrapper = wrap(layer);
    wrapper.apply(x);
    for (const seed of [0, 5]) {
      if (seed) wrapper.layer.setWeights(trainedWeights(layer, seed, 20));
      wrapper.apply(x, { training: true });
      expect(singularValues(wrapper, dense)[0]).toBeCloseTo(1, 4);
    }
  }
});

test("Keras's form: u of a new layer is where training starts, whatever the kernel", () => {
  const starts = [1, 2].map((seed) => {
    const layer = make(dense, { kernelInitializer: tf.initializers.glorotNormal({ seed }) });
    const wrapper = spectralNormalization({ layer, reparameterize: false });
    wrapper.apply(inputOf(dense));
    return valuesOf(wrapper).at(-1);
  });
  expect(starts[0]).toEqual(starts[1]);
});

test("Addons's weight normalization: predictions stay, and follow the layer's weights", () => {
  const { layer, x, y } = trained(dense);
  const wrapper = new AddonsWeightNormalization(layer, { dataInit: false });
  expect(numbers(wrapper.apply(x) as tf.Tensor)).toBeClose(y, SAME);
  const given = trainedWeights(layer, 9);
  wrapper.layer.setWeights(given);
  const plain = make(dense);
  plain.apply(x);
  plain.setWeights(given);
  expect(numbers(wrapper.apply(x) as tf.Tensor)).toBeClose(numbers(plain.apply(x) as tf.Tensor), SAME);
});

describe('what cannot be normalized is said', () => {
  let warn: jest.SpiedFunction<typeof console.warn>;
  beforeEach(() => {
    warn = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
  });
  afterEach(() => warn.mockRestore());
  const said = () => warn.mock.calls.map(([words]) => String(words));
  const started = { kernelInitializer: tf.initializers.randomNormal({ seed: 3 }), biasInitializer: 'ones' } as const;

  test('a kernel of zeros, once', () => {
    const layer = tf.layers.dense({ units: 3, kernelInitializer: 'zeros' });
    const wrapper = weightNormalization({ layer, name: 'still' });
    for (let i = 0; i < 3; i++) wrapper.apply(tf.ones([2, 4]), { training: true });
    expect(said()).toEqual([
      "WeightNormalization: 3 of the 3 units in kernel of 'still' are zeros, which have no direction, so that training never " +
        'moves them; use another initializer, such as glorotNormal',
    ]);
  });

  test('nothing is said of other kernels, nor before weights are loaded', () => {
    weightNormalization({ layer: tf.layers.dense({ units: 3 }) }).apply(tf.ones([2, 4]));
    const loaded = weightNormalization({ layer: tf.layers.dense({ units: 3 }) });
    loaded.setFastWeightInitDuringBuild(true);
    loaded.build([null, 4]);
    expect(said()).toEqual([]);
  });

  const CLASSES = [
    ['WeightNormalization', weightNormalization],
    ['Addons>WeightNormalization', (args: object) => new AddonsWeightNormalization(args as never)],
  ] as const;
  describe.each(CLASSES)('dataInit of %s', (className, wrap) => {
    const build = (units: number, kernel?: tf.Tensor) => {
      const wrapper = wrap({ layer: tf.layers.dense({ units, ...started }), dataInit: true, name: 'n' });
      wrapper.build([null, 4]);
      wrapper.built = true;
      if (kernel) wrapper.layer.setWeights([kernel, tf.ones([units])]);
      return wrapper;
    };
    const initialized = (wrapper: Layer) =>
      wrapper.weights
        .find(({ originalName }) => originalName.endsWith('initialized'))!
        .read()
        .dataSync()[0];
    const BATCHES: [string, tf.Tensor][] = [
      ['a batch of one', tf.tensor([[1, -2, 3, 4]])],
      ['a constant input', tf.tile(tf.tensor([[1000.1, -2.3, 3.7, 4.9]]), [7, 1])],
      ['an input of zeros', tf.zeros([5, 4])],
      ['an input of NaN', tf.fill([5, 4], Number.NaN)],
    ];
    test.each(BATCHES)('%s changes nothing, and the next batch counts', (_, batch) => {
      const wrapper = build(3);
      const before = valuesOf(wrapper);
      for (let i = 0; i < 2; i++) wrapper.apply(batch, { training: true });
      expect(valuesOf(wrapper)).toEqual(before);
      expect(said()).toEqual([
        `${className}: in the first batch 3 of the 3 units of 'n' have one output only, without a variance to start g from; ` +
          'they keep g and bias, and the next batch is tried; begin with a batch of several different examples',
      ]);
      wrapper.apply(tf.tensor(normals(1, 32), [8, 4]), { training: true });
      expect(initialized(wrapper)).toBe(1);
      for (const values of valuesOf(wrapper)) expect(values.every((value) => Math.abs(value) < 1e3)).toBe(true);
    });

    test('a dead unit keeps g and the bias, the others are standardized', () => {
      const kernel = tf.tensor(normals(2, 12), [4, 3]).mul(tf.tensor([1, 0, 1]));
      const wrapper = build(3, kernel);
      const y = wrapper.apply(tf.tensor(normals(1, 32), [8, 4]), { training: true }) as tf.Tensor;
      expect(initialized(wrapper)).toBe(1);
      expect(said().at(-1)).toContain("1 of the 3 units of 'n'");
      const [g, , bias] = valuesOf(wrapper) as [number[], number[], number[]];
      expect([g[1], bias[1]]).toEqual([0, 1]);
      const { mean, variance } = tf.moments(y, 0);
      if (className === 'WeightNormalization') {
        expect(numbers(mean)).toBeClose([0, 1, 0], { atol: 1e-5 });
        expect(numbers(variance)).toBeClose([1, 0, 1], { atol: 1e-4 });
      }
    });
  });

  test('channels that come first', () => {
    const layer = tf.layers.conv2d({ filters: 2, kernelSize: 2, dataFormat: 'channelsFirst', activation: 'relu' });
    const wrapper = weightNormalization({ layer, dataInit: true });
    const x = tf.tensor(normals(3, 2 * 3 * 25), [2, 3, 5, 5]);
    wrapper.apply(x, { training: true });
    const plain = tf.layers.conv2d({ filters: 2, kernelSize: 2, dataFormat: 'channelsFirst' });
    plain.apply(x);
    const { kernel } = wrapper.effectiveKernels();
    plain.setWeights([kernel!, layer.weights[1]!.read()]);
    const { mean, variance } = tf.moments(plain.apply(x) as tf.Tensor, [0, 2, 3]);
    expect(numbers(mean)).toBeClose([0, 0], { atol: 1e-5 });
    expect(numbers(variance)).toBeClose([1, 1], { atol: 1e-4 });
  });

  test('one image has positions enough', () => {
    const layer = tf.layers.conv2d({ filters: 2, kernelSize: 2, ...started });
    const wrapper = weightNormalization({ layer, dataInit: true });
    const y = wrapper.apply(tf.tensor(normals(1, 72), [1, 6, 6, 2]), { training: true }) as tf.Tensor;
    expect(numbers(tf.moments(y, [0, 1, 2]).variance)).toBeClose([1, 1], { atol: 1e-4 });
    expect(said()).toEqual([]);
  });
});
