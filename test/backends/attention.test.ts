/** Query-key normalization in attention, against float64: values, gradients of both orders, masks, training. */
import { describe, expect, test } from '@jest/globals';
import { type AttentionCase, attentionInputs } from '../support/attention-inputs.ts';
import { describeBackends, describeKernels } from '../support/backends.ts';

type Values = ArrayLike<number>;
interface Point {
  readonly query: Float64Array;
  readonly key: Float64Array;
  readonly value: Float64Array;
  readonly g: Float64Array;
}

/** softmax(g q k^T / (|q| |k|)) v, with loops: differences call it for every element, so nothing is computed twice. */
function attention(
  { leading, queries, keys, width, depth, causal, mask }: AttentionCase,
  { query, key, value, g }: Point,
) {
  const count = leading.reduce((a, b) => a * b, 1);
  const y = new Float64Array(count * queries * depth);
  const [q, k] = [unitVectors(query, width), unitVectors(key, width)];
  const weights = new Float64Array(keys);
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < queries; i++) {
      const row = n * queries + i;
      for (let j = 0; j < keys; j++) {
        let dot = 0;
        for (let e = 0; e < width; e++) dot += q[row * width + e]! * k[(n * keys + j) * width + e]!;
        const open = mask === undefined || mask.values[maskIndex(mask.shape, leading, n, i, j)];
        const past = !causal || j <= i + keys - queries;
        weights[j] = open && past ? g[0]! * dot : Number.NEGATIVE_INFINITY;
      }
      const most = Math.max(...weights);
      if (most === Number.NEGATIVE_INFINITY)
        weights.fill(1); // to all alike
      else for (let j = 0; j < keys; j++) weights[j] = Math.exp(weights[j]! - most);
      const total = weights.reduce((a, b) => a + b);
      for (let j = 0; j < keys; j++) {
        for (let e = 0; e < depth; e++) {
          y[row * depth + e]! += (weights[j]! / total) * value[(n * keys + j) * depth + e]!;
        }
      }
    }
  }
  return y;
}

/** Each vector divided by its length. */
function unitVectors(values: Float64Array, width: number): Float64Array {
  const result = new Float64Array(values.length);
  for (let from = 0; from < values.length; from += width) {
    let squares = 0;
    for (let e = from; e < from + width; e++) squares += values[e]! ** 2;
    const length = Math.max(1e-12, Math.sqrt(squares));
    for (let e = from; e < from + width; e++) result[e] = values[e]! / length;
  }
  return result;
}

