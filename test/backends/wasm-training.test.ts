/**
 * Training on TensorFlow.js's wasm backend: the gradients that it lacks against those of the cpu backend, networks that learn the
 * same on both, memory, and what is registered. Geometries are generated: strides, dilations, even filters, any padding.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as fc from 'fast-check';
import { useCorrectMaxPoolGradients, useFastInputGradient } from '../../kernels/wasm-training/index.ts';
import { normals } from '../support/random.ts';

const ROOT = join(__dirname, '..', '..');
/** float32 sums of a few hundred products, in another order. */
const ROUNDING = { ofMax: 1e-6 };

beforeAll(async () => {
  setThreadsCount(1); // the threaded build does not start in Node
  setWasmPaths(require.resolve('@tensorflow/tfjs-backend-wasm').replace(/[^/\\]*$/, ''));
  if (!(await tf.setBackend('wasm'))) throw new Error('the wasm backend does not start');
});

type Shape = [number, number, number, number];
type Pair = [number, number];
interface Attrs {
  readonly strides: Pair;
  readonly dilations: Pair;
  readonly pad: 'same' | 'valid' | number | [Pair, Pair, Pair, Pair];
}
interface Convolution extends Attrs {
  readonly x: Shape;
  readonly filter: Shape;
  readonly y: Shape;
}

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
const { computeConv2DInfo } = tf.backend_util;

/** Convolutions that exist: those with an output. Strides or dilations are 1, as TensorFlow.js wants it. */
function convolutions(depthwise: boolean, withDilations = false): fc.Arbitrary<Convolution> {
  const upTo = (max: number, min = 1) => fc.integer({ min, max });
  const padding = fc.tuple(upTo(3, 0), upTo(3, 0));
  const pads: fc.Arbitrary<Attrs['pad']>[] = [
    fc.constantFrom('same', 'valid'),
    upTo(2, 0),
    fc.tuple(fc.constant<Pair>([0, 0]), padding, padding, fc.constant<Pair>([0, 0])),
  ];
  const steps = fc.tuple(upTo(3), upTo(3));
  return fc
    .record({
      x: fc.tuple(upTo(5), upTo(9), upTo(9), upTo(5)),
      filter: fc.tuple(upTo(4), upTo(4), upTo(5)),
      pad: fc.oneof(...pads),
      steps,
    })
    .map(({ x, filter: [h, w, k], pad, steps }) => {
      const filter: Shape = [h, w, x[3], k];
      const one: Pair = [1, 1];
      const attrs: Attrs = {
        pad,
        strides: withDilations ? one : steps,
        dilations: withDilations ? steps : one,
      };
      const y = computeConv2DInfo(x, filter, attrs.strides, attrs.dilations, pad, undefined, depthwise).outShape;
      return { x, filter, y, ...attrs };
    })
    .filter(({ y }) => y.every((length) => length > 0));
}

/** Random values, over and over where they are many. */
function values(seed: number, count: number): Float32Array {
  const some = normals(seed, Math.min(count, 4099));
  const all = new Float32Array(count);
  for (let from = 0; from < count; from += some.length) all.set(some.subarray(0, count - from), from);
  return all;
}

/** Runs a kernel on one backend with data of its own. */
async function run(
  backend: string,
  kernel: string,
  shapes: Readonly<Record<string, readonly number[]>>,
  attrs: object,
): Promise<tf.TypedArray> {
  await tf.setBackend(backend);
  return tf.tidy(() => {
    const inputs = Object.fromEntries(
      Object.entries(shapes).map(([name, shape], i) => [name, tf.tensor(values(i + 1, size(shape)), [...shape])]),
    );
    return (tf.engine().runKernel(kernel, inputs, attrs as never) as tf.Tensor).dataSync();
  });
}

async function expectSame(kernel: string, shapes: Record<string, readonly number[]>, attrs: object): Promise<void> {
  const expected = await run('cpu', kernel, shapes, attrs);
  expect(await run('wasm', kernel, shapes, attrs)).toBeClose(expected, { ...ROUNDING, what: kernel });
}

