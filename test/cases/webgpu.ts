/** What only WebGPU has: dispatches, pipelines, shaders whose errors do not throw, buffers, a device that can be lost. */
import * as tf from '@tensorflow/tfjs';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import type { EpsilonPlacement, NormalizeAttrs } from '../../kernels/core/contract.ts';
import { run } from '../../kernels/core/registry.ts';
import { conditionsOf, type View } from '../../kernels/core/view.ts';
import { moments as momentsOf } from '../../kernels/ops/moments.ts';
import { normalize } from '../../kernels/ops/normalize.ts';
import { scaleShift, scaleShiftGrad } from '../../kernels/ops/scale-shift.ts';
import { setWorkgroupSize, workgroupSize } from '../../kernels/webgpu/backend.ts';
import { batchNormalization, layerNormalization } from '../../layers/index.ts';
import { normals } from '../support/random.ts';
import { normalize as normalizeBy } from './kernels.ts';
import { fusedAndApart } from './residual.ts';
import { take, takeAll, withTensors } from './tensors.ts';
import type { DrawCase } from './webgl.ts';

const backend = () => tf.backend() as WebGPUBackend;
const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** Calls `body`, whose shaders are compiled, but neither become pipelines nor run: in software both take long. */
function withoutRunning(body: () => unknown, record = () => {}): void {
  const recorder = backend() as unknown as { recordAndSubmit?: () => void; pipelineCache: Record<string, unknown> };
  const device = backend().device as { createComputePipeline?: unknown };
  const { pipelineCache } = recorder;
  const known = new Set(Object.keys(pipelineCache));
  recorder.recordAndSubmit = record;
  device.createComputePipeline = () => ({});
  try {
    tf.dispose(body() as tf.TensorContainer);
  } finally {
    delete recorder.recordAndSubmit;
    delete device.createComputePipeline;
    for (const key of Object.keys(pipelineCache)) if (!known.has(key)) delete pipelineCache[key];
  }
}

/** Dispatches of `body`, whose results are disposed of. */
function dispatches(body: () => unknown): number {
  let count = 0;
  withoutRunning(body, () => count++);
  return count;
}

/** Runs `body` with workgroups of another size. */
async function withWorkgroups<T>(size: number, body: () => Promise<T>): Promise<T> {
  const before = workgroupSize;
  setWorkgroupSize(size);
  try {
    return await body();
  } finally {
    setWorkgroupSize(before);
  }
}

const attributes = ({ view, form }: DrawCase): NormalizeAttrs => ({
  ...form,
  view,
  epsilon: 1e-3,
  epsilonPlacement: 'inside',
});

type Make = Parameters<Parameters<typeof withTensors>[0]>[0];

function operands(make: Make, { shape, view }: Pick<DrawCase, 'shape' | 'view'>) {
  const [x, dy] = [1, 2].map((seed) => make(normals(seed, sizeOf(shape)), [...shape])) as [tf.Tensor, tf.Tensor];
  const [gamma, beta] = [3, 4].map((seed) => make(normals(seed, view.c))) as [tf.Tensor, tf.Tensor];
  return { x, dy, gamma, beta };
}

/** Dispatches of the forward that gives y alone, and of forward and gradient, with workgroups of so many invocations. */
export const normalizeDispatches = (args: DrawCase & { readonly workgroup: number }) =>
  withWorkgroups(args.workgroup, () =>
    withTensors(async (make) => {
      const { x, dy, gamma, beta } = operands(make, args);
      const f = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => normalize(x, gamma, beta, attributes(args));
      return {
        forward: dispatches(() => f(x, gamma, beta)),
        both: dispatches(() => tf.grads(f)([x, gamma, beta], dy)),
      };
    }),
  );

/** The case `normalize` with workgroups of so many invocations. */
export const normalizeInWorkgroups = (args: Parameters<typeof normalizeBy>[0] & { readonly workgroup: number }) =>
  withWorkgroups(args.workgroup, () => normalizeBy(args));

/** Dispatches of a sum and its normalization, with gradients into both: by one kernel each way, and apart. */
export const residualDispatches = ({ kind }: { readonly kind: 'layer' | 'rms' }) =>
  withTensors(async (make) => {
    const { fused, apart } = fusedAndApart(make, kind, 64, 96);
    return { fused: dispatches(fused), apart: dispatches(apart) };
  });