/** Where a mask has its value for query i and key j of the n-th of the leading axes; its first axis is the batch. */
function maskIndex(shape: readonly number[], leading: readonly number[], n: number, i: number, j: number): number {
  const at: number[] = [];
  let rest = n;
  for (const size of [...leading].reverse()) {
    at.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  const full = [...at, i, j];
  const index = [full[0]!, ...full.slice(full.length - shape.length + 1)];
  return shape.reduce((flat, size, axis) => flat * size + (size === 1 ? 0 : index[axis]!), 0);
}

const NAMES = ['query', 'key', 'value', 'g'] as const;

/** The gradient of `f` by central differences. */
function differences(
  f: (point: Point) => number,
  point: Point,
  step: number,
): Record<(typeof NAMES)[number], Float64Array> {
  const entries = NAMES.map((name) => {
    const values = Float64Array.from(point[name]); // of which one element at a time is moved, and put back
    const moved = { ...point, [name]: values };
    const d = point[name].map((value, i) => {
      values[i] = value + step;
      const ahead = f(moved);
      values[i] = value - step;
      const behind = f(moved);
      values[i] = value;
      return (ahead - behind) / (2 * step);
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
    { leading: [2, 2], queries: 4, keys: 3, width: 3, depth: 2, mask: { shape: [2, 3], values: [1, 1, 0, 1, 0, 0] } },
  ],
  [
    'padding mask, as many queries as examples, nothing in one of them',
    {
      leading: [2, 2],
      queries: 2,
      keys: 3,
      width: 3,
      depth: 2,
      mask: { shape: [2, 1, 3], values: [1, 1, 0, 0, 0, 0] },
    },
  ],
  [
    'five axes, a mask of bools, causal',
    {
      ...{ leading: [2, 1, 2], queries: 3, keys: 3, width: 2, depth: 2, causal: true },
      mask: { shape: [2, 3], values: [1, 0, 1, 0, 1, 1], dtype: 'bool' },
    },
  ],
  [
    'six axes, a mask of some of them',
    {
      ...{ leading: [2, 2, 1, 2], queries: 1, keys: 3, width: 2, depth: 2 },
      mask: { shape: [1, 2, 1, 1, 1, 3], values: [1, 0, 1, 0, 0, 0] },
    },
  ],
  [
    'six axes, a mask of all',
    {
      ...{ leading: [1, 2, 1, 2], queries: 1, keys: 2, width: 2, depth: 2 },
      mask: { shape: [1, 2, 1, 2, 1, 2], values: [1, 0, 1, 1, 0, 0, 0, 1] },
    },
  ],
  ['six axes, causal', { leading: [1, 2, 1, 2], queries: 2, keys: 2, width: 2, depth: 2, causal: true }],
  ['logits of 1e10', { leading: [2], queries: 3, keys: 3, width: 4, depth: 4, causal: true, g: 1e10 }],
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

describeKernels('attention', (backend) => {
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

  test.each(['a tensor', 'results'] as const)(
    'masks of other numbers than 0 and 1, as %s, are refused',
    async (made) => {
      for (const [values, received] of [
        [[0, -1e9, 0], -1e9],
        [[1, 0, 2], 2],
        [[Number.NaN, 1, 1], Number.NaN],
      ] as const) {
        const { value, leaked } = await backend.run('maskOfNumbers', { values, made });
        expect(value).toMatch(
          new RegExp(`must be true .or 1. where .* received ${received}; .* becomes mask.equal\\(0\\)`),
        );
        expect(leaked).toEqual({ tensors: 0, data: 0 });
      }
      const { value } = await backend.run('maskOfNumbers', { values: [0, 1, 0], made });
      expect(value).toBe('');
    },
  );

  test('masks of a call, of tensors and of a graph are those of an attention mask', async () => {
    const { value, leaked } = await backend.run('carriedMasks', {});
    const { expected, unmasked, ofQuery, ofKey, ofValue, ...others } = value;
    for (const [what, y] of Object.entries(others)) expect(y).toBeClose(expected!, { ofMax: 2e-5, what });
    // Each of the three masks has its part in it.
    for (const y of [unmasked, ofQuery, ofKey, ofValue]) expect(y).not.toBeClose(expected!, { ofMax: 1e-2 });
    expect(ofKey).toBeClose(ofValue!, { ofMax: 2e-5 });
    expect(leaked.tensors).toBe(0);
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

describeBackends(
  'attention with 16-bit textures',
  (backend) => {
    const restricted: [string, Partial<AttentionCase>][] = [
      ['all', {}],
      ['causal', { causal: true }],
      ['masked, nothing in one example', { mask: { shape: [2, 1, 5], values: [1, 0, 1, 1, 0, 0, 0, 0, 0, 0] } }],
      ['both', { causal: true, mask: { shape: [1, 4, 5], values: Array.from({ length: 20 }, (_, i) => +(i > 6)) } }],
    ];
    const sizes = { leading: [2, 2], queries: 4, keys: 5, width: 8, depth: 16, half: true };
    const points = [1e-2, 1, 300, 1000].flatMap((std) => [1.5, 12].map((g) => [std, g] as const));

    describe.each(restricted)('%s', (_, restriction) => {
      test.each(points)('deviation %d, g %d: values and gradients', async (std, g) => {
        const args = { ...sizes, ...restriction, std, g };
        const { dy, ...point } = pointOf(args);
        const { value, leaked } = await backend.run('attend', args);
        expect(leaked).toEqual({ tensors: 0, data: 0 });
        expect(value.y).toBeClose(attention(args, point), { ofMax: 2e-3 });
        const expected = differences(loss(args, dy), point, 1e-4 * std);
        // Logits of 12 are rounded by 1/256, and the gradient is what remains of larger numbers.
        for (const name of NAMES.slice(0, 3))
          expect(value[`d${name}`]).toBeClose(expected[name], { ofMax: 8e-3, what: name });
        const ofG = differences(loss(args, dy), point, 1e-4).g;
        // A sum over all queries of numbers as large as values, which cancel.
        expect(value.dg).toBeClose(ofG, { ofMax: 8e-3, atol: 8e-3 * std });
      });

      test.each([300, 1000])(
        'means of ten deviations of %d: values, and a gradient that is right but for cancelling',
        async (std) => {
          const args = { ...sizes, ...restriction, std, mean: 10 * std, g: 12 };
          const { dy, ...point } = pointOf(args);
          const { value } = await backend.run('attend', args);
          expect(value.y).toBeClose(attention(args, point), { ofMax: 2e-3 });
          const expected = differences(loss(args, dy), point, 1e-4 * std);
          for (const name of NAMES.slice(0, 3))
            expect(value[`d${name}`]).toBeClose(expected[name], { ofMax: 2e-2, what: name });
          expect(Number.isFinite(value.dg![0])).toBe(true);
        },
      );

      test.each([100, 1000, 20000])('g %d: finite, and weights that add up to 1', async (g) => {
        const args = { ...sizes, ...restriction, std: 1, g };
        const { value } = await backend.run('attend', args);
        for (const values of Object.values(value)) expect(Array.from(values!).every(Number.isFinite)).toBe(true);
        const { value: values } = attentionInputs(args);
        const largest = Math.max(...Array.from(values, Math.abs));
        expect(Math.max(...Array.from(value.y!, Math.abs))).toBeLessThan(1.01 * largest);
      });
    });

    test('gradients of masked logits are 0: a masked key has none', async () => {
      const args = { ...sizes, mask: { shape: [2, 1, 5], values: [1, 0, 1, 1, 0, 0, 0, 0, 0, 0] } };
      const { value } = await backend.run('attend', args);
      const keys = Array.from(value.dkey!);
      const of = (head: number, key: number) =>
        keys.slice((head * 5 + key) * 8, (head * 5 + key + 1) * 8).map(Math.abs);
      for (const [head, key] of [0, 1].flatMap((head) => [1, 4].map((key) => [head, key] as const))) {
        expect(of(head, key)).toEqual(new Array(8).fill(0));
      }
      expect(keys.slice(2 * 5 * 8).every((d) => d === 0)).toBe(true);
    });

    test('a gradient penalty', async () => {
      const args = { ...CASES[0]![1], half: true };
      const { dy, ...point } = pointOf(args);
      const penalty = (point: Point) =>
        differences(loss(args, dy), point, 1e-4).query.reduce((sum, d) => sum + d * d, 0);
      const { value, leaked } = await backend.run('attend', { ...args, penalty: true });
      expect(leaked).toEqual({ tensors: 0, data: 0 });
      expect(value.y).toBeClose([penalty(point)], { ofMax: 5e-3 });
      const expected = differences(penalty, point, 1e-3);
      for (const name of NAMES) expect(value[`d${name}`]).toBeClose(expected[name], { ofMax: 1e-2, atol: 2e-3 });
    });

    test('masks of a graph', async () => {
      const { value } = await backend.run('carriedMasks', {});
      expect(value.graph).toBeClose(value.expected!, { ofMax: 2e-3 });
    });

    test('masks of other numbers', async () => {
      for (const made of ['a tensor', 'results'] as const) {
        expect((await backend.run('maskOfNumbers', { values: [0, -1e9, 0], made })).value).toMatch(
          /must be true \(or 1\)/,
        );
      }
    });
  },
  { only: ['webgl'], flags: { WEBGL_FORCE_F16_TEXTURES: true } },
);