/** So many rows above, and columns at both sides. */
const above = (rows: number, sides: number): Attrs['pad'] => [
  [0, 0],
  [rows, 0],
  [sides, sides],
  [0, 0],
];
const channelsFirst = ([n, h, w, c]: Shape): Shape => [n, c, h, w];
const RUNS = { numRuns: 60, seed: 1 };

describe('the gradients of generated convolutions are those of cpu', () => {
  test.each(['NHWC', 'NCHW'] as const)('Conv2DBackpropFilter, %s', async (dataFormat) => {
    const order = dataFormat === 'NCHW' ? channelsFirst : (shape: Shape) => shape;
    await fc.assert(
      fc.asyncProperty(convolutions(false), async ({ x, y, filter, strides, pad }) => {
        // An explicit padding is written in the order of the axes.
        const padding = typeof pad === 'object' ? order(pad as never) : pad;
        const attrs = { strides, pad: padding, dataFormat, filterShape: filter };
        await expectSame('Conv2DBackpropFilter', { x: order(x), dy: order(y) }, attrs);
      }),
      RUNS,
    );
  });

  test('DepthwiseConv2dNativeBackpropFilter', () =>
    fc.assert(
      fc.asyncProperty(convolutions(true), ({ x, y, filter, ...attrs }) =>
        expectSame('DepthwiseConv2dNativeBackpropFilter', { x, dy: y }, { ...attrs, filterShape: filter }),
      ),
      RUNS,
    ));

  test('DepthwiseConv2dNativeBackpropInput', () =>
    fc.assert(
      fc.asyncProperty(convolutions(true), ({ x, y, filter, ...attrs }) =>
        expectSame('DepthwiseConv2dNativeBackpropInput', { dy: y, filter }, { ...attrs, inputShape: x }),
      ),
      RUNS,
    ));

  // The cpu backend's gradients leave dilations out: <dy, conv(x, filter)> = <dFilter, filter> = <dx, x> holds of the right ones.
  test('with dilations, depthwise', () =>
    fc.assert(
      fc.asyncProperty(convolutions(true, true), async ({ x, y, filter, ...attrs }) => {
        const y0 = (await run('cpu', 'DepthwiseConv2dNative', { x, filter }, attrs)) as Float32Array;
        const [x1, filter2] = [values(1, size(x)), values(2, size(filter))];
        const dot = (a: tf.TypedArray, b: tf.TypedArray) =>
          Array.from(a, (value, i) => value * b[i]!).reduce((s, v) => s + v, 0);
        const length = (a: tf.TypedArray) => Math.sqrt(dot(a, a));
        const byFilter = await run(
          'wasm',
          'DepthwiseConv2dNativeBackpropFilter',
          { x, dy: y },
          {
            ...attrs,
            filterShape: filter,
          },
        );
        const dy2 = values(2, size(y));
        expect(Math.abs(dot(byFilter, filter2) - dot(dy2, y0))).toBeLessThan(1e-5 * length(dy2) * length(y0) + 1e-5);
        const byInput = await run(
          'wasm',
          'DepthwiseConv2dNativeBackpropInput',
          { dy: y, filter },
          {
            ...attrs,
            inputShape: x,
          },
        );
        const dy1 = values(1, size(y));
        expect(Math.abs(dot(byInput, x1) - dot(dy1, y0))).toBeLessThan(1e-5 * length(dy1) * length(y0) + 1e-5);
      }),
      RUNS,
    ));

  test.each([
    ['a long sum in parts, of which the last is shorter', [9, 40, 40, 1], [2, 2, 1, 2], [1, 1]],
    ['large examples in parts, of which the last is shorter', [5, 1000, 1000, 1], [2, 2, 1, 2], [10, 10]],
    ['one that reads the padding only', [1, 4, 4, 1], [1, 1, 1, 2], [9, 1], above(5, 0)],
    ['one that reads the row above only', [1, 4, 4, 1], [1, 1, 1, 2], [9, 1], above(1, 1)],
    ['one tap, padded to the size of x', [2, 3, 3, 1], [1, 1, 1, 2], [2, 2], 1],
    ['one tap', [37, 20, 20, 3], [1, 1, 3, 5], [1, 1]],
    ['one tap with strides', [5, 7, 6, 3], [1, 1, 3, 5], [2, 3]],
  ] as [string, Shape, Shape, Pair, Attrs['pad']?][])('%s', async (_, x, filter, strides, pad = 'same') => {
    for (const depthwise of [false, true]) {
      const y = computeConv2DInfo(x, filter, strides, 1, pad, undefined, depthwise).outShape;
      const attrs = { strides, pad, dataFormat: 'NHWC', dilations: 1, filterShape: filter };
      const kernel = depthwise ? 'DepthwiseConv2dNativeBackpropFilter' : 'Conv2DBackpropFilter';
      const expected = await run('cpu', kernel, { x, dy: y }, attrs);
      // Sums of thousands of products lose more.
      expect(await run('wasm', kernel, { x, dy: y }, attrs)).toBeClose(expected, { ofMax: 4e-6, what: kernel });
    }
  });

  test('of nothing are zeros', async () => {
    const [x, dy, filterShape] = [
      [0, 4, 4, 2],
      [0, 4, 4, 3],
      [3, 3, 2, 3],
    ];
    const attrs = { strides: [1, 1], pad: 'same', dataFormat: 'NHWC', filterShape };
    expect([...(await run('wasm', 'Conv2DBackpropFilter', { x, dy }, attrs))]).toEqual(Array(54).fill(0));
  });
});

