/** Folding of batch normalization: what it takes over, and what it leaves alone and says why. */
import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as ours from '../../layers/index.ts';
import { foldBatchNormalization } from '../../layers/models/surgery/index.ts';
import { called2, file, graph2, type Values, values } from '../support/keras-files.ts';
import { artifactsOf, folders, readJson } from '../support/keras-models.ts';
import { modelOf } from '../support/layers.ts';
import { classesOf, inputFor, KERNELS, type Layer, mobileNet, predict, train } from '../support/surgery-models.ts';

const { layers: l } = tf;
beforeAll(() => tf.setBackend('cpu'));

const NORMS: Readonly<Record<string, (args?: object) => Layer>> = {
  BatchNormalization: ours.batchNormalization,
  'BatchNormalization without gamma': (args) => ours.batchNormalization({ ...args, scale: false }),
  'BatchNormalization without beta': (args) => ours.batchNormalization({ ...args, center: false, epsilon: 0.1 }),
  'BatchNormalization of TensorFlow.js': (args) => l.batchNormalization(args),
  'BatchNormalization with renorm': (args) => ours.batchNormalization({ ...args, renorm: true }),
  BatchRenormalization: ours.batchRenormalization,
  MeanOnlyBatchNormalization: ours.meanOnlyBatchNormalization,
};

/** A wrapper that changes what its layer gives. */
class TwiceOf extends tf.layers.Layer {
  static readonly className = 'TwiceOfSurgery';
  readonly layer: tf.layers.Layer;
  constructor({ layer, ...args }: { layer: tf.layers.Layer; name: string }) {
    super(args);
    this.layer = layer;
  }
  override build(shape: tf.Shape): void {
    this.layer.build(shape);
    this._trainableWeights = [...this.layer.weights];
    this.built = true;
  }
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.mul(this.layer.apply(inputs) as tf.Tensor, 2);
  }
  override getConfig(): tf.serialization.ConfigDict {
    const layer = { className: this.layer.getClassName(), config: this.layer.getConfig() };
    return { ...super.getConfig(), layer };
  }
  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    { layer, ...config }: tf.serialization.ConfigDict,
  ): T {
    const { config: own } = layer as unknown as { config: Parameters<typeof l.dense>[0] };
    return new cls({ ...config, layer: l.dense(own) });
  }
}
tf.serialization.registerClass(TwiceOf);

/** Folds a model, and expects it to predict as before, and the original to be as it was. */
async function folded(model: tf.LayersModel, x: tf.Tensor | tf.Tensor[] = inputFor(model)) {
  const before = predict(model, x);
  const classes = classesOf(model);
  const surgery = await foldBatchNormalization(model);
  expect(predict(surgery.model, x)).toBeClose(before, { ofMax: 2e-6, atol: 1e-6 });
  expect(predict(model, x)).toEqual(before);
  expect(classesOf(model)).toEqual(classes);
  return surgery;
}

describe('a normalization after', () => {
  for (const [kind, [shape, make]] of Object.entries(KERNELS)) {
    // TensorFlow.js's own layer takes at most four axes.
    const norms = Object.entries(NORMS).filter(([name]) => shape.length < 4 || !name.endsWith('TensorFlow.js'));
    test.each(norms)(`${kind}: %s`, async (_, norm) => {
      const { model, changed, left } = await folded(train(modelOf(shape, make(), norm({ name: 'norm' }), l.reLU())));
      expect([changed.map(({ layer }) => layer), left]).toEqual([['norm'], []]);
      expect(classesOf(model)).toHaveLength(3);
      expect(classesOf(model).join()).not.toMatch(/BatchNorm|BatchRenorm|(Weight|Spectral)Normalization/);
    });
  }
});

