/** Files in Keras's spellings beyond the golden folders: what they mean here, what is refused, and what Keras reads of ours. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as ours from '../../layers/index.ts';
import { fromKeras } from '../../layers/models/keras/format.ts';
import { fittedWeights } from '../../layers/models/keras/weights.ts';
import { explainLoadError } from '../../layers/models/load-errors.ts';
import {
  called,
  called2,
  file,
  graph2,
  graph3,
  input3,
  output,
  saved,
  type Values,
  values,
} from '../support/keras-files.ts';
import type { Layer } from '../support/layers.ts';

beforeEach(() => tf.setBackend('cpu'));

type Topology = Parameters<typeof file>[1];
const load3 = async (model: Topology, weights: Values) =>
  ours.loadModel(tf.io.fromMemory(await file('3.15.1', model, weights)));
const load2 = async (model: Topology, weights: Values) =>
  ours.loadModel(tf.io.fromMemory(await file('2.15.0', model, weights)));
const numbers = (tensor: tf.Tensor) => Array.from(tensor.dataSync());
const tensorOf = ({ data, shape }: Values[string]) => tf.tensor(data, shape);
const predict = (model: tf.LayersModel, x: tf.Tensor) => model.predict(x) as tf.Tensor;
const expectClose = (actual: tf.Tensor, expected: tf.Tensor) => {
  expect(actual.shape).toEqual(expected.shape);
  expect(numbers(actual)).toBeClose(numbers(expected), { rtol: 1e-5, atol: 1e-5 });
};

describe('Keras 3', () => {
  const dense = { units: 4, activation: 'linear', use_bias: false };

  test('models within models, operations, functions as objects, a policy of float16, options and classes of other names', async () => {
    const inner = saved('Sequential', {
      name: 'inner',
      layers: [
        saved('InputLayer', { name: 'i', batch_shape: [null, 3], dtype: 'float32' }),
        saved('Dense', {
          ...dense,
          name: 'd1',
          dtype: saved('DTypePolicy', { name: 'mixed_float16' }, 'keras'),
          kernel_initializer: saved('LecunNormal', { seed: null }, 'keras.initializers'),
          kernel_regularizer: saved('L2', { l2: 0.5 }, 'keras.regularizers'),
        }),
        saved('LeakyReLU', { name: 'leaky', negative_slope: 0.25 }),
      ],
      build_input_shape: [null, 3],
    });
    const part = graph3(
      'part',
      [
        input3('p', null, 4),
        called('Dense', { ...dense, name: 'd2', activation: saved('function', 'silu', 'builtins') }, [output('p')]),
      ],
      'd2',
    );
    const model = graph3(
      'outer',
      [
        input3('x', null, 3),
        { ...inner, name: 'inner', inbound_nodes: [{ args: [output('x')], kwargs: { training: null, mask: null } }] },
        { ...part, name: 'part', inbound_nodes: [{ args: [output('inner')], kwargs: {} }] },
        called('Add', { name: 'add' }, [output('inner'), output('part')]), // the operation +
        called('Multiply', { name: 'multiply' }, [[output('add'), output('part')]]), // the layer
      ],
      'multiply',
    );
    const [k1, k2] = [values([3, 4]), values([4, 4], 2)];
    const loaded = await load3(model, { 'inner/d1/kernel': k1, 'd2/kernel': k2 });
    const x = tensorOf(values([5, 3], 3));
    const a = tf.leakyRelu(tf.matMul(x, tensorOf(k1)), 0.25);
    const linear = tf.matMul(a, tensorOf(k2));
    const b = tf.mul(linear, tf.sigmoid(linear));
    expectClose(predict(loaded, x), tf.mul(tf.add(a, b), b));
    const d1 = (loaded.getLayer('inner') as tf.Sequential).getLayer('d1');
    expect(d1.getConfig().kernelRegularizer).toMatchObject({ className: 'L1L2', config: { l1: 0, l2: 0.5 } });
  });

  test('a Sequential that is the output of a graph', async () => {
    const inner = saved('Sequential', {
      name: 's',
      layers: [input3('i', null, 3), saved('Dense', { ...dense, name: 'd' })],
    });
    const model = graph3(
      'm',
      [input3('x', null, 3), { ...inner, name: 's', inbound_nodes: [{ args: [output('x')], kwargs: {} }] }],
      's',
    );
    const kernel = values([3, 4]);
    const x = tensorOf(values([2, 3], 5));
    expectClose(predict(await load3(model, { 's/d/kernel': kernel }), x), tf.matMul(x, tensorOf(kernel)));
  });

  test('a Sequential without an input layer', async () => {
    const model = {
      ...saved('Sequential', { name: 's', layers: [saved('Dense', { ...dense, name: 'd' })] }),
      build_config: { input_shape: [null, 3] },
    };
    const kernel = values([3, 4]);
    const x = tensorOf(values([2, 3], 5));
    expectClose(predict(await load3(model, { 's/d/kernel': kernel }), x), tf.matMul(x, tensorOf(kernel)));
  });

  test('weights of wrapped layers, of cells and of depthwise convolutions', async () => {
    const lstm = {
      name: 'forward_lstm',
      units: 2,
      return_sequences: true,
      activation: 'tanh',
      recurrent_activation: 'sigmoid',
      use_bias: true,
      unit_forget_bias: true,
    };
    const reference = tf.sequential({
      layers: [
        tf.layers.depthwiseConv2d({ kernelSize: 2, useBias: false, inputShape: [4, 3, 2] }),
        tf.layers.reshape({ targetShape: [3, 4] }),
        tf.layers.bidirectional({
          layer: tf.layers.lstm({ units: 2, returnSequences: true, recurrentActivation: 'sigmoid' }) as tf.RNN,
          mergeMode: 'concat',
        }),
        tf.layers.timeDistributed({ layer: tf.layers.dense({ units: 3, useBias: false }) }),
      ],
    });
    const model = saved('Sequential', {
      name: 'seq',
      layers: [
        input3('x', null, 4, 3, 2),
        saved('DepthwiseConv2D', {
          name: 'dw',
          kernel_size: [2, 2],
          strides: [1, 1],
          depth_multiplier: 1,
          use_bias: false,
          padding: 'valid',
          activation: 'linear',
        }),
        saved('Reshape', { name: 'r', target_shape: [3, 4] }),
        saved('Bidirectional', {
          name: 'bi',
          merge_mode: 'concat',
          layer: saved('LSTM', lstm),
          backward_layer: saved('LSTM', { ...lstm, name: 'backward_lstm', go_backwards: true }),
        }),
        saved('TimeDistributed', {
          name: 'td',
          layer: saved('SpectralNormalization', {
            name: 'sn',
            power_iterations: 1,
            layer: saved('Dense', { ...dense, units: 3, name: 'd' }),
          }),
        }),
      ],
    });
    const names = [
      'dw/kernel',
      ...['forward', 'backward'].flatMap((way) =>
        ['kernel', 'recurrent_kernel', 'bias'].map((name) => `bi/${way}_lstm/lstm_cell/${name}`),
      ),
      'td/sn/d/kernel',
    ];
    const weights = Object.fromEntries(
      reference.getWeights().map(({ shape }, i) => [`seq/${names[i]}`, values(shape, i)]),
    );
    reference.setWeights(Object.values(weights).map(tensorOf));
    const loaded = await load3(model, { ...weights, 'seq/td/sn/vector_u': values([1, 3]) });
    const x = tensorOf(values([2, 4, 3, 2], 7));
    expectClose(predict(loaded, x), predict(reference, x));
  });
});

describe('what older and younger versions of Keras write otherwise', () => {
  const dense = { units: 2, activation: 'linear', use_bias: false };
  const kernel = values([3, 2]);
  const x = () => tensorOf(values([4, 3], 5));
  const product = () => tf.matMul(x(), tensorOf(kernel));
  const listed = [called2('Dense', { ...dense, name: 'd', batch_input_shape: [null, 3] }, [])];

  test('a Sequential whose config is the list of its layers, alone and within a graph', async () => {
    const alone = await load2({ class_name: 'Sequential', config: listed }, { 'd/kernel': kernel });
    expectClose(predict(alone, x()), product());
    const bare = [called2('Dense', { ...dense, name: 'd' }, [])];
    const model = graph2(
      [null, 3],
      [{ class_name: 'Sequential', name: 's', config: bare, inbound_nodes: [[['x', 0, 0, {}]]] }],
    );
    Object.assign(model.config, { output_layers: [['s', 1, 0]] });
    expectClose(predict(await load2(model, { 'd/kernel': kernel }), x()), product());
  });

  test('a Sequential within a graph has the shape of the input that it takes, not of another', async () => {
    const bare = { name: 's', layers: [called2('Dense', { ...dense, name: 'd' }, [])] };
    const model = graph2(
      [null, 7],
      [
        called2('InputLayer', { name: 'y', batch_input_shape: [null, 3] }, []),
        { class_name: 'Sequential', name: 's', config: bare, inbound_nodes: [[['y', 0, 0, {}]]] },
      ],
    );
    const input_layers = ['x', 'y'].map((name) => [name, 0, 0]);
    Object.assign(model.config, { input_layers, output_layers: [['s', 1, 0]] });
    const loaded = await load2(model, { 'd/kernel': kernel });
    expectClose(loaded.predict([tf.zeros([4, 7]), x()]) as tf.Tensor, product());
  });

  test('a Sequential that gets its input shape from a model, or from the layer in a wrapper', async () => {
    const inner = { class_name: 'Sequential', config: { name: 'inner', layers: listed } };
    const around = { class_name: 'Sequential', config: { name: 'outer', layers: [inner] } };
    expectClose(predict(await load2(around, { 'd/kernel': kernel }), x()), product());
    const config = { name: 'sn', power_iterations: 1, layer: listed[0] };
    const wrapped = {
      class_name: 'Sequential',
      config: { name: 'm', layers: [{ class_name: 'SpectralNormalization', config }] },
    };
    const weights = { 'sn/d/kernel': kernel, 'sn/vector_u': values([1, 2]) };
    expectClose(predict(await load2(wrapped, weights), x()), product());
  });

  test('the JSON of a model, without weights', async () => {
    const model = { class_name: 'Sequential', config: { name: 's', layers: listed }, keras_version: '2.15.0' };
    const loaded = await ours.loadModel({ load: async () => ({ modelTopology: model }) });
    expect(loaded.getLayer('d').weights.map(({ shape }) => shape)).toEqual([[3, 2]]);
  });

  test('Identity is a layer that changes nothing, or an initializer', async () => {
    const model = graph2(
      [null, 3],
      [
        called2('Identity', { name: 'same' }, ['x']),
        called2('Dense', { ...dense, name: 'd', kernel_initializer: { class_name: 'Identity', config: { gain: 2 } } }, [
          'same',
        ]),
      ],
    );
    const loaded = await load2(model, { 'd/kernel': kernel });
    expectClose(predict(loaded, x()), product());
    expect(loaded.getLayer('d').getConfig().kernelInitializer).toMatchObject({ config: { gain: 2 } });
  });

  test('of the name of a layer in Bidirectional only what Keras puts before it is left out', async () => {
    const layer = {
      class_name: 'SimpleRNN',
      config: { name: 'feed_forward_rnn', units: 1, use_bias: false, activation: 'linear' },
    };
    const model = graph2([null, 2, 1], [called2('Bidirectional', { name: 'bi', merge_mode: 'sum', layer }, ['x'])]);
    const one = { shape: [1, 1], data: [1] };
    const weights = Object.fromEntries(
      ['forward', 'backward'].flatMap((way) => [
        [`bi/${way}_feed_forward_rnn/simple_rnn_cell/kernel`, one],
        [`bi/${way}_feed_forward_rnn/simple_rnn_cell/recurrent_kernel`, one],
      ]),
    );
    expect(numbers(predict(await load2(model, weights), tf.tensor([[[1], [2]]])))).toEqual([6]);
  });

  test('a class of the name InstanceNormalization that somebody registered has any options', async () => {
    class InstanceNormalization extends tf.layers.Layer {
      static readonly className = 'InstanceNormalization';
      override call([x]: tf.Tensor[]): tf.Tensor {
        return tf.neg(x!);
      }
    }
    const { classNameMap } = tf.serialization.SerializationMap.getMap();
    const own = classNameMap.InstanceNormalization!;
    tf.serialization.registerClass(InstanceNormalization);
    try {
      const model = graph2([null, 3], [called2('InstanceNormalization', { name: 'own', axis: -1 }, ['x'])]);
      expectClose(predict(await load2(model, {}), x()), tf.neg(x()));
    } finally {
      classNameMap.InstanceNormalization = own;
    }
  });
});

describe('weights of a second session', () => {
  const dense = (name: string, inputs: string[], units = 3) =>
    called2('Dense', { name, units, use_bias: false, activation: 'linear' }, inputs);
  /** Layers one after the other, of [3, 3] kernels. */
  const chain = (...names: string[]) =>
    graph2(
      [null, 3],
      names.map((name, i) => dense(name, [names[i - 1] ?? 'x'])),
    );
  const kernels = (...names: string[]): Values =>
    Object.fromEntries(names.map((name, i) => [`${name}/kernel`, values([3, 3], i + 1)]));
  const x = () => tensorOf(values([2, 3], 9));
  const product = (count: number) =>
    Array.from({ length: count }, (_, i) => tensorOf(values([3, 3], i + 1))).reduce(
      (y, kernel) => tf.matMul(y, kernel),
      x() as tf.Tensor,
    );

  test.each([
    ['each has a number', ['a', 'b'], ['a_1', 'b_17']],
    ['a layer is called as the weights of another', ['a', 'a_1'], ['a_1', 'a_1_1']],
    ['three in a row', ['a', 'a_1', 'a_1_1'], ['a_1', 'a_1_1', 'a_1_1_1']],
    ['numbers that pass each other', ['a', 'a_1', 'a_2'], ['a_3', 'a_1_1', 'a_2_1']],
    ['only the first', ['a', 'a_1', 'a_2'], ['a_1', 'a_1_1', 'a_2']],
    ['names that end in a number of two digits', ['a_10', 'a_1'], ['a_10_2', 'a_1_2']],
    ['names with paths', ['block/a', 'block/b'], ['block/a_1', 'block/b_1']],
  ])('%s', async (_, names, scopes) => {
    const before = tf.memory().numTensors;
    const model = await load2(chain(...names), kernels(...scopes));
    expect(tf.memory().numTensors).toBe(before + names.length);
    expectClose(predict(model, x()), product(names.length));
    expect(model.weights.map(({ originalName }) => originalName)).toEqual(names.map((name) => `${name}/kernel`));
  });

  test('exact names stay, whatever else would fit', async () => {
    const model = await load2(chain('a', 'a_1', 'a_2'), kernels('a', 'a_1', 'a_2'));
    expectClose(predict(model, x()), product(3));
    // Not all of the weights: those of a_1 are not taken for those of a.
    const partial = tf.io.fromMemory(await file('2.2.4', chain('a', 'a_1'), kernels('a_1')));
    const loaded = await ours.loadModel(partial, { strict: false });
    expect(numbers(loaded.getLayer('a_1').getWeights()[0]!)).toEqual(values([3, 3], 1).data);
    expect(numbers(loaded.getLayer('a').getWeights()[0]!)).not.toEqual(values([3, 3], 1).data);
  });

  test('a layer without weights is called as those of another', async () => {
    const layers = [dense('a', ['x']), called2('Dropout', { name: 'a_1', rate: 0.5 }, ['a']), dense('b', ['a_1'])];
    for (const strict of [true, false]) {
      const artifacts = await file('2.2.4', graph2([null, 3], layers), kernels('a_1', 'b'));
      const model = await ours.loadModel(tf.io.fromMemory(artifacts), { strict });
      expectClose(predict(model, x()), product(2));
    }
  });

  test('in wrappers, ours and others, within each other and within models', async () => {
    const inner = (name: string) => ({ class_name: 'Dense', config: { name, units: 3, use_bias: false } });
    const wrap = (class_name: string, name: string, layer: object, more = {}) => ({
      class_name,
      config: { name, layer, ...more },
    });
    const spectral = wrap('SpectralNormalization', 'sn', inner('d1'), { power_iterations: 1 });
    const weight = wrap('Addons>WeightNormalization', 'wn', inner('d2'), { data_init: false });
    const distributed = wrap('TimeDistributed', 'td', wrap('SpectralNormalization', 'sn_1', inner('d3')));
    const stack = (...layers: object[]) => ({
      class_name: 'Sequential',
      config: {
        name: 'stack',
        layers: [{ class_name: 'InputLayer', config: { name: 'i', batch_input_shape: [null, 2, 3] } }, ...layers],
      },
    });
    const model = graph2(
      [null, 2, 3],
      [{ ...stack(spectral, weight, distributed), name: 'stack', inbound_nodes: [[['x', 0, 0, {}]]] }],
    );
    Object.assign(model.config, { output_layers: [['stack', 1, 0]] });
    const [k1, k2, k3] = [values([3, 3], 1), values([3, 3], 2), values([3, 3], 3)];
    const weights = (n: string): Values => ({
      [`stack${n}/sn${n}/d1${n}/kernel`]: k1,
      [`stack${n}/sn${n}/vector_u`]: values([1, 3]),
      [`wn${n}/kernel`]: k2,
      [`wn${n}/g`]: { shape: [3], data: [1, 2, 3] },
      [`wn${n}/initialized`]: { shape: [], data: [1], dtype: 'bool' },
      [`td${n}/sn_1${n}/d3${n}/kernel`]: k3,
      [`td${n}/sn_1${n}/vector_u`]: values([1, 3]),
    });
    const input = tensorOf(values([2, 2, 3], 8));
    const first = predict(await load2(model, weights('')), input);
    const numbered = await load2(model, weights('_1'));
    expect(numbers(predict(numbered, input))).toEqual(numbers(first));
    expectClose(
      first,
      tf.matMul(
        tf.matMul(
          tf.matMul(input, tf.reshape(tensorOf(k1), [1, 3, 3]).tile([2, 1, 1])),
          tf
            .reshape(tf.mul(tf.div(tensorOf(k2), tf.norm(tensorOf(k2), 'euclidean', 0)), [1, 2, 3]), [1, 3, 3])
            .tile([2, 1, 1]),
        ),
        tf.reshape(tensorOf(k3), [1, 3, 3]).tile([2, 1, 1]),
      ),
    );
  });

  test('what fits no layer, or the same one twice, is refused by name', async () => {
    const refused = async (names: string[], weights: Values, message: RegExp) => {
      const before = tf.memory().numTensors;
      await expect(load2(chain(...names), weights)).rejects.toThrow(message);
      return tf.memory().numTensors - before;
    };
    const twice = await refused(
      ['a', 'b'],
      kernels('a_1', 'a_2'),
      /^loadModel: the weights called 'a_1' and those called 'a_2' both may be of the layer 'a'; save the model again/,
    );
    expect(twice).toBe(0);
    await refused(['a'], { 'a_1/kernel': values([3, 2]) }, /the layer 'a' \(Dense\) needs the weight 'a\/kernel'/);
    await refused(['a'], { 'a_1/bias': values([3, 3]) }, /the layer 'a' \(Dense\) needs the weight 'a\/kernel'/);
    await refused(['a'], kernels('b_1'), /the layer 'a' \(Dense\) needs the weight 'a\/kernel'/);
    await refused(['a'], kernels('ab'), /the layer 'a' \(Dense\) needs the weight 'a\/kernel'/);
  });
});

