/** Multi-head attention on every backend, against float64: values, gradients in inputs and weights, and training. */
import { expect, test } from '@jest/globals';
import { describeBackends } from '../support/backends.ts';
import { type MultiHeadCase, multiHead, multiHeadInputs } from '../support/multi-head-oracle.ts';

const base: MultiHeadCase = {
  ...{ batch: 2, queries: 3, keys: 3, widths: [4, 4, 4, 4], heads: 2, keyDim: 3, valueDim: 3 },
};
const CASES: [string, MultiHeadCase][] = [
  ['self-attention in size', base],
  ['other lengths and widths', { ...base, queries: 2, keys: 5, widths: [4, 3, 5, 6], valueDim: 2 }],
  ['causal, without biases', { ...base, queries: 4, keys: 4, causal: true, useBias: false }],
  ['causal, fewer keys than queries', { ...base, queries: 4, keys: 2, causal: true }],
  ['grouped keys and values', { ...base, heads: 4, keyValueHeads: 2 }],
  ['one head of keys and values, unit length', { ...base, heads: 3, keyValueHeads: 1, norm: 'l2' }],
  ['root mean square', { ...base, norm: 'rms', causal: true }],
  ['an attention mask, nothing for one query', { ...base, batch: 1, mask: [1, 0, 1, 0, 0, 0, 1, 1, 1] }],
  ['a mask of keys', { ...base, padding: [1, 1, 0, 1, 0, 0] }],
];

/** The gradients of sum(y dy) by all inputs and weights, by central differences in float64. */
function differences(args: MultiHeadCase): Float64Array[] {
  const { tensors, dy } = multiHeadInputs(args);
  const point = tensors.map(({ values }) => Float64Array.from(values));
  const loss = () => multiHead(args, point).reduce((sum, y, i) => sum + y * dy[i]!, 0);
  const step = 1e-5;
  return point.map((values) =>
    values.map((value, i) => {
      values[i] = value + step;
      const ahead = loss();
      values[i] = value - step;
      const behind = loss();
      values[i] = value;
      return (ahead - behind) / (2 * step);
    }),
  );
}

const expected = new Map<string, { y: Float64Array; gradients: Float64Array[] }>();
function oracle(name: string, args: MultiHeadCase) {
  const known = expected.get(name);
  if (known) return known;
  const point = multiHeadInputs(args).tensors.map(({ values }) => Float64Array.from(values));
  const made = { y: multiHead(args, point), gradients: differences(args) };
  expected.set(name, made);
  return made;
}

/** Of the first backend that trains, which is cpu: those of the others are the same. */
const LOSSES = new Map<string | undefined, number[]>();

describeBackends('multi-head attention', (backend) => {
  test.each(CASES)('%s', async (name, args) => {
    const { value, leaked } = await backend.run('multiHead', args);
    const { y, weights, ...gradients } = value;
    expect(leaked).toEqual({ tensors: 0, data: 0 });
    const right = oracle(name, args);
    expect(y).toBeClose(right.y, { ofMax: 3e-6, what: 'y' });
    for (const [i, gradient] of right.gradients.entries()) {
      expect(gradients[`gradient ${i}`] as ArrayLike<number>).toBeClose(gradient, {
        atol: 2e-5,
        ofMax: 1e-5,
        what: `gradient ${i}`,
      });
    }
    const rows = weights!.length / args.keys;
    for (let row = 0; row < rows; row++) {
      const sum = Array.from(weights as ArrayLike<number>)
        .slice(row * args.keys, (row + 1) * args.keys)
        .reduce((a: number, b: number) => a + b);
      expect(sum).toBeCloseTo(1, 5);
    }
  });

  // Of the norms, which `multiHead` has with gradients, a few steps; on webgpu, whose products of matrices take long in software, too.
  test.each([
    [undefined, backend.name === 'webgpu' ? 4 : 20],
    ['l2', 4],
    ['rms', 4],
  ] as const)('a transformer trains, queries and keys by %s', async (norm, steps) => {
    const { value: losses, leaked } = await backend.run('transformer', norm ? { norm, steps } : { steps });
    expect(leaked).toEqual({ tensors: 0, data: 0 });
    expect(losses[steps - 1]).toBeLessThan((steps < 20 ? 0.99 : 0.75) * losses[0]!);
    const first = LOSSES.get(norm) ?? losses;
    LOSSES.set(norm, first);
    expect(losses).toBeClose(first.slice(0, steps), { atol: 1e-4 });
  });
});