describe('a normalization before', () => {
  const same = () => l.conv2d({ filters: 3, kernelSize: 3, padding: 'same' });
  for (const [kind, [shape, make]] of Object.entries(KERNELS)) {
    const isPadded = /same|transposed/.test(kind);
    test(`${kind}${isPadded ? ' stays: the shift is not the same everywhere' : ''}`, async () => {
      const { changed, left } = await folded(train(modelOf(shape, ours.batchNormalization({ name: 'norm' }), make())));
      expect(changed).toHaveLength(isPadded ? 0 : 1);
      if (isPadded) expect(left[0]!.message).toMatch(/pads its input, or overlaps its output/);
    });
  }

  test('a padded convolution only multiplies: no shift is lost', async () => {
    const model = train(modelOf([6, 6, 2], ours.batchNormalization({ name: 'norm' }), same()));
    const norm = model.getLayer('norm');
    norm.setWeights(
      norm.weights.map((weight, i) => ([1, 2].includes(i) ? tf.zeros(weight.shape as number[]) : weight.read())),
    );
    expect((await folded(model)).changed).toHaveLength(1);
    // A shift of one channel alone would be lost, too.
    norm.setWeights(norm.weights.map((weight, i) => (i === 1 ? tf.tensor1d([0, 1]) : weight.read())));
    expect((await folded(model)).changed).toEqual([]);
  });

  test('a kernel of one point needs no padding', async () => {
    const point = l.conv2d({ filters: 3, kernelSize: 1, padding: 'same' });
    expect((await folded(train(modelOf([6, 6, 2], ours.batchNormalization(), point)))).changed).toHaveLength(1);
  });

  test.each([
    [1, 1, 1],
    [1, 2, 0],
    [2, 1, 0],
    [[1, 2], 1, 0],
  ])('a transposed kernel of %j with strides of %j: folded %d times', async (kernelSize, strides, times) => {
    const kernel = l.conv2dTranspose({ filters: 3, kernelSize: kernelSize as number, strides });
    expect((await folded(train(modelOf([6, 6, 2], ours.batchNormalization(), kernel)))).changed).toHaveLength(times);
  });

  test('past a linear activation, and not past another', async () => {
    for (const [activation, times] of [
      ['linear', 1],
      ['tanh', 0],
    ] as const) {
      const model = modelOf([5], ours.batchNormalization(), l.activation({ activation }), l.dense({ units: 2 }));
      expect((await folded(train(model))).changed).toHaveLength(times);
    }
  });

  test('past nothing whose result is an output, too', async () => {
    const input = tf.input({ shape: [5] });
    const [norm, noise] = [ours.batchNormalization(), l.gaussianNoise({ stddev: 1 })];
    const x = noise.apply(norm.apply(input)) as tf.SymbolicTensor;
    const outputs = [x, l.dense({ units: 2 }).apply(x) as tf.SymbolicTensor];
    const model = train(tf.model({ inputs: input, outputs }));
    const { changed, left } = await foldBatchNormalization(model);
    expect([changed.length, left.length]).toEqual([0, 1]);
  });

  test('several layers: each takes it over', async () => {
    const input = tf.input({ shape: [6] });
    const x = ours.batchNormalization().apply(input) as tf.SymbolicTensor;
    const branches = [2, 3].map((units) => l.dense({ units }).apply(x) as tf.SymbolicTensor);
    const model = train(tf.model({ inputs: input, outputs: l.concatenate().apply(branches) as tf.SymbolicTensor }));
    const { changed } = await folded(model);
    expect(changed[0]!.message).toMatch(/'.+' and '.+'/);
  });

  test('first in a Sequential, whose input shape stays', async () => {
    const model = tf.sequential({ layers: [ours.batchNormalization({ inputShape: [4] }), l.dense({ units: 2 })] });
    expect(classesOf((await folded(train(model))).model)).toEqual(['Dense']);
  });
});