describe('names of weights', () => {
  const kernel = values([3, 3]);
  const x = () => tensorOf(values([2, 3], 9));

  test('begin with the name of a layer that has that of its model in it', async () => {
    const layers = [called2('Dense', { name: 'block/a', units: 3, use_bias: false, batch_input_shape: [null, 3] }, [])];
    const model = { class_name: 'Sequential', config: { name: 'block', layers } };
    expectClose(predict(await load2(model, { 'block/a/kernel': kernel }), x()), tf.matMul(x(), tensorOf(kernel)));
  });

  test('of layers in a model in TimeDistributed', async () => {
    const dense = called2('Dense', { name: 'd', units: 3, use_bias: false, batch_input_shape: [null, 3] }, []);
    const layer = { class_name: 'Sequential', config: { name: 's', layers: [dense] } };
    const model = graph2([null, 2, 3], [called2('TimeDistributed', { name: 'td', layer }, ['x'])]);
    const loaded = await load2(model, { 'td/s/d/kernel': kernel });
    const y = predict(loaded, tf.reshape(x(), [1, 2, 3]));
    expectClose(tf.reshape(y, [2, 3]), tf.matMul(x(), tensorOf(kernel)));
  });

  test("learned_epsilon of TensorFlow Addons' FilterResponseNormalization is of the only layer that learns one", async () => {
    const norm = (name: string, before: string) =>
      called2('Addons>FilterResponseNormalization', { name, epsilon: 1, learned_epsilon: true }, [before]);
    const parameters = (name: string): Values => ({
      [`${name}/gamma`]: { shape: [1, 1, 1, 1], data: [1] },
      [`${name}/beta`]: { shape: [1, 1, 1, 1], data: [0] },
    });
    const epsilon = { learned_epsilon: { shape: [1], data: [3] } };
    const one = await load2(graph2([null, 1, 1, 1], [norm('a', 'x')]), { ...parameters('a'), ...epsilon });
    // 1 / sqrt(1 + epsilon), where epsilon has the option and what is learned.
    expect(numbers(predict(one, tf.ones([1, 1, 1, 1])))).toBeClose([1 / Math.sqrt(1 + 1 + 3)], { rtol: 1e-6 });
    const two = graph2([null, 1, 1, 1], [norm('a', 'x'), norm('b', 'a')]);
    await expect(load2(two, { ...parameters('a'), ...parameters('b'), ...epsilon })).rejects.toThrow(
      "needs the weight 'a/learned_epsilon'",
    );
  });
});

describe('fittedWeights', () => {
  const fitted = (given: Record<string, number[]>, wanted: [layer: string, name: string, shape: number[]][]) =>
    fittedWeights(
      Object.entries(given).map(([name, shape]) => ({ name, shape, dtype: 'float32' as const })),
      wanted.map(([layer, name, shape]) => ({ layer, name, shape })),
    ).map(({ name }) => name);

  test('of several layers that fit takes the one of exactly that name', () => {
    const wanted = ['a', 'a_1'].map((name) => [name, `${name}/cell/kernel`, [3]] as [string, string, number[]]);
    expect(fitted({ 'a_1/cell_2/kernel': [3] }, wanted)).toEqual(['a_1/cell/kernel']);
  });

  test('takes the layer whose weights have the shapes', () => {
    const wanted = [3, 2].map((size, i) => [`a_${i}`, `a_${i}/kernel`, [size]] as [string, string, number[]]);
    expect(fitted({ 'a_1_1/kernel': [2], 'a_0_1/kernel': [3] }, wanted)).toEqual(['a_1/kernel', 'a_0/kernel']);
    const alike = [
      ['a', 'a/kernel', [3]],
      ['a_1', 'a_1/kernel', [2]],
    ] as [string, string, number[]][];
    expect(fitted({ 'a_1/kernel': [3] }, alike)).toEqual(['a/kernel']);
  });

  test.each<[string, Record<string, number[]>, [string, string, number[]][]]>([
    ['another last part', { 'a_1/kernel_1': [3] }, [['a', 'a/kernel', [3]]]],
    ['another part in between', { 'a_1/x/kernel': [3] }, [['a', 'a/cell/kernel', [3]]]],
    ['a part too few', { 'a_1/kernel': [3] }, [['a', 'a/cell/kernel', [3]]]],
    ['one place for two', { 'a_1/x/kernel': [3], 'a_1/y/kernel': [3] }, [['a', 'a/kernel', [3]]]],
    [
      'two places for one',
      { 'a_1/c_1/kernel': [3] },
      [
        ['a', 'a/c/kernel', [3]],
        ['a', 'a/c_1/kernel', [3]],
      ],
    ],
  ])('leaves %s as it is', (_, given, wanted) => {
    expect(fitted(given, wanted)).toEqual(Object.keys(given));
  });
});

test('outputs of a graph that are no tensors are refused', async () => {
  const model = graph3('m', [input3('x', null, 2)], 'x');
  Object.assign(model.config as object, { output_layers: [7] });
  await expect(load3(model, {})).rejects.toThrow(
    'loadModel: an input or output of a model is 7, which names no tensor',
  );
});

test('inputs and outputs of a graph that are a dictionary come in the order of its keys', async () => {
  const model = graph3(
    'm',
    [
      input3('x', null, 2),
      input3('y', null, 2),
      called('Multiply', { name: 'product' }, [[output('x'), output('y')]]),
      called('Add', { name: 'sum' }, [[output('x'), output('y')]]),
    ],
    'sum',
  );
  Object.assign(model.config as object, {
    input_layers: { b: ['x', 0, 0], a: ['y', 0, 0] },
    output_layers: { d: ['sum', 0, 0], c: ['product', 0, 0] },
  });
  const artifacts = await file('3.15.1', model, {});
  const { model_config } = fromKeras(artifacts).artifacts.modelTopology as { model_config: { config: object } };
  expect(model_config.config).toMatchObject({
    input_layers: [
      ['y', 0, 0],
      ['x', 0, 0],
    ],
    output_layers: [
      ['product', 0, 0],
      ['sum', 0, 0],
    ],
  });
});

