/** Query-key normalization in attention: bad input, masks in graphs, and configs. */
import { describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import {
  batchNormalization,
  type QKNormalization,
  qkAttention,
  qkNorm,
  qkNormAttention,
  qkNormalization,
} from '../../layers/index.ts';

describe('bad input', () => {
  const width = (size: number) => tf.zeros([2, 3, size]);
  const cube = tf.ones([3, 3, 4]);
  const masked = (mask: tf.Tensor, shape = [2, 3, 4]) => {
    const x = tf.ones(shape);
    return qkAttention(x, x, x, tf.scalar(1), { mask });
  };
  test.each<[string, () => unknown, RegExp]>([
    ['no sequenceLength', () => qkNormalization(), /QKNormalization: sequenceLength is required; .* scaleInitializer/],
    [
      'sequenceLength 1',
      () => qkNormalization({ sequenceLength: 1 }),
      /QKNormalization: sequenceLength .* at least 2.*received 1/,
    ],
    [
      'another option',
      () => qkNormAttention({ sequenceLength: 4, axis: 1 } as never),
      /QKNormAttention: unknown option 'axis'/,
    ],
    [
      'dropout 1',
      () => qkNormAttention({ sequenceLength: 4, dropout: 1 }),
      /QKNormAttention: dropout must lie in \[0, 1\); received 1/,
    ],
    [
      'one input',
      () => qkNormalization({ sequenceLength: 4 }).apply(width(4)),
      /QKNormalization: the inputs are \[query, key\]; received 1/,
    ],
    [
      'three inputs',
      () => qkNormalization({ sequenceLength: 4 }).apply([width(4), width(4), width(4)]),
      /QKNormalization: the inputs are \[query, key\]; received 3/,
    ],
    [
      'widths',
      () => qkNormalization({ sequenceLength: 4 }).apply([width(4), width(5)]),
      /same width at axis -1; received 4 and 5/,
    ],
    [
      'widths of tensors',
      () => qkNorm(width(4), width(5), tf.scalar(1)),
      /qkNorm: query and key must have the same width/,
    ],
    ['g', () => qkNorm(width(4), width(4), tf.zeros([2])), /qkNorm: g must hold one value/],
    ['no g', () => qkNorm(width(4), width(4), undefined as never), /qkNorm: g, the scale of the logits, is missing/],
    [
      'heads',
      () => qkAttention(tf.zeros([2, 4, 3, 4]), tf.zeros([2, 1, 3, 4]), tf.zeros([2, 1, 3, 4]), tf.scalar(1)),
      /qkAttention: .* the same sizes before the last two axes; received 4, 1, 1 at axis 1/,
    ],
    [
      'dropout below 0',
      () => qkAttention(width(4), width(4), width(4), tf.scalar(1), { dropout: -1 }),
      /qkAttention: dropout must lie in \[0, 1\); received -1/,
    ],
    ['arrays', () => qkAttention([1] as never, width(4), width(4), tf.scalar(1)), /qkAttention: .* one tensor/],
    [
      'a mask that is no tensor',
      () => qkAttention(width(4), width(4), width(4), tf.scalar(1), { mask: [1, 1, 1] as never }),
      /qkAttention: the mask must be a tensor; received \[1,1,1\]/,
    ],
    [
      'ranks',
      () => qkNormAttention({ sequenceLength: 4 }).apply([tf.zeros([2, 4]), tf.zeros([2, 4]), tf.zeros([2, 4])]),
      /same rank, 3 or more/,
    ],
    [
      'values',
      () => qkAttention(width(4), width(4), tf.zeros([2, 2, 4]), tf.scalar(1)),
      /one value per key; received 3 keys and 2 values/,
    ],
    [
      'causal with fewer keys',
      () => qkAttention(width(4), tf.zeros([2, 2, 4]), tf.zeros([2, 2, 4]), tf.scalar(1), { causal: true }),
      /at least as many keys as queries; received 2 keys and 3 queries/,
    ],
    [
      'mask',
      () => qkAttention(width(4), width(4), width(4), tf.scalar(1), { mask: tf.ones([2, 5]) }),
      /the mask must broadcast to the logits \[2,3,3\]; received the shape \[2,5\]; give \[batch, keys\]/,
    ],
    [
      'a mask of pairs',
      () => masked(tf.ones([3, 3])),
      /received the shape \[3,3\]; .* write mask.reshape\(\[1,3,3\]\)/,
    ],
    ['a mask of keys', () => masked(tf.ones([3])), /received the shape \[3\]; .* write mask.reshape\(\[1,3\]\)/],
    ['a mask of heads', () => masked(tf.ones([4, 3, 3]), [2, 4, 3, 4]), /write mask.reshape\(\[1,4,3,3\]\)/],
    [
      'a mask of examples or queries',
      () => masked(tf.ones([3, 3], 'bool'), [3, 3, 4]),
      /\[3,3\] may be \[batch, keys\] or \[queries, keys\].*\[3,1,3\] for keys of each example.*\[1,3,3\] for pairs/,
    ],
    [
      'a mask of examples or queries, to a layer',
      () => qkNormAttention({ sequenceLength: 4 }).apply([cube, cube, cube, tf.ones([3, 3])]),
      /QKNormAttention: the mask of shape \[3,3\] may be/,
    ],
    [
      'a list of five masks',
      () => qkNormAttention({ sequenceLength: 4 }).apply([cube, cube, cube], { mask: new Array(5).fill(null) }),
      /mask must be a list of the masks of query, key and value; received 5/,
    ],
    [
      'a list of two masks',
      () => qkNormAttention({ sequenceLength: 4 }).apply([cube, cube, cube], { mask: [tf.ones([3, 3]), null] }),
      /mask must be a list of the masks of query, key and value; received 2/,
    ],
    [
      'one mask of three tensors',
      () => qkNormAttention({ sequenceLength: 4 }).apply([cube, tf.clone(cube), cube], { mask: tf.ones([3, 3]) }),
      /mask must be a list, .* give \[query, key, value\]/,
    ],
    [
      'a mask of keys of another length',
      () => qkNormAttention({ sequenceLength: 4 }).apply([cube, cube, cube], { mask: [null, tf.ones([3, 2]), null] }),
      /the mask of the key must have the shape \[3,3\]; received \[3,2\]/,
    ],
  ])('%s', (_, f, message) => {
    tf.tidy(() => expect(f).toThrow(message));
  });

  test('a failed build leaves no weights', () => {
    const layer = qkNormalization({ sequenceLength: 4 });
    const before = tf.memory().numTensors;
    tf.tidy(() => expect(() => layer.apply([width(4), width(5)])).toThrow());
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('masks in graphs', () => {
  const tokens = () => tf.input({ shape: [4] });
  const embedded = (input: tf.SymbolicTensor) =>
    tf.layers.embedding({ inputDim: 5, outputDim: 6, maskZero: true }).apply(input) as tf.SymbolicTensor;
  const plain = () => tf.input({ shape: [4, 6] });
  const attention = () => qkNormAttention({ sequenceLength: 4, name: 'att' });
  const splitHeads = (x: tf.SymbolicTensor) => {
    const heads = tf.layers.reshape({ targetShape: [4, 2, 3] }).apply(x) as tf.SymbolicTensor;
    return tf.layers.permute({ dims: [2, 1, 3] }).apply(heads) as tf.SymbolicTensor;
  };
  const fourth = /QKNormAttention: 'att' .*; give it an attention mask as the fourth input/;

  test.each<[string, () => unknown, RegExp]>([
    [
      'keys alone are masked',
      () => attention().apply([plain(), ...twice(embedded(tokens()))]),
      /would lose the mask of its key/,
    ],
    [
      'values alone are masked',
      () => attention().apply([...twice(plain()), embedded(tokens())]),
      /would lose the mask of its value/,
    ],
    [
      'keys have another mask than queries',
      () => attention().apply([embedded(tokens()), ...twice(embedded(tokens()))]),
      /would lose the mask of its key/,
    ],
    [
      'keys are added of two masks',
      () => {
        const x = embedded(tokens());
        const sum = tf.layers.add().apply([x, embedded(tokens())]) as tf.SymbolicTensor;
        return attention().apply([x, sum, sum]);
      },
      /would lose the mask of its key/,
    ],
    [
      'keys are longer than their masked parts',
      () => {
        const x = embedded(tokens());
        const longer = tf.layers.concatenate({ axis: 1 }).apply([x, x]) as tf.SymbolicTensor;
        return attention().apply([x, longer, longer]);
      },
      /would lose the mask of its key/,
    ],
    [
      'heads are split after the mask',
      () => attention().apply([...twice(splitHeads(embedded(tokens()))), splitHeads(plain())]),
      /would lose the mask of its key, which ends at 'reshape.*' \(Reshape\)/,
    ],
    [
      'a mask is an argument',
      () => attention().apply([...twice(plain()), plain()], { mask: tf.ones([1, 4]) }),
      /is given a mask in a graph/,
    ],
    [
      'one layer serves masked and unmasked calls',
      () => {
        const layer = attention();
        layer.apply([...twice(plain()), plain()]);
        const x = embedded(tokens());
        layer.apply([x, x, x]);
      },
      /is shared by calls with and without masks/,
    ],
    [
      'one layer serves calls of which the first has a mask of its query alone',
      () => {
        const layer = attention();
        const x = embedded(tokens());
        layer.apply([x, ...twice(plain())]);
        layer.apply([x, x, x]);
      },
      /is shared by calls with and without masks/,
    ],
  ])('%s: refused', (_, f, message) => {
    tf.tidy(() => {
      expect(f).toThrow(message);
      expect(f).toThrow(fourth);
    });
  });

  test('a fourth input stands for all masks that TensorFlow.js loses', () => {
    const [q, x, mask] = [plain(), embedded(tokens()), tf.input({ shape: [4] })];
    const [y, z] = [[q, x, x], [q, splitHeads(x), splitHeads(x)].map((x, i) => (i === 0 ? splitHeads(x) : x))].map(
      (list) => attention2().apply([...list, mask]) as tf.SymbolicTensor,
    );
    expect(y!.shape).toEqual([null, 4, 6]);
    expect(z!.shape).toEqual([null, 2, 4, 3]);
  });
  const attention2 = () => qkNormAttention({ sequenceLength: 4 });

  test('one mask comes by several ways: another embedding, an activation, a sum', () => {
    const ids = tokens();
    const [query, x] = [embedded(ids), embedded(ids)];
    const key = tf.layers.activation({ activation: 'tanh' }).apply(x) as tf.SymbolicTensor;
    const value = tf.layers.add().apply([x, key]) as tf.SymbolicTensor;
    const layer = attention2();
    const inputs = [query, key, value];
    const model = tf.model({ inputs: ids, outputs: [...inputs, layer.apply(inputs) as tf.SymbolicTensor] });
    const given = tf.tensor([[3, 1, 0, 0]]);
    const [q, k, v, y] = model.predict(given) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    const mask = tf.notEqual(given, 0);
    const expected = qkNormAttention({ sequenceLength: 4 }).apply([q, k, v], { mask: [mask, mask, mask] }) as tf.Tensor;
    expect(y.dataSync()).toBeClose(expected.dataSync(), { ofMax: 1e-6 });
    expect(y.dataSync()).not.toBeClose((attention2().apply([q, k, v]) as tf.Tensor).dataSync(), { ofMax: 1e-3 });
  });

  test('a mask of another layer, which has ended, does not reach attention, though its shape fits', () => {
    const ids = tokens();
    const x = embedded(ids);
    const ended = tf.layers.conv1d({ filters: 6, kernelSize: 1, padding: 'same' }).apply(x) as tf.SymbolicTensor;
    const layer = attention2();
    const model = tf.model({ inputs: ids, outputs: [ended, layer.apply([ended, ended, ended]) as tf.SymbolicTensor] });
    const [input, y] = model.predict(tf.tensor([[3, 1, 0, 0]])) as [tf.Tensor, tf.Tensor];
    const expected = qkAttention(input, input, input, layer.getWeights()[0]!);
    expect(y.dataSync()).toBeClose(expected.dataSync(), { ofMax: 1e-6 });
  });

  test('masks of queries alone count, and go on to layers behind', async () => {
    const [ids, keys] = [tokens(), plain()];
    const layer = attention2();
    const y = layer.apply([embedded(ids), keys, keys]) as tf.SymbolicTensor;
    const norm = batchNormalization({ momentum: 0, center: false, scale: false });
    const model = tf.model({ inputs: [ids, keys], outputs: [y, norm.apply(y) as tf.SymbolicTensor] });
    const x = [tf.tensor([[3, 1, 0, 0]]), tf.randomNormal([1, 4, 6], 0, 1, 'float32', 1)];
    const [before] = model.apply(x, { training: true }) as [tf.Tensor];
    const mean = tf.mean(tf.slice(before, [0, 0, 0], [1, 2, 6]), [0, 1]);
    expect(norm.getWeights()[0]!.dataSync()).toBeClose(mean.dataSync(), { atol: 1e-5 });
    const alike = tf.mean(x[1]!, 1);
    expect(tf.slice(before, [0, 2, 0], [1, 1, 6]).dataSync()).toBeClose(alike.dataSync(), { atol: 1e-5 });
  });
});
const twice = <T>(x: T): [T, T] => [x, x];

test('one mask of one tensor that is query, key and value, in the call or on the tensor', () => {
  const layer = qkNormAttention({ sequenceLength: 4 });
  const [x, mask] = [
    tf.randomNormal([2, 3, 4]),
    tf.tensor(
      [
        [1, 1, 0],
        [1, 0, 0],
      ],
      [2, 3],
      'bool',
    ),
  ];
  const apply = (t: tf.Tensor, kwargs: object = {}) => (layer.apply([t, t, t], kwargs) as tf.Tensor).dataSync();
  const expected = apply(x, { mask: [mask, mask, mask] });
  expect(apply(x, { mask })).toEqual(expected);
  expect(apply(Object.assign(tf.clone(x), { kerasMask: tf.clone(mask) }))).toEqual(expected);
  const disposed = tf.clone(mask);
  disposed.dispose();
  const unmasked = apply(x);
  expect(unmasked).not.toEqual(expected);
  expect(apply(Object.assign(tf.clone(x), { kerasMask: disposed }))).toEqual(unmasked);
});

test('the list of masks may have one for the attention mask, as TensorFlow.js makes it', () => {
  const layer = qkNormAttention({ sequenceLength: 4 });
  const [x, keys, pairs] = [
    tf.randomNormal([2, 3, 4]),
    tf.tensor([
      [1, 1, 0],
      [1, 0, 1],
    ]),
    tf.ones([2, 3, 3]),
  ];
  const masks = [null, keys, null] as tf.Tensor[];
  const [three, four] = [masks, [...masks, null]].map(
    (mask) => layer.apply([x, x, x, pairs], { mask } as object) as tf.Tensor,
  );
  expect(four!.dataSync()).toEqual(three!.dataSync());
  expect(three!.dataSync()).not.toEqual((layer.apply([x, x, x, pairs]) as tf.Tensor).dataSync());
});

describe('in graphs', () => {
  test('a mask of keys is that of each example, where there are as many queries as examples', () => {
    const [x, mask] = [tf.input({ shape: [3, 4] }), tf.input({ shape: [3] })];
    const layer = qkNormAttention({ sequenceLength: 3 });
    const model = tf.model({ inputs: [x, mask], outputs: layer.apply([x, x, x, mask]) as tf.SymbolicTensor });
    const values = tf.randomNormal([3, 3, 4], 0, 1, 'float32', 1);
    const keys = tf.tensor([
      [1, 1, 0],
      [1, 0, 0],
      [1, 1, 1],
    ]);
    const y = model.predict([values, keys]) as tf.Tensor;
    const expected = qkAttention(values, values, values, layer.getWeights()[0]!, { mask: tf.reshape(keys, [3, 1, 3]) });
    expect(y.dataSync()).toBeClose(expected.dataSync(), { ofMax: 1e-6 });
  });
});

test('built for a width, it takes no other', () => {
  const layer = qkNormalization({ sequenceLength: 4 });
  layer.apply([tf.ones([2, 3, 4]), tf.ones([2, 5, 4])]);
  expect(() => layer.apply([tf.ones([2, 3, 6]), tf.ones([2, 5, 6])])).toThrow(/expected axis 2 .* value 4/);
  expect(() => layer.apply([tf.ones([3, 4]), tf.ones([5, 4])])).toThrow(/ndim=3/);
});

test('a vector no longer than epsilon is divided by it', () => {
  const layer = qkNormalization({ scaleInitializer: 'ones', epsilon: 10 });
  const [q, k] = layer.apply([tf.tensor([[3, 4]]), tf.tensor([[30, 40]])]) as tf.Tensor[];
  expect(q!.dataSync()).toBeClose([0.3, 0.4], { ofMax: 1e-6 });
  expect(k!.dataSync()).toBeClose([0.6, 0.8], { ofMax: 1e-6 });
});

test.each([
  qkNormalization({ sequenceLength: 6, axis: 1, epsilon: 1e-6 }),
  qkNormalization({ scaleInitializer: 'ones' }),
  qkNormAttention({ sequenceLength: 6, causal: true, dropout: 0.2 }),
])('the config makes the same layer again', (layer) => {
  const cls = layer.constructor as typeof QKNormalization;
  const config = layer.getConfig();
  const copy = cls.fromConfig(cls, JSON.parse(JSON.stringify(config)));
  expect(copy.getConfig()).toEqual(config);
});
