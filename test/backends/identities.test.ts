/** What must be equal whatever the numbers: the normalizations among each other, and each under shifts, scales and moved axes. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { FunctionCase } from '../cases/functions.ts';
import { type Backend, describeKernels } from '../support/backends.ts';
import type { FunctionName } from '../support/functions.ts';

/** The same numbers go two ways; each rounds a few times at 6e-8. */
const EQUAL = { ofMax: 1e-5, atol: 1e-5 };
/** Each new shape costs WebGL a compilation of every program. */
const runs = ({ name }: Backend) => ({ numRuns: name === 'webgl' ? 5 : 30, seed: 7, endOnFailure: name === 'webgl' });

const size = fc.integer({ min: 1, max: 5 });
const spatial = fc.array(size, { minLength: 1, maxLength: 3 });
const seed = fc.integer({ min: 1, max: 1e6 });
/** [batch, ...spatial, channels] with groups that divide the channels. */
const tensors = fc
  .record({ n: size, spatial, groups: size, width: size, seed })
  .map(({ n, spatial, groups, width, seed }) => ({
    shape: [n, ...spatial, groups * width],
    c: groups * width,
    groups,
    seed,
  }));

const axesOf = (shape: readonly number[]) => shape.map((_, axis) => axis);

async function expectSame(backend: Backend, one: FunctionCase, other: FunctionCase): Promise<void> {
  const [a, b] = [await backend.run('applyFunction', one), await backend.run('applyFunction', other)];
  for (const name of ['y', 'dx', 'dgamma', 'dbeta'] as const) {
    if (a.value[name]) expect(b.value[name]).toBeClose(a.value[name], { ...EQUAL, what: name });
    else expect(b.value[name]).toBeUndefined();
  }
}

describeKernels('identities', (backend) => {
  const property = <T>(what: string, arbitrary: fc.Arbitrary<T>, body: (value: T) => Promise<void>) =>
    test(what, () => fc.assert(fc.asyncProperty(arbitrary, body), runs(backend)));

  property('layer normalization over all axes is group normalization with one group', tensors, ({ shape, seed }) =>
    expectSame(
      backend,
      { name: 'layerNorm', shape, seed, options: { axis: axesOf(shape).slice(1) } },
      { name: 'groupNorm', shape, seed, options: { groups: 1 } },
    ),
  );

  property('layer normalization of rows is group normalization with one group', tensors, ({ shape, c, seed }) => {
    const rows = { shape: [shape.slice(0, -1).reduce((a, b) => a * b, 1), c], seed, parameters: c };
    return expectSame(backend, { name: 'layerNorm', ...rows }, { name: 'groupNorm', ...rows, options: { groups: 1 } });
  });

  property('instance normalization is group normalization with one channel a group', tensors, ({ shape, c, seed }) =>
    expectSame(
      backend,
      { name: 'instanceNorm', shape, seed, parameters: c },
      { name: 'groupNorm', shape, seed, parameters: c, options: { groups: c } },
    ),
  );

  property('batch normalization of one example is instance normalization', tensors, ({ shape, c, seed }) => {
    const one = { shape: [1, ...shape.slice(1)], seed, parameters: c };
    return expectSame(backend, { name: 'batchNorm', ...one }, { name: 'instanceNorm', ...one });
  });

  const forms: readonly [FunctionName, (groups: number) => object][] = [
    ['layerNorm', () => ({})],
    ['rmsNorm', () => ({ epsilonPlacement: 'inside' })],
    ['groupNorm', (groups) => ({ groups })],
    ['instanceNorm', () => ({})],
    ['batchNorm', () => ({})],
  ];
  for (const [name, options] of forms) {
    if (name !== 'rmsNorm') {
      const shifted = fc.tuple(tensors, fc.integer({ min: -8, max: 8 }));
      property(`${name} does not see a shift`, shifted, async ([{ shape, c, groups, seed }, shift]) => {
        const plain = { name, shape, seed, parameters: c, options: options(groups) };
        await expectSame(backend, plain, { ...plain, shift });
      });
    }

    const scaled = fc.tuple(tensors, fc.constantFrom(0.25, 2, 16));
    property(`${name} does not see a scale`, scaled, async ([{ shape, c, groups, seed }, factor]) => {
      const plain: FunctionCase = { name, shape, seed, parameters: c, options: { ...options(groups), epsilon: 0.01 } };
      const other = { ...plain, factor, options: { ...options(groups), epsilon: 0.01 * factor ** 2 } };
      const [a, b] = [await backend.run('applyFunction', plain), await backend.run('applyFunction', other)];
      for (const what of ['y', 'dgamma', 'dbeta'] as const) {
        expect(b.value[what]).toBeClose(a.value[what]!, { ...EQUAL, what });
      }
      expect(b.value.dx).toBeClose(
        a.value.dx!.map((v) => v / factor),
        EQUAL,
      );
    });

    const moved = fc.tuple(tensors, fc.nat());
    property(`${name} works along any axis`, moved, async ([{ shape, c, groups, seed }, where]) => {
      const axis = 1 + (where % (shape.length - 1));
      const last = shape.length - 1;
      // The last axis goes to `axis`; the batch stays in front.
      const order = axesOf(shape).slice(0, -1);
      order.splice(axis, 0, last);
      const plain = { name, shape, seed, parameters: c, options: options(groups) };
      await expectSame(backend, plain, { ...plain, order, options: { ...options(groups), axis } });
    });
  }

  test.each(['layerNorm', 'rmsNorm', 'groupNorm', 'instanceNorm', 'batchNorm'] as const)(
    '%s of integers is that of the same numbers',
    async (name) => {
      const { value, leaked } = await backend.run('applyToIntegers', { name });
      expect(value.integers).toBeClose(value.floats!, { ofMax: 1e-6 });
      expect(value.cast).toBeClose(value.floats!, { ofMax: 1e-6 });
      expect(leaked).toEqual({ tensors: 0, data: 0 });
    },
  );

  test('what is centred has a gradient that sums to 0 over each group', async () => {
    const { value } = await backend.run('applyFunction', {
      name: 'groupNorm',
      shape: [3, 5, 6],
      seed: 3,
      options: { groups: 2 },
    });
    const sums = new Float64Array(6);
    value.dx!.forEach((v, i) => {
      sums[2 * Math.floor(i / 30) + Math.floor((i % 6) / 3)]! += v;
    });
    expect(sums).toBeClose(new Float64Array(6), { atol: 1e-6 });
  });
});