describe('masks', () => {
  const norm = { name: 'bn', axis: 2, momentum: 0, epsilon: 1e-3, center: true, scale: false };
  const statistics = {
    'bn/beta': values([3]),
    'bn/moving_mean': values([3]),
    'bn/moving_variance': { shape: [3], data: [1, 1, 1] },
  };
  const mask = [
    called('NotEqual', { name: 'ne' }, [output('x'), 0]),
    called('Any', { name: 'any' }, [output('ne')], { axis: -1, keepdims: false }),
  ];

  test('that Keras 3 computes in the graph reach the statistics', async () => {
    const model = await load3(
      graph3(
        'm',
        [
          input3('x', null, 2, 3),
          called('Masking', { name: 'masking', mask_value: 0 }, [output('x')]),
          ...mask,
          called('BatchNormalization', norm, [output('masking')], { mask: output('any') }),
        ],
        'bn',
      ),
      statistics,
    );
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const x = tf.tensor([
      [
        [1, 2, 3],
        [0, 0, 0],
      ],
      [
        [3, 4, 8],
        [2, 0, 1],
      ],
    ]);
    await model.fit(x, x, { epochs: 1, batchSize: 2, verbose: 0 });
    expect(numbers(model.getLayer('bn').getWeights()[1]!)).toBeClose([2, 2, 4], { rtol: 1e-5 });
  });

  test('of another value are refused', async () => {
    const model = graph3(
      'm',
      [
        input3('x', null, 2, 3),
        called('Masking', { name: 'masking', mask_value: 7 }, [output('x')]),
        ...mask,
        called('BatchNormalization', norm, [output('masking')], { mask: output('any') }),
      ],
      'bn',
    );
    await expect(load3(model, statistics)).rejects.toThrow(/'ne' \(NotEqual\) is of a class/);
  });

  test('of an embedding that has none are an operation like any other', async () => {
    const rnn = called('SimpleRNN', { name: 'rnn', units: 2 }, [output('embedding')], { mask: output('ne') });
    const model = graph3(
      'm',
      [
        input3('x', null, 2),
        called('Embedding', { name: 'embedding', input_dim: 3, output_dim: 2, mask_zero: false }, [output('x')]),
        called('NotEqual', { name: 'ne' }, [output('x'), 0]),
        rnn,
      ],
      'rnn',
    );
    await expect(load3(model, {})).rejects.toThrow(/'ne' \(NotEqual\) is of a class/);
  });

  describe('that a model before the layer would pass on in Keras', () => {
    const layer = (class_name: string, name: string, config: object, ...inputs: [string, number][]) => ({
      ...called2(class_name, { name, ...config }, []),
      inbound_nodes: [inputs.map(([from, number]) => [from, number, 0, {}])],
    });
    const masking = { class_name: 'Masking', config: { name: 'masking', mask_value: 0 } };
    const recurrent = (...inputs: [string, number][]) =>
      layer('SimpleRNN', 'last', { units: 1, use_bias: false, activation: 'linear' }, ...inputs);
    /** A model of `inner`, and layers after it. */
    const followed = (inner: object, ...layers: object[]) => {
      const first = called2('InputLayer', { name: 'i', batch_input_shape: [null, 2, 3] }, []);
      const model = {
        class_name: 'Sequential',
        name: 'inner',
        config: { name: 'inner', layers: [first, inner] },
        inbound_nodes: [[['x', 0, 0, {}]]],
      };
      return graph2([null, 2, 3], [model, ...(layers as never[])]);
    };
    const kernel = { 'last/kernel': values([3, 1]) };
    const ofLast = { ...kernel, 'last/recurrent_kernel': values([1, 1]) };

    test.each([
      ['directly', followed(masking, recurrent(['inner', 1]))],
      [
        'through a layer that passes masks on',
        followed(masking, layer('Activation', 'a', { activation: 'relu' }, ['inner', 1]), recurrent(['a', 0])),
      ],
      [
        'through a sum with what has none',
        followed(masking, layer('Add', 'a', {}, ['x', 0], ['inner', 1]), recurrent(['a', 0])),
      ],
    ])('is refused: %s', async (_, model) => {
      await expect(load2(model, ofLast)).rejects.toThrow("'last' (SimpleRNN) has a mask of the model before it");
    });

    test.each([
      [
        'the last layer uses no masks',
        followed(masking, layer('Dense', 'last', { units: 1, use_bias: false }, ['inner', 1])),
      ],
      [
        'a layer before it passes none on',
        followed(masking, layer('Permute', 'p', { dims: [1, 2] }, ['inner', 1]), recurrent(['p', 0])),
      ],
      [
        'the model gives none',
        followed({ class_name: 'Activation', config: { name: 'a', activation: 'relu' } }, recurrent(['inner', 1])),
      ],
    ])('is no obstacle where %s', async (_, model) => {
      const isRecurrent = model.config.layers.at(-1)!.class_name === 'SimpleRNN';
      const loaded = await load2(model, isRecurrent ? ofLast : kernel);
      expect(numbers(loaded.getLayer('last').getWeights()[0]!)).toEqual(kernel['last/kernel'].data);
    });
  });

  test('GlobalAveragePooling1D that is called with none is the class of TensorFlow.js', async () => {
    const pooling = called('GlobalAveragePooling1D', { name: 'p' }, [output('x')], { mask: null });
    const model3 = await load3(graph3('m', [input3('x', null, 2, 3), pooling], 'p'), {});
    const model2 = await load2(graph2([null, 2, 3], [called2('GlobalAveragePooling1D', { name: 'p' }, ['x'])]), {});
    for (const model of [model3, model2]) expect(model.getLayer('p').getClassName()).toBe('GlobalAveragePooling1D');
  });

  const rnn = (name: string) => saved('SimpleRNN', { name, units: 2, return_sequences: true });
  const stack = (...layers: object[]) =>
    saved('Sequential', { name: 's', layers: [input3('i', null, 2, 3), ...layers] });
  test.each<[string, string, object, object]>([
    [
      'for a layer in TimeDistributed that uses it',
      'TimeDistributed',
      { layer: rnn('inner') },
      { mask: output('any') },
    ],
    [
      'for a model that has such a layer, wherever',
      'TimeDistributed',
      { layer: stack(stack(saved('Dense', { name: 'd', units: 2 }), rnn('inner'))) },
      { mask: output('any') },
    ],
    ['for a layer that uses none', 'Permute', { dims: [1, 2] }, { mask: output('any') }],
    ['that is no tensor', 'SimpleRNN', { units: 2 }, { mask: true }],
  ])('%s are refused by the name of the argument', async (_, className, config, kwargs) => {
    const model = graph3(
      'm',
      [
        input3('x', null, 2, 3),
        called('Masking', { name: 'masking', mask_value: 0 }, [output('x')]),
        ...mask,
        called(className, { name: 'it', ...config }, [output('masking')], kwargs as never),
      ],
      'it',
    );
    await expect(load3(model, {})).rejects.toThrow(`'it' (${className}) is called with the argument mask`);
  });

  test('that only TensorFlow.js has are refused, or kept from the layer', async () => {
    const rnn = { name: 'rnn', units: 2, activation: 'tanh', use_bias: false };
    const model = (mask_value: number, ...layers: Topology[]) =>
      graph3(
        'm',
        [input3('x', null, 2, 3), called('Masking', { name: 'masking', mask_value }, [output('x')]), ...layers],
        'rnn',
      );
    const states = { initial_state: [output('state')] };
    const started = model(0, input3('state', null, 2), called('SimpleRNN', rnn, [output('masking')], states));
    const input_layers = ['x', 'state'].map((name) => [name, 0, 0]);
    const whole = { ...started, config: { ...(started.config as object), input_layers } };
    const recurrent = { 'rnn/kernel': values([3, 2]), 'rnn/recurrent_kernel': values([2, 2]) };
    await expect(load3(whole, recurrent)).rejects.toThrow(/'rnn' \(SimpleRNN\) has no mask in the file/);

    const ended = [
      called('Conv1D', { name: 'conv', filters: 3, kernel_size: [1], strides: [1], padding: 'valid' }, [
        output('masking'),
      ]),
      called('SimpleRNN', rnn, [output('conv')], { mask: null }),
    ];
    const weights = { 'conv/kernel': values([1, 3, 3]), 'conv/bias': values([3]), ...recurrent };
    const x = tf.tensor([
      [
        [1, 2, 3],
        [0, 0, 0],
      ],
    ]);
    const [masked, unmasked] = [await load3(model(0, ...ended), weights), await load3(model(7, ...ended), weights)];
    expectClose(predict(masked, x), predict(unmasked, x));
  });

  test('that TensorFlow.js loses on the way are refused', async () => {
    const model = (last: string, config: object, kwargs: object) =>
      graph3(
        'm',
        [
          input3('x', null, 2, 3),
          called('Masking', { name: 'masking', mask_value: 0 }, [output('x')]),
          ...mask,
          called('Permute', { name: 'permute', dims: [1, 2] }, [output('masking')]),
          called(last, { name: 'bn', ...config }, [output('permute')], kwargs as never),
        ],
        'bn',
      );
    await expect(load3(model('BatchNormalization', norm, { mask: output('any') }), statistics)).rejects.toThrow(
      /'bn' \(BatchNormalization\) has a mask in the file/,
    );
    const rnn = { name: 'rnn', units: 2, activation: 'tanh', use_bias: false, return_sequences: true };
    const layers = [input3('x', null, 2, 3), saved('Masking', { name: 'k', mask_value: 0 }), saved('SimpleRNN', rnn)];
    const nested = saved('Sequential', {
      name: 's',
      layers: [
        input3('first', null, 2, 3),
        saved('Sequential', { name: 'inner', layers }),
        saved('SimpleRNN', { ...rnn, name: 'last' }),
      ],
    });
    const weights = Object.fromEntries(
      ['rnn', 'last'].flatMap((name, i) => [
        [`${name}/kernel`, values([3 - i, 2])],
        [`${name}/recurrent_kernel`, values([2, 2])],
      ]),
    );
    await expect(load3(nested, weights)).rejects.toThrow(/'last' \(SimpleRNN\) has a mask of the model before it/);
    const pooled = saved('Sequential', {
      name: 's',
      layers: [
        input3('x', null, 2, 3),
        saved('Masking', { name: 'k', mask_value: 0 }),
        saved('GlobalAveragePooling1D', { name: 'p' }),
      ],
    });
    await expect(load3(pooled, {})).rejects.toThrow(/'p' \(GlobalAveragePooling1D\) has a mask, which it ignores/);
  });
});