describe('the gradient of gather', () => {
  const segmentSum = async (backend: string, ids: number[], segments: number, shape: number[]) => {
    await tf.setBackend(backend);
    return tf.tidy(() => {
      const y = tf.unsortedSegmentSum(tf.tensor(normals(1, size(shape)), shape), tf.tensor1d(ids, 'int32'), segments);
      return { shape: y.shape, dtype: y.dtype, values: y.dataSync() };
    });
  };

  test('adds up rows with the same index, and leaves out indices outside', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: -2, max: 6 }), { minLength: 1, maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 }),
        fc.integer({ min: 1, max: 5 }),
        async (ids, rest, segments) => {
          const [expected, actual] = [
            await segmentSum('cpu', ids, segments, [ids.length, ...rest]),
            await segmentSum('wasm', ids, segments, [ids.length, ...rest]),
          ];
          expect(actual).toMatchObject({ shape: expected.shape, dtype: expected.dtype });
          expect(actual.values).toBeClose(expected.values, ROUNDING);
        },
      ),
      RUNS,
    ));

  test.each([0, 1, 2])('along axis %d', async (axis) => {
    const gradient = async (backend: string) => {
      await tf.setBackend(backend);
      return tf.tidy(() => {
        const [x, indices] = [tf.tensor(normals(1, 60), [3, 4, 5]), tf.tensor1d([0, 2, 2, 1], 'int32')];
        return tf
          .grad((x) => tf.sum(tf.square(tf.gather(x, indices, axis))))(x)
          .dataSync();
      });
    };
    const expected = await gradient('cpu');
    expect(await gradient('wasm')).toBeClose(expected, ROUNDING);
  });
});

