/**
 * What only the kernels of TensorFlow's ops can promise: which of them each kernel runs, that no native memory stays behind,
 * and the internal op that it may use. Whether results are right is tested with those of the other backends.
 */
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { engine, findBackend, getKernel, memory, type Tensor, tensor } from '@tensorflow/tfjs';
import type { NormalizeAttrs } from '../../kernels/core/contract.ts';
import type { Binding, NodePort } from '../../kernels/node/backend.ts';
import '../../kernels/node/index.ts';
import { run } from '../../kernels/core/registry.ts';
import { batchView, groupView, rowView, type View } from '../../kernels/core/view.ts';
import { type Backend, describeBackends } from '../support/backends.ts';
import * as oracle from '../support/oracle.ts';
import { normals } from '../support/random.ts';

const registeredFirst =
  findBackend('tensorflow') === null && getKernel('tfjs-normalizations/2/Normalize', 'tensorflow') !== undefined;

type Native = Binding & { getNumOfTensors(): number };
type Run = Native['executeOp'];

const USUAL = { epsilon: 1e-3, epsilonPlacement: 'inside', center: true, rescale: true } as const;
const RMS = { ...USUAL, center: false };
const MEAN_ONLY = { ...USUAL, rescale: false };

const numbers = (shape: readonly number[], seed: number, mean = 0) =>
  normals(
    seed,
    shape.reduce((a, b) => a * b, 1),
    mean,
  );
const values = (shape: number[], seed: number, mean = 0) => tensor(numbers(shape, seed, mean), shape);

/** Every kernel on one view, with all parameters. */
function kernelsOn(shape: number[], view: View, form: Omit<NormalizeAttrs, 'view'> = USUAL, mean = 0) {
  const attrs = { ...form, view };
  const { n, c } = view;
  const [x, dy] = [values(shape, 1, mean), values(shape, 2)];
  const [gamma, beta] = [values([c], 3, 1), values([c], 4)];
  const parameters = [5, 6, 7, 8].map((seed) => values([n * c], seed, 4)) as [Tensor, Tensor, Tensor, Tensor];
  const [average, variance, scale, shift] = parameters;
  return {
    forward: () => run('Normalize', { x, gamma, beta }, attrs),
    inference: () => run('Normalize', { x, gamma, beta }, { ...attrs, yOnly: true }),
    backward: (statistics: Tensor) => run('NormalizeGrad', { dy, x, statistics, gamma }, { ...attrs, affine: true }),
    moments: () => run('Moments', { x }, { view }),
    scaleShift: () => run('ScaleShift', { x, mean: average, variance, scale, shift }, { view, epsilon: 1e-3 }),
    scale: () => run('ScaleShift', { x, scale }, { view, epsilon: 0 }),
    scaleShiftGrad: () => run('ScaleShiftGrad', { dy, x, mean: average }, { view }),
    blendGrad: () => run('BlendGrad', { dy, x, mean: average, scale, a: variance, b: shift }, { view }),
  };
}

function dispose(tensors: readonly Tensor[]): void {
  for (const t of tensors) t.dispose();
}

/** Forward, backward and a moving average, with nothing left. */
function step({ forward, inference, backward }: ReturnType<typeof kernelsOn>): void {
  const [y, moments] = forward() as [Tensor, Tensor];
  const old = values([moments.size / 2], 1);
  const [next] = run('Average', { old, moments }, { row: 1, momentum: 0.9 }) as [Tensor];
  dispose([...backward(moments), ...inference(), y, moments, old, next]);
}

const ROUTES: readonly [shape: number[], view: View, form: Omit<NormalizeAttrs, 'view'>][] = [
  [[2, 3, 4, 5], batchView([24, 5]), USUAL],
  [[24, 5], batchView([24, 5]), MEAN_ONLY],
  [[6, 8], rowView([6, 8], 1), USUAL],
  [[6, 8], rowView([6, 8], 1), RMS],
  [[6, 8], groupView([6, 8], 2), USUAL],
  [[2, 3, 3, 8], groupView([2, 3, 3, 8], 4), USUAL],
];