describe('what the graph says of training', () => {
  const norm = { name: 'bn', axis: [1], momentum: 0.5, epsilon: 1e-3, center: false, scale: false };
  const statistics = { 'bn/moving_mean': values([3]), 'bn/moving_variance': { shape: [3], data: [1, 2, 3] } };
  const x = () => tensorOf(values([8, 3], 4));
  const standardized = (x: tf.Tensor) => {
    const { mean, variance } = tf.moments(x, 0);
    return tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-3)));
  };

  test.each([
    ['Keras 2', load2, graph2([null, 3], [called2('BatchNormalization', norm, ['x'], { training: true })])],
    [
      'Keras 3',
      load3,
      graph3(
        'm',
        [
          input3('x', null, 3),
          called('BatchNormalization', { ...norm, axis: 1 }, [output('x')], { training: true, mask: null }),
        ],
        'bn',
      ),
    ],
  ])('%s: batch statistics at inference, also when saved and loaded by TensorFlow.js', async (_, load, model) => {
    const loaded = await load(model, statistics);
    expectClose(predict(loaded, x()), standardized(x()));
    const artifacts = await new Promise<tf.io.ModelArtifacts>((resolve) => {
      loaded.save(
        tf.io.withSaveHandler(async (given) => {
          resolve(given);
          return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
        }),
      );
    });
    expectClose(predict(await tf.loadLayersModel(tf.io.fromMemory(artifacts)), x()), standardized(x()));
    // Who asks for inference in so many words gets it.
    const layer = loaded.getLayer('bn');
    const inferred = layer.apply(x(), { training: false }) as tf.Tensor;
    expect(numbers(inferred)).not.toBeClose(numbers(standardized(x())), { atol: 0.1 });
  });

  test('other layers and models within the model follow it too', async () => {
    const inner = {
      class_name: 'Sequential',
      config: {
        name: 's',
        layers: [
          called2('InputLayer', { name: 'i', batch_input_shape: [null, 3] }, []),
          { class_name: 'BatchNormalization', config: norm },
        ],
      },
    };
    const model = graph2(
      [null, 3],
      [
        { ...inner, name: 's', inbound_nodes: [[['x', 0, 0, { training: true }]]] },
        { ...called2('Dropout', { name: 'drop', rate: 0.5 }, []), inbound_nodes: [[['s', 1, 0, { training: true }]]] },
      ],
    );
    const y = numbers(predict(await load2(model, statistics), x()));
    const expected = numbers(standardized(x()));
    expect(y.filter((value) => value === 0).length).toBeGreaterThan(0);
    for (const [i, value] of y.entries()) if (value !== 0) expect(value).toBeCloseTo(2 * expected[i]!, 4);
  });

  test("Keras 2's training: false holds in fit, Keras 3's default does not", async () => {
    const frozenMean = async (model: tf.LayersModel) => {
      model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
      await model.fit(x(), x(), { epochs: 1, verbose: 0 });
      return numbers(model.getLayer('bn').getWeights()[0]!);
    };
    const frozen = graph2(
      [null, 3],
      [
        called2('BatchNormalization', norm, ['x'], { training: false }),
        called2('Dense', { name: 'd', units: 3, use_bias: false }, ['bn']),
      ],
    );
    const dense = { 'd/kernel': values([3, 3]) };
    expect(await frozenMean(await load2(frozen, { ...statistics, ...dense }))).toEqual(
      statistics['bn/moving_mean'].data,
    );
    const free = graph3(
      'm',
      [
        input3('x', null, 3),
        called('BatchNormalization', { ...norm, axis: 1 }, [output('x')], { training: false }),
        called('Dense', { name: 'd', units: 3, use_bias: false }, [output('bn')]),
      ],
      'd',
    );
    expect(await frozenMean(await load3(free, { ...statistics, ...dense }))).not.toEqual(
      statistics['bn/moving_mean'].data,
    );
  });

  test('a shared layer whose calls differ is refused', async () => {
    const shared = {
      ...called2('BatchNormalization', norm, []),
      inbound_nodes: [[['x', 0, 0, { training: true }]], [['bn', 0, 0, {}]]],
    };
    const model = graph2([null, 3], [shared, called2('Add', { name: 'sum' }, ['bn'])]);
    Object.assign(model.config.layers[2]!, {
      inbound_nodes: [
        [
          ['bn', 0, 0, {}],
          ['bn', 1, 0, {}],
        ],
      ],
    });
    await expect(load2(model, statistics)).rejects.toThrow("BatchNormalization: the layer 'bn' is shared");
  });
});

describe("Keras's Attention", () => {
  const [query, value, key] = [values([2, 3, 4], 1), values([2, 5, 2], 2), values([2, 5, 4], 3)];
  const one = (value: number) => ({ shape: [], data: [value] });
  const tensors = () => [query, value, key].map(tensorOf) as [tf.Tensor, tf.Tensor, tf.Tensor];
  /** Keras's formulas; `weight` is that of additive attention, `added` is added to the scores. */
  function reference({ scale = 1, weight, added = 0 }: { scale?: number; weight?: number; added?: tf.TensorLike }) {
    const [query, value, key] = tensors();
    const sums = tf.add(tf.expandDims(query, 2), tf.expandDims(key, 1));
    const scores =
      weight === undefined
        ? tf.mul(tf.matMul(query, key, false, true), scale)
        : tf.mul(tf.sum(tf.tanh(tf.mul(sums, scale)), -1), weight);
    return tf.matMul(tf.softmax(tf.add(scores, added)), value);
  }
  async function loaded(config: object, weights: Values = {}, kwargs: object = {}) {
    const inputs = [input3('q', null, 3, 4), input3('v', null, 5, 2), input3('k', null, 5, 4)];
    const attention = called(
      'Attention',
      { name: 'it', ...config },
      [inputs.map(({ name }) => output(name as string))],
      {
        ...kwargs,
      },
    );
    const model = graph3('m', [...inputs, attention], 'it');
    Object.assign(model.config as object, { input_layers: inputs.map(({ name }) => [name, 0, 0]) });
    return load3(model, weights);
  }
  /** Of keys that a query must not see. */
  const hidden = (isHidden: (i: number, j: number) => boolean) =>
    Array.from({ length: 3 }, (_, i) => Array.from({ length: 5 }, (_, j) => (isHidden(i, j) ? -1e9 : 0)));

  test.each<[string, object, Values, { scale?: number; weight?: number }]>([
    ['of products', { score_mode: 'dot', use_scale: false }, {}, {}],
    ['of scaled products', { score_mode: 'dot', use_scale: true }, { 'it/scale': one(0.3) }, { scale: 0.3 }],
    ['of sums', { score_mode: 'concat' }, { 'it/concat_score_weight': one(1.7) }, { weight: 1.7 }],
    [
      'of scaled sums',
      { score_mode: 'concat', use_scale: true },
      { 'it/scale': one(0.3), 'it/concat_score_weight': one(1.7) },
      { scale: 0.3, weight: 1.7 },
    ],
  ])('%s, also from a config', async (_, config, weights, formula) => {
    const model = await loaded(config, weights);
    expect(model.outputs[0]!.shape).toEqual([null, 3, 2]);
    expectClose(model.predict(tensors()) as tf.Tensor, reference(formula));
    const layer = model.getLayer('it');
    const [cls] = tf.serialization.SerializationMap.getMap().classNameMap.Attention!;
    const again = cls.fromConfig(cls, JSON.parse(JSON.stringify(layer.getConfig()))) as unknown as tf.layers.Layer;
    again.apply(tensors());
    again.setWeights(layer.getWeights());
    expectClose(again.apply(tensors()) as tf.Tensor, reference(formula));
  });

  test('a query sees no keys after it where the call says so', async () => {
    const expected = reference({ added: hidden((i, j) => j > i) });
    const model = await loaded({}, {}, { use_causal_mask: true });
    expectClose(model.predict(tensors()) as tf.Tensor, expected);
    const layer = (await loaded({})).getLayer('it');
    expectClose(layer.apply(tensors(), { useCausalMask: true }) as tf.Tensor, expected);
    expectClose(model.getLayer('it').apply(tensors(), { useCausalMask: false }) as tf.Tensor, reference({}));
  });

  test('a masked key is not seen, a masked query gives 0, and its mask is passed on', async () => {
    const layer = (await loaded({})).getLayer('it');
    const ofQuery = tf.tensor2d([1, 0, 1, 1, 1, 1], [2, 3], 'bool');
    const ofValue = tf.tensor2d([1, 1, 0, 1, 1, 1, 1, 0, 1, 1], [2, 5], 'bool');
    const seen = reference({ added: tf.mul(tf.sub(tf.expandDims(tf.cast(ofValue, 'float32'), 1), 1), 1e9) as never });
    const y = layer.apply(tensors(), { mask: [ofQuery, ofValue, null] }) as tf.Tensor;
    expectClose(y, tf.mul(seen, tf.expandDims(tf.cast(ofQuery, 'float32'), -1)));
    expect(layer.supportsMasking).toBe(true);
    expect(layer.computeMask(tensors(), [ofQuery, ofValue])).toBe(ofQuery);
  });

  test('masks that Keras 3 computes in the graph are those of the inputs', async () => {
    const model = graph3(
      'm',
      [
        input3('ids', null, 3),
        called('Embedding', { name: 'e', input_dim: 4, output_dim: 2, mask_zero: true }, [output('ids')]),
        called('NotEqual', { name: 'ne' }, [output('ids'), 0]),
        called('Attention', { name: 'it' }, [[output('e'), output('e')]], { mask: [output('ne'), output('ne')] }),
      ],
      'it',
    );
    const table = values([4, 2]);
    const loaded = await load3(model, { 'e/embeddings': table });
    const row = (i: number) => table.data.slice(2 * i, 2 * i + 2);
    const seen = tf.tensor([[row(2), row(3)]]);
    const scores = tf.matMul(seen, seen, false, true);
    const y = predict(loaded, tf.tensor([[2, 0, 3]]));
    expectClose(tf.gather(y, [0, 2], 1), tf.matMul(tf.softmax(scores), seen));
    expect(numbers(tf.gather(y, [1], 1))).toEqual([0, 0]);
  });

  test.each<[string, number, (model: object, last: object[]) => Promise<tf.LayersModel>]>([
    [
      'Keras 3',
      0,
      (model, last) => load3(graph3('m', [input3('x', null, 3, 4), model as never, ...(last as never[])], 'sum'), {}),
    ],
    ['Keras 2', 1, (model, last) => load2(graph2([null, 3, 4], [model as never, ...(last as never[])]), {})],
  ])('%s: of what a model within gives', async (version, call, load) => {
    const isKeras3 = version === 'Keras 3';
    const tensor = (name: string, number = 0) => (isKeras3 ? output(name, number) : [name, number, 0, {}]);
    const node = (...tensors: unknown[]) => [
      isKeras3 ? { args: [tensors.length > 1 ? tensors : tensors[0]], kwargs: {} } : tensors,
    ];
    const layer = (class_name: string, name: string, config: object, inbound_nodes: unknown[]) => ({
      class_name,
      name,
      config: { name, ...config },
      inbound_nodes,
    });
    const shape = { [isKeras3 ? 'batch_shape' : 'batch_input_shape']: [null, 3, 4] };
    const layers = [
      { class_name: 'InputLayer', config: { name: 'i', ...shape } },
      { class_name: 'Activation', config: { name: 'a', activation: 'relu' } },
    ];
    const loaded = await load(layer('Sequential', 's', { layers }, node(tensor('x'))), [
      layer('Attention', 'it', {}, node(tensor('s', call), tensor('s', call))),
      layer('Add', 'sum', {}, node(tensor('s', call), tensor('it'))),
    ]);
    const x = tf.relu(tensorOf(query));
    const attended = tf.matMul(tf.softmax(tf.matMul(x, x, false, true)), x);
    expectClose(predict(loaded, tensorOf(query)), tf.add(x, attended));
  });

  test.each<[string, unknown[], object, string]>([
    ['one tensor', [[output('x')]], {}, 'other arguments than tensors of the graph'],
    ['a number', [[output('x'), 3]], {}, 'other arguments than tensors of the graph'],
    ['a mask that is an input', [[output('x'), output('x')]], { mask: [output('x'), null] }, 'the argument mask'],
  ])('called with %s is refused', async (_, args, kwargs, message) => {
    const model = graph3(
      'm',
      [input3('x', null, 3, 4), called('Attention', { name: 'it' }, args, kwargs as never)],
      'it',
    );
    await expect(load3(model, {})).rejects.toThrow(`the layer 'it' (Attention) is called with ${message}`);
  });

  test('drops out in training alone', async () => {
    const layer = (await loaded({ dropout: 0.5, seed: 3 })).getLayer('it');
    expectClose(layer.apply(tensors()) as tf.Tensor, reference({}));
    const y = numbers(layer.apply(tensors(), { training: true }) as tf.Tensor);
    expect(y).not.toBeClose(numbers(reference({})), { atol: 0.01 });
  });

  test('refuses other inputs than two or three tensors', async () => {
    const layer = (await loaded({})).getLayer('it');
    const [query, value, key] = tensors();
    const cls = layer.constructor as new (args: object) => tf.layers.Layer;
    for (const inputs of [[query], [query, value, key, key]]) {
      expect(() => new cls({}).apply(inputs)).toThrow(/Attention: .*query/);
    }
    expect(() => new cls({ scoreMode: 'other' })).toThrow('Attention: scoreMode must be');
  });
});

describe('operations of Keras 3 on a tensor and a number', () => {
  const three = (name: string, args: unknown[], kwargs: object = {}) =>
    graph3('m', [input3('x', null, 2), called(name, { name: 'a' }, args, kwargs as never)], 'a');
  const x = output('x');

  test.each<[string, unknown[], number[]]>([
    ['Add', [x, 3], [5, -1]],
    ['Add', [3, x], [5, -1]],
    ['Subtract', [x, 3], [-1, -7]],
    ['Subtract', [3, x], [1, 7]],
    ['Multiply', [x, 3], [6, -12]],
    ['Multiply', [3, x], [6, -12]],
    ['TrueDivide', [x, 4], [0.5, -1]],
    ['Divide', [x, 4], [0.5, -1]],
  ])('%s is a rescaling, with the number before or after', async (name, args, expected) => {
    const model = await load3(three(name, args), {});
    expect(numbers(predict(model, tf.tensor([[2, -4]])))).toBeClose(expected, { rtol: 1e-6 });
  });

  test.each<[string, object]>([
    ['a number divided by a tensor', three('Divide', [4, x])],
    ['a number more', three('Subtract', [x, 3, 4])],
    ['arguments by name', three('Subtract', [x, 3], { where: x })],
  ])('%s is refused', async (_, model) => {
    await expect(load3(model as never, {})).rejects.toThrow(/^loadModel: the layer 'a' /);
  });

  test('called several times', async () => {
    const model = three('Subtract', [x, 3]);
    const [, layer] = (model.config as { layers: { inbound_nodes: unknown[] }[] }).layers;
    layer!.inbound_nodes.push({ args: [output('a'), 5], kwargs: {} });
    await expect(load3(model, {})).rejects.toThrow(/the layer 'a' \(Subtract\)/);
  });
});

