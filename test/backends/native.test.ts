/**
 * What the native kernels of the backend 'tensorflow' promise beside right results, which are tested with those of the other backends:
 * that they run, one op each, and leave nothing behind; that everything wrong leads back to TensorFlow's ops; and that nothing ends a
 * process, or keeps it from ending, however often and from wherever they are loaded. The latter in processes of their own.
 */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { engine, memory, type Tensor, tensor } from '@tensorflow/tfjs';
import { run } from '../../kernels/core/registry.ts';
import { batchView, groupView, rowView, type View } from '../../kernels/core/view.ts';
import type { Binding, NodePort } from '../../kernels/node/backend.ts';
import { preferNative } from '../../kernels/node/choice.ts';
import { loadLibrary } from '../../kernels/node/library.ts';
import { nativeKernels } from '../../kernels/node/native.ts';
import { tensorflowOps } from '../../kernels/node/tensorflow-ops.ts';
import { layerNorm, normalizationKernels } from '../../layers/index.ts';
import { describeBackends } from '../support/backends.ts';
import { normals } from '../support/random.ts';

type Native = Binding & { getNumOfTensors(): number };
const FORM = { epsilon: 1e-3, epsilonPlacement: 'inside', center: true, rescale: true } as const;
const values = (shape: number[], seed: number) =>
  tensor(
    normals(
      seed,
      shape.reduce((a, b) => a * b, 1),
    ),
    shape,
  );