/** TensorFlow.js's own, on other backends, drops factors without a summed axis: 'ab,a->a'. */
describe('einsum is the sum of products', () => {
  /** Equations of one or two factors: each axis is in some of the factors, and in the output or summed over. */
  const equations = fc
    .array(
      fc.record({ of: fc.constantFrom('x', 'y', 'xy'), isKept: fc.boolean(), size: fc.integer({ min: 1, max: 5 }) }),
      {
        minLength: 1,
        maxLength: 5,
      },
    )
    .chain((axes) => {
      const names = axes.map((_, i) => 'abcde'[i]!);
      const shuffled = (isIn: (axis: (typeof axes)[number]) => boolean) =>
        fc.shuffledSubarray(
          names.filter((_, i) => isIn(axes[i]!)),
          { minLength: axes.filter(isIn).length },
        );
      const terms = fc.tuple(...['x', 'y'].map((factor) => shuffled(({ of }) => of.includes(factor))));
      return fc.record({ terms, output: shuffled(({ isKept }) => isKept) }).map(({ terms, output }) => {
        const factors = terms.filter((term) => term.length > 0);
        const shapes = factors.map((term) => term.map((name) => axes[names.indexOf(name)]!.size));
        return { equation: `${factors.map((term) => term.join('')).join()}->${output.join('')}`, shapes };
      });
    });

  /** By its definition: for each index of all axes a product is added to the output. */
  function summed(equation: string, factors: readonly tf.Tensor[]): Float64Array {
    const [left, output] = equation.split('->') as [string, string];
    const terms = left.split(',');
    const sizes = new Map(
      terms.flatMap((term, i) => [...term].map((name, k) => [name, factors[i]!.shape[k]!] as const)),
    );
    const names = [...sizes.keys()];
    const data = factors.map((factor) => factor.dataSync());
    const sums = new Float64Array(size([...output].map((name) => sizes.get(name)!)));
    for (let at = 0; at < size([...sizes.values()]); at++) {
      let rest = at;
      const index = new Map(
        names.map((name) => {
          const own = rest % sizes.get(name)!;
          rest = Math.floor(rest / sizes.get(name)!);
          return [name, own];
        }),
      );
      const place = (term: string) => [...term].reduce((sum, name) => sum * sizes.get(name)! + index.get(name)!, 0);
      sums[place(output)]! += terms.reduce((product, term, i) => product * data[i]![place(term)]!, 1);
    }
    return sums;
  }

  test('of generated equations', async () => {
    await tf.setBackend('wasm');
    fc.assert(
      fc.property(equations, ({ equation, shapes }) =>
        tf.tidy(() => {
          const factors = shapes.map((shape, i) => tf.tensor(values(i + 1, size(shape)), shape));
          const expected = summed(equation, factors);
          expect(tf.einsum(equation, ...factors).dataSync()).toBeClose(expected, {
            ofMax: 1e-6,
            atol: 1e-5,
            what: equation,
          });
        }),
      ),
      { ...RUNS, numRuns: 200 },
    );
  });

  test('leaves nothing behind', async () => {
    await tf.setBackend('wasm');
    const [x, y] = [tf.ones([2, 3, 4]), tf.ones([4, 5])];
    const before = tf.memory().numTensors;
    const z = tf.einsum('abc,cd->dab', x, y);
    expect([z.shape, tf.memory().numTensors - before]).toEqual([[5, 2, 3], 1]);
    tf.dispose([x, y, z]);
  });

  test('sizes that do not fit are refused', async () => {
    await tf.setBackend('wasm');
    expect(() => tf.einsum('ab,bc->ac', tf.ones([2, 3]), tf.ones([4, 5]))).toThrow(/dimension/);
  });
});