describe('what loadModel changed in layers, the new model has, too:', () => {
  const norm = { axis: [-1], epsilon: 1e-3, center: false, scale: false };
  const statistics = { 'bn/moving_mean': values([3]), 'bn/moving_variance': { shape: [3], data: [1, 2, 3] } };
  const load = async (model: ReturnType<typeof graph2>, weights: Values) =>
    ours.loadModel(tf.io.fromMemory(await file('2.15.0', model, weights)));

  test('dropout in inference, where the graph says so', async () => {
    const layers = [
      called2('Dense', { name: 'd', units: 3, use_bias: false }, ['x']),
      called2('BatchNormalization', { name: 'bn', ...norm }, ['d']),
      called2('Dropout', { name: 'drop', rate: 0.5 }, ['bn'], { training: true }),
    ];
    const model = await load(graph2([null, 4], layers), { 'd/kernel': values([4, 3]), ...statistics });
    const surgery = await foldBatchNormalization(model);
    expect(classesOf(surgery.model)).toEqual(['InputLayer', 'Dense', 'Dropout']);
    const y = (surgery.model.predict(tf.ones([20, 4])) as tf.Tensor).dataSync();
    expect(y.filter((value) => value === 0).length).toBeGreaterThan(0);
  });

  test('a recurrent layer without the masks of layers before it that pass none on', async () => {
    const layers = [
      called2('Masking', { name: 'masking', mask_value: 0 }, ['x']),
      called2('Conv1D', { name: 'c', filters: 3, kernel_size: [1], strides: [1], padding: 'valid' }, ['masking']),
      called2('BatchNormalization', { name: 'bn', ...norm }, ['c']),
      called2('SimpleRNN', { name: 'rnn', units: 2, use_bias: false, activation: 'tanh' }, ['bn']),
    ];
    const model = await load(graph2([null, 2, 3], layers), {
      'c/kernel': values([1, 3, 3]),
      'c/bias': values([3], 2),
      ...statistics,
      'rnn/kernel': values([3, 2]),
      'rnn/recurrent_kernel': values([2, 2]),
    });
    const { changed } = await folded(model, tf.tensor([1, 2, 3, 0, 0, 0], [1, 2, 3]));
    expect(changed).toHaveLength(1);
  });
});

test('the inverted residual of MobileNetV2', async () => {
  const { model, changed, left } = await folded(mobileNet());
  expect(changed).toHaveLength(4);
  expect(left).toEqual([]);
  expect(classesOf(model)).not.toContain('BatchNormalization');
});

test('several in a row, and past layers that do nothing in inference', async () => {
  const model = modelOf(
    [5],
    l.dense({ units: 4 }),
    l.dropout({ rate: 0.5 }),
    ours.batchNormalization(),
    l.gaussianNoise({ stddev: 1 }),
    ours.batchNormalization(),
  );
  expect((await folded(train(model))).changed).toHaveLength(2);
});

test.each([true, false])('channels first, with bias: %s', async (useBias) => {
  const layer = l.depthwiseConv2d({ kernelSize: 3, dataFormat: 'channelsFirst', depthMultiplier: 2, useBias });
  const model = modelOf([2, 6, 6], layer, ours.batchNormalization({ axis: 1 }));
  expect((await folded(train(model))).changed).toHaveLength(1);
});

test('in models within, shared ones, timeDistributed ones, and Sequential ones', async () => {
  const inner = tf.sequential({
    layers: [l.dense({ units: 4, inputShape: [5], useBias: false }), ours.batchNormalization(), l.reLU()],
  });
  const [a, b, c] = [tf.input({ shape: [5] }), tf.input({ shape: [5] }), tf.input({ shape: [3, 5] })];
  const distributed = l.timeDistributed({
    layer: modelOf([5], l.dense({ units: 4 }), ours.batchNormalization()) as unknown as Layer,
  });
  const parts = [
    inner.apply(a),
    inner.apply(b),
    l.globalAveragePooling1d({}).apply(distributed.apply(c) as tf.SymbolicTensor),
  ];
  const sum = l.add().apply(parts as tf.SymbolicTensor[]) as tf.SymbolicTensor;
  const model = train(tf.model({ inputs: [a, b, c], outputs: sum }));
  const x = [
    [2, 5],
    [2, 5],
    [2, 3, 5],
  ].map((shape, i) => tf.randomNormal(shape, 0, 1, 'float32', i));
  const { changed, left } = await folded(model, x);
  expect(left).toEqual([]);
  const titles = changed.map(({ layer }) => layer.replace(/\/.*/, '')).sort();
  expect(titles).toEqual([inner.name, distributed.name].sort());
});