function tests(backend: Backend): void {
  let native: Native;
  let ran: string[];
  /** What happens in place of an op. */
  let instead: (name: string, execute: () => ReturnType<Run>) => ReturnType<Run>;
  const backendNow = () => engine().backend as unknown as NodePort & { binding: Native; numDataIds(): number };

  beforeAll(async () => {
    await backend.run('hasKernels', {});
    native = backendNow().binding;
  });
  // Each test has a binding of its own: what the kernels find out about one they remember by object.
  beforeEach(() => {
    ran = [];
    instead = (_, execute) => execute();
    const executeOp: Run = (name, ...rest) => {
      ran.push(name);
      return instead(name, () => native.executeOp(name, ...rest));
    };
    backendNow().binding = Object.create(native, { executeOp: { value: executeOp } });
    engine().startScope();
  });
  afterEach(() => {
    engine().endScope();
    backendNow().binding = native;
  });

  /** The ops of the second of two equal calls, when nothing is tried out any more. */
  function opsOf(kernel: () => Tensor[]): string {
    dispose(kernel());
    ran = [];
    dispose(kernel());
    return ran.join(' ');
  }

  const held = () => [native.getNumOfTensors(), backendNow().numDataIds(), memory().numTensors];

  test('kernels were registered before the backend', () => expect(registeredFirst).toBe(true));

  test.each([
    ['Batch', [2, 3, 4, 5], batchView([24, 5]), USUAL, 'FusedBatchNormV3', 'FusedBatchNormGradV3'],
    [
      'Batch of two axes',
      [24, 5],
      batchView([24, 5]),
      USUAL,
      'Reshape FusedBatchNormV3 Reshape',
      'Reshape Reshape FusedBatchNormGradV3 Reshape',
    ],
    ['RMS', [6, 8], rowView([6, 8], 1), RMS, 'EuclideanNorm Mul Mul AddV2', 'Mul MatMul MatMul MatMul Mul Mul Sub Mul'],
    [
      'Group',
      [2, 9, 8],
      groupView([2, 9, 8], 4),
      USUAL,
      'BatchMatMulV2 Sub EuclideanNorm Mul AddV2',
      'Sub Mul BatchMatMulV2 BatchMatMulV2 Mul Mul Sub Sub',
    ],
    [
      'Group of four axes',
      [2, 3, 3, 8],
      groupView([2, 3, 3, 8], 4),
      USUAL,
      'Reshape BatchMatMulV2 Sub EuclideanNorm Mul AddV2 Reshape',
      'Reshape Reshape Sub Mul BatchMatMulV2 BatchMatMulV2 Mul Mul Sub Sub Reshape',
    ],
    [
      'Group of dense features',
      [6, 8],
      groupView([6, 8], 2),
      USUAL,
      'Reshape MatMul Sub EuclideanNorm Mul Reshape Mul AddV2',
      'Mul Reshape Reshape Sub Mul MatMul MatMul Mul Sub Sub Mul Reshape Sub Mul Reshape Mul MatMul MatMul Reshape',
    ],
    [
      'Mean-Only',
      [1, 9, 8],
      batchView([9, 8]),
      MEAN_ONLY,
      'BatchMatMulV2 Sub EuclideanNorm Mul AddV2',
      'Sub Mul BatchMatMulV2 BatchMatMulV2 Mul Sub',
    ],
  ] as const)('ops of %s', (_, shape, view, form, forward, backward) => {
    const kernels = kernelsOn([...shape], view, form);
    const moments = kernels.forward()[1] as Tensor;
    expect(opsOf(kernels.forward)).toBe(forward);
    expect(opsOf(() => kernels.backward(moments))).toBe(backward);
  });

  test('ops of given statistics', () => {
    const one = kernelsOn([2, 3, 4, 5], batchView([24, 5]));
    expect(opsOf(one.scaleShift)).toBe('FusedBatchNormV3');
    expect(opsOf(one.scale)).toBe('Mul');
    expect(opsOf(one.blendGrad)).toBe('FusedBatchNormV3 Mul AddV2');
    const each = kernelsOn([2, 9, 8], groupView([2, 9, 8], 8));
    expect(opsOf(each.moments)).toBe('BatchMatMulV2 Sub EuclideanNorm');
    expect(opsOf(each.scaleShift)).toBe('Reshape Reshape Reshape Reshape Sub Mul AddV2');
    expect(opsOf(each.scaleShiftGrad)).toBe('Reshape Sub Mul BatchMatMulV2 BatchMatMulV2');
    expect(opsOf(each.blendGrad)).toBe('Reshape Reshape Reshape Sub Mul AddV2 Reshape Mul AddV2');
    const [old, moments] = [values([8], 1), values([2, 8], 2)];
    expect(opsOf(() => run('Average', { old, moments }, { row: 1, momentum: 0.9 }))).toBe('');
  });

  test.each([1e4, 1e6])('a batch far out, mean %d, is centred again', (mean) => {
    const [shape, view] = [[2, 3, 11, 5], batchView([66, 5])];
    const kernels = kernelsOn(shape, view, USUAL, mean);
    const [y, moments] = kernels.forward() as [Tensor, Tensor];
    const [dx, dgamma] = kernels.backward(moments) as [Tensor, Tensor, Tensor];
    const [x, dy, gamma] = [numbers(shape, 1, mean), numbers(shape, 2), normals(3, 5, 1)];
    const options = { ...USUAL, view };
    const expected = oracle.normalizeGrad(dy, x, gamma, options);
    expect(y.dataSync()).toBeClose(oracle.normalize(x, gamma, normals(4, 5), options).y, { ofMax: 1e-6 });
    expect(dx.dataSync()).toBeClose(expected.dx, { ofMax: 1e-6 });
    expect(dgamma.dataSync()).toBeClose(expected.dgamma, { ofMax: 1e-6 });
    expect(opsOf(kernels.forward)).toBe('FusedBatchNormV3 Sub FusedBatchNormV3');
    expect(opsOf(() => kernels.backward(moments))).toBe(
      'Reshape Sub BatchMatMulV2 Sub Reshape Reshape FusedBatchNormGradV3 Reshape',
    );
  });

  // Longer than what an op adds up by itself, where something divides them and where nothing does: parts, and what is left.
  test.each([
    ['Batch, many channels', [2048, 33], batchView([2048, 33]), USUAL],
    ['Batch', [2, 1025, 3], batchView([2050, 3]), USUAL],
    ['Batch, a prime number', [2053, 3], batchView([2053, 3]), USUAL],
    ['Batch, one channel', [4096, 1], batchView([4096, 1]), USUAL],
    ['Instance', [2, 1280, 3], groupView([2, 1280, 3], 3), USUAL],
    ['Instance, one channel, a prime number', [2, 4099, 1], groupView([2, 4099, 1], 1), USUAL],
    ['Group', [2, 2053, 6], groupView([2, 2053, 6], 2), USUAL],
    ['Mean-Only', [4096, 2], batchView([4096, 2]), MEAN_ONLY],
    ['Layer, long rows', [3, 5003], rowView([3, 5003], 1), USUAL],
    ['Layer, many rows', [2053, 6], rowView([2053, 6], 1), USUAL],
    ['RMS, long rows', [3, 5003], rowView([3, 5003], 1), RMS],
    ['Group of dense features, many rows', [1280, 6], groupView([1280, 6], 2), USUAL],
  ] as const)('long axes of %s', (_, shape, view, form) => {
    for (const mean of [0, 3, 1e4]) {
      const kernels = kernelsOn([...shape], view, form, mean);
      const [y, moments] = kernels.forward() as [Tensor, Tensor];
      const [dx, dgamma, dbeta] = kernels.backward(moments) as [Tensor, Tensor, Tensor];
      const [x, dy, gamma] = [numbers(shape, 1, mean), numbers(shape, 2), normals(3, view.c, 1)];
      const options = { ...form, view };
      const right = oracle.normalize(x, gamma, normals(4, view.c), options);
      const gradients = oracle.normalizeGrad(dy, x, gamma, options);
      const close = { ofMax: view.c === 33 ? 5e-6 : 1e-6 }; // with 33 channels the op takes the sums
      expect(y.dataSync()).toBeClose(right.y, close);
      expect(kernels.inference()[0]?.dataSync()).toBeClose(right.y, close);
      expect(dx.dataSync()).toBeClose(gradients.dx, close);
      expect(dgamma.dataSync()).toBeClose(gradients.dgamma, close);
      expect(dbeta.dataSync()).toBeClose(gradients.dbeta, close);
      const variances = moments.dataSync().slice(moments.size / 2);
      if (form.rescale) expect(variances).toBeClose(right.moments.slice(moments.size / 2), close);
    }
  });

  test.each([
    [4096, 33],
    [65536, 1],
    [65537, 3],
  ] as const)('[%d, %d]: a value that comes again and again does not round a sum away', (rows, c) => {
    const view = batchView([rows, c]);
    // Half zeros, as after a ReLU; and the gradient of a mean, the same everywhere.
    const x = numbers([rows, c], 1).map((value) => Math.max(value, 0));
    const dy = new Float32Array(rows * c).fill(0.1 / 7);
    const inputs = { x: tensor(x, [rows, c]), gamma: undefined };
    const attrs = { ...USUAL, view };
    const [, moments] = run('Normalize', { ...inputs, beta: undefined }, attrs) as [Tensor, Tensor];
    const given = { ...inputs, dy: tensor(dy, [rows, c]), statistics: moments };
    const [dx, dgamma, dbeta] = run('NormalizeGrad', given, { ...attrs, affine: true }) as [Tensor, Tensor, Tensor];
    // Some processors add the rows of a part one after the other: see ROWS in sums.ts.
    expect(dbeta.dataSync()).toBeClose(new Float32Array(c).fill(dy[0]! * rows), { ofMax: 1e-5 });
    expect(moments.dataSync()).toBeClose(oracle.moments(x, view), { ofMax: 2e-5 });
    if (c >= 32) return; // there the op takes the gradient
    // Where dy is the same everywhere y has no gradient: dy is centred first.
    for (const gradient of [dx, dgamma]) {
      expect(gradient.dataSync()).toBeClose(new Float32Array(gradient.size), { atol: 1e-9 * dy[0]! });
    }
  });

  test('a value that comes again and again does not round the sum of a long row away', () => {
    const [rows, c] = [2, 300_007];
    const attrs = { ...USUAL, view: rowView([rows, c], 1) };
    const values = numbers([rows, c], 1).map((value) => Math.max(value, 0));
    const equal = new Float32Array(rows * c).fill(0.1 / 7);
    const inputs = { x: tensor(values, [rows, c]), gamma: undefined };
    const [y, statistics] = run('Normalize', inputs, attrs) as [Tensor, Tensor];
    const [inference] = run('Normalize', inputs, { ...attrs, yOnly: true });
    const given = { ...inputs, dy: tensor(equal, [rows, c]), statistics };
    const [dx] = run('NormalizeGrad', given, { ...attrs, affine: false });
    const right = oracle.normalize(values, undefined, undefined, attrs).y;
    for (const result of [y, inference]) expect(result.dataSync()).toBeClose(right, { ofMax: 2e-6 });
    // What is left where equal values cancel.
    const gradient = oracle.normalizeGrad(equal, values, undefined, attrs).dx;
    expect(dx.dataSync()).toBeClose(gradient, { atol: 1e-5 * equal[0]! });
  });

  /** The ops of Layer: forward, inference and backward, whose results must be right. */
  function layerOps(mean = 0) {
    const shape = [6, 33];
    const view = rowView(shape, 1);
    const kernels = kernelsOn(shape, view, USUAL, mean);
    const [y, moments] = kernels.forward() as [Tensor, Tensor];
    const options = { ...USUAL, view };
    const [x, dy, gamma] = [numbers(shape, 1, mean), numbers(shape, 2), normals(3, 33, 1)];
    const expected = oracle.normalize(x, gamma, normals(4, 33), options);
    for (const result of [y, kernels.inference()[0]]) expect(result?.dataSync()).toBeClose(expected.y, { ofMax: 1e-6 });
    const { dx } = oracle.normalizeGrad(dy, x, gamma, options);
    expect(kernels.backward(moments)[0]?.dataSync()).toBeClose(dx, { ofMax: 1e-6 });
    return {
      forward: opsOf(kernels.forward),
      inference: opsOf(kernels.inference),
      backward: opsOf(() => kernels.backward(moments)),
    };
  }
  const BACKWARD = 'Mul MatMul MatMul MatMul MatMul Mul Mul Sub Sub Mul';
  const COMPOSED = {
    forward: 'MatMul Sub EuclideanNorm Mul Mul AddV2',
    inference: 'MatMul Sub EuclideanNorm Mul Mul AddV2',
    backward: `Sub ${BACKWARD}`,
  };
  const COMPOSED_FAR = {
    forward: 'MatMul Sub EuclideanNorm MatMul Sub EuclideanNorm Mul Mul AddV2',
    inference: 'MatMul Sub EuclideanNorm MatMul Sub EuclideanNorm Mul Mul AddV2',
    backward: `Sub MatMul Sub ${BACKWARD}`,
  };
  const WITH_OP = {
    ...COMPOSED,
    forward: 'MatMul Sub EuclideanNorm _MklLayerNorm',
    inference: 'MatMul EuclideanNorm _MklLayerNorm',
  };
  const WITH_OP_FAR = {
    ...COMPOSED_FAR,
    forward: 'MatMul Sub EuclideanNorm MatMul Sub EuclideanNorm _MklLayerNorm',
    inference: 'MatMul EuclideanNorm Sub MatMul EuclideanNorm _MklLayerNorm',
  };

  /** Whether this build of TensorFlow has the op. */
  function hasLayerNorm(): boolean {
    const [x, weight] = [[1, 2], [2]].map((shape) => native.createTensor(shape, native.TF_FLOAT, new Float32Array(2)));
    const attributes = [{ name: '_kernel', type: native.TF_ATTR_STRING, value: '' }];
    try {
      for (const y of native.executeOp('_MklLayerNorm', attributes, [x!, weight!, weight!], 1))
        native.deleteTensor(y.id);
      return true;
    } catch {
      return false;
    } finally {
      for (const id of [x!, weight!]) native.deleteTensor(id);
    }
  }

  test('ops of Layer, with _MklLayerNorm where it is', () => {
    expect(layerOps()).toEqual(hasLayerNorm() ? WITH_OP : COMPOSED);
    expect(layerOps(1e4)).toEqual(hasLayerNorm() ? WITH_OP_FAR : COMPOSED_FAR);
  });

  test('ops of Layer without _MklLayerNorm', () => {
    instead = (name, execute) => {
      if (name === '_MklLayerNorm') throw new Error('Op type not registered');
      return execute();
    };
    expect(layerOps()).toEqual(COMPOSED);
    expect(layerOps(1e4)).toEqual(COMPOSED_FAR);
    // Many rows take gamma and beta in one op; the first two are enough to see that it is right.
    const { forward } = kernelsOn([1024, 1024], rowView([1024, 1024], 1));
    expect(opsOf(forward)).toBe('MatMul Sub EuclideanNorm Mul Reshape FusedBatchNormV3 Reshape');
    const [x, gamma, beta] = [normals(1, 2048), normals(3, 1024, 1), normals(4, 1024)];
    const { y } = oracle.normalize(x, gamma, beta, { ...USUAL, view: rowView([2, 1024], 1) });
    expect(forward()[0]?.dataSync().slice(0, 2048)).toBeClose(y, { ofMax: 1e-6 });
  });

  test('ops of Layer where _MklLayerNorm gives something else', () => {
    const unlike = () => ({
      id: native.createTensor([1, 4], native.TF_FLOAT, Float32Array.of(-1, -0.5, 0, 3)),
      shape: [1, 4],
      dtype: native.TF_FLOAT,
    });
    instead = (name, execute) => (name === '_MklLayerNorm' ? [unlike()] : execute());
    expect(layerOps()).toEqual(COMPOSED);
  });

  test('nothing stays behind', () => {
    for (const [shape, view, form] of ROUTES) {
      for (const mean of [0, 1e4]) {
        const kernels = kernelsOn(shape, view, form, mean);
        const all = () => {
          step(kernels);
          for (const name of ['moments', 'scaleShift', 'scale', 'scaleShiftGrad', 'blendGrad'] as const) {
            dispose(kernels[name]());
          }
        };
        all(); // uploads the inputs
        const before = held();
        all();
        expect(held()).toEqual(before);
      }
    }
  });

  test('an op that fails leaves nothing behind', () => {
    const { forward, backward } = kernelsOn([2, 3, 3, 8], groupView([2, 3, 3, 8], 4));
    const moments = forward()[1] as Tensor;
    const kernel = () => [...forward(), ...backward(moments)];
    const { length } = opsOf(kernel).split(' ');
    for (let failing = 0; failing < length; failing++) {
      let count = 0;
      instead = (_, execute) => {
        if (count++ === failing) throw new Error('out of memory');
        return execute();
      };
      engine().startScope();
      const before = held();
      expect(kernel).toThrow('out of memory');
      engine().endScope();
      expect(held()).toEqual(before);
    }
  });

  test('ten thousand steps', () => {
    const kernels = ROUTES.map(([shape, view, form]) => kernelsOn(shape, view, form));
    const steps = (count: number) => {
      for (let i = 0; i < count; i++) {
        engine().startScope();
        step(kernels[i % kernels.length]!);
        engine().endScope();
        ran = [];
      }
    };
    steps(2000);
    const before = held();
    const { rss } = process.memoryUsage();
    steps(10_000);
    expect(held()).toEqual(before);
    // A handle that is kept costs about 300 bytes, and a step has some twenty of them.
    expect(process.memoryUsage().rss - rss).toBeLessThan(20 * 2 ** 20);
  });
}

describeBackends('TensorFlow ops', tests, { only: ['tensorflow-ops'] });