describe('networks', () => {
  const { layers } = tf;
  const seeded = (seed: number) => tf.initializers.glorotUniform({ seed });
  const image = { inputShape: [12, 12, 2] };
  const small = (seed: number) => ({ filters: 4, kernelSize: 3, kernelInitializer: seeded(seed) });
  const NETWORKS: Readonly<Record<string, { input: number[]; words?: number; layers: () => tf.layers.Layer[] }>> = {
    'of convolutions': {
      input: [12, 12, 2],
      layers: () => [
        layers.conv2d({ ...small(1), ...image, padding: 'same', activation: 'relu' }),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.conv2d({ ...small(2), strides: 2, padding: 'same' }),
        layers.batchNormalization(),
        layers.reLU(),
        layers.conv2d({ ...small(3), kernelSize: 1 }),
      ],
    },
    'of convolutions with the channels first': {
      input: [2, 12, 12],
      layers: () => [layers.conv2d({ ...small(1), inputShape: [2, 12, 12], dataFormat: 'channelsFirst' })],
    },
    'of transposed convolutions': {
      input: [12, 12, 2],
      layers: () => [
        layers.conv2d({ ...small(1), ...image, strides: 2, activation: 'relu' }),
        layers.conv2dTranspose({ ...small(2), strides: 2 }),
      ],
    },
    'of one dimension': {
      input: [20, 3],
      layers: () => [
        layers.conv1d({ ...small(1), inputShape: [20, 3], activation: 'relu', padding: 'same' }),
        layers.conv1d({ ...small(2), strides: 2 }),
      ],
    },
    'of depthwise and separable convolutions': {
      input: [12, 12, 2],
      layers: () => [
        layers.depthwiseConv2d({ ...image, kernelSize: 3, depthMultiplier: 2, depthwiseInitializer: seeded(1) }),
        layers.separableConv2d({
          filters: 4,
          kernelSize: 3,
          strides: 2,
          activation: 'relu',
          depthwiseInitializer: seeded(2),
          pointwiseInitializer: seeded(3),
        }),
      ],
    },
    'of embeddings': {
      input: [6],
      words: 11,
      layers: () => [
        layers.embedding({ inputDim: 11, outputDim: 5, inputLength: 6, embeddingsInitializer: seeded(1) }),
        layers.conv1d({ ...small(2) }),
      ],
    },
  };

  const BATCH = 8;
  const build = (name: string) => {
    const end = [layers.flatten(), layers.dense({ units: 3, activation: 'softmax', kernelInitializer: seeded(9) })];
    const model = tf.sequential({ layers: [...NETWORKS[name]!.layers(), ...end] });
    model.compile({ optimizer: tf.train.momentum(0.05, 0.9), loss: 'categoricalCrossentropy' });
    return model;
  };
  const data = (name: string) => {
    const { input, words } = NETWORKS[name]!;
    const values = normals(5, BATCH * size(input));
    const x = tf.tensor(words ? values.map((value) => Math.floor(Math.abs(value) * 7) % words) : values, [
      BATCH,
      ...input,
    ]);
    const y = tf.tidy(() => tf.oneHot(tf.tensor1d([0, 1, 2, 2, 1, 0, 0, 1], 'int32'), 3).toFloat());
    return { x, y };
  };

  async function losses(backend: string, name: string, steps: number): Promise<number[]> {
    await tf.setBackend(backend);
    const model = build(name);
    const { x, y } = data(name);
    const all: number[] = [];
    for (let step = 0; step < steps; step++) all.push((await model.trainOnBatch(x, y)) as number);
    tf.dispose([x, y]);
    model.dispose();
    return all;
  }

  test.each(Object.keys(NETWORKS))('%s learn on wasm what they learn on cpu', async (name) => {
    const expected = await losses('cpu', name, 12);
    expect(expected.at(-1)).toBeLessThan(0.8 * expected[0]!);
    expect(await losses('wasm', name, 12)).toBeClose(expected, { atol: 1e-4 });
  });

  test.each(Object.keys(NETWORKS))('%s leave no memory behind', async (name) => {
    await tf.setBackend('wasm');
    const model = build(name);
    const { x, y } = data(name);
    const held = () => ({ tensors: tf.memory().numTensors, data: tf.backend().numDataIds() });
    await model.trainOnBatch(x, y);
    const before = held();
    for (let step = 0; step < 50; step++) await model.trainOnBatch(x, y);
    expect(held()).toEqual(before);
    tf.dispose([x, y]);
    model.dispose();
  });
});

