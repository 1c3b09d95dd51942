/** What only WebGPU has: few dispatches, one pipeline for all shapes, buffers that are given back, limits, a lost device. */
import { describe, expect, test } from '@jest/globals';
import type { DrawCase } from '../cases/webgl.ts';
import { describeBackends } from '../support/backends.ts';
import { type NormalizeInputs, normalizeInputs } from '../support/inputs.ts';
import * as oracle from '../support/oracle.ts';

const usual = { center: true, rescale: true };
const rms = { center: false, rescale: true };
const rows = (n: number, c: number) => ({ shape: [n, c], view: { n, s: 1, c, groups: 1 } });
const image = (groups: number, batch = false, [n, height, width, c] = [8, 32, 32, 64]) => ({
  shape: [n!, height!, width!, c!],
  view: batch ? { n: 1, s: n! * height! * width!, c: c!, groups: c! } : { n: n!, s: height! * width!, c: c!, groups },
});

/** With workgroups of 256 invocations, which is what runs on a GPU, and with 32. */
const DISPATCHES: [string, DrawCase, on256: [forward: number, both: number], on32: [forward: number, both: number]][] =
  [
    ['layer normalization of [512, 768]', { ...rows(512, 768), form: usual }, [1, 3], [1, 3]],
    ['layer normalization of [2048, 256]', { ...rows(2048, 256), form: usual }, [1, 3], [1, 3]],
    ['RMS normalization of [512, 768]', { ...rows(512, 768), form: rms }, [1, 3], [1, 3]],
    ['batch normalization of [8, 32, 32, 64]', { ...image(64, true), form: usual }, [1, 3], [2, 6]],
    ['instance normalization of [8, 32, 32, 64]', { ...image(64), form: usual }, [1, 3], [1, 4]],
    ['group normalization of [8, 32, 32, 64]', { ...image(8), form: usual }, [1, 3], [1, 4]],
  ];
const KINDS: [string, DrawCase][] = [
  ['rows', { ...rows(33, 48), form: usual }],
  ['batch', { ...image(8, true, [2, 8, 8, 8]), form: usual }],
  ['instance', { ...image(8, false, [2, 8, 8, 8]), form: usual }],
  ['groups', { ...image(4, false, [2, 8, 8, 8]), form: usual }],
  ['long batch', { ...image(4, true, [2, 64, 32, 4]), form: usual }],
  ['long rows', { ...rows(2, 9000), form: usual }],
];
const SAME = { tensors: 0, data: 0 };
const LOST = /tfjs-normalizations: the WebGPU program '.*' could not run: the device is lost/;