test('a Sequential that begins with a model, and one that begins with an input layer', async () => {
  const base = modelOf([5], l.dense({ units: 4 }), ours.batchNormalization());
  const onTop = tf.sequential();
  onTop.add(base as unknown as Layer);
  onTop.add(l.dense({ units: 3, useBias: false }));
  onTop.add(ours.batchNormalization({ name: 'top' }));
  expect((await folded(train(onTop))).changed.map(({ layer }) => layer).sort()).toEqual(
    [expect.stringMatching(`^${base.name}/`), 'top'].sort(),
  );
  const begun = tf.sequential();
  begun.add(l.inputLayer({ inputShape: [5] }));
  begun.add(ours.batchNormalization());
  begun.add(l.dense({ units: 2 }));
  expect((await folded(train(begun))).changed).toHaveLength(1);
});

test('weights of the layers stay their own: the original can be trained, and disposed of, afterwards', async () => {
  const model = train(
    modelOf([5], l.dense({ units: 4, activation: 'relu' }), l.dense({ units: 4 }), ours.batchNormalization()),
  );
  const x = inputFor(model);
  const { model: copy } = await foldBatchNormalization(model);
  const before = predict(copy, x);
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  await model.fit(x, tf.ones([3, 4]), { verbose: 0 });
  expect(predict(copy, x)).toEqual(before);
  model.dispose();
  expect(predict(copy, x)).toEqual(before);
});

test('a layer and its normalization, both shared', async () => {
  const [dense, norm] = [l.dense({ units: 4 }), ours.batchNormalization()];
  const inputs = [0, 1].map(() => tf.input({ shape: [5] }));
  const both = inputs.map((x) => norm.apply(dense.apply(x)) as tf.SymbolicTensor);
  const model = train(tf.model({ inputs, outputs: l.add().apply(both) as tf.SymbolicTensor }));
  expect((await folded(model, [tf.ones([2, 5]), tf.randomNormal([2, 5])])).changed).toHaveLength(1);
});

class Doubled extends l.Layer {
  static readonly className = 'DoubledOfSurgery';
  override call(x: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.mul([x].flat()[0]!, 2);
  }
}

test('normalizations within timeDistributed, of an axis counted from the front, too', async () => {
  const layers = [
    l.timeDistributed({ layer: l.dense({ units: 4 }) }),
    l.timeDistributed({ layer: ours.batchNormalization({ axis: 1 }), name: 'norm' }),
    l.reLU(),
  ];
  const { changed, left } = await folded(train(modelOf([3, 5], ...layers)));
  expect([changed.map(({ layer }) => layer), left]).toEqual([['norm'], []]);
});

test('a wrapped layer at the beginning of a Sequential, whose input shape stays', async () => {
  const layer = l.dense({ units: 2, name: 'inner' });
  const model = tf.sequential({
    layers: [
      ours.spectralNormalization({ layer, name: 'first', inputShape: [4] }),
      ours.batchNormalization(),
      l.reLU({ name: 'last' }),
    ],
  });
  const surgery = await folded(train(model));
  expect(classesOf(surgery.model)).toEqual(['Dense', 'ReLU']);
  expect(surgery.model.layers[0]!.batchInputShape).toEqual([null, 4]);
});