describeBackends(
  'native kernels',
  (backend) => {
    const port = () => engine().backend as unknown as NodePort & { binding: Native; numDataIds(): number };
    beforeAll(async () => {
      await backend.run('hasKernels', {});
    });

    test('they say that they run', () => {
      const { kernels, details } = normalizationKernels();
      expect(kernels).toBe('native');
      expect(details).toMatch(/^native: (AVX-512|AVX2|SSE4\.2|NEON), \d+ threads$/);
    });

    test.each<[string, number[], View]>([
      ['rows', [6, 8], rowView([6, 8], 1)],
      ['columns', [3, 4, 8], batchView([3, 4, 8])],
      ['groups', [2, 3, 3, 8], groupView([2, 3, 3, 8], 4)],
    ])('%s: one op for each kernel, and nothing is left', (_, shape, view) => {
      const { binding } = port();
      const ran: string[] = [];
      const inputs = [values(shape, 1), values(shape, 2), values([8], 3)] as const;
      const step = () => {
        const [x, dy, gamma] = inputs;
        const [y, statistics] = run('Normalize', { x, gamma }, { ...FORM, view }) as [Tensor, Tensor];
        const old = values([view.n * view.groups], 4);
        const results = [
          ...run('Normalize', { x }, { ...FORM, view, yOnly: true }),
          ...run('Normalize', { x, residual: dy }, { ...FORM, view }),
          ...run('NormalizeGrad', { dy, x, statistics, gamma }, { ...FORM, view, affine: true }),
          ...run('NormalizeGrad', { dy, x, statistics }, { ...FORM, view, affine: false }),
          ...run('Moments', { x }, { view }),
          ...run('Average', { old, moments: statistics }, { row: 1, momentum: 0.9 }),
        ];
        for (const t of [...results, y, statistics, old]) t.dispose();
      };
      const held = () => [binding.getNumOfTensors(), port().numDataIds(), memory().numTensors];
      step();
      const before = held();
      port().binding = Object.create(binding, {
        executeOp: {
          value: (name: string, ...rest: [never, never, never]) => {
            ran.push(name);
            return binding.executeOp(name, ...rest);
          },
        },
      });
      const known = nativeKernels((loadLibrary() as { prefix: string }).prefix);
      known.Normalize!({ inputs: { x: inputs[0] }, attrs: { ...FORM, view, yOnly: true }, backend: port() }).forEach(
        (info) => {
          (info as Tensor).dispose();
        },
      );
      port().binding = binding;
      step();
      expect(ran.map((name) => name.replace(/^TfjsNormalizations2x[0-9a-f]{12}/, ''))).toEqual(['Normalize1']);
      // One is the form of the kernels that were made here.
      expect(held()).toEqual([before[0]! + 1, ...before.slice(1)]);
      for (const t of inputs) t.dispose();
    });

    test('forms of many sizes are not kept for ever', () => {
      const count = () => port().binding.getNumOfTensors();
      const before = count();
      for (let rows = 1; rows <= 600; rows++) {
        const x = values([rows, 2], rows);
        layerNorm(x).dispose();
        x.dispose();
      }
      expect(count() - before).toBeLessThanOrEqual(256);
    });

    test('a native kernel that computes something else is not used, nor one whose op fails', () => {
      const { binding } = port();
      const choiceOf = (change: (name: string, outputs: ReturnType<Binding['executeOp']>) => typeof outputs) => {
        port().binding = Object.create(binding, {
          executeOp: {
            value: (name: string, ...rest: [never, number[], never]) => change(name, binding.executeOp(name, ...rest)),
          },
        });
        try {
          return preferNative(tensorflowOps).describe!(port());
        } finally {
          port().binding = binding;
        }
      };
      expect(choiceOf((_, outputs) => outputs)).toMatch(/^native/);
      for (const kernel of ['NormalizeGrad3', 'Moments', 'ScaleShiftGrad', 'Average']) {
        const wrong = choiceOf((name, outputs) => {
          if (!name.endsWith(kernel) || !name.startsWith('Tfjs')) return outputs;
          const { id, shape } = outputs.at(-1)!;
          const changed = Float32Array.from(binding.tensorDataSync(id), (value, i) => value + (i === 0 ? 0.01 : 0));
          const moved = { id: binding.createTensor(shape, binding.TF_FLOAT, changed), shape, dtype: binding.TF_FLOAT };
          binding.deleteTensor(id);
          return [...outputs.slice(0, -1), moved];
        });
        expect(wrong).toBe(`TensorFlow ops: ${kernel.replace(/\d/, '')} computes something else`);
      }
      const failing = choiceOf((name, outputs) => {
        if (name.startsWith('Tfjs')) throw new Error('no such op');
        return outputs;
      });
      expect(failing).toBe('TensorFlow ops: no such op');
      const onGpu = Object.create(port(), { isUsingGpuDevice: { value: true } });
      expect(preferNative(tensorflowOps).describe!(onGpu)).toBe('TensorFlow ops: TensorFlow uses a GPU');
    });

    test('an op refuses a form and inputs that do not fit, and reads nothing beyond them', () => {
      const { binding } = port();
      const { prefix } = loadLibrary() as { prefix: string };
      const tensorOf = (shape: number[], floats: Float32Array) => binding.createTensor(shape, binding.TF_FLOAT, floats);
      const form = (...numbers: number[]) => {
        const all = new Float64Array(11); // without conditions where none are given
        all.set(numbers);
        return tensorOf([22], new Float32Array(all.buffer));
      };
      const x = tensorOf([2, 3], new Float32Array(6));
      const bad: [string, number[], number][] = [
        ['Normalize1', [2, 1, 4, 1, 1, 0, 1, 2, 0, 0], 5],
        ['Normalize1', [1, 1, 3, 1, 1, 0, 1, 2, 0, 0], 5],
        ['Normalize1', [2, 1, 3, 2, 1, 0, 1, 2, 0, 0], 5],
        ['Normalize1', [2, 1, 3, 0, 1, 0, 1, 2, 0, 0], 5],
        ['Normalize1', [2, 1, -3, 1, 1, 0, 1, 2, 0, 0], 5],
        ['Normalize1', [2, 1, 3, 1, 1, 7, 1, 2, 0, 0], 5],
        ['Normalize1', [Number.NaN, 1, 3, 1, 1, 0, 1, 2, 0, 0], 5],
        ['Normalize1', [2 ** 40, 2 ** 40, 3, 1, 1, 0, 1, 2, 0, 0], 5],
        ['Normalize1', [2, 1, 3, 1, 1, 0, 1, 0, 0, 0], 5],
        ['Normalize1', [2, 1, 3, 1, 1, 0, 1, 2, 0, 0, 3], 5],
        ['Normalize1', [2, 1, 3, 1, 1, 0, 1, 2, 0, 0, -1], 5],
        ['Normalize1', [2, 1, 3, 1, 1, 0, 1, 2, 0, 0, 0.5], 5],
        ['Normalize1', [2, 1, 3, 1, 1, 0, 1, 2, 0, 0, Number.NaN], 5],
        ['Normalize3', [2, 1, 3, 1, 1, 0, 1, 2, 0, 0], 5],
        ['NormalizeGrad3', [2, 1, 3, 1, 1, 0, 1, 2 + 8, 0, 0], 6],
        ['Moments', [20, 1, 3, 1, 1, 0, 1, 2, 0, 0], 2],
        ['ScaleShift', [2, 7, 3, 1, 1, 0, 1, 2, 0, 0], 6],
        ['ScaleShiftGrad', [2, 1, 3, 1, 1, 0, 1, 2, 0, 0], 4],
        ['BlendGrad', [2, 1, 3, 1, 1, 0, 1, 2, 0, 0], 7],
        ['Average', [1, 1, 6, 1, 1, 0, 1, 6, 0.5, 1], 3],
      ];
      for (const [op, numbers, count] of bad) {
        const id = form(...numbers);
        const outputs = Number(/\d$/.exec(op)?.[0] ?? (op === 'ScaleShiftGrad' ? 2 : 1));
        const inputs = [id, ...Array.from({ length: count - 1 }, () => x)];
        expect([op, () => binding.executeOp(prefix + op, [], inputs, outputs)]).toEqual([op, expect.any(Function)]);
        expect(() => binding.executeOp(prefix + op, [], inputs, outputs)).toThrow(/form|input|size|missing|suit/);
        binding.deleteTensor(id);
      }
      binding.deleteTensor(x);
    });
  },
  { only: ['tensorflow'] },
);