describeBackends(
  'WebGPU',
  (backend) => {
    test('every program compiles without a warning', async () => {
      const { value, leaked } = await backend.run('compileAll', {});
      expect(value.messages).toEqual([]);
      expect(value.names).toEqual(
        expect.arrayContaining([
          ...['normalize', 'statistics', 'statistics of parts', 'gradient of x', 'sums', 'sums of parts'],
          ...['sum of parts', 'scale and shift', 'gradient of a blend', 'moving average', 'direction of a vector'],
          'length of parts of a vector',
        ]),
      );
      expect(leaked).toEqual(SAME);
    });

    test('no program needs more storage in a workgroup than every device has', async () => {
      const { value } = await backend.run('workgroupStorage', {});
      expect(value).toBe(16_384);
    });

    test.each(DISPATCHES)('dispatches of %s', async (_, args, on256, on32) => {
      for (const [workgroup, [forward, both]] of [[256, on256] as const, [32, on32] as const]) {
        const { value } = await backend.run('normalizeDispatches', { ...args, workgroup });
        expect(value).toEqual({ forward, both });
      }
    });

    test.each(['layer', 'rms'] as const)(
      'a sum and its normalization, %s: fewer dispatches than apart',
      async (kind) => {
        const { value } = await backend.run('residualDispatches', { kind });
        // The gradient of the sum joins dx where that is written.
        expect(value.fused).toBe(value.apart - 1);
      },
    );

    test('dispatches of the other kernels, and of batch normalization with its moving averages', async () => {
      const { value } = await backend.run('otherDispatches', { shape: [8, 32, 32, 64], workgroup: 256 });
      expect(value).toEqual({
        moments: 1,
        scaleShift: 1,
        scaleShiftGrad: 1,
        inference: 1,
        training: 3,
        trainingAndGradient: 5,
      });
    });

    test.each<[string, DrawCase, DrawCase]>([
      ['rows', { ...rows(33, 48), form: usual }, { ...rows(1, 96), form: usual }],
      ['batch', { ...image(8, true, [2, 8, 8, 8]), form: usual }, { ...image(1, true, [1, 12, 8, 1]), form: usual }],
      [
        'groups',
        { ...image(4, false, [2, 8, 8, 8]), form: usual },
        { ...image(4, false, [4, 12, 8, 12]), form: usual },
      ],
      [
        'groups in fours',
        { ...image(2, false, [2, 8, 8, 8]), form: usual },
        { ...image(4, false, [4, 12, 8, 32]), form: usual },
      ],
    ])('%s of another shape compile nothing', async (_, first, second) => {
      const { value } = await backend.run('pipelinesOfTwoShapes', { first, second });
      expect(value.first).toBeGreaterThan(0);
      expect(value.second).toBe(value.first);
    });

    test.each(KINDS)('%s leave no buffers', async (_, args) => {
      const { value } = await backend.run('gpuBuffers', args);
      expect(value.after).toBe(value.before);
    });

    test.each(KINDS)('%s: the gradient with statistics of another backend', async (_, args) => {
      const { value, leaked } = await backend.run('withForeignStatistics', args);
      expect(value.actual).toEqual(value.expected);
      expect(leaked).toEqual(SAME);
    });

    describe.each([256, 16, 1])('in workgroups of %d invocations', (workgroup) => {
      test.each<[string, NormalizeInputs['view']]>([
        ['rows', { n: 5, s: 1, c: 777, groups: 1 }],
        ['short rows', { n: 70, s: 1, c: 6, groups: 1 }],
        ['rows, several at once for each lane', { n: 128, s: 1, c: 512, groups: 1 }],
        ['rows with conditions, several at once', { n: 128, s: 1, c: 512, groups: 1, rowsPerCondition: 64 }],
        ['channels, several at once', { n: 127, s: 1, c: 512, groups: 1 }],
        ['long rows', { n: 2, s: 1, c: 9001, groups: 1 }],
        ['very long rows', { n: 1, s: 1, c: 32_769, groups: 1 }],
        ['batch', { n: 1, s: 9001, c: 3, groups: 3 }],
        ['instance', { n: 3, s: 1100, c: 9, groups: 9 }],
        ['groups', { n: 2, s: 333, c: 24, groups: 2 }],
      ])('%s, whole or in parts, with a mean of 1e4', async (_, view) => {
        const args: NormalizeInputs = {
          ...{ view, mean: 1e4, epsilon: 1e-3, epsilonPlacement: 'inside' },
          ...{ center: true, rescale: true, gamma: true, beta: true },
        };
        const { value, leaked } = await backend.run('normalizeInWorkgroups', { ...args, route: 'kernel', workgroup });
        const { x, gamma, beta, dy } = normalizeInputs(args);
        const { dx, dgamma, dbeta } = oracle.normalizeGrad(dy, x, gamma, args);
        expect(value.y).toBeClose(oracle.normalize(x, gamma, beta, args).y, { ofMax: 1e-6 });
        expect(value.dx).toBeClose(dx, { ofMax: 3e-6 });
        expect(value.dgamma).toBeClose(dgamma, { ofMax: 3e-6 });
        expect(value.dbeta).toBeClose(dbeta, { ofMax: 3e-6 });
        expect(leaked).toEqual(SAME);
      });
    });

    describe('more workgroups than fit into one dimension', () => {
      const args: NormalizeInputs = {
        ...{ view: { n: 70_000, s: 1, c: 33, groups: 1 }, epsilon: 1e-3, epsilonPlacement: 'inside' },
        ...{ center: true, rescale: true, gamma: true, beta: true },
      };
      test('are spread over two', async () => {
        const { value } = await backend.run('normalize', { ...args, route: 'kernel' });
        const { x, gamma, beta, dy } = normalizeInputs(args);
        expect(value.y).toBeClose(oracle.normalize(x, gamma, beta, args).y, { ofMax: 3e-6 });
        const { dx, dgamma } = oracle.normalizeGrad(dy, x, gamma, args);
        expect(value.dx).toBeClose(dx, { ofMax: 3e-6 });
        expect(value.dgamma).toBeClose(dgamma, { ofMax: 3e-6 });
      });
    });

    test('two models that are trained at the same time do not touch each other', async () => {
      const { value } = await backend.run('trainTwoModels', {});
      expect(value.together).toEqual(value.alone);
      expect(value.alone.flat().every(Number.isFinite)).toBe(true);
    });

    test('a tensor that the device does not bind is an error that says so', async () => {
      const { value, leaked } = await backend.run('overTheLimit', {});
      expect(value).toMatch(
        /tfjs-normalizations: the WebGPU program '.*' could not run: a tensor \[2,4\] of 32 bytes is larger than the 16 .*; use smaller batches, .*setBackend\('webgl'\)$/,
      );
      expect(leaked).toEqual(SAME);
    });

    // The last test of this page.
    test('a lost device is an error that says so', async () => {
      const { value } = await backend.run('afterDeviceLoss', { isFirst: false });
      expect(value.before).toBe('no error');
      expect(value.after).toMatch(LOST);
    });
  },
  { only: ['webgpu'], ownPage: true },
);

describeBackends(
  'WebGPU whose device is lost before a kernel has run',
  (backend) =>
    test('an error says so', async () => {
      expect((await backend.run('afterDeviceLoss', { isFirst: true })).value.after).toMatch(LOST);
    }),
  { only: ['webgpu'], ownPage: true },
);