/** Dispatches of the blended forms' kernels on an instance view, and of the layer BatchNormalization. */
export const otherDispatches = ({ shape, workgroup }: { shape: readonly number[]; workgroup: number }) =>
  withWorkgroups(workgroup, () =>
    withTensors(async (make) => {
      const [n, height, width, c] = shape as [number, number, number, number];
      const view = { n, s: height * width, c, groups: c };
      const { x, dy } = operands(make, { shape, view });
      const [mean, scale, shift] = [3, 4, 5].map((seed) => make(normals(seed, n * c), [n, c])) as tf.Tensor[];
      const norm = batchNormalization({ inputShape: [height, width, c] });
      const f = (x: tf.Tensor) => norm.apply(x, { training: true }) as tf.Tensor;
      f(x).dispose(); // builds it
      const results = {
        moments: dispatches(() => momentsOf(x, view)),
        scaleShift: dispatches(() => scaleShift(x, { mean, scale, shift }, view)),
        scaleShiftGrad: dispatches(() => scaleShiftGrad(dy, x, mean, view)),
        inference: dispatches(() => norm.apply(x)),
        training: dispatches(() => f(x)),
        trainingAndGradient: dispatches(() => tf.grad(f)(x, dy)),
      };
      norm.dispose();
      return results;
    }),
  );

/** Pipelines after a step of one shape, and after one of another. */
export const pipelinesOfTwoShapes = ({ first, second }: { first: DrawCase; second: DrawCase }) =>
  withTensors(async (make) => {
    const { pipelineCache } = backend() as unknown as { pipelineCache: object };
    const step = (args: DrawCase) => {
      const { x, dy, gamma, beta } = operands(make, args);
      const f = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => normalize(x, gamma, beta, attributes(args));
      tf.dispose(tf.grads(f)([x, gamma, beta], dy));
      return Object.keys(pipelineCache).length;
    };
    return { first: step(first), second: step(second) };
  });

const PLACEMENTS: readonly EpsilonPlacement[] = ['inside', 'outside', 'floor'];

/** Compiles every program in every form, but runs none; gives their names, and what the compiler has to say of each. */
export const compileAll = async (_: Record<string, never>) => {
  const { device } = backend();
  const { createShaderModule } = device;
  const modules: [GPUShaderModule, string][] = [];
  device.createShaderModule = (descriptor) => {
    const module = createShaderModule.call(device, descriptor);
    modules.push([module, `${descriptor.label}`]);
    return module;
  };
  // Workgroups of a size that no other case has, so that nothing is in the cache of pipelines.
  try {
    await withWorkgroups(8, () => withTensors(async (make) => withoutRunning(() => runAll(make))));
  } finally {
    device.createShaderModule = createShaderModule;
  }
  const messages: string[] = [];
  for (const [module, name] of modules) {
    const info = await module.getCompilationInfo();
    for (const { type, message, lineNum } of info.messages) messages.push(`${name}, ${type}: ${message} (${lineNum})`);
  }
  return { names: [...new Set(modules.map(([, name]) => name))].sort(), count: modules.length, messages };
};

/** The most bytes that the variables of a workgroup take in any program, in workgroups of 256 invocations. */
export const workgroupStorage = async (_: Record<string, never>) => {
  const device = backend().device as { createShaderModule?: unknown };
  const codes: string[] = [];
  device.createShaderModule = ({ code }: { code: string }) => codes.push(code);
  try {
    await withWorkgroups(256, () => withTensors(async (make) => withoutRunning(() => runAll(make))));
  } finally {
    delete device.createShaderModule;
  }
  return Math.max(...codes.map(storageOf));
};

const COMPONENTS: Record<string, number> = {
  f32: 1,
  'vec2<f32>': 2,
  'vec4<f32>': 4,
  'mat4x2<f32>': 8,
  'mat4x4<f32>': 16,
};

const storageOf = (code: string): number =>
  [...code.matchAll(/var<workgroup> \w+ : array<([^,]+), (\d+)>/g)]
    .map(([, type, length]) => 4 * COMPONENTS[type!]! * Number(length))
    .reduce((a, b) => a + b, 0);