describe('errors', () => {
  test('an output that the convolution does not have', async () => {
    const attrs = { strides: [2, 2], pad: 0, dataFormat: 'NHWC', filterShape: [3, 3, 1, 1] };
    await expect(run('wasm', 'Conv2DBackpropFilter', { x: [1, 6, 6, 1], dy: [1, 3, 3, 1] }, attrs)).rejects.toThrow(
      /^Conv2DBackpropFilter: a convolution of x \[1,6,6,1\].* gives \[1,2,2,1\]; received .*\[1,3,3,1\]; .*dimRoundingMode/,
    );
  });

  test('segment ids that are not one for each row', async () => {
    await tf.setBackend('wasm');
    const ids = tf.tensor2d([[0, 1]], undefined, 'int32');
    expect(() => tf.unsortedSegmentSum(tf.ones([1, 2]), ids as never, 2)).toThrow(/^UnsortedSegmentSum: .*\[1,2\]/);
  });
});

describe('registration', () => {
  /** What a new process prints last. */
  const inProcess = (script: string): string => {
    const start = `
      const tf = require('@tensorflow/tfjs-core');
      const load = () => require('./dist/kernels/wasm-training/index.js');
      const names = ['Conv2DBackpropFilter', 'DepthwiseConv2dNativeBackpropFilter', 'DepthwiseConv2dNativeBackpropInput',
        'UnsortedSegmentSum', 'Einsum'];
      const kernels = (names) => names.map((name) => tf.getKernel(name, 'wasm')?.kernelFunc);
    `;
    const output = execFileSync(process.execPath, ['-e', start + script], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: 'pipe',
    });
    return output.trim().split('\n').at(-1)!;
  };

  test('without the import TensorFlow.js has no such kernels', () => {
    expect(inProcess(`require('@tensorflow/tfjs-backend-wasm'); console.log(kernels(names).every((f) => !f))`)).toBe(
      'true',
    );
  });

  test.each([
    ['after the backend', `require('@tensorflow/tfjs-backend-wasm'); load();`],
    ['before the backend', `load(); require('@tensorflow/tfjs-backend-wasm');`],
  ])('works %s, without a warning', (_, order) => {
    const script = `console.warn = (...words) => { throw new Error(words.join()); }; ${order}
      console.log(kernels(names).every((f) => f));`;
    expect(inProcess(script)).toBe('true');
  });

  test('leaves kernels alone that are there already', () => {
    const script = `
      const own = () => 'own';
      for (const kernelName of names) tf.registerKernel({ kernelName, backendName: 'wasm', kernelFunc: own });
      load();
      console.log(kernels(names).every((f) => f === own));`;
    expect(inProcess(script)).toBe('true');
  });

  test.each(['useFastInputGradient', 'useCorrectMaxPoolGradients'])('%s needs the backend', (name) => {
    const script = `try { load().${name}(); } catch (error) { console.log(error.message); }`;
    expect(inProcess(script)).toMatch(new RegExp(`^${name}: .*; import '@tensorflow/tfjs-backend-wasm' first$`));
  });
});

// Last: they change this process.
describe.each([
  ['useFastInputGradient', useFastInputGradient, ['Conv2DBackpropInput']],
  ['useCorrectMaxPoolGradients', useCorrectMaxPoolGradients, ['MaxPoolGrad', 'MaxPool3DGrad']],
] as const)('%s', (name, use, replaced) => {
  const kernels = () => replaced.map((kernel) => tf.getKernel(kernel, 'wasm'));

  if (name === 'useCorrectMaxPoolGradients') {
    test('is still needed: TensorFlow.js itself is wrong about windows of negative values', async () => {
      const [cpu, wasm] = [
        await maxPoolGradient('cpu', [1, 2, 4, 1], 2, 2, 'valid', -10),
        await maxPoolGradient('wasm', [1, 2, 4, 1], 2, 2, 'valid', -10),
      ];
      expect(wasm).not.toBeClose(cpu, ROUNDING);
    });
  }

  test('replaces what it names, once, and keeps how it is set up', () => {
    const before = kernels();
    use();
    const after = kernels();
    use();
    for (const [i, { kernelFunc, setupFunc }] of after.entries()) {
      expect(kernelFunc).not.toBe(before[i]!.kernelFunc);
      expect(setupFunc).toBe(before[i]!.setupFunc);
      expect(kernels()[i]!.kernelFunc).toBe(kernelFunc);
    }
  });
});

