/** Query-key normalization in attention, against float64: values, gradients of both orders, masks, training, bad input. */
import { describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { type QKNormalization, qkAttention, qkNorm, qkNormAttention, qkNormalization } from '../layers/index.ts';
import { type AttentionCase, attentionInputs } from './support/attention-inputs.ts';
import { describeBackends } from './support/backends.ts';

type Values = ArrayLike<number>;
interface Point {
  readonly query: Float64Array;
  readonly key: Float64Array;
  readonly value: Float64Array;
  readonly g: Float64Array;
}

/** softmax(g q k^T / (|q| |k|)) v, with loops. */
function attention(
  { leading, queries, keys, width, depth, causal, mask }: AttentionCase,
  { query, key, value, g }: Point,
) {
  const count = leading.reduce((a, b) => a * b, 1);
  const heads = count / leading[0]!;
  const y = new Float64Array(count * queries * depth);
  const length = (values: Values, from: number) =>
    Math.max(1e-12, Math.sqrt(Array.from({ length: width }, (_, i) => values[from + i]! ** 2).reduce((a, b) => a + b)));
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < queries; i++) {
      const q = (n * queries + i) * width;
      const logits = Array.from({ length: keys }, (_, j) => {
        const k = (n * keys + j) * width;
        let dot = 0;
        for (let e = 0; e < width; e++) dot += query[q + e]! * key[k + e]!;
        const batch = Math.floor(n / heads);
        const open =
          mask === undefined ||
          mask.values[mask.shape.length === 2 ? batch * keys + j : (batch * queries + i) * keys + j];
        const past = !causal || j <= i + keys - queries;
        return open && past ? (g[0]! * dot) / (length(query, q) * length(key, k)) : -1e9;
      });
      const most = Math.max(...logits);
      const weights = logits.map((logit) => Math.exp(logit - most));
      const total = weights.reduce((a, b) => a + b);
      for (let j = 0; j < keys; j++) {
        for (let e = 0; e < depth; e++) {
          y[(n * queries + i) * depth + e]! += (weights[j]! / total) * value[(n * keys + j) * depth + e]!;
        }
      }
    }
  }
  return y;
}

const NAMES = ['query', 'key', 'value', 'g'] as const;

/** The gradient of `f` by central differences. */
function differences(
  f: (point: Point) => number,
  point: Point,
  step: number,
): Record<(typeof NAMES)[number], Float64Array> {
  const entries = NAMES.map((name) => {
    const d = point[name].map((_, i) => {
      const at = (by: number) => f({ ...point, [name]: point[name].map((value, j) => (i === j ? value + by : value)) });
      return (at(step) - at(-step)) / (2 * step);
    });
    return [name, d];
  });
  return Object.fromEntries(entries);
}

function pointOf(args: AttentionCase): Point & { dy: Float32Array } {
  const { query, key, value, g, dy } = attentionInputs(args);
  const wide = (values: Float32Array) => Float64Array.from(values);
  return { query: wide(query), key: wide(key), value: wide(value), g: Float64Array.of(g), dy };
}

const loss = (args: AttentionCase, dy: Values) => (point: Point) =>
  attention(args, point).reduce((sum, y, i) => sum + y * dy[i]!, 0);

const CASES: [string, AttentionCase][] = [
  ['one head', { leading: [2], queries: 3, keys: 3, width: 4, depth: 4 }],
  ['heads, another length and depth', { leading: [2, 2], queries: 2, keys: 5, width: 3, depth: 2 }],
  ['causal', { leading: [1, 2], queries: 4, keys: 4, width: 3, depth: 3, causal: true }],
  ['causal, with earlier keys', { leading: [1], queries: 2, keys: 5, width: 3, depth: 3, causal: true }],
  [
    'padding mask',
    { leading: [2, 2], queries: 2, keys: 3, width: 3, depth: 2, mask: { shape: [2, 3], values: [1, 1, 0, 1, 0, 0] } },
  ],
  [
    'mask of pairs',
    {
      leading: [1, 2],
      queries: 2,
      keys: 3,
      width: 3,
      depth: 2,
      mask: { shape: [1, 2, 3], values: [1, 0, 1, 0, 0, 0] },
    },
  ],
  ['width 1', { leading: [2], queries: 2, keys: 3, width: 1, depth: 2 }],
];

