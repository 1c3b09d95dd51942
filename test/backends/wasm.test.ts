/**
 * What only the wasm backend has: builds with and without SIMD and threads, and a heap, on which our kernels leave nothing, which may
 * move at each allocation, and which may be full. That results are right is tested where the results of all backends are.
 */
import { afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { type BackendWasm, setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { run } from '../../kernels/core/registry.ts';
import { instantiate, PLACEMENTS } from '../../kernels/simd/kernels.ts';
import { heapOf, type WasmPort } from '../../kernels/wasm/backend.ts';
import { wasm } from '../../kernels/wasm/index.ts';
import { batchNorm, layerNorm, registerKernels, spectralNorm } from '../../layers/index.ts';
import { type BackendName, describeBackends } from '../support/backends.ts';
import { normalizeInputs } from '../support/inputs.ts';
import * as oracle from '../support/oracle.ts';
import { normals } from '../support/random.ts';
import { KINDS, named, VIEWS, WIDE } from '../support/views.ts';

const BUILDS: readonly [title: string, only: BackendName, flags: Record<string, boolean>, build: object][] = [
  ['the build with SIMD', 'browser-wasm', {}, { isThreaded: false, isShared: false }],
  ['the plain build', 'browser-wasm', { WASM_HAS_SIMD_SUPPORT: false }, { isThreaded: false, isShared: false }],
  ['the build with threads', 'threaded-wasm', {}, { isThreaded: true, isShared: true }],
];

for (const [title, only, flags, build] of BUILDS) {
  describeBackends(
    title,
    ({ run }) => {
      test('has our kernels', async () => {
        expect((await run('wasmBuild', {})).value).toEqual({ ...build, fused: true });
      });

      test.each(named([...KINDS, ...WIDE, ...VIEWS.slice(0, 12)]))('normalizes, %s', async (_, view) => {
        const options = { epsilon: 1e-3, epsilonPlacement: 'inside', center: true, rescale: true } as const;
        const inputs = { ...view, ...options, gamma: true, beta: true, mean: 1e4 };
        const { value, leaked } = await run('normalize', { route: 'kernel', ...inputs });
        const { x, dy, gamma, beta } = normalizeInputs(inputs);
        expect(value.y).toBeClose(oracle.normalize(x, gamma, beta, inputs).y, { ofMax: 1e-6 });
        const { dgamma, dbeta } = oracle.normalizeGrad(dy, x, gamma, inputs);
        expect(value.dgamma).toBeClose(dgamma, { ofMax: 1e-6 });
        expect(value.dbeta).toBeClose(dbeta, { ofMax: 1e-6 });
        expect(leaked).toEqual({ tensors: 0, data: 0 });
      });

      test.each([
        [1, 1, 1],
        [2, 3, 5],
        [3, 17, 18],
        [2, 4, 4],
        [1, 33, 64],
        [2, 64, 33],
      ] as const)('swaps the axes of [%d, %d, %d]', async (n, a, b) => {
        const { value, leaked } = await run('swapAxes', { n, a, b });
        const expected = Array.from({ length: n * a * b }, (_, i) => {
          const [sample, column, row] = [Math.floor(i / (a * b)), Math.floor(i / a) % b, i % a];
          return sample * a * b + row * b + column;
        });
        expect(Array.from(value)).toEqual(expected);
        expect(leaked).toEqual({ tensors: 0, data: 0 });
      });

      test.each([1, 2])('has the gradients of training, at strides of %d', async (strides) => {
        const { values, expected } = (await run('trainingGradients', { size: 8, strides })).value;
        expect(values).toHaveLength(4);
        for (const [i, gradient] of values.entries()) expect(gradient).toBeClose(expected[i]!, { ofMax: 1e-6 });
      });

      test('turns the vectors of a power iteration', async () => {
        const args = { rest: 33, out: 65, first: 'u', iterations: 2, epsilon: 0, scale: 1, route: 'kernel' } as const;
        const { value } = await run('powerIteration', args);
        expect(Math.hypot(...(value.u as Float32Array))).toBeCloseTo(1, 5);
        expect(Number(value.sigma![0])).toBeGreaterThan(0);
      });
    },
    { only: [only], flags },
  );
}

describe('the heap', () => {
  let backend: WasmPort & tf.KernelBackend;
  beforeAll(async () => {
    setThreadsCount(1);
    setWasmPaths(require.resolve('@tensorflow/tfjs-backend-wasm').replace(/[^/\\]*$/, ''));
    await tf.setBackend('wasm');
    backend = tf.backend() as typeof backend;
    // Emscripten replaces its functions when they first run, and would replace what stands in for them.
    backend.wasm._free(backend.wasm._malloc(8));
    ({ _malloc: malloc, _free: free } = backend.wasm);
  });

  /** The backend's own. */
  let malloc: WasmPort['wasm']['_malloc'];
  let free: WasmPort['wasm']['_free'];
  /** Addresses that were taken and not freed. */
  let taken: Set<number>;
  beforeEach(() => {
    taken = new Set();
    jest.spyOn(backend.wasm, '_malloc').mockImplementation((bytes) => {
      const address = malloc(bytes);
      taken.add(address);
      return address;
    });
    jest.spyOn(backend.wasm, '_free').mockImplementation((address) => {
      taken.delete(address);
      free(address);
    });
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  const held = () => ({ taken: taken.size, data: backend.numDataIds(), tensors: tf.memory().numTensors });
  const size = () => backend.wasm.HEAPU8.length;
  const gradients = tf.grads((x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => layerNorm(x, { gamma, beta }));
  const inputs = (rows: number, c: number) => [
    tf.tensor(normals(1, rows * c), [rows, c]),
    tf.tensor(normals(2, c)),
    tf.tensor(normals(3, c)),
  ];

  test('is as it was after a thousand steps', () => {
    const given = inputs(33, 65);
    const kernel = tf.tensor(normals(4, 30), [6, 5]);
    const step = () => {
      tf.dispose(gradients(given));
      tf.dispose(spectralNorm(kernel, { u: tf.tidy(() => tf.ones([1, 5])) }).sigma);
    };
    tf.tidy(step);
    const [before, bytes] = [held(), size()];
    for (let i = 0; i < 1000; i++) tf.tidy(step);
    expect(held()).toEqual(before);
    expect(size()).toBe(bytes);
    tf.dispose([given, kernel]);
  });

  test('may grow between a forward and its gradient, and while outputs are made', () => {
    const given = inputs(64, 128);
    const right = gradients(given).map((t) => t.dataSync());
    const buffer = backend.wasm.HEAPU8.buffer;
    const others: tf.Tensor[] = [];
    const grown = tf.grads((x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => {
      const y = layerNorm(x, { gamma, beta });
      others.push(tf.keep(tf.zeros([2 ** 22 + 1])));
      return y;
    })(given);
    expect(backend.wasm.HEAPU8.buffer).not.toBe(buffer);
    for (const [i, values] of right.entries()) expect(grown[i]!.dataSync()).toEqual(values);

    // Every allocation moves it.
    jest.spyOn(backend.wasm, '_malloc').mockImplementation((bytes) => {
      const between = malloc(size() - 2 ** 20);
      const address = malloc(bytes);
      free(between);
      return address;
    });
    const before = size();
    const [x, gamma, beta] = given as [tf.Tensor, tf.Tensor, tf.Tensor];
    const variance = tf.tidy(() => tf.square(beta));
    const normalized = () => [layerNorm(x, { gamma, beta }), batchNorm(x, { mean: beta, variance, gamma, beta }).y];
    const read = () => tf.tidy(() => normalized().map((y) => y.dataSync()));
    const moved = read();
    expect(size()).toBeGreaterThan(before);
    jest.restoreAllMocks();
    expect(moved).toEqual(read());
    variance.dispose();
    tf.dispose([given, others, grown]);
  });

  test('keeps nothing of a call that fails, and the message says why', () => {
    const name = 'tfjs-normalizations/2/NormalizeGrad';
    const [x, gamma] = inputs(5, 6) as [tf.Tensor, tf.Tensor];
    const integers = tf.zeros([2, 5], 'int32');
    const attrs = { view: { n: 5, s: 1, c: 6, groups: 1 }, epsilon: 0, epsilonPlacement: 'inside', affine: true };
    const before = held();
    expect(() => tf.engine().runKernel(name, { dy: x, x, gamma, statistics: integers }, attrs)).toThrow(
      'tfjs-normalizations: kernels take float32 tensors; received one of int32; cast it',
    );
    expect(held()).toEqual(before);
    tf.dispose([x, gamma, integers]);
  });

  test.each([1, 2, 3])('may be full at allocation %d: that is said, and nothing is written', (last) => {
    const [x, gamma, beta] = inputs(5, 6) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const before = held();
    const start = backend.wasm.HEAPU8.slice(0, 64);
    const asked: number[] = [];
    const full = jest.spyOn(backend.wasm, '_malloc').mockImplementation((bytes) => {
      asked.push(bytes);
      return asked.length === last ? 0 : malloc(bytes);
    });
    let message = '';
    try {
      layerNorm(x, { gamma, beta });
    } catch (error) {
      ({ message } = error as Error);
    }
    expect(message).toMatch(
      /^tfjs-normalizations: a kernel of the wasm backend needs \d+ bytes more of its memory, which is full; dispose of/,
    );
    expect(message).toContain(` ${asked[last - 1]} bytes`);
    full.mockImplementation(malloc);
    expect(backend.wasm.HEAPU8.slice(0, 64)).toEqual(start);
    expect({ ...held(), taken: 0 }).toEqual({ ...before, taken: 0 });
    tf.dispose([x, gamma, beta]);
  });

  test('has addresses above 2 GB, which come as negative numbers', () => {
    const given = inputs(5, 6);
    const read = () => tf.tidy(() => gradients(given).map((t) => t.dataSync()));
    const right = read();
    jest.spyOn(backend.wasm, '_malloc').mockImplementation((bytes) => malloc(bytes) - 2 ** 32);
    expect(read()).toEqual(right);
    tf.dispose(given);
  });

  test.each([0, 16])('more than there can be, by %d values, is refused before it is asked for', (more) => {
    const view = { n: 0, s: 1, c: 2 ** 30 + more, groups: 1 };
    const attrs = { view, epsilon: 0, epsilonPlacement: 'inside', center: true, rescale: true } as const;
    const x = tf.zeros([0, view.c]);
    const before = held();
    expect(() => wasm.kernels.Normalize({ inputs: { x }, attrs, backend: backend as never })).toThrow(
      `needs ${2 ** 32 + 4 * more} bytes more of its memory, which is full`,
    );
    expect(held()).toEqual(before);
    x.dispose();
  });

  test('a tensor that was disposed of is named as that', () => {
    const x = tf.ones([2, 3]);
    x.dispose();
    const before = held();
    // Public functions look before, and name what is gone.
    expect(() => run('Moments', { x }, { view: { n: 2, s: 1, c: 3, groups: 1 } })).toThrow(
      'tfjs-normalizations: a tensor has no values any more; it was disposed of too early',
    );
    expect(held()).toEqual(before);
  });

  test.each(['int32', 'bool'] as const)('%s tensors are cast', (dtype) => {
    const [y, expected] = tf.tidy(() => {
      const x = tf.tensor([1, 0, 1, 1], [1, 4], dtype);
      return [layerNorm(x).dataSync(), layerNorm(tf.cast(x, 'float32')).dataSync()];
    });
    expect(y).toEqual(expected);
  });
});

describe('where the kernels cannot run', () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 2 });
  const whole = () => ({
    wasm: { wasmMemory: memory, HEAPU8: new Uint8Array(memory.buffer), _malloc: () => 8, _free: () => {} },
    dataIdMap: { get: () => ({ memoryOffset: 8 }) },
    makeOutput: () => ({}),
    disposeData: () => true,
  });
  let warn: ReturnType<typeof jest.spyOn>;
  beforeEach(() => {
    warn = jest.spyOn(console, 'warn').mockImplementation(() => {});
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });
  const supported = (backend: object) => heapOf(backend as WasmPort) !== undefined;

  test('the backend of TensorFlow.js has the members of the port', () => {
    // Compiled, not run. The types of the module itself are in another package.
    const asPort = (backend: BackendWasm): Omit<WasmPort, 'wasm'> => backend;
    expect(asPort).toBeDefined();
  });

  test('a backend with all members has them', () => {
    expect(supported(whole())).toBe(true);
    expect(warn).not.toHaveBeenCalled();
  });

  test.each([
    ['no members', () => ({})],
    ['no module', () => ({ ...whole(), wasm: null })],
    ['no memory', () => ({ ...whole(), wasm: { ...whole().wasm, wasmMemory: undefined } })],
    ['no allocator', () => ({ ...whole(), wasm: { ...whole().wasm, _malloc: undefined } })],
    ['no map of tensors', () => ({ ...whole(), dataIdMap: undefined })],
    ['no makeOutput', () => ({ ...whole(), makeOutput: undefined })],
    ['another memory', () => ({ ...whole(), wasm: { ...whole().wasm, HEAPU8: new Uint8Array(8) } })],
  ])('%s: no support, which is said once', (_, make) => {
    const backend = make();
    expect(supported(backend)).toBe(false);
    expect(supported(backend)).toBe(false);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]![0]).toContain('ordinary TensorFlow.js ops take their place');
  });

  test('no SIMD: no support', () => {
    jest.spyOn(WebAssembly, 'Module').mockImplementation(() => {
      throw new WebAssembly.CompileError('Wasm SIMD unsupported');
    });
    expect(supported(whole())).toBe(false);
    expect(warn.mock.calls[0]![0]).toContain('Wasm SIMD unsupported');
  });

  test('ordinary ops run instead', async () => {
    tf.registerBackend('no-heap', tf.findBackendFactory('cpu') as () => tf.KernelBackend);
    tf.copyRegisteredKernels('cpu', 'no-heap');
    for (const { kernelName } of tf.getKernelsForBackend('no-heap')) {
      if (kernelName.startsWith('tfjs-normalizations/')) tf.unregisterKernel(kernelName, 'no-heap');
    }
    registerKernels('no-heap', 'wasm');
    await tf.setBackend('no-heap');
    const { kernelNames, result } = await tf.profile(() => layerNorm(tf.tensor2d([[1, 2, 3, 4]])));
    expect(kernelNames.filter((name) => name.startsWith('tfjs-normalizations/'))).toEqual([]);
    expect((result as tf.Tensor).dataSync()).toBeClose([-1.3411, -0.447, 0.447, 1.3411], { atol: 1e-4 });
  });
});

test('kernels compute the same above 2 GB, where addresses are negative to WebAssembly', () => {
  const memory = new WebAssembly.Memory({ initial: 32770, maximum: 65536 });
  const kernels = instantiate(memory);
  const [rows, c] = [5, 67];
  const results = [65536, 2 ** 31 - 4 * c - 8, 2 ** 31 + 4096].map((start) => {
    const place = (size: number) => {
      const address = next;
      next += 4 * size + 16;
      return address;
    };
    let next = start;
    const x = place(rows * c);
    new Float32Array(memory.buffer, x, rows * c).set(normals(1, rows * c));
    const [dx, mean, variance, gamma, dgamma, dbeta] = [rows * c, rows, rows, c, c, c].map(place) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    new Float32Array(memory.buffer, gamma, c).fill(2);
    next = Math.ceil(next / 16) * 16;
    const form = place(kernels.formSize(c, 0, true) / 4);
    kernels.describe(form, 1, c, 1, 0, gamma, gamma, true, PLACEMENTS.inside, 1e-3, true);
    kernels.rowsForward(form, x, 0, 0, dx, mean, variance, rows);
    kernels.rowsBackward(form, dx, x, 0, dx, mean, variance, rows);
    kernels.parameterGradients(form, dgamma, dbeta);
    return [dx, mean, variance, dgamma].map((address) => [...new Float32Array(memory.buffer, address, 5)]);
  });
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
  expect(results[0]!.flat().every(Number.isFinite)).toBe(true);
});