describe('left alone, with the reason:', () => {
  const input = () => tf.input({ shape: [5] });
  const dense = (name: string, more: object = {}) => l.dense({ units: 5, name, ...more });
  const norm = () => ours.batchNormalization({ name: 'norm' });
  const apply = (layer: Layer, x: tf.SymbolicTensor | tf.SymbolicTensor[], kwargs = {}) =>
    layer.apply(x, kwargs) as tf.SymbolicTensor;

  const CASES: Record<string, [make: () => tf.LayersModel, reason: RegExp]> = {
    'an activation between': [
      () => modelOf([5], dense('first', { activation: 'relu' }), norm(), l.reLU()),
      /'first', has the activation relu/,
    ],
    'a layer between': [
      () => modelOf([5], dense('first'), l.reLU({ name: 'act' }), norm(), l.reLU()),
      /'act' \(ReLU\), has no kernel/,
    ],
    'an unknown layer between, of a class that is not registered': [
      () => modelOf([5], dense('first'), new Doubled({ name: 'own' }), norm(), new Doubled({ name: 'other' })),
      /'own' \(DoubledOfSurgery\), has no kernel.*'other' \(DoubledOfSurgery\)/,
    ],
    'a layer with two normalizations': [
      () => {
        const x = input();
        const shared = apply(dense('first'), x);
        const both = ['norm', 'second'].map((name) => apply(ours.batchNormalization({ name }), shared));
        return tf.model({ inputs: x, outputs: apply(l.add(), both) });
      },
      /'first', is also used by 'second'/,
    ],
    'a shared layer with two normalizations': [
      () => {
        const inputs = [input(), input()];
        const shared = dense('first');
        const both = inputs.map((x, i) =>
          apply(ours.batchNormalization({ name: i === 0 ? 'norm' : 'second' }), apply(shared, x)),
        );
        return tf.model({ inputs, outputs: apply(l.add(), both) });
      },
      /'first', is also used by 'second'/,
    ],
    'a shared normalization of two layers': [
      () => {
        const inputs = [input(), input()];
        const shared = norm();
        const both = inputs.map((x, i) => apply(shared, apply(dense(`d${i}`), x)));
        return tf.model({ inputs, outputs: apply(l.add(), both) });
      },
      /takes the results of 'd0' and 'd1'/,
    ],
    "a layer whose result is the model's, too": [
      () => {
        const x = input();
        const y = apply(dense('first'), x);
        return tf.model({ inputs: x, outputs: [apply(l.reLU(), apply(norm(), y)), y] });
      },
      /'first', is also one of the model's/,
    ],
    'another axis': [
      () => modelOf([5, 5], dense('first'), ours.batchNormalization({ name: 'norm', axis: 1 }), l.reLU()),
      /another axis/,
    ],
    'a layer after it that takes another result, too': [
      () => {
        const inputs = [input(), input()];
        const shared = dense('shared');
        const both = inputs.map((x, i) => apply(shared, i === 0 ? apply(norm(), x) : x));
        return tf.model({ inputs, outputs: apply(l.add(), both) });
      },
      /'shared', also takes the result of/,
    ],
    'another axis than that of the layer after it': [
      () => modelOf([5, 5], ours.batchNormalization({ name: 'norm', axis: 1 }), dense('after'), l.reLU()),
      /another axis/,
    ],
    'a call that trains': [
      () => {
        const x = input();
        return tf.model({ inputs: x, outputs: apply(norm(), apply(dense('first'), x), { training: true }) });
      },
      /training: true/,
    ],
    'a layer before it whose call trains': [
      () => {
        const x = input();
        const first = apply(dense('first'), x, { training: true });
        return tf.model({ inputs: x, outputs: apply(l.reLU(), apply(norm(), first)) });
      },
      /'first' \(Dense\), is called with training: true/,
    ],
    'a wrapper of which nobody knows what it does': [
      () => modelOf([5], new TwiceOf({ layer: dense('inner'), name: 'first' }), norm(), l.reLU()),
      /'first' \(TwiceOfSurgery\), has no kernel/,
    ],
    'the first and the last layer': [() => modelOf([5], norm()), /its own result is one of the model's/],
  };

  test.each(Object.entries(CASES))('%s', async (_, [make, reason]) => {
    const model = train(make());
    const x = model.inputs.map(({ shape }) => tf.randomNormal([2, ...(shape.slice(1) as number[])]));
    const before = tf.tidy(() => [model.predict(x)].flat().flatMap((y) => [...y.dataSync()]));
    const surgery = await foldBatchNormalization(model);
    const after = tf.tidy(() => [surgery.model.predict(x)].flat().flatMap((y) => [...y.dataSync()]));
    expect(surgery.changed).toEqual([]);
    expect(surgery.left.find(({ layer }) => layer === 'norm')!.message).toMatch(reason);
    expect(after).toBeClose(before, { ofMax: 1e-6 });
    expect(classesOf(surgery.model)).toEqual(classesOf(model));
  });

  test.each([new Array(5).fill(Number.NaN), [1, 1, Number.NaN, 1, 1]])(
    'statistics that are not finite: %j, %j, %j, %j, %j',
    async (...variances) => {
      const model = train(modelOf([5], dense('first'), norm()));
      const weights = model.getWeights();
      model.setWeights([...weights.slice(0, -1), tf.tensor(variances)]);
      expect((await foldBatchNormalization(model)).left[0]!.message).toMatch(/not all finite/);
    },
  );

  test('a channel without variance and epsilon is none of these: it gives beta', async () => {
    const model = train(modelOf([5], dense('first'), ours.batchNormalization({ name: 'norm', epsilon: 0 })));
    const weights = model.getWeights();
    model.setWeights([...weights.slice(0, -1), tf.tensor([1, 2, 0, 1, 0])]);
    expect((await folded(model)).changed).toHaveLength(1);
  });

  test('weights that would be larger than 32-bit floats can be', async () => {
    const large = (layers: Layer[]) => {
      const model = train(modelOf([5], ...layers));
      const layer = model.getLayer('norm');
      layer.setWeights([1e28, 0, 0, 1e-30].map((value) => tf.tensor([1, 1, value, 1, 1])));
      return model;
    };
    const make = () => ours.batchNormalization({ name: 'norm', epsilon: 0 });
    const [after, before] = [large([dense('first'), make()]), large([make(), dense('last')])];
    for (const model of [after, before]) {
      const { changed, left } = await foldBatchNormalization(model);
      expect(changed).toEqual([]);
      expect(left[0]!.message).toMatch(/the weights would be larger than 32-bit floats can be/);
    }
  });

  test('a model that is being trained', async () => {
    const model = modelOf([5], dense('first'), norm());
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    let during: Awaited<ReturnType<typeof foldBatchNormalization>> | undefined;
    await model.fit(tf.ones([4, 5]), tf.ones([4, 5]), {
      verbose: 0,
      callbacks: {
        onBatchEnd: async () => {
          during = await foldBatchNormalization(model);
        },
      },
    });
    expect(during!.left[0]!.message).toMatch(/being trained/);
    expect((await foldBatchNormalization(model)).changed).toHaveLength(1);
  });
});

describe('the new model', () => {
  test('can be saved, loaded without this package, and trained; nothing is left of it', async () => {
    const model = mobileNet();
    const x = inputFor(model);
    const expected = predict(model, x);
    const before = tf.memory().numTensors;
    const { model: folded } = await foldBatchNormalization(model);
    let artifacts: tf.io.ModelArtifacts | undefined;
    await folded.save(
      tf.io.withSaveHandler(async (own) => {
        artifacts = own;
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      }),
    );
    const loaded = await tf.loadLayersModel(tf.io.fromMemory(artifacts!));
    expect(predict(loaded, x)).toBeClose(expected, { ofMax: 2e-6 });
    loaded.dispose();
    folded.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const y = tf.zeros([3, 3]);
    await folded.fit(x, y, { verbose: 0 });
    expect(predict(folded, x)).not.toEqual(expected);
    expect(predict(model, x)).toEqual(expected);
    y.dispose();
    (folded as unknown as { optimizer_: tf.Optimizer }).optimizer_?.dispose();
    folded.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test('has no constraint of the weights before, which would clip those now', async () => {
    const limited = {
      kernelConstraint: tf.constraints.maxNorm({ maxValue: 0.1 }),
      biasConstraint: tf.constraints.nonNeg(),
    };
    const model = modelOf([5], l.dense({ units: 4, ...limited }), ours.batchNormalization());
    await folded(train(model));
  });
});

/** The operations of the layers in a prediction, sorted: `predict` itself makes copies. */
function operationsOf(model: tf.LayersModel, x: tf.Tensor): string[] {
  const profiled = jest.spyOn(tf.engine(), 'runKernel');
  predict(model, x);
  const names = profiled.mock.calls.map(([name]) => name).filter((name) => !['Slice', 'Identity'].includes(name));
  profiled.mockRestore();
  return names.sort();
}

describe('operations:', () => {
  const six = () => l.reLU({ maxValue: 6 });

  test.each([
    ['a ReLU that ends at 6', six, ['Relu6']],
    ['the activation relu6', () => l.activation({ activation: 'relu6' as 'relu' }), ['Relu6']],
    ['another ReLU', () => l.reLU({ maxValue: 5 }), ['ClipByValue', 'Relu']],
    ['a ReLU without end', () => l.reLU(), ['Relu']],
  ])('%s', async (_, make, operations) => {
    const model = modelOf([4], make());
    const x = tf.tensor2d([
      [-1, 5.5, 7, Number.NaN],
      [0, 6, -0, Number.POSITIVE_INFINITY],
    ]);
    const { model: folded } = await foldBatchNormalization(model);
    expect(operationsOf(folded, x)).toEqual(operations);
    expect(predict(folded, x)).toEqual(predict(model, x));
  });

  test('gradients pass through it as before', async () => {
    const model = modelOf([4], six());
    const { model: folded } = await foldBatchNormalization(model);
    const x = tf.tensor2d([[-1, 3, 5.5, 7]]);
    const gradient = (one: tf.LayersModel) =>
      tf
        .grad((x: tf.Tensor) => tf.sum(tf.square(one.apply(x) as tf.Tensor)))(x)
        .dataSync();
    expect(gradient(folded)).toEqual(gradient(model));
  });

  test('a depthwise convolution adds its bias itself', async () => {
    const layer = l.depthwiseConv2d({ kernelSize: 3, useBias: false });
    const model = train(modelOf([6, 6, 2], layer, ours.batchNormalization()));
    const { model: folded } = await foldBatchNormalization(model);
    expect(operationsOf(folded, inputFor(model))).toEqual(['FusedDepthwiseConv2D']);
  });
});

test('what is no model is refused', async () => {
  await expect(foldBatchNormalization({} as tf.LayersModel)).rejects.toThrow(
    'foldBatchNormalization: model must be a model of layers',
  );
  await expect(foldBatchNormalization(tf.sequential())).rejects.toThrow('is not built');
  const gone = modelOf([2], ours.batchNormalization());
  gone.dispose();
  await expect(foldBatchNormalization(gone)).rejects.toThrow('is disposed of; load or build it again');
});

/** What a folder's model was given. */
function inputsOf(name: string): { shape: number[]; data: number[] }[] {
  const { input, inputs = [input] } = readJson(name, 'expected.json');
  return inputs;
}

describe('models of Keras and TensorFlow Addons keep their predictions:', () => {
  test.each(folders)('%s', async (name) => {
    const { bytes, ...rest } = artifactsOf(name);
    const model = await ours.loadModel(tf.io.fromMemory({ ...rest, weightData: Uint8Array.from(bytes).buffer }));
    const x = inputsOf(name).map(({ shape, data }) => tf.tensor(data, shape));
    const all = (one: tf.LayersModel) => tf.tidy(() => [one.predict(x)].flat().flatMap((y) => [...y.dataSync()]));
    const before = all(model);
    const { model: folded, changed, left } = await foldBatchNormalization(model);
    expect(all(folded)).toBeClose(before, { ofMax: 1e-5, atol: 1e-6 });
    expect(all(model)).toEqual(before);
    const classes =
      JSON.stringify(model.toJSON(undefined, false)).match(/"class_name":"(Mean|Batch)\w*Norm[^n]\w*"/g) ?? [];
    expect(changed.length + left.length).toBe(classes.filter((one) => !one.includes('Instance')).length);
  });
});