function runAll(make: Make): void {
  // In one part, and in several.
  const views: View[] = [
    { n: 3, s: 1, c: 5, groups: 1 },
    { n: 1, s: 5, c: 3, groups: 3 },
    { n: 2, s: 5, c: 4, groups: 2 },
    { n: 1, s: 1, c: 8191, groups: 1 },
    { n: 1, s: 8191, c: 2, groups: 2 },
    // In fours, and with conditions that several samples share, or parts of one have.
    { n: 3, s: 1, c: 8, groups: 1 },
    { n: 1, s: 1, c: 8192, groups: 1 },
    { n: 4, s: 1, c: 8, groups: 1, rowsPerCondition: 2 },
    // With several rows, or channels, at once for each lane.
    { n: 64, s: 1, c: 512, groups: 1 },
    { n: 127, s: 1, c: 512, groups: 1 },
    { n: 64, s: 1, c: 512, groups: 1, rowsPerCondition: 32 },
    { n: 2, s: 4, c: 3, groups: 3, rowsPerCondition: 2 },
  ];
  for (const view of views) {
    const shape = [view.n, view.s, view.c];
    const { x, dy } = operands(make, { shape, view });
    const [gamma, beta] = [3, 4].map((seed) => make(normals(seed, conditionsOf(view) * view.c))) as [
      tf.Tensor,
      tf.Tensor,
    ];
    for (const epsilonPlacement of PLACEMENTS) {
      for (const [center, rescale] of [
        [true, true],
        [false, true],
        [true, false],
        [false, false],
      ] as const) {
        const attrs = { view, epsilon: 1e-3, epsilonPlacement, center, rescale };
        for (const parameters of [{}, { gamma }, { beta }, { gamma, beta }]) {
          const [y, statistics] = run('Normalize', { x, ...parameters }, attrs) as [tf.Tensor, tf.Tensor];
          const { gamma } = parameters as { gamma?: tf.Tensor };
          for (const affine of [true, false]) {
            tf.dispose(run('NormalizeGrad', { dy, x, statistics, gamma }, { ...attrs, affine }));
          }
          tf.dispose([y, statistics]);
        }
      }
    }
    const coefficients = [1, 2, 3, 4].map((seed) => make(normals(seed, view.n * view.c))) as tf.Tensor[];
    const [mean, variance, scale, shift] = coefficients as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    for (const given of [{}, { mean }, { mean, variance }, { scale, shift }, { mean, variance, scale, shift }]) {
      tf.dispose(run('ScaleShift', { x, ...given }, { view, epsilon: 1e-3 }));
    }
    tf.dispose(run('ScaleShiftGrad', { dy, x, mean }, { view }));
    tf.dispose(run('BlendGrad', { dy, x, mean, scale, a: variance, b: shift }, { view }));
    const [moments] = run('Moments', { x }, { view });
    tf.dispose([moments, run('Average', { old: make(normals(1, 1)), moments }, { row: 1, momentum: 0.9 })]);
  }
  for (const [rest, out] of [
    [3, 2],
    [8191, 2],
    [2, 8191],
  ] as const) {
    const [w, u, v] = [
      make(normals(1, rest * out), [rest, out]),
      make(normals(2, out), [1, out]),
      make(normals(3, rest), [1, rest]),
    ];
    tf.dispose(run('PowerIteration', { w, u, v }, { iterations: 1, first: 'u', epsilon: 1e-12 }));
  }
}

/** Buffers in use before and after steps of forward and gradient whose results are disposed of. */
export const gpuBuffers = (args: DrawCase) =>
  withTensors(async (make) => {
    const { x, dy, gamma, beta } = operands(make, args);
    const { bufferManager } = backend() as unknown as { bufferManager: { getNumUsedBuffers(): number } };
    const f = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => normalize(x, gamma, beta, attributes(args));
    const buffers = async () => {
      await take(tf.neg(gamma)); // submits what is queued, and only then are buffers given back
      return bufferManager.getNumUsedBuffers();
    };
    const step = () => tf.dispose(tf.grads(f)([x, gamma, beta], dy));
    step();
    const before = await buffers();
    for (let i = 0; i < 3; i++) step();
    return { before, after: await buffers() };
  });