describe('operations of Keras 2 on a tensor and a number', () => {
  const operation = (name: string, fn: string, before: string, y: unknown) =>
    called2('TFOpLambda', { name, function: fn }, [before], { y, name: null });

  test('are rescalings', async () => {
    const layers = [
      operation('a', '__operators__.add', 'x', 3),
      operation('b', 'math.multiply', 'a', 0.5),
      operation('c', 'math.subtract', 'b', 2),
      operation('d', 'math.truediv', 'c', 4),
      operation('e', 'math.divide', 'd', 0.5),
      operation('f', 'math.add', 'e', 1),
    ];
    const model = await load2(graph2([null, 2], layers), {});
    expect(numbers(predict(model, tf.tensor([[1, -7]])))).toBeClose([1, -1], { atol: 1e-6 });
  });

  test('on two tensors and a number is refused, and so is another layer that has a function', async () => {
    const layer = operation('a', 'math.add', 'x', 3);
    const lambda = { ...layer, class_name: 'Lambda' };
    await expect(load2(graph2([null, 2], [lambda]), {})).rejects.toThrow(/'a' \(Lambda\)/);
    const model = graph2([null, 2], [{ ...layer, inbound_nodes: [[...layer.inbound_nodes[0]!, ['x', 0, 0]]] }]);
    await expect(load2(model, {})).rejects.toThrow(/'a' \(TFOpLambda\)/);
  });

  test.each([
    ['of another function', 'math.pow', 2],
    ['by zero', 'math.truediv', 0],
    ['on two tensors', 'math.multiply', ['x', 0, 0]],
  ])('%s are refused', async (_, fn, y) => {
    await expect(load2(graph2([null, 2], [operation('a', fn, 'x', y)]), {})).rejects.toThrow(/'a' \(TFOpLambda\)/);
  });
});

