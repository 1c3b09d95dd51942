/** What only WebGL has: exact draws, one program for all shapes, any upstream tensor, 16-bit textures, a lost context. */
import { describe, expect, test } from '@jest/globals';
import { momentsIn } from '../../kernels/core/numbers.ts';
import type { DrawCase } from '../cases/webgl.ts';
import { describeBackends } from '../support/backends.ts';
import { averageInputs, type Inputs, type NormalizeInputs, normalizeInputs } from '../support/inputs.ts';
import * as oracle from '../support/oracle.ts';
import { SOURCE_NAMES } from '../support/webgl-sources.ts';

const usual = { center: true, rescale: true };
const rms = { center: false, rescale: true };
const rows = (n: number, c: number) => ({ shape: [n, c], view: { n, s: 1, c, groups: 1 } });
const image = (groups: number, batch = false, [n, height, width, c] = [8, 32, 32, 64]) => ({
  shape: [n!, height!, width!, c!],
  view: batch ? { n: 1, s: n! * height! * width!, c: c!, groups: c! } : { n: n!, s: height! * width!, c: c!, groups },
});
const conditional = ({ shape, view }: Omit<DrawCase, 'form'>, rowsPerCondition: number): DrawCase => ({
  shape,
  view: { ...view, rowsPerCondition },
  form: usual,
});

const DRAWS: [string, DrawCase, forward: number, both: number][] = [
  ['layer normalization of [512, 768]', { ...rows(512, 768), form: usual }, 2, 7],
  ['layer normalization of [2048, 256]', { ...rows(2048, 256), form: usual }, 2, 7],
  ['RMS normalization of [512, 768]', { ...rows(512, 768), form: rms }, 2, 7],
  ['RMS normalization of [2048, 256]', { ...rows(2048, 256), form: rms }, 2, 7],
  ['batch normalization of [8, 32, 32, 64]', { ...image(64, true), form: usual }, 3, 7],
  ['instance normalization of [8, 32, 32, 64]', { ...image(64), form: usual }, 3, 8],
  ['group normalization of [8, 32, 32, 64]', { ...image(8), form: usual }, 3, 8],
  // A row of gamma and beta for each example.
  ['adaptive layer normalization of [4, 64, 256]', conditional({ ...rows(256, 256), shape: [4, 64, 256] }, 64), 2, 7],
  ['conditional batch normalization of [8, 32, 32, 64]', conditional(image(64, true), 32 * 32), 3, 7],
  ['conditional instance normalization of [8, 32, 32, 64]', conditional(image(64), 32 * 32), 3, 8],
  ['conditional group normalization of [8, 32, 32, 64]', conditional(image(8), 32 * 32), 3, 8],
];

const only = ['webgl'] as const;

describeBackends(
  'WebGL',
  (backend) => {
    test.each(DRAWS)('draws of %s', async (_, args, forward, both) => {
      const { value } = await backend.run('normalizeDraws', args);
      expect(value).toEqual({ forward, both });
    });

    test.each(['layer', 'rms'] as const)('a sum and its normalization, %s: no more draws than apart', async (kind) => {
      const { value } = await backend.run('residualDraws', { kind });
      // The gradient of the sum joins dx where that is written.
      expect(value.fused).toBe(value.apart - 1);
    });

    test('draws of the other kernels, and of batch normalization with its moving averages', async () => {
      const { value } = await backend.run('otherDraws', { shape: [8, 32, 32, 64] });
      expect(value).toEqual({
        moments: 2,
        scaleShift: 1,
        scaleShiftGrad: expect.any(Number),
        inference: 1,
        training: 5,
        trainingAndGradient: 9,
      });
      expect(value.scaleShiftGrad).toBeLessThanOrEqual(4);
    });

    test.each<[string, DrawCase, DrawCase]>([
      ['rows', { ...rows(33, 48), form: usual }, { ...rows(70, 96), form: usual }],
      ['batch', { ...image(8, true, [2, 8, 8, 8]), form: usual }, { ...image(16, true, [4, 12, 8, 16]), form: usual }],
      [
        'groups',
        { ...image(4, false, [2, 8, 8, 8]), form: usual },
        { ...image(4, false, [4, 12, 8, 16]), form: usual },
      ],
    ])('%s of another shape compile nothing', async (_, first, second) => {
      const { value } = await backend.run('programsOfTwoShapes', { first, second });
      expect(value.first).toBeGreaterThan(0);
      expect(value.second).toBe(value.first);
    });

    describe.each(SOURCE_NAMES)('on the result of %s', (source) => {
      // Without positions, as in a matrix, instance normalization gives beta, and a gradient of 0. The channels of some
      // sources are equal, so that rows give beta, too.
      const hasPositions = !['matMul', 'sliceOfRows'].includes(source);
      test.each([
        ['rows', true],
        ['batch', true],
        ['batch', false],
        ...(hasPositions ? ([['instance', true]] as const) : []),
      ] as const)('%s, gamma and beta: %p', async (kind, affine) => {
        const { value, leaked } = await backend.run('fromStockOp', { source, kind, affine });
        expect(leaked).toEqual({ tensors: 0, data: 0 });
        expect(value.y![0]).toBeLessThan(5e-6);
        expect(value.dx![0]).toBeLessThan(2e-5);
        // Stock ops read the padding of what we write.
        expect(value.products![0]).toBeLessThan(1e-5);
      });
    });

    test.each(DRAWS)('%s leaves no textures', async (_, args) => {
      const { value } = await backend.run('gpuBytes', args);
      expect(value.after).toBe(value.before);
    });

    test.each<[string, DrawCase]>([
      ['rows', { ...rows(33, 48), form: usual }],
      ['batch', { ...image(8, true, [2, 8, 8, 8]), form: usual }],
      ['groups', { ...image(4, false, [2, 8, 8, 8]), form: usual }],
    ])('%s: the gradient after the moments were on another backend', async (_, args) => {
      const { value, leaked } = await backend.run('afterMoving', args);
      for (const dx of [value.actual, value.ofCpu]) expect(dx).toBeClose(value.expected, { ofMax: 1e-5 });
      expect(leaked).toEqual({ tensors: 0, data: 0 });
    });

    test.each([
      [3, 0],
      [0, 3],
    ])('a tensor of [%d, %d] has no texture, and needs none', async (n, c) => {
      const { value, leaked, kernels } = await backend.run('ofNothing', { ...rows(n, c), form: usual });
      expect(value).toBe('no error');
      expect(kernels.filter((name) => name.startsWith('tfjs-normalizations/'))).toEqual([]);
      expect(leaked).toEqual({ tensors: 0, data: 0 });
    });

    test('a shader that does not compile is an error that says so', async () => {
      const { value, leaked } = await backend.run('afterShaderFailure', {});
      expect(value).toMatch(/tfjs-normalizations: the WebGL program '.*' could not run: .*compile/);
      expect(leaked.tensors).toBe(0); // TensorFlow.js keeps a record of the output that it prepared
    });

    // The last test of this page.
    test('a lost context is an error that says so', async () => {
      const { value } = await backend.run('afterContextLoss', {});
      expect(value).toMatch(/tfjs-normalizations: the WebGL program '.*' could not run: the WebGL context is lost/);
    });
  },
  { only, ownPage: true },
);