describeBackends('attention', (backend) => {
  test.each(CASES)('%s: values and gradients', async (_, args) => {
    const { dy, ...point } = pointOf(args);
    const { value, leaked } = await backend.run('attend', args);
    expect(leaked).toEqual({ tensors: 0, data: 0 });
    expect(value.y).toBeClose(attention(args, point), { ofMax: 1e-5 });
    const expected = differences(loss(args, dy), point, 1e-5);
    for (const name of NAMES) expect(value[`d${name}`]).toBeClose(expected[name], { ofMax: 2e-5, atol: 1e-5 });
  });

  test('a gradient penalty', async () => {
    const args = CASES[0]![1];
    const { dy, ...point } = pointOf(args);
    const penalty = (point: Point) => differences(loss(args, dy), point, 1e-4).query.reduce((sum, d) => sum + d * d, 0);
    const { value, leaked } = await backend.run('attend', { ...args, penalty: true });
    expect(leaked).toEqual({ tensors: 0, data: 0 });
    expect(value.y).toBeClose([penalty(point)], { ofMax: 1e-4 });
    const expected = differences(penalty, point, 1e-3);
    for (const name of NAMES) expect(value[`d${name}`]).toBeClose(expected[name], { ofMax: 1e-3, atol: 1e-4 });
  });

  test('a zero query attends to all alike, and its gradient is 0', async () => {
    const args = { leading: [1], queries: 2, keys: 3, width: 4, depth: 2, zeroQuery: 1 };
    const { value } = await backend.run('attend', args);
    const { value: values } = attentionInputs(args);
    const mean = [0, 1].map((e) => (values[e]! + values[2 + e]! + values[4 + e]!) / 3);
    expect(Array.from(value.y!).slice(2)).toBeClose(mean, { ofMax: 1e-6 });
    expect(Array.from(value.dquery!).slice(4).map(Math.abs)).toEqual([0, 0, 0, 0]);
    for (const name of NAMES) expect(Array.from(value[`d${name}`]!).every(Number.isFinite)).toBe(true);
  });

  test.each([
    { causal: false, masked: false, dropout: 0 },
    { causal: true, masked: false, dropout: 0 },
    { causal: false, masked: true, dropout: 0.1 },
  ])('fit learns, and a copy of the model predicts the same: %j', async (args) => {
    const { value, leaked } = await backend.run('trainAttention', args);
    expect(value.losses.at(-1)!).toBeLessThan(0.7 * value.losses[0]!);
    expect(value.before).toBeCloseTo(Math.log2(30), 5);
    expect(value.after).not.toBe(value.before);
    expect(value.copied).toBeClose(value.predictions, { ofMax: 0 });
    expect(value.classNames).toContain('QKNormAttention');
    expect(leaked.tensors).toBe(0);
  });
});

describe('bad input', () => {
  const width = (size: number) => tf.zeros([2, 3, size]);
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
      'widths',
      () => qkNormalization({ sequenceLength: 4 }).apply([width(4), width(5)]),
      /same width at axis -1; received 4 and 5/,
    ],
    [
      'widths of tensors',
      () => qkNorm(width(4), width(5), tf.scalar(1)),
      /qkNorm: query and key must have the same width/,
    ],
    ['g', () => qkNorm(width(4), width(4), tf.zeros([2])), /qkNorm: g must hold 1 value/],
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
      /the mask must broadcast to the logits \[2,3,3\]; received the shape \[2,5\]/,
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