describe('other classes', () => {
  const nothing = Object.fromEntries(
    ['beta', 'gamma'].flatMap((name) => ['regularizer', 'constraint'].map((kind) => [`${name}_${kind}`, null])),
  );
  const starts = {
    beta_initializer: { class_name: 'Zeros', config: {} },
    gamma_initializer: { class_name: 'Ones', config: {} },
  };
  const contrib = { name: 'in', epsilon: 0.1, center: true, scale: true, ...starts, ...nothing };

  /** keras_contrib's formula, in plain numbers: over all that `together` maps to one key. */
  function contribOf(
    x: tf.Tensor,
    together: (i: number, j: number, c: number) => string,
    gamma: number[],
    beta: number[],
  ) {
    const [n, s, c] = x.shape as [number, number, number];
    const data = numbers(x);
    const groups = new Map<string, number[]>();
    const key = (k: number) => together(Math.floor(k / (s * c)), Math.floor(k / c) % s, k % c);
    for (let k = 0; k < n * s * c; k++) groups.set(key(k), [...(groups.get(key(k)) ?? []), data[k]!]);
    return data.map((value, k) => {
      const group = groups.get(key(k))!;
      const mean = group.reduce((a, b) => a + b) / group.length;
      const deviation = Math.sqrt(group.reduce((sum, one) => sum + (one - mean) ** 2, 0) / group.length);
      return ((value - mean) / (deviation + 0.1)) * gamma[(k % c) % gamma.length]! + beta[(k % c) % beta.length]!;
    });
  }

  test.each([
    ['a channel at a time', -1, [1, 2], [3, 4], (i: number, _: number, c: number) => `${i} ${c}`],
    ['the whole example', null, [1.5], [0.5], (i: number) => `${i}`],
  ])("keras_contrib's InstanceNormalization: %s", async (_, axis, gamma, beta, together) => {
    const model = graph2([null, 5, 2], [called2('InstanceNormalization', { ...contrib, axis }, ['x'])]);
    const artifacts = await file('2.2.4', model, {
      'in/gamma': { shape: [gamma.length], data: gamma },
      'in/beta': { shape: [beta.length], data: beta },
    });
    const x = tensorOf(values([3, 5, 2]));
    const expected = contribOf(x, together, gamma, beta);
    for (const load of [ours.loadModel, tf.loadLayersModel]) {
      const loaded = await load(tf.io.fromMemory(artifacts));
      expect(numbers(predict(loaded, x))).toBeClose(expected, { rtol: 1e-5, atol: 1e-5 });
      // What we save of it has keras_contrib's keys, and is it again.
      const config = JSON.parse(JSON.stringify(loaded.getLayer('in').getConfig()));
      expect(Object.keys(config).sort()).toEqual([
        'axis',
        'betaConstraint',
        'betaInitializer',
        'betaRegularizer',
        'center',
        'epsilon',
        'gammaConstraint',
        'gammaInitializer',
        'gammaRegularizer',
        'name',
        'scale',
        'trainable',
      ]);
      const again = ours.InstanceNormalization.fromConfig<ours.InstanceNormalization>(
        ours.InstanceNormalization,
        config,
      );
      expect(again.epsilonPlacement).toBe('outside');
      expect(JSON.parse(JSON.stringify(again.getConfig()))).toEqual(config);
    }
  });

  test.each(['inside', 'outside', 'floor'] as const)(
    'axis: null with epsilon %s, through a config',
    (epsilonPlacement) => {
      const layer = ours.instanceNormalization({ axis: null, epsilonPlacement, epsilon: 0.5, name: 'whole' });
      const x = tensorOf(values([2, 4, 3]));
      const y = layer.apply(x) as tf.Tensor;
      const { mean, variance } = tf.moments(x, [1, 2], true);
      const deviation = tf.sqrt(variance);
      const divisor = {
        inside: tf.sqrt(tf.add(variance, 0.5)),
        outside: tf.add(deviation, 0.5),
        floor: tf.maximum(deviation, 0.5),
      };
      expectClose(y, tf.div(tf.sub(x, mean), divisor[epsilonPlacement]));
      expect(layer.weights.map(({ shape }) => shape)).toEqual([[1], [1]]);
      const again = ours.InstanceNormalization.fromConfig<Layer>(
        ours.InstanceNormalization,
        JSON.parse(JSON.stringify(layer.getConfig())),
      );
      expectClose(again.apply(x) as tf.Tensor, y);
    },
  );

  test.each(['BatchNormalizationV1', 'BatchNormalizationV2', 'SyncBatchNormalization'])(
    '%s is BatchNormalization',
    async (className) => {
      const model = graph2(
        [null, 2],
        [called2(className, { name: 'bn', axis: [1], epsilon: 0.5, center: false, scale: false }, ['x'])],
      );
      const loaded = await load2(model, {
        'bn/moving_mean': { shape: [2], data: [1, 2] },
        'bn/moving_variance': { shape: [2], data: [0.5, 3.5] },
      });
      expect(loaded.layers[1]).toBeInstanceOf(ours.BatchNormalization);
      expectClose(
        predict(
          loaded,
          tf.tensor([
            [1, 2],
            [2, 4],
          ]),
        ),
        tf.tensor([
          [0, 0],
          [1, 1],
        ]),
      );
    },
  );

  test.each([true, false])(
    "TensorFlow Addons' WeightNormalization starts in its first call, also in inference: dataInit %j",
    (dataInit) => {
      const [x, v, b] = [values([6, 3]), values([3, 2], 2), values([2], 3)].map(tensorOf) as [
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
      ];
      const weights = (initializer: tf.Tensor) => tf.initializers.constant({ value: numbers(initializer)[0]! });
      const layer = new ours.AddonsWeightNormalization({
        layer: tf.layers.dense({ units: 2, activation: 'relu', biasInitializer: weights(b) }),
        dataInit,
      });
      layer.build([null, 3]);
      const named = (name: string) => layer.weights.find(({ originalName }) => originalName === name)!;
      named('kernel').write(v);
      if (dataInit) named('data_dep_init/kernel').write(v);
      named('g').write(tf.fill([2], 2));
      const t = tf.add(tf.matMul(x, v), numbers(b)[0]!);
      const { mean, variance } = tf.moments(t, 0);
      const direction = tf.div(v, tf.norm(v, 'euclidean', 0));
      const expected = dataInit ? tf.div(tf.sub(tf.mul(tf.matMul(x, direction), 2), mean), tf.sqrt(variance)) : t;
      const before = tf.memory().numTensors;
      const first = layer.apply(x) as tf.Tensor;
      expectClose(first, tf.relu(expected));
      expect(tf.memory().numTensors).toBe(before + 2); // y, and what it is compared with
      expect(numbers(named('initialized').read())).toEqual([1]);
      layer.apply(tf.mul(x, 3));
      expectClose(layer.apply(x, { training: true }) as tf.Tensor, first);
    },
  );

  test.each<[string, tf.layers.Layer, number[]]>([
    ['LSTM', tf.layers.lstm({ units: 2 }), [3, 2]],
    ['SeparableConv2D', tf.layers.separableConv2d({ filters: 2, kernelSize: 1 }), [3, 3, 2]],
    ['DepthwiseConv2D', tf.layers.depthwiseConv2d({ kernelSize: 1 }), [3, 3, 2]],
  ])("TensorFlow Addons' WeightNormalization refuses %s, which has other kernels", (className, layer, shape) => {
    const wrapper = new ours.AddonsWeightNormalization({ layer, name: 'it' });
    expect(wrapper.dataInit).toBe(true);
    expect(() => wrapper.build([null, ...shape])).toThrow(
      `Addons>WeightNormalization: of the layer 'it': ${className} has other kernels`,
    );
  });

  describe("TensorFlow Addons' FilterResponseNormalization and TLU", () => {
    const x = () => tensorOf(values([2, 3, 2, 2]));
    const partsOf = (layer: Layer) =>
      layer.weights.map(({ originalName, shape }) => [originalName.slice(layer.name.length + 1), ...shape]);
    const configOf = (layer: Layer) => JSON.parse(JSON.stringify(layer.getConfig()));

    test('y = gamma x / sqrt(mean(x^2) + epsilon) + beta', () => {
      const layer = new ours.AddonsFilterResponseNormalization({ epsilon: 0.1, learnedEpsilon: true });
      expect(layer.name).toMatch(/^[^>]+$/);
      layer.apply(x());
      expect(partsOf(layer)).toEqual([
        ['learned_epsilon', 1],
        ['gamma', 1, 1, 1, 2],
        ['beta', 1, 1, 1, 2],
      ]);
      const [gamma, beta] = [values([1, 1, 1, 2], 2), values([1, 1, 1, 2], 3)].map(tensorOf) as [tf.Tensor, tf.Tensor];
      layer.setWeights([tf.tensor([0.3]), gamma, beta]);
      const mean = tf.mean(tf.square(x()), [1, 2], true);
      const expected = tf.add(tf.mul(tf.div(x(), tf.sqrt(tf.add(mean, 0.1 + 0.3))), gamma), beta);
      expectClose(layer.apply(x()) as tf.Tensor, expected);
      const config = configOf(layer);
      expect(config.axis).toEqual([1, 2]);
      for (const name of ['center', 'scale', 'threshold', 'tauInitializer']) expect(config).not.toHaveProperty(name);
      const again = ours.AddonsFilterResponseNormalization.fromConfig<Layer>(
        ours.AddonsFilterResponseNormalization,
        config,
      );
      expect(configOf(again)).toEqual(config);
      const plain = new ours.AddonsFilterResponseNormalization({ name: 'own' });
      plain.apply(x());
      expect(plain.weights.map(({ originalName }) => originalName)).toEqual(['own/gamma', 'own/beta']);
    });

    test.each([[2, 1], [1], [1, 3], [0, 2], [1, 2, 3], 1])('no other axes than [1, 2]: %j', (axis) => {
      expect(() => new ours.AddonsFilterResponseNormalization({ axis: axis as number[] })).toThrow(
        'Addons>FilterResponseNormalization: axis must be [1, 2]',
      );
    });

    test.each([
      ['center', true],
      ['scale', true],
      ['threshold', true],
      ['tauInitializer', 'zeros'],
    ])('no option %s', (name, value) => {
      expect(() => new ours.AddonsFilterResponseNormalization({ [name]: value })).toThrow(`unknown option '${name}'`);
    });

    test('no input but of 4 axes', () => {
      const layer = new ours.AddonsFilterResponseNormalization();
      expect(() => layer.build([null, 3, 2])).toThrow('Addons>FilterResponseNormalization: the input must have 4 axes');
    });

    test.each([false, true])('y = max(x, tau), or with alpha x + tau: affine %j', (affine) => {
      const layer = new ours.AddonsTLU({ affine, tauRegularizer: 'l2' });
      expect(layer.name).toMatch(/^[^>]+$/);
      // Both start as zeros.
      expectClose(layer.apply(x()) as tf.Tensor, tf.relu(x()));
      const parts = affine ? ['tau', 'alpha'] : ['tau'];
      expect(partsOf(layer)).toEqual(parts.map((name) => [name, 3, 2, 2]));
      expect(layer.trainableWeights).toHaveLength(parts.length);
      const [tau, alpha] = [values([3, 2, 2], 2), values([3, 2, 2], 3)].map(tensorOf) as [tf.Tensor, tf.Tensor];
      layer.setWeights(affine ? [tau, alpha] : [tau]);
      expectClose(layer.apply(x()) as tf.Tensor, tf.maximum(x(), affine ? tf.add(tf.mul(x(), alpha), tau) : tau));
      const config = configOf(layer);
      expect(Object.keys(config).filter((key) => /^(axis|alpha)/.test(key))).toHaveLength(affine ? 3 : 0);
      const again = ours.AddonsTLU.fromConfig<Layer>(ours.AddonsTLU, config);
      expect(configOf(again)).toEqual(config);
      expect(new ours.AddonsTLU({ name: 'own' }).name).toBe('own');
      expect(new ours.AddonsTLU().affine).toBe(false);
    });
  });

  test('UnitNormalization', async () => {
    const model = graph3(
      'm',
      [input3('x', null, 2), called('UnitNormalization', { name: 'unit', axis: -1 }, [output('x')])],
      'unit',
    );
    const loaded = await load3(model, {});
    expectClose(
      predict(
        loaded,
        tf.tensor([
          [3, 4],
          [0, 0],
          [0, -2],
          [3e-5, 4e-5],
        ]),
      ),
      tf.tensor([
        [0.6, 0.8],
        [0, 0],
        [0, -1],
        [0.6, 0.8],
      ]),
    );
    const x = tensorOf(values([2, 3, 4]));
    const y = ours.unitNormalization({ axis: [1, 2] }).apply(x) as tf.Tensor;
    expectClose(tf.sum(tf.square(y), [1, 2]), tf.ones([2]));
    expectClose(tf.mul(y, tf.sqrt(tf.sum(tf.square(x), [1, 2], true))), x);
  });

  test('LayerNormalization with rms_scaling: not centred, with gamma and without beta', async () => {
    const options = { name: 'norm', axis: [1, 2], epsilon: 0.5, center: true, scale: false, rms_scaling: true };
    const model = graph3('m', [input3('x', null, 2, 3), called('LayerNormalization', options, [output('x')])], 'norm');
    const gamma = values([2, 3]);
    const artifacts = await file('3.15.1', model, { 'norm/gamma': gamma });
    const x = tf.add(tensorOf(values([4, 2, 3], 9)), 5);
    const plain = (x: tf.Tensor) =>
      tf.mul(tf.div(x, tf.sqrt(tf.add(tf.moments(x, [1, 2], true).variance, 0.5))), tensorOf(gamma));
    const loaded = await ours.loadModel(tf.io.fromMemory(artifacts));
    expectClose(predict(loaded, x), plain(x));
    const layer = loaded.getLayer('norm');
    const dy = tensorOf(values([4, 2, 3], 3));
    const gradient = (f: (x: tf.Tensor) => tf.Tensor) => tf.grad(f)(x, dy);
    expectClose(
      gradient((x) => layer.apply(x) as tf.Tensor),
      gradient(plain),
    );
    const config = JSON.parse(JSON.stringify(layer.getConfig()));
    expect(config).toMatchObject({ rmsScaling: true, scale: true, center: false });
    const again = ours.LayerNormalization.fromConfig<Layer>(ours.LayerNormalization, config);
    expect(JSON.parse(JSON.stringify(again.getConfig()))).toEqual(config);
    expect(ours.layerNormalization().getConfig()).not.toHaveProperty('rmsScaling');
    // Also where there is no variance, large values, and no epsilon.
    for (const epsilon of [0, 1e-3]) {
      const extreme = ours.layerNormalization({ rmsScaling: true, epsilon });
      const rows = tf.tensor([
        [5, 5, 5],
        [0, 0, 0],
        [3e30, -3e30, 1e30],
      ]);
      const y = extreme.apply(rows) as tf.Tensor;
      const dx = tf.grad((x) => extreme.apply(x) as tf.Tensor)(rows);
      for (const result of [y, dx]) expect(numbers(result).every(Number.isFinite)).toBe(true);
      expect(numbers(y).slice(6)).toBeClose([1.2027, -1.2027, 0.4009], { rtol: 1e-3 });
    }
  });

  test.each([0, [0, 2], -3])('rmsScaling has the axes that centring has: %j', (axis) => {
    const x = tf.tensor([1, 2, 4, 8, 16, 32, 64, 128], [2, 2, 2]);
    const centred = ours.layerNormalization({ axis }).apply(x) as tf.Tensor;
    const scaled = ours.layerNormalization({ axis, rmsScaling: true }).apply(x) as tf.Tensor;
    const over = [axis].flat().map((one) => (one + 3) % 3);
    // What a mean that stays changes is the same for the whole group: the rest is what centring gives.
    expectClose(tf.sub(scaled, tf.mean(scaled, over, true)), centred);
  });

  test.each([
    ['an axis', { axis: [2], mean: null, variance: null, invert: false }, [3]],
    ['no axis', { axis: null, mean: null, variance: null, invert: false }, []],
    ['no axis, in a list', { axis: [], mean: null, variance: null, invert: false }, []],
    ['an axis, back', { axis: -1, mean: null, variance: null, invert: true }, [3]],
  ])('the preprocessing layer Normalization with %s', async (_, options, shape) => {
    const model = graph2([null, 2, 3], [called2('Normalization', { name: 'norm', ...options }, ['x'])]);
    const mean = values(shape);
    const variance = { shape, data: mean.data.map((value, i) => (i === 0 ? 4 : value * value)) };
    const artifacts = await file('2.15.0', model, {
      'norm/mean': mean,
      'norm/variance': variance,
      'norm/count': { shape: [], data: [7], dtype: 'int32' },
    });
    const x = tensorOf(values([2, 2, 3], 9));
    const deviation = tf.sqrt(tensorOf(variance));
    const expected = options.invert
      ? tf.add(tf.mul(x, deviation), tensorOf(mean))
      : tf.div(tf.sub(x, tensorOf(mean)), deviation);
    for (const load of [ours.loadModel, tf.loadLayersModel]) {
      const loaded = await load(tf.io.fromMemory(artifacts));
      expectClose(predict(loaded, x), expected);
      const config = JSON.parse(JSON.stringify(loaded.getLayer('norm').getConfig()));
      const again = ours.FeatureNormalization.fromConfig<Layer>(ours.FeatureNormalization, config);
      expect(JSON.parse(JSON.stringify(again.getConfig()))).toEqual(config);
    }
  });

  test.each<[string, ours.FeatureNormalizationArgs, number[]]>([
    ['one axis of two', { axis: [1, 2], mean: [1, 2, 3], variance: [1, 4, 9] }, [1, 1, 3]],
    ['the axes in another order', { axis: [2, -2], mean: [1, 2, 3], variance: [1, 4, 9] }, [1, 1, 3]],
    ['ones', { axis: [1, 2], mean: [[1], [2]], variance: [[1], [4]] }, [1, 2, 1]],
    [
      'both',
      {
        axis: [1, 2],
        mean: [
          [1, 2, 3],
          [4, 5, 6],
        ],
        variance: [
          [1, 4, 9],
          [16, 25, 36],
        ],
      },
      [1, 2, 3],
    ],
    ['more ones than axes', { axis: 2, mean: [[[1]]], variance: [[[4]]] }, [1, 1, 1]],
  ])('Normalization with statistics of %s', (_, options, shape) => {
    const x = tensorOf(values([4, 2, 3], 5));
    const data = (statistic: unknown) => [statistic].flat(3) as number[];
    const expected = tf.div(
      tf.sub(x, tf.tensor(data(options.mean), shape)),
      tf.sqrt(tf.tensor(data(options.variance), shape)),
    );
    expectClose(ours.featureNormalization(options).apply(x) as tf.Tensor, expected);
  });

  test.each<[string, ours.FeatureNormalizationArgs, RegExp]>([
    ['of the first axis', { axis: [1, 2], mean: [1, 2], variance: [1, 2] }, /mean .*\[2,3\].*received the shape \[2\]/],
    ['in one list', { axis: [1, 2], mean: [1, 2, 3, 4, 5, 6], variance: 1 }, /received the shape \[6\]/],
    [
      'turned',
      {
        axis: [1, 2],
        mean: [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
        variance: 1,
      },
      /received the shape \[3,2\]/,
    ],
    ['ragged', { axis: [1, 2], mean: [[1, 2], [3]], variance: 1 }, /nested lists of one length/],
  ])('Normalization refuses statistics %s', (_, options, message) => {
    expect(() => ours.featureNormalization(options).apply(tf.ones([4, 2, 3]))).toThrow(message);
  });

  test('Normalization with statistics as options, and a variance of 0', async () => {
    const model = graph2(
      [null, 2],
      [called2('Normalization', { name: 'norm', axis: [-1], mean: [1, 2], variance: [4, 0], invert: false }, ['x'])],
    );
    const y = predict(await load2(model, {}), tf.tensor([[3, 2]]));
    expectClose(y, tf.tensor([[1, 0]]));
    expect(() => ours.featureNormalization({ mean: 1 })).toThrow(
      'Normalization: mean and variance go together; received only mean',
    );
  });
});

describe('classes that loading puts in the place of those of TensorFlow.js', () => {
  type Args = Record<string, unknown>;
  const classOf = (name: string) =>
    tf.serialization.SerializationMap.getMap().classNameMap[name]![0] as unknown as new (
      args: Args,
    ) => Layer;

  test.each(['1D', '2D'].flatMap((axes) => ['Average', 'Max'].map((kind) => `KerasGlobal${kind}Pooling${axes}`)))(
    '%s keeps its axes where it is told to, also from a config',
    (name) => {
      const sizes = name.endsWith('1D') ? [4, 3] : [4, 5, 3];
      const ones = sizes.slice(1).map(() => 1);
      for (const [keepdims, shape] of [
        [undefined, [2, 3]],
        [false, [2, 3]],
        [true, [2, ...ones, 3]],
      ] as [boolean | undefined, number[]][]) {
        const given = new (classOf(name))({ keepdims });
        const again = new (classOf(name))(given.getConfig() as Args);
        for (const layer of [given, again]) {
          expect(layer.computeOutputShape([2, ...sizes])).toEqual(shape);
          expect((layer.apply(tf.ones([2, ...sizes])) as tf.Tensor).shape).toEqual(shape);
        }
      }
    },
  );

  test('KerasBidirectional gives zeros where a step is masked, and the states as they are', () => {
    const layer = tf.layers.simpleRNN({ units: 2, returnSequences: true, returnState: true }) as tf.RNN;
    const [ours, theirs] = ['KerasBidirectional', 'Bidirectional'].map(
      (name) => new (classOf(name))({ layer, mergeMode: 'concat' }),
    ) as [Layer, Layer];
    const [x, mask] = [tensorOf(values([1, 3, 2])), tf.tensor2d([1, 1, 0], [1, 3], 'bool')];
    const expected = theirs.apply(x, { mask }) as tf.Tensor[];
    ours.apply(x, { mask });
    ours.setWeights(theirs.getWeights());
    const given = ours.apply(x, { mask }) as tf.Tensor[];
    expectClose(given[0]!, tf.mul(expected[0]!, tf.expandDims(mask, -1)));
    expect(given).toHaveLength(3);
    for (const i of [1, 2]) expectClose(given[i]!, expected[i]!);
  });
});

test('the stem and a squeezed block, as in EfficientNet', async () => {
  const same = { padding: 'same', strides: [1, 1], use_bias: false };
  const convolution = {
    kernel_size: [3, 3],
    strides: [2, 2],
    padding: 'valid',
    use_bias: false,
    filters: 4,
    activation: 'linear',
  };
  const weights = {
    'normalization/mean': values([3]),
    'normalization/variance': { shape: [3], data: [0.5, 1, 2] },
    'normalization/count': { shape: [], data: [0], dtype: 'int32' },
    'stem_conv/kernel': values([3, 3, 3, 4], 2),
    'stem_bn/gamma': values([4], 3),
    'stem_bn/beta': values([4], 4),
    'stem_bn/moving_mean': values([4], 5),
    'stem_bn/moving_variance': { shape: [4], data: [1, 2, 3, 4] },
    'dwconv/kernel': values([3, 3, 4, 1], 6),
    'se_expand/kernel': values([1, 1, 4, 4], 7),
  } satisfies Values;
  const model = graph3(
    'efficientnet',
    [
      input3('x', null, 6, 6, 3),
      called('Rescaling', { name: 'rescaling', scale: 1 / 255, offset: 0 }, [output('x')]),
      called('Normalization', { name: 'normalization', axis: [3], invert: false, mean: null, variance: null }, [
        output('rescaling'),
      ]),
      called('Rescaling', { name: 'rescaling_1', scale: [1, 2, 3], offset: 0 }, [output('normalization')]),
      called(
        'ZeroPadding2D',
        {
          name: 'pad',
          padding: [
            [0, 1],
            [0, 1],
          ],
          data_format: 'channels_last',
        },
        [output('rescaling_1')],
      ),
      called('Conv2D', { name: 'stem_conv', ...convolution }, [output('pad')]),
      called(
        'BatchNormalization',
        { name: 'stem_bn', axis: 3, epsilon: 1e-3, renorm: false, renorm_momentum: 0.99, synchronized: false },
        [output('stem_conv')],
        { mask: null },
      ),
      called('Activation', { name: 'act', activation: 'silu' }, [output('stem_bn')]),
      called('DepthwiseConv2D', { name: 'dwconv', kernel_size: [3, 3], ...same, depth_multiplier: 1 }, [output('act')]),
      called('GlobalAveragePooling2D', { name: 'squeeze', keepdims: false }, [output('dwconv')]),
      called('Reshape', { name: 'se_reshape', target_shape: [1, 1, 4] }, [output('squeeze')]),
      called('Conv2D', { name: 'se_expand', kernel_size: [1, 1], ...same, filters: 4, activation: 'sigmoid' }, [
        output('se_reshape'),
      ]),
      called('Multiply', { name: 'excite' }, [[output('dwconv'), output('se_expand')]]),
      called('Dropout', { name: 'drop', rate: 0.2, noise_shape: [null, 1, 1, 1], seed: null }, [output('excite')]),
    ],
    'drop',
  );
  const w = (name: keyof typeof weights) => tensorOf(weights[name]);
  const x = tf.mul(tensorOf(values([2, 6, 6, 3], 8)), 255);
  const standard = tf.div(tf.sub(tf.div(x, 255), w('normalization/mean')), tf.sqrt(w('normalization/variance')));
  const padded = tf.pad(tf.mul(standard, [1, 2, 3]), [
    [0, 0],
    [0, 1],
    [0, 1],
    [0, 0],
  ]) as tf.Tensor4D;
  const convolved = tf.conv2d(padded, w('stem_conv/kernel') as tf.Tensor4D, 2, 'valid');
  const deviation = tf.sqrt(tf.add(w('stem_bn/moving_variance'), 1e-3));
  const standardized = tf.div(tf.sub(convolved, w('stem_bn/moving_mean')), deviation);
  const normed = tf.add(tf.mul(standardized, w('stem_bn/gamma')), w('stem_bn/beta'));
  const active = tf.mul(normed, tf.sigmoid(normed)) as tf.Tensor4D;
  const deep = tf.depthwiseConv2d(active, w('dwconv/kernel') as tf.Tensor4D, 1, 'same');
  const squeezed = tf.mean(deep, [1, 2], true) as tf.Tensor4D;
  const excited = tf.sigmoid(tf.conv2d(squeezed, w('se_expand/kernel') as tf.Tensor4D, 1, 'same'));
  expectClose(predict(await load3(model, weights), x), tf.mul(deep, excited));
});

describe('refused', () => {
  const one = (className: string, config: object = {}, kwargs: object = {}) =>
    graph2([null, 4, 4, 2], [called2(className, { name: 'it', ...config }, ['x'], kwargs as never)]);
  const three = (className: string, config: object, args: unknown[], kwargs: object = {}) =>
    graph3('m', [input3('x', null, 4), called(className, { name: 'it', ...config }, args, kwargs as never)], 'it');

  test.each([
    [
      'a class that nobody has',
      one('Whatever'),
      /the layer 'it' \(Whatever\) is of a class that neither.*registerClass/,
    ],
    [
      'such a class in a wrapper',
      one('TimeDistributed', { layer: saved('Whatever', { name: 'inner' }) }),
      /the layer 'inner' \(Whatever\)/,
    ],
    ['a model of such a class', { ...one('Flatten'), class_name: 'MyModel' }, /the layer 'model' \(MyModel\)/],
    [
      'groups of convolutions',
      one('Conv2D', { groups: 2 }),
      /the layer 'it' \(Conv2D\) has groups 2, .*only 1 can be loaded/,
    ],
    ['slopes of ReLU', one('ReLU', { negative_slope: 0.5 }), /the layer 'it' \(ReLU\) has negative_slope 0.5/],
    [
      'pooling of sequences with the channels first',
      one('GlobalMaxPooling1D', { data_format: 'channels_first' }),
      /'it' \(GlobalMaxPooling1D\) has data_format "channels_first", .*only channels_last can be loaded/,
    ],
    [
      'output padding',
      one('Conv2DTranspose', { output_padding: [1, 1] }),
      /\(Conv2DTranspose\) has output_padding \[1,1\]/,
    ],
    [
      'arguments by name',
      one('LSTM', {}, { initial_state: ['x', 0, 0] }),
      /'it' \(LSTM\) is called with the argument initial_state/,
    ],
    [
      'a call without the number of a result',
      graph2([null, 2], [{ ...called2('Dense', { name: 'it', units: 1 }, []), inbound_nodes: [[['x']]] }]),
      /'it' \(Dense\) is called in a way that TensorFlow.js does not have/,
    ],
    [
      'an InstanceNormalization of somebody',
      one('InstanceNormalization', { axis: -1 }),
      /'it' \(InstanceNormalization\) is neither TensorFlow Addons' nor keras_contrib's/,
    ],
    [
      'dilations of depthwise convolutions',
      one('DepthwiseConv2D', { dilation_rate: [2, 2] }),
      /'it' \(DepthwiseConv2D\) has dilation_rate \[2,2\]/,
    ],
    ['groups of others', one('SeparableConv2D', { groups: 2 }), /'it' \(SeparableConv2D\) has groups 2/],
    ['causal padding', one('Conv1D', { padding: 'causal' }), /'it' \(Conv1D\) has the padding 'causal'/],
    [
      'a Sequential without an input shape',
      {
        class_name: 'Sequential',
        config: { name: 's', layers: [called2('Dense', { name: 'd', units: 2 }, [])] },
      },
      /the layer 's' \(Sequential\) has no input shape/,
    ],
    [
      'such a Sequential without a name',
      { class_name: 'Sequential', config: [called2('Dense', { name: 'd', units: 2 }, [])] },
      /^loadModel: the model \(Sequential\) has no input shape/,
    ],
    ['virtual batches', one('BatchNormalization', { virtual_batch_size: 2 }), /virtual_batch_size 2/],
  ])('%s', async (_, model, message) => {
    await expect(load2(model, {})).rejects.toThrow(message);
  });

  test.each([
    [
      'an operation with a list of numbers',
      three('Multiply', {}, [output('x'), [2, 3]]),
      /'it' \(Multiply\) is called with other arguments/,
    ],
    [
      'several tensors for a layer of one',
      three('Dense', { units: 1 }, [output('x'), output('x')]),
      /'it' \(Dense\) is called with other arguments/,
    ],
    [
      'a mask that is an input',
      three('LSTM', { units: 1 }, [output('x')], { mask: output('x') }),
      /'it' \(LSTM\) is called with the argument mask/,
    ],
    [
      'arguments that are numbers',
      three('Dense', { units: 1 }, [output('x')], { temperature: 2 }),
      /'it' \(Dense\) is called with the argument temperature/,
    ],
    [
      'a mask for another argument than the mask',
      graph3(
        'm',
        [
          input3('x', null, 2, 3),
          called('Masking', { name: 'masking', mask_value: 0 }, [output('x')]),
          called('NotEqual', { name: 'ne' }, [output('x'), 0]),
          called('LSTM', { name: 'it', units: 1 }, [output('masking')], { where: output('ne') }),
        ],
        'it',
      ),
      /'it' \(LSTM\) is called with the argument where/,
    ],
    [
      'operations on masks that are none',
      three('LogicalOr', {}, [true, output('x')]),
      /the layer 'it' \(LogicalOr\) is of a class/,
    ],
    [
      "Keras 3's hard_sigmoid",
      three('Dense', { units: 1, activation: 'hard_sigmoid' }, [output('x')]),
      /'it' \(Dense\) has the activation hard_sigmoid/,
    ],
    [
      'bilinear interpolation',
      three('UpSampling2D', { interpolation: 'bilinear' }, [output('x')]),
      /has interpolation "bilinear"/,
    ],
    [
      'the operation reshape',
      three('Reshape', { newshape: [-1, 2, 2] }, [output('x')]),
      /'it' \(Reshape\) has newshape/,
    ],
    [
      'a merge of one tensor',
      three('Average', {}, [output('x')], { axis: null }),
      /'it' \(Average\) is called with other/,
    ],
    [
      'regularized activities',
      three('Dense', { units: 1, activity_regularizer: saved('L2', { l2: 0.1 }) }, [output('x')]),
      /'it' \(Dense\) has an activity_regularizer/,
    ],
    [
      'zeros where masked',
      three('LSTM', { units: 1, zero_output_for_mask: true }, [output('x')]),
      /'it' \(LSTM\) gives zeros where masked/,
    ],
    [
      'two ways that differ',
      three(
        'Bidirectional',
        {
          layer: saved('LSTM', { name: 'forward_lstm', units: 1 }),
          backward_layer: saved('LSTM', { name: 'other', units: 1, activation: 'relu', go_backwards: true }),
        },
        [output('x')],
      ),
      /'it' \(Bidirectional\) has a backward layer of other options/,
    ],
    [
      'quantized layers',
      three('Dense', { units: 1, dtype: saved('QuantizedDTypePolicy', { name: 'int8_from_float32' }, 'keras') }, [
        output('x'),
      ]),
      /quantized \(int8_from_float32\)/,
    ],
  ])('%s', async (_, model, message) => {
    await expect(load3(model, {})).rejects.toThrow(message);
  });

  test('weights of a .keras file, which the converter numbers', async () => {
    const weights = { 'layers/dense/vars/0': values([4, 1]) };
    await expect(load3(three('Dense', { units: 1 }, [output('x')]), weights)).rejects.toThrow(
      'loadModel: the weights have lost their names',
    );
  });

  test('weights that do not fit, and two of one name', async () => {
    const model = three('Dense', { units: 2, use_bias: false }, [output('x')]);
    const kernel = values([4, 2]);
    const refused = async (weights: Values, message: string) => expect(load3(model, weights)).rejects.toThrow(message);
    await refused(
      { 'it/kernel': kernel, 'it/bias': values([2]) },
      "loadModel: the file has the weight 'it/bias', which the layer 'it' (Dense) does not take;",
    );
    await refused(
      { 'it/kernel': kernel, 'at/bias': values([2]) },
      "loadModel: the file has the weight 'at/bias', which no layer takes;",
    );
    await refused(
      {},
      "loadModel: the layer 'it' (Dense) needs the weight 'it/kernel' of shape [4,2], and the file does not have it;",
    );
    await refused(
      { 'it/kernel': values([2, 4]) },
      "the layer 'it' (Dense) needs the weight 'it/kernel' of shape [4,2], and the file has it of shape [2,4];",
    );
    await refused({ 'it/kernel': kernel, 'm/it/kernel': kernel }, "loadModel: two weights are called 'it/kernel'");
  });

  test('options and activations that nobody has, by the name of the layer', async () => {
    const norm = three('LayerNormalization', { epsilon: -1 }, [output('x')]);
    await expect(load3(norm, {})).rejects.toThrow(
      "loadModel: the layer 'it' (LayerNormalization): LayerNormalization: epsilon must be",
    );
    const dense = three('Dense', { units: 1, activation: 'leaky_relu' }, [output('x')]);
    await expect(load3(dense, {})).rejects.toThrow("loadModel: the layer 'it' (Dense): Unknown activation: leakyRelu");
    const constrained = three('Dense', { units: 1, kernel_constraint: { class_name: 'Dense', config: {} } }, [
      output('x'),
    ]);
    await expect(load3(constrained, {})).rejects.toThrow(
      "loadModel: the layer 'it' (Dense) has Dense for its kernel_constraint, which is another kind of thing;",
    );
    const softmax = three('Softmax', { axis: 0 }, [output('x')]);
    await expect(load3(softmax, {})).rejects.toThrow(
      "the layer 'it' (Softmax) has the axis 0, and TensorFlow.js knows but",
    );
    const resizing = three('Resizing', { height: 2, width: 2 }, [output('x')]);
    await expect(load3(resizing, {})).rejects.toThrow(
      "the layer 'it' (Resizing) places pixels elsewhere in TensorFlow.js",
    );
    const named = three('Dense', { units: 1, name: 'a b' }, [output('x')]);
    await expect(load3(named, {})).rejects.toThrow("the layer 'a b' (Dense) has a name that weights cannot have");
    const policy = { class_name: 'QuantizedDTypePolicy', config: { mode: 'int8', source_name: 'float32' } };
    const quantized = three('Dense', { units: 1, dtype: policy }, [output('x')]);
    await expect(load3(quantized, {})).rejects.toThrow('a layer is quantized (int8_from_float32)');
    // An error of the graph is no layer's alone.
    const pooled = three('MaxPooling2D', {}, [output('x')]);
    await expect(load3(pooled, {})).rejects.toThrow(/^loadModel: .*ndim/);
  });

  test.each([-1, 1, [-1], [1]])('but not a softmax over the last axis, %j', async (axis) => {
    const loaded = await load3(three('Softmax', { axis }, [output('x')]), {});
    const x = tensorOf(values([2, 4]));
    expectClose(predict(loaded, x), tf.softmax(x));
  });

  test('a softmax over several axes', async () => {
    await expect(load2(one('Softmax', { axis: [3, 2] }), {})).rejects.toThrow("'it' (Softmax) has the axis 3,2");
  });

  describe('of a model of which TensorFlow.js can make some layers,', () => {
    const dense = called('Dense', { name: 'd', units: 2, use_bias: false }, [output('x')]);
    const unknown = called('Dense', { name: 'it', units: 1, activation: 'leaky_relu' }, [output('d')]);
    const model = graph3('m', [input3('x', null, 4), dense, unknown], 'it');
    const message = "loadModel: the layer 'it' (Dense): Unknown activation: leakyRelu";

    test('the layer that it cannot make is named, with weights, without, and with those of a second session', async () => {
      await expect(load3(model, { 'd/kernel': values([4, 2]) })).rejects.toThrow(message);
      await expect(load3(model, { 'd_1/kernel': values([4, 2]) })).rejects.toThrow(message);
      const { modelTopology } = await file('3.15.1', model, {});
      await expect(ours.loadModel({ load: async () => ({ modelTopology: modelTopology! }) })).rejects.toThrow(message);
    });

    test('the search for that layer leaves nothing, also of a Sequential, whose layers get weights one by one', async () => {
      const first = called('Dense', { name: 'd', units: 2, use_bias: false, batch_input_shape: [null, 4] }, []);
      const sequential = await file('3.15.1', saved('Sequential', { name: 's', layers: [first, unknown] }), {});
      const { artifacts } = fromKeras(sequential);
      const before = tf.memory().numTensors;
      const explained = await explainLoadError(new Error('a message of TensorFlow.js'), artifacts);
      expect(`loadModel: ${explained}`).toContain(message);
      expect(tf.memory().numTensors).toBe(before);
    });

    test('nothing is left, and other models keep their weights', async () => {
      const other = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [4], useBias: false })] });
      const kernel = numbers(other.getWeights()[0]!);
      const artifacts = await file('3.15.1', model, { 'd/kernel': values([4, 2]) });
      const before = tf.memory().numTensors;
      await expect(ours.loadModel(tf.io.fromMemory(artifacts))).rejects.toThrow(message);
      expect(tf.memory().numTensors).toBe(before);
      expect(numbers(other.getWeights()[0]!)).toEqual(kernel);
    });
  });

  test('a weight of another shape, whose name in the file has a cell in it', async () => {
    const model = graph3(
      'm',
      [input3('x', null, 2, 4), called('SimpleRNN', { name: 'it', units: 2, use_bias: false }, [output('x')])],
      'it',
    );
    const weights = {
      'it/simple_rnn_cell/kernel': values([4, 3]),
      'it/simple_rnn_cell/recurrent_kernel': values([2, 2]),
    };
    await expect(load3(model, weights)).rejects.toThrow(
      "the layer 'it' (SimpleRNN) needs the weight 'it/kernel' of shape [4,2], and the file has it of shape [4,3];",
    );
  });

  test('what is no config, with what JavaScript says of it', async () => {
    const model = three('Dense', { units: 1 }, [output('x')]);
    Object.assign((model.config as { layers: object[] }).layers[1]!, { name: undefined, config: null });
    const error = await load3(model, {}).catch((error: Error) => error);
    expect(error).toMatchObject({
      message: expect.stringMatching(
        /^loadModel: the file does not hold a model as Keras or TensorFlow.js save it \(.*null/,
      ),
      cause: expect.objectContaining({ message: expect.stringContaining('null') }),
    });
  });

  test.each<[string, object, string]>([
    ['a graph model', { modelTopology: { node: [], versions: {} } }, 'a graph model (of operations, not of layers)'],
    [
      'a graph model, by its format',
      { format: 'graph-model', modelTopology: {}, weightSpecs: [] },
      'tf.loadGraphModel',
    ],
    ['a graph model in binary', { modelTopology: new ArrayBuffer(8) }, 'tf.loadGraphModel'],
    ['weights alone', { weightSpecs: [], weightData: new ArrayBuffer(0) }, 'holds weights alone; load the model.json'],
    ['nothing', {}, 'holds no modelTopology, but nothing'],
    ['something else', { dependencies: {}, name: 'package' }, 'holds no modelTopology, but dependencies, name'],
    ['what says nothing', { a: undefined, format: undefined }, 'holds no modelTopology, but nothing;'],
    ['five things', { a: 1, b: 2, c: 3, d: 4, e: 5 }, 'holds no modelTopology, but a, b, c, d, e;'],
    ['more things', { a: 1, b: 2, c: 3, d: 4, e: 5, f: 6 }, 'holds no modelTopology, but a, b, c, d, e, ...;'],
    ['no model', { modelTopology: { words: {}, index: 1 } }, 'class_name and config; received words, index'],
    ['a class alone', { modelTopology: { class_name: 'Sequential' } }, 'class_name and config; received class_name'],
    ['a text', { modelTopology: '<!DOCTYPE html>' }, 'modelTopology must be an object; received "<!DOCTYPE html>"'],
  ])('%s', async (_, artifacts, message) => {
    const loading = ours.loadModel({ load: async () => artifacts as tf.io.ModelArtifacts });
    await expect(loading).rejects.toThrow(/^loadModel: /);
    await expect(ours.loadModel({ load: async () => artifacts as tf.io.ModelArtifacts })).rejects.toThrow(message);
  });

  test.each([
    ['https://example.com/a.keras?raw=1', '', "file of Keras; import { loadModel } from 'tfjs-normalizations/files'"],
    ['https://example.com/A.H5', '', "file of Keras; import { loadModel } from 'tfjs-normalizations/files'"],
    ['https://example.com/saved_model.pb', '', 'tf.loadGraphModel'],
    ['https://example.com/a.onnx', '', 'onnxruntime-web'],
    ['https://example.com/a.tflite#x', '', 'tfjs-tflite'],
    ['https://example.com/group1-shard1of1.bin', '', 'load the model.json that lies beside it'],
    ['https://example.com/model.json', '<!DOCTYPE html><html></html>', 'HTML page of a server that does not have it'],
    ['https://example.com/package.json', '{"name": "package"}', 'may be another file'],
  ])('what is at %s', async (url, body, message) => {
    const fetchFunc = (async () => new Response(body)) as never;
    const loading = () => ours.loadModel(url, { fetchFunc });
    await expect(loading()).rejects.toThrow(/^loadModel: /);
    await expect(loading()).rejects.toThrow(message);
    const missing = ours.loadModel(url, { fetchFunc: (async () => new Response('', { status: 404 })) as never });
    await expect(missing).rejects.toThrow(/^loadModel: Request to .* failed with status code 404/);
  });

  test.each(['web/model.json', './model.json', 'file:///web/model.json'])(
    'in Node without its package: the path %s',
    async (path) => {
      await expect(ours.loadModel(path)).rejects.toThrow(
        /^loadModel: .* In Node a path needs @tensorflow\/tfjs-node.* npx tfjs-normalizations convert\.$/,
      );
    },
  );

  test.each(['https://example.com/model.json', 'http://example.com/model.json'])(
    'the error of a request to %s alone, if the request failed, with its cause',
    async (url) => {
      const cause = new TypeError('fetch failed');
      const fetchFunc = (async () => {
        throw cause;
      }) as never;
      const error = await ours.loadModel(url, { fetchFunc }).catch((error: Error) => error);
      expect(error).toEqual(new Error('loadModel: fetch failed'));
      expect((error as Error).cause).toBe(cause);
    },
  );

  test('a place that two handlers would load from', async () => {
    const router = (url: string) => (url === 'twice://' ? { load: async () => ({}) } : (null as never));
    for (let i = 0; i < 2; i++) tf.io.registerLoadRouter((url) => router(url as string));
    await expect(ours.loadModel('twice://')).rejects.toThrow(
      "loadModel: there are 2 ways to load from 'twice://'; give a handler",
    );
  });

  test('what is no place to load from', async () => {
    await expect(ours.loadModel({} as never)).rejects.toThrow(
      'loadModel: the first argument must be a URL or a handler',
    );
    await expect(ours.loadModel(undefined as never)).rejects.toThrow('loadModel: the first argument');
    await expect(ours.loadModel(new Blob([]) as never)).rejects.toThrow(
      "loadModel: the first argument is a file; import { loadModel } from 'tfjs-normalizations/files'",
    );
  });
});