/** The gradient of max pooling, of values about `mean`. */
async function maxPoolGradient(
  backend: string,
  x: number[],
  window: number,
  strides: number,
  pad: 'same' | 'valid',
  mean: number,
): Promise<tf.TypedArray> {
  await tf.setBackend(backend);
  return tf.tidy(() => {
    const f = (x: tf.Tensor) => {
      const y: tf.Tensor =
        x.rank === 4
          ? tf.maxPool(x as tf.Tensor4D, window, strides, pad)
          : tf.maxPool3d(x as tf.Tensor5D, window, strides, pad);
      return tf.sum(tf.mul(y, tf.tensor(normals(2, y.size), y.shape)));
    };
    return tf
      .grad(f)(tf.tensor(normals(1, size(x), mean), x))
      .dataSync();
  });
}

describe('after all replacements', () => {
  test.each(['NHWC', 'NCHW'] as const)('the gradient of the input is that of cpu, %s', async (dataFormat) => {
    const order = dataFormat === 'NCHW' ? channelsFirst : (shape: Shape) => shape;
    await fc.assert(
      fc.asyncProperty(convolutions(false), async ({ x, y, filter, strides, pad }) => {
        const padding = typeof pad === 'object' ? order(pad as never) : pad;
        await expectSame(
          'Conv2DBackpropInput',
          { dy: order(y), filter },
          { strides, pad: padding, dataFormat, inputShape: order(x) },
        );
      }),
      RUNS,
    );
  });

  test('the gradients of max pooling are those of cpu', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 3, max: 7 }), { minLength: 2, maxLength: 3 }),
        fc.tuple(...[2, 3, 3, 3].map((max) => fc.integer({ min: 1, max }))),
        fc.constantFrom('same' as const, 'valid' as const),
        fc.integer({ min: -3, max: 1 }),
        async (space, [batch, channels, window, strides], pad, mean) => {
          const x = [batch!, ...space, channels!];
          const expected = await maxPoolGradient('cpu', x, window!, strides!, pad, mean);
          expect(await maxPoolGradient('wasm', x, window!, strides!, pad, mean)).toBeClose(expected, ROUNDING);
        },
      ),
      RUNS,
    ));

  test('of several largest values the first has the gradient', async () => {
    await tf.setBackend('wasm');
    const gradient = tf.grad((x) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid'))(tf.ones([1, 2, 4, 1]));
    expect([...gradient.dataSync()]).toEqual([1, 0, 1, 0, 0, 0, 0, 0]);
  });

  test('the gradient of a window of padding alone goes nowhere', async () => {
    await tf.setBackend('wasm');
    const dy = tf.reshape(tf.range(0, 16), [1, 4, 4, 1]);
    const gradient = tf.grad((x) => tf.maxPool(x as tf.Tensor4D, 1, 1, 1))(tf.ones([1, 2, 2, 1]), dy);
    expect([...gradient.dataSync()]).toEqual([5, 6, 9, 10]);
  });

  test('a gradient of another shape than the output is refused', async () => {
    const attrs = { filterSize: 2, strides: 2, pad: 'valid' };
    const shapes = { dy: [1, 3, 3, 1], input: [1, 5, 5, 1] };
    await expect(run('wasm', 'MaxPoolGrad', shapes, attrs)).rejects.toThrow(/^MaxPoolGrad: .*\[1,2,2,1\].*\[1,3,3,1\]/);
  });
});