const absent = process.env.TEST_NO_TENSORFLOW ?? process.env.TEST_NO_NATIVE;
(absent ? describe.skip : describe)('native kernels in processes of their own', () => {
  const library = process.env.TFJS_NORMALIZATIONS_NATIVE!;
  const folder = mkdtempSync(join(tmpdir(), 'native-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const LOAD = `
    const assert = require('node:assert');
    const load = (path) => {
      const addon = { exports: {} };
      process.dlopen(addon, path);
      return addon.exports;
    };
    const startTensorFlow = () => require(${JSON.stringify(process.env.TEST_TFJS_NODE)});
    const check = (tf, prefix, n = 4096) => {
      const { binding } = tf.backend();
      const form = binding.createTensor([22], 1, new Float32Array(Float64Array.of(n, 1, 64, 1, 0, 0, 1, 2, 0, 0, 0).buffer));
      const x = binding.createTensor([n, 64], 1, Float32Array.from({ length: 64 * n }, (_, i) => i % 2));
      const [y] = binding.executeOp(prefix + 'Normalize1', [], [form, x, form, form, form], 1);
      assert.ok(binding.tensorDataSync(y.id).every((value, i) => value === (i % 2 ? 1 : -1)));
    };`;

  /** What a script prints, which must end by itself and well. */
  async function outputOf(script: string, env: Record<string, string> = {}): Promise<string> {
    const path = join(folder, `script-${Math.random()}.cjs`);
    writeFileSync(path, LOAD + script);
    const options = { timeout: 240_000, env: { ...process.env, ...env } };
    const { stdout } = await promisify(execFile)(process.execPath, [path], options);
    return stdout.trim();
  }

  test('two copies of the file, each loaded twice, share the ops; what an exit does not wait for', async () => {
    const copy = join(folder, 'copy.node');
    copyFileSync(library, copy);
    const script = `
      const tf = startTensorFlow();
      const loaded = [${JSON.stringify(library)}, ${JSON.stringify(copy)}].flatMap((path) => [load(path), load(path)]);
      for (const { prefix } of loaded) check(tf, prefix);
      console.log(new Set(loaded.map(({ prefix }) => prefix)).size, loaded[0].threads);`;
    expect(await outputOf(script, { OMP_NUM_THREADS: '2', TF_NUM_INTRAOP_THREADS: '' })).toMatch(/^1 [12]$/);
    expect(await outputOf(script, { OMP_NUM_THREADS: '', TF_NUM_INTRAOP_THREADS: '1' })).toBe('1 1');
  });

  test('worker threads load it at the same time, from two places, and may end before others', async () => {
    const copy = join(folder, 'of-workers.node');
    copyFileSync(library, copy);
    const script = `
      const { isMainThread, Worker, workerData } = require('node:worker_threads');
      if (isMainThread) {
        const start = (path) => new Promise((resolve, reject) => {
          new Worker(__filename, { workerData: path }).on('error', reject).on('exit', resolve);
        });
        const paths = [${JSON.stringify(library)}, ${JSON.stringify(copy)}];
        Promise.all([...paths, ...paths].map(start)).then((codes) => {
          check(startTensorFlow(), load(paths[0]).prefix);
          console.log(codes.join(''));
        });
      } else {
        check(startTensorFlow(), load(workerData).prefix);
      }`;
    expect(await outputOf(script)).toBe('0000');
  });

  test('without libtensorflow it says so', async () => {
    const script = `console.log(load(${JSON.stringify(library)}).problem);`;
    expect(await outputOf(script)).toBe('libtensorflow has not all functions that are needed');
  });
});

describe('what is in the way of native kernels', () => {
  const variable = 'TFJS_NORMALIZATIONS_NATIVE';
  const before = process.env[variable];
  afterAll(() => {
    if (before === undefined) delete process.env[variable];
    else process.env[variable] = before;
  });

  test.each([
    ['turned off', '0', /TFJS_NORMALIZATIONS_NATIVE is 0/],
    ['no file', '/nowhere/there.node', /there is no \/nowhere\/there\.node; npx tfjs-normalizations build-native/],
    ['another file', __filename, /libtensorflow is not loaded|invalid ELF header/],
  ])('%s', (_, value, reason) => {
    process.env[variable] = value;
    expect(loadLibrary()).toMatch(reason);
  });
});