describe('what we save with options that Keras has', () => {
  const parts = ['gamma', 'beta'];
  const aspects = (names: string[], kinds = ['initializer', 'regularizer', 'constraint']) =>
    names.flatMap((name) => kinds.map((kind) => `${name}_${kind}`));
  const affine = ['axis', 'epsilon', 'center', 'scale', ...aspects(parts)];
  const batch = [...affine, 'momentum', ...aspects(['moving_mean', 'moving_variance'], ['initializer'])];
  const moving = ['gamma', 'beta', 'moving_mean', 'moving_variance'];
  const wrapped = () => tf.layers.dense({ units: 2 });

  test.each([
    ['BatchNormalization', ours.batchNormalization(), batch, moving],
    [
      'BatchNormalization',
      ours.batchNormalization({ renorm: true, renormClipping: { rmax: 3 } }),
      [...batch, 'renorm', 'renorm_clipping', 'renorm_momentum'],
      [...moving, 'moving_stddev', 'renorm_mean', 'renorm_stddev'],
    ],
    ['LayerNormalization', ours.layerNormalization(), affine, parts],
    ['GroupNormalization', ours.groupNormalization({ groups: 2 }), [...affine, 'groups'], parts],
    [
      'RMSNormalization',
      ours.rmsNormalization({ center: false, epsilonPlacement: 'inside' }),
      ['axis', 'epsilon'],
      ['scale'],
    ],
    [
      'SpectralNormalization',
      ours.spectralNormalization({ layer: wrapped(), reparameterize: false }),
      ['layer', 'power_iterations'],
      ['kernel', 'bias', 'vector_u'],
    ],
    ['UnitNormalization', ours.unitNormalization(), ['axis'], []],
    [
      'Normalization',
      ours.featureNormalization(),
      ['axis', 'mean', 'variance', 'invert'],
      ['mean', 'variance', 'count'],
    ],
    [
      'Addons>SpectralNormalization',
      new ours.AddonsSpectralNormalization({ layer: wrapped() }),
      ['layer', 'power_iterations'],
      ['kernel', 'bias', 'sn_u'],
    ],
    [
      'Addons>WeightNormalization',
      new ours.AddonsWeightNormalization({ layer: wrapped() }),
      ['layer', 'data_init'],
      ['g', 'kernel', 'bias', 'initialized', 'data_dep_init/kernel', 'data_dep_init/bias'],
    ],
  ] as [string, Layer, string[], string[]][])('%s has its keys and weights', (className, layer, keys, weights) => {
    const model = tf.sequential({ layers: [tf.layers.inputLayer({ inputShape: [4] }), layer] });
    const { config } = JSON.parse(model.toJSON() as unknown as string);
    const own = config.layers[1] as { class_name: string; config: object };
    expect(own.class_name).toBe(className);
    expect(Object.keys(own.config).sort()).toEqual([...keys, 'name', 'trainable'].sort());
    const names = layer.weights.map(({ originalName }) => originalName.slice(layer.name.length + 1));
    expect(names.sort()).toEqual([...weights].sort());
  });
});
