/** The wrappers as layers: what becomes of the wrapped layer in models, configs, files and errors. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as library from '../../layers/index.ts';
import type { Tolerance } from '../support/matchers.ts';
import { normals } from '../support/random.ts';
import * as oracle from '../support/wrapper-oracle.ts';

const { removeSpectralNormalization, removeWeightNormalization, spectralNormalization, weightNormalization } = library;

/** The same layer with the same kernel, wrapped or not: one kernel was made in another order. */
const SAME: Tolerance = { ofMax: 3e-6, atol: 1e-6 };

const wrapKinds = [
  ['WeightNormalization', weightNormalization],
  ['SpectralNormalization', spectralNormalization],
] as [string, typeof weightNormalization | typeof spectralNormalization][];
const dense = (options = {}) => tf.layers.dense({ units: 3, ...options });
const lastParts = (layer: tf.layers.Layer) => layer.weights.map(({ originalName }) => originalName.split('/').at(-1));

describe.each(wrapKinds)('%s as a layer', (className, wrap) => {
  const x = tf.tidy(() => tf.keep(tf.tensor(normals(1, 10), [2, 5])));
  const own = className === 'WeightNormalization' ? 1 : 0;

  test('an exception in the middle of a call leaves the wrapped layer as it was', () => {
    const layer = dense();
    const wrapper = wrap({ layer });
    wrapper.apply(x);
    const { kernel } = layer as unknown as { kernel: object };
    const call = layer.call;
    layer.call = () => {
      throw new Error('in the middle');
    };
    const before = tf.memory().numTensors;
    expect(() => wrapper.apply(x, { training: true })).toThrow('in the middle');
    expect(tf.memory().numTensors).toBe(before);
    layer.call = call;
    expect((layer as unknown as { kernel: object }).kernel).toBe(kernel);
    expect(Array.from((wrapper.apply(x) as tf.Tensor).dataSync()).every(Number.isFinite)).toBe(true);
  });

  test('wrapping changes nothing at first but by the scale', () => {
    const wrapper = wrap({ layer: dense({ useBias: false }) });
    wrapper.apply(x);
    const { kernel } = wrapper.effectiveKernels();
    const stored = wrapper.layer.weights[0]!.read();
    const ratio = Array.from(tf.div(kernel!, stored).dataSync());
    for (const one of ratio) expect(one).toBeCloseTo(ratio[0]!, 5);
    if (className === 'WeightNormalization') expect(ratio[0]).toBeCloseTo(1, 6);
    else {
      // 15 steps at the start come near.
      const sigma = oracle.largestSingularValue(kernel!.dataSync(), oracle.matrixOf([5, 3], [1]));
      expect(sigma).toBeGreaterThan(1 - 1e-5);
      expect(sigma).toBeLessThan(1.1);
    }
  });

  test('frozen layers do not change, and the order of the weights stays', () => {
    const wrapper = wrap({ layer: dense() });
    wrapper.apply(x);
    const names = lastParts(wrapper);
    expect(wrapper.trainableWeights).toHaveLength(2 + own);
    const values = () => wrapper.weights.map((weight) => Array.from(weight.read().dataSync()));
    const before = values();
    wrapper.trainable = false;
    wrapper.apply(x, { training: true });
    expect(values()).toEqual(before);
    expect(wrapper.trainableWeights).toEqual([]);
    expect(wrapper.layer.trainable).toBe(false);
    expect(lastParts(wrapper)).toEqual(names);
    wrapper.trainable = true;
    expect(wrapper.trainableWeights).toHaveLength(2 + own);
    expect(lastParts(wrapper)).toEqual(names);
    const frozen = wrap({ layer: dense(), inputShape: [5], trainable: false });
    const model = tf.sequential({ layers: [frozen] });
    expect(model.trainableWeights).toEqual([]);
    const weights = () => frozen.weights.map((weight) => Array.from(weight.read().dataSync()));
    const given = weights();
    frozen.apply(x, { training: true });
    expect(weights()).toEqual(given);
  });

  test('after a kernel of zeros the next one is divided by a length of its size', () => {
    const wrapper = wrap({ layer: dense({ kernelInitializer: 'zeros', useBias: false }) });
    wrapper.build([null, 5]);
    const { kernel: zeros } = wrapper.effectiveKernels();
    expect(Array.from(zeros!.dataSync())).toEqual(new Array(15).fill(0));
    wrapper.layer.weights[0]!.write(tf.tensor(normals(4, 15), [5, 3]));
    const { kernel } = wrapper.effectiveKernels();
    expect(Math.hypot(...kernel!.dataSync())).toBeLessThan(className === 'WeightNormalization' ? 1e-6 : 100);
  });

  test('with a seeded kernel all weights start the same', () => {
    const weights = () => {
      const layer = dense({ kernelInitializer: tf.initializers.glorotNormal({ seed: 3 }) });
      const wrapper = wrap({ layer });
      wrapper.build([null, 5]);
      return wrapper.getWeights().map((weight) => weight.dataSync());
    };
    expect(weights()).toEqual(weights());
  });

  test('setWeights gives what getWeights gave', () => {
    const [one, other] = [wrap({ layer: dense() }), wrap({ layer: dense() })];
    const y = one.apply(x) as tf.Tensor;
    other.apply(x);
    other.setWeights(one.getWeights());
    expect((other.apply(x) as tf.Tensor).dataSync()).toEqual(y.dataSync());
    expect(() => other.setWeights(one.getWeights().slice(1))).toThrow(/weight list of length/);
    const given = dense({ weights: [tf.ones([5, 3]), tf.ones([3])] });
    const wrapper = wrap({ layer: given });
    wrapper.apply(x);
    expect(given.getWeights()[0]!.dataSync()).toEqual(new Float32Array(15).fill(1));
  });

  test('weights that are about to be loaded are not initialized', () => {
    const wrapper = wrap({ layer: tf.layers.lstm({ units: 2, useBias: false }) });
    wrapper.setFastWeightInitDuringBuild(true);
    wrapper.build([1, 3, 4]);
    const stored = wrapper.weights.filter(({ originalName }) => !originalName.includes('vector'));
    for (const weight of stored)
      expect(
        weight
          .read()
          .dataSync()
          .every((value) => value === 0),
      ).toBe(true);
  });

  test('regularizers of the wrapped layer count', () => {
    const layer = dense({ kernelRegularizer: 'l1l2', inputShape: [5] });
    const wrapper = wrap({ layer });
    const model = tf.sequential({ layers: [wrapper] });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const losses = model.calculateLosses();
    const kernel = layer.weights[0]!.read();
    const expected = tf.add(tf.mul(0.01, tf.sum(tf.abs(kernel))), tf.mul(0.01, tf.sum(tf.square(kernel))));
    expect(losses).toHaveLength(1);
    expect(losses[0]!.dataSync()[0]).toBeCloseTo(expected.dataSync()[0]!, 5);
  });

  test('constraints of the wrapped layer hold for what is read and saved after fit', async () => {
    const constrained = dense({ kernelConstraint: 'nonNeg', biasConstraint: 'nonNeg' });
    const model = tf.sequential({ layers: [wrap({ layer: constrained, inputShape: [5] })] });
    model.compile({ optimizer: tf.train.sgd(1), loss: 'meanSquaredError' });
    const y = tf.fill([2, 3], -5);
    await model.fit(tf.abs(x), y, { epochs: 2, verbose: 0 });
    const values = model.getWeights();
    const places = model.weights.flatMap(({ originalName }, i) => (/\/(kernel|bias)$/.test(originalName) ? [i] : []));
    expect(places).toHaveLength(2);
    for (const i of places) expect(Math.min(...values[i]!.dataSync())).toBeGreaterThanOrEqual(0);
    const artifacts = await new Promise<tf.io.ModelArtifacts>((resolve) => {
      model.save(
        tf.io.withSaveHandler(async (given) => {
          resolve(given);
          return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
        }),
      );
    });
    const saved = Object.values(tf.io.decodeWeights(artifacts.weightData!, artifacts.weightSpecs!));
    expect(saved.map((value) => [...value.dataSync()])).toEqual(values.map((value) => [...value.dataSync()]));
    const free = tf.sequential({ layers: [wrap({ layer: dense(), inputShape: [5] })] });
    free.setWeights(values);
    const predict = (one: tf.LayersModel) => [...(one.predict(x) as tf.Tensor).dataSync()];
    expect(predict(free)).toEqual(predict(model));
  });

  test('masks pass through, and embeddings make them', () => {
    const gru = { units: 2, kernelInitializer: 'ones', recurrentInitializer: 'ones' } as const;
    const tokens = tf.tensor2d([
      [1, 2, 0, 0],
      [3, 0, 0, 0],
    ]);
    const embedding = () => tf.layers.embedding({ inputDim: 4, outputDim: 3, maskZero: true, inputLength: 4 });
    const wrapped = [wrap({ layer: embedding() }), wrap({ layer: tf.layers.gru(gru) })] as const;
    const model = tf.sequential({ layers: [...wrapped] });
    const y = model.predict(tokens) as tf.Tensor;
    const [rows, recurrent] = [
      tf.layers.embedding({ inputDim: 4, outputDim: 3, maskZero: true, inputLength: 4 }),
      tf.layers.gru(gru),
    ];
    const plain = tf.sequential({ layers: [rows, recurrent] });
    rows.setWeights([wrapped[0].effectiveKernels().embeddings!]);
    const { kernel, recurrent_kernel } = wrapped[1].effectiveKernels();
    recurrent.setWeights([kernel!, recurrent_kernel!, tf.zeros([6])]);
    expect(y.dataSync()).toBeClose((plain.predict(tokens) as tf.Tensor).dataSync(), SAME);
    // Padding has no part: the second row is the one token.
    const token = recurrent.apply(tf.reshape(tf.gather(rows.weights[0]!.read(), [3]), [1, 1, 3])) as tf.Tensor;
    expect(y.dataSync().slice(2)).toBeClose(token.dataSync(), SAME);
  });

  test('initial states of a wrapped recurrent layer', () => {
    const [a, h, c] = [tf.input({ shape: [4, 3] }), tf.input({ shape: [2] }), tf.input({ shape: [2] })];
    const options = { units: 2, returnState: true };
    const wrapper = wrap({ layer: tf.layers.lstm(options) });
    const outputs = wrapper.apply(a, { initialState: [h, c] }) as tf.SymbolicTensor[];
    const model = tf.model({ inputs: [a, h, c], outputs });
    const inputs = [
      [2, 4, 3],
      [2, 2],
      [2, 2],
    ].map((shape, i) => tf.tensor(normals(i, tf.util.sizeFromShape(shape)), shape));
    const actual = model.predict(inputs) as tf.Tensor[];
    const plain = tf.layers.lstm(options);
    plain.build([2, 4, 3]);
    plain.built = true;
    const { kernel, recurrent_kernel } = wrapper.effectiveKernels();
    plain.setWeights([kernel!, recurrent_kernel!, wrapper.layer.weights[2]!.read()]);
    const expected = plain.apply(inputs[0]!, { initialState: inputs.slice(1) }) as tf.Tensor[];
    for (const [i, one] of expected.entries()) expect(actual[i]!.dataSync()).toBeClose(one.dataSync(), SAME);
  });

  test('a stateful recurrent layer', () => {
    const layer = tf.layers.simpleRNN({ units: 2, stateful: true, batchInputShape: [2, 4, 3] });
    const wrapper = wrap({ layer });
    const model = tf.sequential({ layers: [wrapper] });
    const input = tf.tensor(normals(3, 24), [2, 4, 3]);
    const predict = () => (model.predict(input, { batchSize: 2 }) as tf.Tensor).dataSync();
    expect(wrapper.stateful).toBe(true);
    const [first, second] = [predict(), predict()];
    expect(second).not.toEqual(first);
    model.resetStates();
    expect(predict()).toEqual(first);
  });

  test('the config is the same before and after build, and gives the same layer', () => {
    const wrapper = wrap({
      layer: tf.layers.separableConv2d({ filters: 4, kernelSize: 2, depthMultiplier: 2 }),
      name: 'w',
    });
    const before = JSON.stringify(wrapper.getConfig());
    wrapper.apply(tf.ones([1, 3, 3, 2]));
    const config = wrapper.getConfig();
    expect(JSON.stringify(config)).toBe(before);
    const [cls, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
    const again = fromConfig(cls, config) as tf.layers.Layer;
    expect(JSON.stringify(config)).toBe(before);
    expect(JSON.stringify(again.getConfig())).toBe(before);
    expect((again as typeof wrapper).layer).toMatchObject({ depthMultiplier: 2 });
    const plain = dense();
    expect(wrap({ layer: plain }).getConfig().layer).toStrictEqual({ className: 'Dense', config: plain.getConfig() });
    expect(() => fromConfig(cls, { ...config, unheardOf: 1 })).toThrow(/unknown option 'unheardOf'/);
  });

  test('depthwise constraints and regularizers survive', () => {
    const depthwise = { kernelSize: 2, depthwiseRegularizer: 'l1l2', depthwiseConstraint: 'maxNorm' } as const;
    const wrapper = wrap({ layer: tf.layers.depthwiseConv2d(depthwise) });
    const [cls, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
    const { layer } = fromConfig(cls, wrapper.getConfig()) as typeof wrapper;
    const { depthwiseConstraint, depthwiseRegularizer } = layer as unknown as Record<
      string,
      tf.serialization.Serializable
    >;
    expect([depthwiseConstraint!.getClassName(), depthwiseRegularizer!.getClassName()]).toEqual(['MaxNorm', 'L1L2']);
  });

  test('a class of your own, registered or among customObjects', () => {
    class Twice extends tf.layers.Layer {
      static className = 'Twice';
      kernel: tf.LayerVariable | undefined = undefined;
      override build(): void {
        this.kernel = this.addWeight('kernel', [5, 2], 'float32', tf.initializers.ones());
        this.built = true;
      }
      override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
        return tf.matMul(Array.isArray(inputs) ? inputs[0]! : inputs, this.kernel!.read());
      }
    }
    const wrapper = wrap({ layer: new Twice() });
    expect((wrapper.apply(x) as tf.Tensor).shape).toEqual([2, 2]);
    const [cls, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
    expect(() => fromConfig(cls, wrapper.getConfig())).toThrow(/there is no layer class 'Twice'/);
    const customObjects = { Twice: [Twice, Twice.fromConfig] } as never;
    const again = fromConfig(cls, { ...wrapper.getConfig(), customObjects }) as typeof wrapper;
    expect(again.layer).toBeInstanceOf(Twice);
  });

  const BAD: [string, () => unknown, RegExp][] = [
    ['no layer', () => wrap({} as never), /layer must be a layer.*received undefined/],
    ['something else', () => wrap({ layer: 3 as never }), /layer must be a layer.*received 3/],
    ['no such class', () => wrap({ layer: { className: 'Foo', config: {} } }), /no layer class 'Foo'/],
    ['itself', () => wrap({ layer: wrap({ layer: dense() }) }), /wrapped already/],
    ['the other', () => spectralNormalization({ layer: weightNormalization({ layer: dense() }) }), /wrapped already/],
    ['a wrapper', () => wrap({ layer: tf.layers.timeDistributed({ layer: dense() }) }), /wrap the layer inside/],
    ['a model', () => wrap({ layer: tf.sequential() as never }), /wrap its layers/],
    ['a cell', () => wrap({ layer: tf.layers.lstmCell({ units: 2 }) }), /wrap the recurrent layer around it/],
    [
      'several cells',
      () => wrap({ layer: tf.layers.rnn({ cell: [1, 2].map((units) => tf.layers.gruCell({ units })) }) }),
      /has several cells/,
    ],
    ['no gradient', () => wrap({ layer: tf.layers.conv3dTranspose({ filters: 2, kernelSize: 2 }) }), /has no gradient/],
    ['no kernel', () => wrap({ layer: tf.layers.flatten() }).apply(tf.ones([2, 2, 2])), /has no kernel/],
    ['weights but no kernel', () => wrap({ layer: tf.layers.prelu() }).apply(tf.ones([2, 2])), /has no kernel/],
    ['an unknown option', () => wrap({ layer: dense(), units: 3 } as never), /unknown option 'units'/],
    [
      'a config that makes nothing',
      () => wrap({ layer: { className: 'Dense', config: { units: -1 } } }),
      /layer could not be made of its config, .*"units":-1.*: .*positive integer/,
    ],
    [
      'a config of something else',
      () => wrap({ layer: { className: 'Zeros', config: {} } }),
      /layer must be a layer; received the config of a Zeros; wrap tf.layers.dense, for example/,
    ],
    [
      'a layer that does not fit the input',
      () => wrap({ layer: tf.layers.conv2d({ filters: 2, kernelSize: 2, name: 'c' }) }).build([null, 4, 4, null]),
      /the layer 'c' could not be built: .*; change its options/,
    ],
    ['effectiveKernels too early', () => wrap({ layer: dense() }).effectiveKernels(), /not built/],
  ];
  test.each(BAD)('%s is an error', (_, act, message) => {
    expect(act).toThrow(message);
    expect(act).toThrow(new RegExp(`^(${className}|SpectralNormalization): `));
  });
});

describe('kernels that one option is not for', () => {
  /** A cell with one kernel, which belongs to it and not to the recurrent layer around it. */
  class Adding extends tf.layers.RNNCell {
    static className = 'Adding';
    stateSize = 2;
    kernel: tf.LayerVariable | undefined = undefined;
    override build(): void {
      this.kernel = this.addWeight('kernel', [2, 2], 'float32', tf.initializers.ones());
      this.built = true;
    }
    override call(inputs: tf.Tensor[]): tf.Tensor[] {
      const sum = tf.add(tf.matMul(inputs[0]!, this.kernel!.read()), inputs[1]!);
      return [sum, sum];
    }
  }
  /** A layer with two kernels of its own. */
  class Twofold extends tf.layers.Layer {
    static className = 'Twofold';
    kernel: tf.LayerVariable | undefined = undefined;
    recurrentKernel: tf.LayerVariable | undefined = undefined;
    override build(): void {
      this.kernel = this.addWeight('kernel', [2, 2], 'float32', tf.initializers.ones());
      this.recurrentKernel = this.addWeight('recurrent_kernel', [2, 2], 'float32', tf.initializers.ones());
      this.built = true;
    }
  }
  const steps = [1, 2, 2];
  const image = [1, 4, 4, 2];
  const SEVERAL: [string, () => tf.layers.Layer, number[]][] = [
    ['separableConv2d', () => tf.layers.separableConv2d({ filters: 2, kernelSize: 2 }), image],
    ['a cell with one kernel', () => tf.layers.rnn({ cell: new Adding({}) }), steps],
    ['a layer with two kernels', () => new Twofold(), [1, 2]],
  ];

  test.each(SEVERAL)('dataInit: %s', (_, make, shape) => {
    expect(() => weightNormalization({ layer: make(), dataInit: true }).build(shape)).toThrow(
      /^WeightNormalization: dataInit is for layers with one kernel, which \w+ is not; leave it out/,
    );
    expect(() => weightNormalization({ layer: make() }).build(shape)).not.toThrow();
  });

  test.each([...SEVERAL, ['depthwiseConv2d', () => tf.layers.depthwiseConv2d({ kernelSize: 2 }), image] as const])(
    "Keras's form: %s",
    (_, make, shape) => {
      expect(() => spectralNormalization({ layer: make(), reparameterize: false }).build([...shape])).toThrow(
        /^SpectralNormalization: \w+ has no weight kernel or embeddings of its own.*use reparameterize: true/,
      );
      expect(() => spectralNormalization({ layer: make() }).build([...shape])).not.toThrow();
    },
  );
});

describe('options and files', () => {
  const fromConfig = (className: string, config: object) => {
    const [cls, make] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
    return make(cls, config as tf.serialization.ConfigDict);
  };
  const layer = { className: 'Dense', config: { units: 2 } };

  test("a config of Keras's form has no key that Keras lacks, and without the key it is Keras's", () => {
    const keras = spectralNormalization({ layer: dense(), reparameterize: false });
    expect(keras.getConfig()).not.toHaveProperty('reparameterize');
    expect(spectralNormalization({ layer: dense() }).getConfig()).toMatchObject({ reparameterize: true });
    expect(fromConfig('SpectralNormalization', { layer, powerIterations: 2 })).toMatchObject({
      reparameterize: false,
      powerIterations: 2,
    });
    expect(fromConfig('SpectralNormalization', { layer, reparameterize: true })).toMatchObject({
      reparameterize: true,
    });
  });

  test.each([
    [true, true],
    [false, true],
    [true, false],
  ])('what is frozen stays so without the wrapper: wrapper trainable %p, layer trainable %p', (outer, inner) => {
    const wrapper = weightNormalization({ layer: dense({ trainable: inner }), inputShape: [2], trainable: outer });
    const plain = removeWeightNormalization(tf.sequential({ layers: [wrapper] }));
    expect(plain.layers.map(({ trainable }) => trainable)).toEqual([outer && inner]);
  });

  test('Keras 3 spellings', () => {
    const dtype = { module: 'keras', className: 'DTypePolicy', config: { name: 'float32' }, registeredName: null };
    const saved = {
      name: 's',
      dtype,
      layer: {
        module: 'keras.layers',
        className: 'Dense',
        config: { units: 2, dtype, kernelRegularizer: null },
        registeredName: null,
        buildConfig: { inputShape: [null, 3] },
      },
    };
    const wrapper = fromConfig('SpectralNormalization', saved) as ReturnType<typeof spectralNormalization>;
    expect((wrapper.apply(tf.ones([1, 3])) as tf.Tensor).shape).toEqual([1, 2]);
  });

  test.each([
    [() => spectralNormalization({ layer: dense(), powerIterations: 0 }), /powerIterations must be a positive integer/],
    [
      () => spectralNormalization({ layer: dense(), powerIterations: 1.5 }),
      /powerIterations must be a positive integer/,
    ],
    [
      () => spectralNormalization({ layer: dense(), reparameterize: 1 as never }),
      /reparameterize must be true or false/,
    ],
    [() => weightNormalization({ layer: dense(), dataInit: 'yes' as never }), /dataInit must be true or false/],
    [
      () => weightNormalization({ layer: tf.layers.lstm({ units: 2 }), dataInit: true }).apply(tf.ones([1, 2, 2])),
      /dataInit is for layers with one kernel/,
    ],
    [
      () =>
        spectralNormalization({ layer: tf.layers.gru({ units: 2 }), reparameterize: false }).apply(tf.ones([1, 2, 2])),
      /use reparameterize: true/,
    ],
    [() => removeWeightNormalization(tf.sequential({ layers: [dense({ inputShape: [2] })] })), /has no layer wrapped/],
    [() => removeSpectralNormalization(dense() as never), /model must be a model/],
    [() => library.weightNorm([1, 2] as never), /the kernel must be a tensor/],
    [() => library.weightNorm(tf.ones([3])), /2 to 6 axes/],
    [() => library.weightNorm(tf.ones([2, 2], 'int32')), /must be float32/],
    [() => library.weightNorm(tf.ones([2, 2]), { axis: 2 }), /axis, that of the output units/],
    [() => library.weightNorm(tf.ones([2, 2]), { axis: [0, 1] }), /axis, that of the output units/],
    [() => library.weightNorm(tf.ones([2, 3]), { g: tf.ones([2]) }), /g must hold 3 values/],
    [() => library.spectralNorm(tf.ones([2, 3]), {}), /u or v to start from is missing/],
    [() => library.spectralNorm(tf.ones([2, 3]), { u: tf.ones([3]), powerIterations: 0 }), /both are needed/],
    [() => library.spectralNorm(tf.ones([2, 3]), { u: tf.ones([2]) }), /u must hold 3 values/],
    [() => library.spectralNorm(tf.ones([2, 3]), { u: tf.ones([3]), powerIterations: -1 }), /whole number/],
  ])('%s is an error', (act, message) => {
    expect(act as () => unknown).toThrow(message);
  });

  test('a loaded model goes on where the saved one was, also in data-dependent initialization', async () => {
    const wrapper = weightNormalization({ layer: dense({ useBias: false }), dataInit: true, inputShape: [5] });
    const model = tf.sequential({ layers: [wrapper] });
    const x = tf.tensor(normals(1, 40), [8, 5]);
    wrapper.apply(x, { training: true });
    let saved: tf.io.ModelArtifacts | undefined;
    await model.save(
      tf.io.withSaveHandler(async (artifacts) => {
        saved = artifacts;
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      }),
    );
    const loaded = await tf.loadLayersModel(tf.io.fromMemory(saved!));
    const again = loaded.layers[0]!;
    const values = () => again.weights.map((weight) => Array.from(weight.read().dataSync()));
    const before = values();
    expect(before).toEqual(wrapper.weights.map((weight) => Array.from(weight.read().dataSync())));
    again.apply(tf.mul(x, 7), { training: true });
    expect(values()).toEqual(before);
    // Set back to 0, it starts anew.
    again.weights.at(-1)!.write(tf.scalar(0));
    again.apply(tf.mul(x, 7), { training: true });
    expect(values()[0]).not.toEqual(before[0]);
  });

  interface Saved {
    readonly class_name: string;
    config: { readonly name: string };
  }
  const readJson = (...path: string[]) =>
    JSON.parse(readFileSync(join(__dirname, '..', 'goldens', 'models', ...path), 'utf8'));
  const layersOf = ({ model_config }: { model_config: { config: { layers: Saved[] } } }) => model_config.config.layers;

  test.each([
    ['tf_keras-gan-critic-spectralnorm', 'model.json', 'model.json'],
    ['keras3-gan-critic-spectralnorm', 'model-legacy.json', 'model-legacy.json'],
    ['keras3-gan-critic-spectralnorm', 'model-legacy.json', 'model.json'],
  ])('the trained model %s: %s with the configs of %s', async (folder, file, configs) => {
    const { modelTopology, weightsManifest } = readJson(folder, file);
    const original = layersOf(readJson(folder, configs).modelTopology);
    for (const layer of layersOf(modelTopology)) {
      if (layer.class_name === 'SpectralNormalization') {
        layer.config = original.find(({ config }) => config.name === layer.config.name)!.config;
      }
    }
    const { input, output, tolerance } = readJson(folder, 'expected.json');
    const weightSpecs = weightsManifest.flatMap(({ weights }: { weights: object[] }) => weights);
    const bytes = readFileSync(join(__dirname, '..', 'goldens', 'models', folder, weightsManifest[0].paths[0]));
    const weightData = new Uint8Array(bytes).buffer;
    const model = await tf.loadLayersModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData }));
    const wrappers = model.layers.filter((layer) => layer.getClassName() === 'SpectralNormalization');
    expect(wrappers.length).toBeGreaterThan(1);
    for (const wrapper of wrappers) expect(wrapper).toMatchObject({ reparameterize: false });
    const x = tf.tensor(input.data, input.shape);
    const plain = removeSpectralNormalization(model);
    for (const one of [model, plain]) {
      expect((one.predict(x) as tf.Tensor).dataSync()).toBeClose(output.data, tolerance);
    }
  });
});

describe('without its wrappers a model', () => {
  const dense = (args: object) => tf.layers.dense({ units: 2, ...args });

  test.each([
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ])('trains what is trainable as wrapper and as layer: %j and %j', (trainable, inner) => {
    const layer = weightNormalization({ layer: dense({ trainable: inner }), trainable, inputShape: [2] });
    const plain = removeWeightNormalization(tf.sequential({ layers: [layer] }));
    expect(plain.layers[0]!.trainable).toBe(trainable && inner);
  });

  test('keeps those of another kind', () => {
    const layers = [
      weightNormalization({ layer: dense({}), inputShape: [2] }),
      spectralNormalization({ layer: dense({}) }),
    ];
    const classes = removeWeightNormalization(tf.sequential({ layers })).layers.map((layer) => layer.getClassName());
    expect(classes).toEqual(['Dense', 'SpectralNormalization']);
  });
});
