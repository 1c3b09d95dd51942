/** Multi-head attention: the order of its inputs, graphs, axes, options, bad input, and files of Keras. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { loadModel as openFile } from '../../layers/files/index.ts';
import {
  layerNormalization,
  loadModel,
  type MultiHeadAttention,
  multiHeadAttention,
  rmsNorm,
} from '../../layers/index.ts';
import { called, graph2, graph3, input3, output, values } from '../support/keras-files.ts';

beforeAll(() => tf.setBackend('cpu'));

const normal = (shape: number[], seed: number) => tf.randomNormal(shape, 0, 1, 'float32', seed);
const apply = (layer: tf.layers.Layer, inputs: tf.Tensor[], kwargs = {}) => layer.apply(inputs, kwargs) as tf.Tensor;
const small = { numHeads: 2, keyDim: 3 };

describe('the order of inputs', () => {
  test('is query, value, key: Keras 3', () => {
    const layer = multiHeadAttention({ ...small, useBias: false });
    const [query, value, key] = [normal([1, 2, 4], 1), normal([1, 5, 4], 2), normal([1, 5, 4], 3)];
    const y = apply(layer, [query, value, key]);
    // Values that are all alike come out as they are, whatever the keys are.
    const even = tf.tile(tf.slice(value, [0, 0, 0], [1, 1, 4]), [1, 5, 1]);
    const ofEven = apply(layer, [query, even, key]);
    const others = apply(layer, [query, even, normal([1, 5, 4], 4)]);
    expect(ofEven.dataSync()).toBeClose(others.dataSync(), { atol: 1e-6 });
    const swapped = apply(layer, [query, key, even]);
    expect(Math.max(...tf.abs(tf.sub(ofEven, swapped)).dataSync())).toBeGreaterThan(0.01);
    expect(y.shape).toEqual([1, 2, 4]);
  });

  test('without a key the value is the key', () => {
    const layer = multiHeadAttention(small);
    const [query, value] = [normal([2, 2, 4], 1), normal([2, 5, 3], 2)];
    const y = apply(layer, [query, value]).dataSync();
    expect(y).toBeClose(apply(layer, [query, value, value]).dataSync(), { atol: 0 });
  });

  test('weights have the names and the order of Keras', () => {
    const layer = multiHeadAttention({ ...small, name: 'mha' });
    layer.apply([tf.input({ shape: [2, 4] }), tf.input({ shape: [5, 6] })]);
    expect(layer.weights.map(({ originalName, shape }) => [originalName, shape])).toEqual([
      ['mha/query/kernel', [4, 2, 3]],
      ['mha/query/bias', [2, 3]],
      ['mha/key/kernel', [6, 2, 3]],
      ['mha/key/bias', [2, 3]],
      ['mha/value/kernel', [6, 2, 3]],
      ['mha/value/bias', [2, 3]],
      ['mha/attention_output/kernel', [2, 3, 4]],
      ['mha/attention_output/bias', [4]],
    ]);
    expect(layer.trainableWeights).toHaveLength(8);
  });
});

describe('axes', () => {
  test('of positions that do not attend are as more examples', () => {
    const layer = multiHeadAttention({ ...small, attentionAxes: 2 });
    const x = normal([2, 3, 4, 5], 1);
    const y = apply(layer, [x, x]);
    const rows = tf.reshape(x, [6, 4, 5]);
    const same = multiHeadAttention(small);
    apply(same, [rows, rows]).dispose();
    same.setWeights(layer.getWeights());
    expect(y.dataSync()).toBeClose(apply(same, [rows, rows]).dataSync(), { atol: 1e-6 });
  });

  test('that attend together are one', () => {
    const layer = multiHeadAttention(small);
    const [query, value] = [normal([2, 3, 4, 5], 1), normal([2, 2, 3, 5], 2)];
    const mask = tf.cast(tf.greater(normal([2, 3, 4, 2, 3], 3), -0.5), 'bool');
    const y = apply(layer, [query, value, value, mask]);
    const flat = multiHeadAttention(small);
    const [rows, keys] = [tf.reshape(query, [2, 12, 5]), tf.reshape(value, [2, 6, 5])];
    apply(flat, [rows, keys]).dispose();
    flat.setWeights(layer.getWeights());
    const expected = apply(flat, [rows, keys, keys, tf.reshape(mask, [2, 12, 6])]);
    expect(y.shape).toEqual([2, 3, 4, 5]);
    expect(y.dataSync()).toBeClose(expected.dataSync(), { atol: 1e-6 });
    // In whatever order they are named, and from which end they are counted.
    for (const attentionAxes of [
      [2, 1],
      [-3, -2],
    ]) {
      const named = multiHeadAttention({ ...small, attentionAxes });
      apply(named, [query, value]).dispose();
      named.setWeights(layer.getWeights());
      expect(apply(named, [query, value, value, mask]).dataSync()).toEqual(y.dataSync());
      expect(named.getConfig().attentionAxes).toEqual(attentionAxes);
    }
  });
});

test('a mask may differ between heads', () => {
  const layer = multiHeadAttention(small);
  const x = normal([2, 3, 4], 1);
  const inputs = [x, x, x];
  apply(layer, inputs).dispose();
  const pairs = tf.cast(tf.greater(normal([2, 2, 3, 3], 2), -0.5), 'bool');
  const scores = (mask: tf.Tensor) =>
    (layer.apply([...inputs, mask], { returnAttentionScores: true }) as tf.Tensor[])[1]!;
  const each = tf.split(pairs, 2, 1).map((mask) => scores(tf.squeeze(mask, [1])));
  const expected = each.map((weights, head) => tf.slice(weights, [0, head, 0, 0], [-1, 1, -1, -1]));
  expect(scores(pairs).dataSync()).toBeClose(tf.concat(expected, 1).dataSync(), { atol: 1e-6 });
});

describe('in graphs', () => {
  const selfAttention = (kwargs = {}) => {
    const x = tf.input({ shape: [4, 6] });
    const hidden = tf.layers.dense({ units: 6 }).apply(x) as tf.SymbolicTensor;
    const attended = multiHeadAttention(small).apply([hidden, hidden], kwargs) as tf.SymbolicTensor;
    const sum = tf.layers.add().apply([hidden, attended]) as tf.SymbolicTensor;
    return tf.model({ inputs: x, outputs: layerNormalization().apply(sum) as tf.SymbolicTensor });
  };

  test('what goes into it twice and elsewhere is there to the end, in training and inference', async () => {
    const model = selfAttention();
    const x = normal([3, 4, 6], 1);
    const before = tf.memory().numTensors;
    const y = model.predict(x) as tf.Tensor;
    const trained = model.apply(x, { training: true }) as tf.Tensor;
    expect(y.dataSync()).toBeClose(trained.dataSync(), { atol: 1e-6 });
    tf.dispose([y, trained]);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('keep useCausalMask in the saved model', async () => {
    const model = selfAttention({ useCausalMask: true });
    const x = normal([3, 4, 6], 1);
    const y = (model.predict(x) as tf.Tensor).dataSync();
    let saved: tf.io.ModelArtifacts = {};
    await model.save(
      tf.io.withSaveHandler(async (artifacts) => {
        saved = artifacts;
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      }),
    );
    for (const load of [tf.loadLayersModel, loadModel]) {
      const copy = await load(tf.io.fromMemory(saved));
      expect((copy.predict(x) as tf.Tensor).dataSync()).toBeClose(y, { atol: 1e-6 });
    }
    const open = selfAttention();
    open.setWeights(model.getWeights());
    expect(
      Math.max(...tf.abs(tf.sub(open.predict(x) as tf.Tensor, tf.tensor(y, [3, 4, 6]))).dataSync()),
    ).toBeGreaterThan(1e-3);
  });

  test('a shared layer cannot be causal in one call only', () => {
    const x = tf.input({ shape: [4, 6] });
    const layer = multiHeadAttention(small);
    const first = layer.apply([x, x], { useCausalMask: true }) as tf.SymbolicTensor;
    const model = tf.model({ inputs: x, outputs: layer.apply([first, first]) as tf.SymbolicTensor });
    expect(() => model.predict(normal([1, 4, 6], 1))).toThrow(
      /calls in the graph differ in 'useCausalMask'.*use a layer for each/,
    );
  });

  test('a shared layer may be causal in all of its calls', () => {
    const x = tf.input({ shape: [4, 6] });
    const layer = multiHeadAttention(small);
    const causal = { useCausalMask: true };
    const first = layer.apply([x, x], causal) as tf.SymbolicTensor;
    const model = tf.model({ inputs: x, outputs: layer.apply([first, first], causal) as tf.SymbolicTensor });
    const given = normal([1, 4, 6], 1);
    const once = apply(layer, [given, given, given], causal);
    const twice = apply(layer, [once, once, once], causal);
    expect((model.predict(given) as tf.Tensor).dataSync()).toBeClose(twice.dataSync(), { atol: 1e-6 });
  });

  test('calls that repeat other inputs are told apart, or refused', () => {
    const [x, y] = [tf.input({ shape: [4, 6] }), tf.input({ shape: [4, 6] })];
    const layer = multiHeadAttention(small);
    const own = layer.apply([x, x]) as tf.SymbolicTensor;
    const cross = layer.apply([x, y]) as tf.SymbolicTensor;
    const model = tf.model({ inputs: [x, y], outputs: [own, cross] });
    const [a, b] = [normal([2, 4, 6], 1), normal([2, 4, 6], 2)];
    const [ofOwn, ofCross] = model.predict([a, b]) as tf.Tensor[];
    expect(ofOwn!.dataSync()).toBeClose(apply(layer, [a, a, a]).dataSync(), { atol: 1e-6 });
    expect(ofCross!.dataSync()).toBeClose(apply(layer, [a, b, b]).dataSync(), { atol: 1e-6 });
    layer.apply([x, x, y]);
    expect(() => layer.apply([x, y, y])).toThrow(/is shared by calls in which other inputs are the same/);
  });

  test('a mask of tokens counts for keys, and reaches pooling behind a sum', async () => {
    const tokens = tf.input({ shape: [4] });
    const x = tf.layers.embedding({ inputDim: 5, outputDim: 6, maskZero: true }).apply(tokens) as tf.SymbolicTensor;
    const layer = multiHeadAttention(small);
    const model = tf.model({ inputs: tokens, outputs: layer.apply([x, x]) as tf.SymbolicTensor });
    const ids = tf.tensor([[1, 2, 3, 0]]);
    const y = tf.slice(model.predict(ids) as tf.Tensor, [0, 0, 0], [1, 3, 6]);
    const embedded = (model.layers[1] as tf.layers.Layer).apply(tf.slice(ids, [0, 0], [1, 3])) as tf.Tensor;
    expect(y.dataSync()).toBeClose(apply(layer, [embedded, embedded, embedded]).dataSync(), { atol: 1e-6 });
  });
});

describe('options', () => {
  test('config is the same before and after build, and Keras knows all of it', () => {
    const layer = multiHeadAttention({ ...small, dropout: 0.1, outputShape: [2, 3], attentionAxes: [1] });
    const config = layer.getConfig();
    layer.build([
      [null, 2, 4],
      [null, 5, 6],
    ]);
    expect(layer.getConfig()).toEqual(config);
    expect(Object.keys(config)).not.toContain('queryKeyNorm');
    expect(Object.keys(config)).not.toContain('numKeyValueHeads');
    const copy = multiHeadAttention(config as never);
    expect(copy.getConfig()).toEqual(config);
    expect(
      layer.computeOutputShape([
        [null, 2, 4],
        [null, 5, 6],
      ]),
    ).toEqual([null, 2, 2, 3]);
  });

  test('that are lists are copied', () => {
    const lists = { outputShape: [2, 3], attentionAxes: [1, 2] };
    const layer = multiHeadAttention({ ...small, ...lists });
    lists.outputShape.push(4);
    lists.attentionAxes.pop();
    expect(layer.getConfig()).toMatchObject({ outputShape: [2, 3], attentionAxes: [1, 2] });
  });

  test('of normalized queries and keys are saved', () => {
    const layer = multiHeadAttention({
      ...small,
      numHeads: 4,
      numKeyValueHeads: 2,
      queryKeyNorm: 'l2',
      sequenceLength: 8,
    });
    const { queryKeyNorm, sequenceLength, numKeyValueHeads } = layer.getConfig();
    expect([queryKeyNorm, sequenceLength, numKeyValueHeads]).toEqual(['l2', 8, 2]);
  });

  test.each<[norm: 'l2' | 'rms', options: object, normalize: (x: tf.Tensor) => tf.Tensor, scale: number]>([
    ['rms', {}, (x) => rmsNorm(x, { epsilon: 0.5, epsilonPlacement: 'inside' }), 3 ** -0.5],
    [
      'l2',
      { scaleInitializer: tf.initializers.constant({ value: 2 }) },
      (x) => tf.div(x, tf.maximum(tf.norm(x, 2, -1, true), 0.5)),
      2,
    ],
  ])('the epsilon of %s counts, and is saved', (queryKeyNorm, options, normalize, scale) => {
    const layer = multiHeadAttention({ numHeads: 1, keyDim: 3, queryKeyNorm, epsilon: 0.5, ...options });
    expect(layer.getConfig().epsilon).toBe(0.5);
    const x = tf.mul(normal([2, 6, 4], 1), 0.3);
    const [, weights] = layer.apply([x, x, x], { returnAttentionScores: true }) as tf.Tensor[];
    const project = (kernel: tf.LayerVariable) => {
      const matrix = tf.tile(tf.reshape(kernel.read(), [1, 4, 3]), [2, 1, 1]);
      return normalize(tf.matMul(x, matrix));
    };
    const [query, , key] = layer.weights.map((weight, i) => (i % 2 ? undefined : weight));
    const logits = tf.mul(tf.matMul(project(query!), project(key!), false, true), scale);
    expect(weights!.dataSync()).toBeClose(tf.softmax(logits).dataSync(), { atol: 1e-6 });
  });

  test('sizes that are not known yet fit any', () => {
    const layer = multiHeadAttention(small);
    const shapes = [
      [null, null, 4],
      [null, null, 4],
      [2, 5, 4],
    ];
    expect(layer.computeOutputShape(shapes)).toEqual([null, null, 4]);
  });

  test('the mask of the query goes on', () => {
    const layer = multiHeadAttention(small);
    const [input, mask] = [tf.zeros([1, 3, 4]), tf.ones([1, 3], 'bool')];
    expect(layer.computeMask([input, input], [mask, null as never])).toBe(mask);
    expect(layer.supportsMasking).toBe(true);
  });

  test('dropout drops in training alone', () => {
    const layer = multiHeadAttention({ ...small, dropout: 0.5, seed: 1 });
    const x = normal([2, 6, 4], 1);
    const usual = apply(layer, [x, x, x]).dataSync();
    expect(apply(layer, [x, x, x]).dataSync()).toBeClose(usual, { atol: 0 });
    const dropped = apply(layer, [x, x, x], { training: true }).dataSync();
    expect(Math.max(...dropped.map((value, i) => Math.abs(value - usual[i]!)))).toBeGreaterThan(1e-3);
  });

  const x = [null, 3, 4];
  test.each<[string, () => unknown, RegExp]>([
    [
      'no heads',
      () => multiHeadAttention({ keyDim: 2 } as never),
      /numHeads must be a positive integer; received undefined/,
    ],
    ['groups', () => multiHeadAttention({ ...small, numKeyValueHeads: 3 }), /must divide numHeads; received 3 for 2/],
    ['another norm', () => multiHeadAttention({ ...small, queryKeyNorm: 'layer' as never }), /one of 'l2', 'rms'/],
    ['l2 without length', () => multiHeadAttention({ ...small, queryKeyNorm: 'l2' }), /sequenceLength is required/],
    ['a length without l2', () => multiHeadAttention({ ...small, sequenceLength: 4 }), /option of queryKeyNorm.*'l2'/],
    ['an unknown option', () => multiHeadAttention({ ...small, heads: 2 } as never), /unknown option 'heads'/],
    [
      'axes',
      () => apply(multiHeadAttention({ ...small, attentionAxes: 2 }), [tf.zeros([1, 3, 4]), tf.zeros([1, 3, 4])]),
      /attentionAxes must lie.*received 2; use 1 to 1/,
    ],
    [
      'one input',
      () => apply(multiHeadAttention(small), [tf.zeros([1, 3, 4])]),
      /\[query, value\], then perhaps the key.*received 1/,
    ],
    [
      'five inputs',
      () => apply(multiHeadAttention(small), new Array(5).fill(tf.zeros([1, 3, 4]))),
      /; received 5; call apply/,
    ],
    [
      'a seed that is none',
      () => multiHeadAttention({ ...small, seed: '1' as never }),
      /seed must be a number; received "1"/,
    ],
    [
      'an axis that is none',
      () => multiHeadAttention({ ...small, attentionAxes: [1, 1.5] }),
      /attentionAxes must be an integer or a list of integers; received \[1,1.5\]/,
    ],
    ...[0, [], [1, 1], [0, 1], -1].map((attentionAxes): [string, () => unknown, RegExp] => [
      `the axes ${JSON.stringify(attentionAxes)}`,
      () =>
        multiHeadAttention({ ...small, attentionAxes }).build([
          [null, 3, 5, 4],
          [null, 3, 5, 4],
        ]),
      /attentionAxes must lie between the batch and the width of the 4 axes of the query, each once; received .*; use 1 to 2/,
    ]),
    [
      'two axes',
      () =>
        multiHeadAttention(small).build([
          [null, 4],
          [null, 4],
        ]),
      /3 or more; received 2, 2, 2/,
    ],
    ['a key of another rank', () => multiHeadAttention(small).build([x, x, [null, 2, 3, 4]]), /received 3, 3, 4/],
    ['a value of another rank', () => multiHeadAttention(small).build([x, [null, 2, 3, 4], x]), /received 3, 4, 3/],
    ['a query of another rank', () => multiHeadAttention(small).build([[null, 2, 3, 4], x, x]), /received 4, 3, 3/],
    ['ranks', () => multiHeadAttention(small).build([x, [null, 4]] as never), /same rank, 3 or more; received 3, 2, 2/],
    [
      'lengths',
      () => apply(multiHeadAttention(small), [tf.zeros([1, 3, 4]), tf.zeros([1, 3, 4]), tf.zeros([1, 2, 4])]),
      /one value per key; received 3, 3, 2/,
    ],
    [
      'batches',
      () => apply(multiHeadAttention(small), [tf.zeros([1, 3, 4]), tf.zeros([2, 3, 4])]),
      /same sizes where they do not attend; received 1, 2, 2/,
    ],
    ['an unknown width', () => multiHeadAttention(small).build([[null, 3, null], x]), /must have a known size/],
    [
      'a mask of two axes',
      () =>
        apply(multiHeadAttention(small), [
          tf.zeros([1, 3, 4]),
          tf.zeros([1, 3, 4]),
          tf.zeros([1, 3, 4]),
          tf.ones([3, 3]),
        ]),
      /\[batch, queries, keys\].*received \[3,3\]/,
    ],
    [
      'a mask of five axes',
      () => apply(multiHeadAttention(small), [...new Array(3).fill(tf.zeros([1, 3, 4])), tf.ones([1, 1, 1, 3, 3])]),
      /\[batch, queries, keys\].*received \[1,1,1,3,3\]/,
    ],
    [
      'a mask of other lengths',
      () =>
        apply(multiHeadAttention(small), [
          tf.zeros([1, 3, 4]),
          tf.zeros([1, 3, 4]),
          tf.zeros([1, 3, 4]),
          tf.ones([1, 2, 3]),
        ]),
      /must broadcast to the logits/,
    ],
    [
      'scores in a graph',
      () =>
        multiHeadAttention(small).apply([tf.input({ shape: [3, 4] }), tf.input({ shape: [3, 4] })], {
          returnAttentionScores: true,
        }),
      /not kept in a graph/,
    ],
  ])('%s', (_, run, message) => {
    expect(run).toThrow(message);
    expect(run).toThrow(/MultiHeadAttention/);
  });
});

describe('files of Keras', () => {
  const folder = join(__dirname, '..', 'goldens', 'keras-files', 'attention');
  test.each(['mha-causal', 'mha-padding', 'attention-scale'])('%s predicts as in Keras', async (name) => {
    const { inputs, y } = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'));
    const model = await openFile(join(folder, `${name}.keras`));
    const tensors = inputs.map(({ data, shape, dtype }: { data: number[]; shape: number[]; dtype: 'float32' }) =>
      tf.tensor(data, shape, dtype),
    );
    const predicted = model.predict(tensors.length > 1 ? tensors : tensors[0]) as tf.Tensor;
    expect(predicted.dataSync()).toBeClose(y, { atol: 1e-6 });
  });

  const config = {
    name: 'mha',
    num_heads: 4,
    key_dim: 3,
    value_dim: 2,
    use_bias: false,
    use_gate: false,
    sliding_window: null,
  };
  const weights = {
    'mha/query/kernel': values([6, 4, 3], 1),
    'mha/key/kernel': values([6, 4, 3], 2),
    'mha/value/kernel': values([6, 4, 2], 3),
    'mha/attention_output/kernel': values([4, 2, 6], 4),
  };
  const artifacts = (
    model: object,
    given: Record<string, { shape: number[]; data: number[] }>,
  ): tf.io.ModelArtifacts => ({
    modelTopology: { keras_version: '3.15.1', model_config: model },
    weightSpecs: Object.entries(given).map(([name, { shape }]) => ({ name, shape, dtype: 'float32' as const })),
    weightData: Float32Array.from(Object.values(given).flatMap(({ data }) => data)).buffer,
  });
  const [a, b, c] = [normal([2, 3, 6], 1), normal([2, 5, 6], 2), normal([2, 5, 6], 3)];
  const allowed = tf.cast(tf.greater(normal([2, 3, 5], 4), 0), 'float32');

  const direct = (
    given: object,
    inputs: tf.Tensor[],
    kwargs = {},
    all: Record<string, { shape: number[]; data: number[] }> = weights,
  ) => {
    const layer = multiHeadAttention({
      numHeads: 4,
      keyDim: 3,
      valueDim: 2,
      useBias: false,
      ...given,
    }) as MultiHeadAttention;
    apply(layer, inputs, kwargs).dispose();
    layer.setWeights(Object.values(all).map(({ shape, data }) => tf.tensor(data, shape)));
    return apply(layer, inputs, kwargs).dataSync();
  };

  const inputs = [input3('a', null, 3, 6), input3('b', null, 5, 6), input3('c', null, 5, 6), input3('m', null, 3, 5)];
  const graph = (layer: object) => {
    const model = graph3('g', [...inputs, layer as never], 'mha');
    const input_layers = ['a', 'b', 'c', 'm'].map((name) => [name, 0, 0]);
    return { ...model, config: { ...(model.config as object), input_layers } };
  };
  test.each<[string, unknown[], Record<string, unknown>, tf.Tensor[], object]>([
    ['three arguments', [output('a'), output('b'), output('c')], {}, [a, b, c], {}],
    ['a key by name', [output('a'), output('b')], { key: output('c') }, [a, b, c], {}],
    ['all by name', [], { value: output('b'), query: output('a') }, [a, b], {}],
    ['a mask by name', [output('a'), output('b')], { attention_mask: output('m') }, [a, b, b, allowed], {}],
    [
      'causal',
      [output('a'), output('b')],
      { use_causal_mask: true, return_attention_scores: false, query_mask: null },
      [a, b],
      { useCausalMask: true },
    ],
  ])('a call with %s', async (_, args, kwargs, tensors, ours) => {
    const layer = { ...called('MultiHeadAttention', config, args.length ? args : [output('a')], kwargs) };
    layer.inbound_nodes = [{ args, kwargs }];
    const model = await loadModel(tf.io.fromMemory(artifacts(graph(layer), weights)));
    const y = model.predict([a, b, c, allowed]) as tf.Tensor;
    expect(y.dataSync()).toBeClose(direct({}, tensors, ours), { atol: 1e-6 });
  });

  // The class, and the name by which Keras exports it.
  const names = ['GroupedQueryAttention', 'GroupQueryAttention'];
  test.each(names)('grouped queries, under the name %s and with the options of Keras', async (className) => {
    const { name, use_bias, use_gate, sliding_window } = config;
    const grouped = {
      name,
      use_bias,
      use_gate,
      sliding_window,
      head_dim: 3,
      num_query_heads: 4,
      num_key_value_heads: 2,
    };
    const given = {
      'mha/query/kernel': values([6, 4, 3], 1),
      'mha/key/kernel': values([6, 2, 3], 2),
      'mha/value/kernel': values([6, 2, 3], 3),
      'mha/attention_output/kernel': values([4, 3, 6], 4),
    };
    const layer = called(className, { ...grouped, flash_attention: null }, [output('a'), output('b')]);
    const model = await loadModel(tf.io.fromMemory(artifacts(graph(layer), given)));
    const y = model.predict([a, b, c, allowed]) as tf.Tensor;
    expect(y.dataSync()).toBeClose(direct({ numKeyValueHeads: 2, valueDim: 3 }, [a, b], {}, given), { atol: 1e-6 });
  });

  test.each<[string, object, Record<string, unknown>, RegExp]>([
    ['a gate', { use_gate: true }, {}, /'mha' \(MultiHeadAttention\) has use_gate true/],
    ['a sliding window', { sliding_window: 4 }, {}, /'mha' \(MultiHeadAttention\) has sliding_window 4/],
    ['scores', {}, { return_attention_scores: true }, /'mha' .* is called with the argument return_attention_scores/],
  ])('%s is refused', async (_, more, kwargs, message) => {
    const layer = called('MultiHeadAttention', { ...config, ...more }, [output('a'), output('b')], kwargs);
    await expect(loadModel(tf.io.fromMemory(artifacts(graph(layer), weights)))).rejects.toThrow(message);
  });

  test('a call of Keras 2', async () => {
    const options = {
      ...config,
      dropout: 0,
      output_shape: null,
      attention_axes: [1],
      query_shape: [null, 3, 6],
      key_shape: null,
      value_shape: [null, 3, 6],
    };
    const { use_gate: _, sliding_window: __, ...rest } = options;
    const layer = {
      class_name: 'MultiHeadAttention',
      config: { ...rest, dtype: 'float32', trainable: true },
      name: 'mha',
      inbound_nodes: [[['x', 0, 0, { value: ['x', 0, 0], use_causal_mask: true }]]],
    };
    const model = graph2([null, 3, 6], [layer as never]);
    const file = { ...artifacts(model, weights), modelTopology: { keras_version: '2.15.0', model_config: model } };
    const loaded = await loadModel(tf.io.fromMemory(file));
    expect((loaded.predict(a) as tf.Tensor).dataSync()).toBeClose(direct({}, [a, a, a], { useCausalMask: true }), {
      atol: 1e-6,
    });
  });
});