/** The gradient with statistics as another backend gives them: without the columns that are ours. */
export const withForeignStatistics = (args: DrawCase) =>
  withTensors(async (make) => {
    const { x, dy, gamma } = operands(make, args);
    const { view } = args;
    const attrs = { ...attributes(args), affine: true };
    const [y, statistics] = run('Normalize', { x, gamma }, attrs) as [tf.Tensor, tf.Tensor];
    const foreign = tf.slice(statistics, [0, 0], [2, view.n * view.groups]);
    const [expected, ...others] = run('NormalizeGrad', { dy, x, statistics, gamma }, attrs);
    const [actual, ...more] = run('NormalizeGrad', { dy, x, statistics: foreign, gamma }, attrs);
    tf.dispose([y, statistics, foreign, others, more]);
    return takeAll({ expected, actual });
  });

/** Losses of two models that are trained by themselves, and of the same while the other is trained. */
export const trainTwoModels = async (_: Record<string, never>) => {
  const makeModel = (kind: number) => {
    const model = tf.sequential();
    const kernelInitializer = tf.initializers.constant({ value: 0.1 });
    model.add(tf.layers.dense({ units: 6, inputShape: [5], kernelInitializer }));
    model.add(kind === 0 ? batchNormalization() : layerNormalization());
    model.add(tf.layers.dense({ units: 1, kernelInitializer }));
    model.compile({ optimizer: tf.train.sgd(0.01), loss: 'meanSquaredError' });
    return model;
  };
  const train = async (kind: number) => {
    const model = makeModel(kind);
    const [x, y] = [tf.tensor(normals(kind, 80), [16, 5]), tf.tensor(normals(kind + 2, 16), [16, 1])];
    const { history } = await model.fit(x, y, { epochs: 5, batchSize: 4, shuffle: false });
    tf.dispose([x, y]);
    model.dispose();
    return history.loss as number[];
  };
  const alone = [await train(0), await train(1)];
  const together = await Promise.all([train(0), train(1)]);
  return { alone, together };
};

/** Keras's average over the steps that an embedding does not mask: the embedding of the number i is [i, 10 i]. */
export const averageUnmasked = ({ ids }: { ids: number[][] }) =>
  withTensors(async (make) => {
    const [entry] = tf.serialization.SerializationMap.getMap().classNameMap.KerasGlobalAveragePooling1D!;
    const pooling = entry.fromConfig(entry, {}) as unknown as tf.layers.Layer;
    const weights = [
      make(
        Float32Array.from({ length: 10 }, (_, i) => (i >> 1) * (i % 2 ? 10 : 1)),
        [5, 2],
      ),
    ];
    const embedding = tf.layers.embedding({
      inputDim: 5,
      outputDim: 2,
      maskZero: true,
      weights,
      inputLength: ids[0]!.length,
    });
    const model = tf.sequential({ layers: [embedding, pooling] });
    const result = await take(tf.tidy(() => model.predict(tf.tensor(ids)) as tf.Tensor));
    model.dispose();
    return result;
  });

const messageOf = (body: () => tf.TensorContainer): string => {
  try {
    tf.dispose(body());
    return 'no error';
  } catch (error) {
    return (error as Error).message;
  }
};

const SMALL: DrawCase = {
  shape: [2, 4],
  view: { n: 2, s: 1, c: 4, groups: 1 },
  form: { center: true, rescale: true },
};

/** What a kernel says of a tensor that is larger than what the device binds. */
export const overTheLimit = (_: Record<string, never>) =>
  withTensors(async (make) => {
    const { x } = operands(make, SMALL);
    const { device } = backend();
    Object.defineProperty(device, 'limits', { value: { maxStorageBufferBindingSize: 16 }, configurable: true });
    try {
      return messageOf(() => normalize(x, undefined, undefined, attributes(SMALL)));
    } finally {
      delete (device as { limits?: object }).limits;
    }
  });

/** What a kernel says once the device is lost; `isFirst`: before any kernel has run there. The page's backend is gone after this. */
export const afterDeviceLoss = ({ isFirst }: { isFirst: boolean }) =>
  withTensors(async (make) => {
    const { x } = operands(make, SMALL);
    const call = () => messageOf(() => normalize(x, undefined, undefined, attributes(SMALL)));
    const before = isFirst ? 'not called' : call();
    const { device } = backend();
    device.destroy();
    await device.lost;
    return { before, after: call() };
  });