describeBackends(
  'WebGL with textures whose rows are not those of tensors',
  (backend) => {
    test.each(['batch', 'instance'] as const)('%s', async (kind) => {
      const { value, leaked } = await backend.run('fromStockOp', { source: 'exp', kind, affine: true });
      expect(leaked).toEqual({ tensors: 0, data: 0 });
      expect(value.y![0]).toBeLessThan(5e-6);
      expect(value.dx![0]).toBeLessThan(2e-5);
      expect(value.products![0]).toBeLessThan(1e-5);
    });
  },
  { only, flags: { WEBGL_MAX_TEXTURE_SIZE: 36 } },
);

describeBackends(
  'WebGL with 16-bit textures',
  (backend) => {
    const views: [string, Inputs['view']][] = [
      ['rows', { n: 9, s: 1, c: 65, groups: 1 }],
      ['batch', { n: 1, s: 66, c: 7, groups: 7 }],
      ['instance', { n: 3, s: 25, c: 6, groups: 6 }],
      ['groups', { n: 2, s: 25, c: 6, groups: 2 }],
    ];
    describe.each(views)('%s', (_, view) => {
      test.each([1e-3, 1e-6, 1e-12])('epsilon %d: values of mean 1000 and deviation 300', async (epsilon) => {
        const args: NormalizeInputs = {
          ...{ view, mean: 1000, std: 300, epsilon, epsilonPlacement: 'inside' },
          ...{ center: true, rescale: true, gamma: true, beta: true },
        };
        const { value } = await backend.run('normalize', { ...args, route: 'kernel' });
        const { x, gamma, beta, dy } = normalizeInputs(args);
        const attrs = { view, epsilon, epsilonPlacement: 'inside', center: true, rescale: true } as const;
        const expected = oracle.normalize(x, gamma, beta, attrs);
        const { dx } = oracle.normalizeGrad(dy, x, gamma, attrs);
        expect(value.y).toBeClose(expected.y, { ofMax: 2e-2 });
        expect(Array.from(value.dx!).every(Number.isFinite)).toBe(true);
        // dx is about dy / 300: the error of float16 in dy is what remains.
        expect(value.dx).toBeClose(dx, { ofMax: 5e-2 });
      });

      test.each([1e-3, 1e-12])('epsilon %d: constant rows give beta', async (epsilon) => {
        const args: NormalizeInputs = {
          ...{ view, mean: 1000, special: 'constant', epsilon, epsilonPlacement: 'inside' },
          ...{ center: true, rescale: true, gamma: true, beta: true },
        };
        const { value } = await backend.run('normalize', { ...args, route: 'kernel' });
        const beta = normalizeInputs(args).beta!;
        expect(value.y).toBeClose(
          Array.from(value.y!, (_, i) => beta[i % view.c]!),
          { ofMax: 2e-2 },
        );
        for (const values of [value.dx, value.dgamma, value.dbeta]) {
          expect(Array.from(values!).every(Number.isFinite)).toBe(true);
        }
      });
    });

    // Statistics of this backend would have columns of their own there, of which it makes more exact moments.
    test.each([
      [1, 3],
      [64, 64],
      [64, 128],
    ])('an average of %d values from statistics of others, with %d further columns', async (size, further) => {
      for (const row of [0, 1] as const) {
        const inputs = { size, further, row, momentum: 0.5 };
        const { old, statistics } = averageInputs(inputs);
        const { value, leaked } = await backend.run('average', { route: 'kernel', ...inputs });
        const average = oracle.average(old, momentsIn(statistics, size), row, inputs.momentum);
        expect(value.average).toBeClose(average, { ofMax: 1e-3 });
        expect(leaked).toEqual({ tensors: 0, data: 0 });
      }
    });
  },
  { only, flags: { WEBGL_FORCE_F16_TEXTURES: true } },
);
