/** What a long life does to layers: many steps, changes of the backend, scopes that the user opens, one use during another. */
import * as tf from '@tensorflow/tfjs';
import { type LayerCase, layerInputs, sizeOf } from '../support/layer-inputs.ts';
import { makeLayer } from '../support/layers.ts';
import { type Data, take, withTensors } from './tensors.ts';

/** A layer, its options and its input; a wrapper's `layer` is a saved config. */
export type Lasting = Pick<LayerCase, 'className' | 'options' | 'shape'> & {
  /** How many inputs of the shape it takes. Default: 1. */
  readonly inputs?: number;
};

/** What a backend and the engine hold. */
async function held() {
  await take(tf.fill([1], 0)); // WebGPU gives buffers back when it has submitted what uses them
  const { numTensors, numBytesInGPU = 0 } = tf.memory() as tf.MemoryInfo & { numBytesInGPU?: number };
  const backend = tf.engine().backend as tf.KernelBackend & {
    wasm?: { HEAPU8: Uint8Array };
    binding?: { getNumOfTensors(): number };
  };
  return {
    tensors: numTensors,
    data: backend.numDataIds(),
    ofTensorFlow: backend.binding?.getNumOfTensors() ?? 0,
    gpuBytes: numBytesInGPU,
    wasmBytes: backend.wasm?.HEAPU8.length ?? 0,
  };
}

/** What is left on the heap of JavaScript, and of typed arrays, when all garbage is collected. */
async function megabytes(): Promise<number> {
  const { gc, performance, process } = globalThis as typeof globalThis & {
    readonly performance: { readonly memory: { readonly usedJSHeapSize: number } };
  };
  gc!();
  await new Promise((resolve) => setTimeout(resolve)); // what the collection finalizes is garbage, too
  gc!();
  const { heapUsed, external } = process?.memoryUsage?.() ?? {
    heapUsed: performance.memory.usedJSHeapSize,
    external: 0,
  };
  return (heapUsed + external) / 2 ** 20;
}

const scalarOf = (y: tf.Tensor | tf.Tensor[], dy: tf.Tensor): tf.Scalar =>
  tf.addN([y].flat().map((one) => tf.sum(one.size === dy.size ? tf.mul(one, dy) : tf.square(one)))) as tf.Scalar;

/** A built layer with seeded weights, and a function that calls it on x. */
function lasting({ className, options, inputs = 1 }: Lasting) {
  const layer = makeLayer({ className, options });
  const call = (x: tf.Tensor, training: boolean) =>
    layer.apply(inputs === 1 ? x : new Array(inputs).fill(x), { training }) as tf.Tensor | tf.Tensor[];
  return { layer, call };
}

/** Training steps of one layer, and what is held after a few and after all of them. */
export const trainLong = (args: Lasting & { readonly steps: number }) =>
  withTensors(async (make) => {
    const { shape, steps } = args;
    const { x: values, dy: gradient } = layerInputs({ shape });
    const [x, dy] = [make(values, [...shape]), make(gradient, [...shape])];
    const { layer, call } = lasting(args);
    tf.dispose(call(x, false));
    const optimizer = tf.train.sgd(1e-4);
    const trains = layer.trainableWeights.length > 0;
    const dx = tf.grad((x: tf.Tensor) => scalarOf(call(x, true), dy));
    const step = () => {
      if (trains) optimizer.minimize(() => scalarOf(call(x, true), dy));
      else dx(x).dispose();
    };
    for (let i = 0; i < 5; i++) step();
    const before = await held();
    for (let i = 5; i < steps; i++) step();
    const after = await held();
    const y = await take(tf.tidy(() => scalarOf(call(x, false), dy)));
    optimizer.dispose();
    for (const weight of layer.weights) weight.dispose();
    return { before, after, isFinite: Number.isFinite(y[0]) };
  });

/** A call in inference, in training, its gradient and its weights afterwards. */
function throughLayer(call: ReturnType<typeof lasting>['call'], x: tf.Tensor, dy: tf.Tensor): tf.Tensor[] {
  const first = (y: tf.Tensor | tf.Tensor[]) => [y].flat();
  return [
    ...first(call(x, false)),
    ...first(call(x, true)),
    tf.grad((x: tf.Tensor) => scalarOf(call(x, true), dy))(x),
    ...first(call(x, false)),
  ];
}

/** The same on one backend, and on two in turn: built and called on the other, called on this one, and on the other again. */
export const acrossBackends = async ({ other, ...args }: Lasting & { readonly other: string }) => {
  const own = tf.getBackend();
  const run = (names: readonly [string, ...string[]]) =>
    withTensors(async (make) => {
      await tf.setBackend(names[0]);
      await tf.ready();
      const { x: values, dy: gradient } = layerInputs(args);
      const [x, dy] = [make(values, [...args.shape]), make(gradient, [...args.shape])];
      const { layer, call } = lasting(args);
      tf.dispose(call(x, false));
      fill(layer);
      const results: Data[] = [];
      for (const name of names) {
        await tf.setBackend(name);
        const outputs = tf.tidy(() => throughLayer(call, x, dy));
        for (const output of outputs) results.push(await take(output));
      }
      await tf.setBackend(own);
      for (const weight of layer.weights) results.push(await take(weight.read().clone()));
      for (const weight of layer.weights) weight.dispose();
      return results;
    });
  const expected = await run([own, own, own]);
  const actual = await run([other, own, other]);
  return { expected, actual };
};

/** Gives the weights positive numbers, which every weight may be. */
function fill(layer: ReturnType<typeof makeLayer>): void {
  tf.tidy(() => {
    const values = layer.weights.map(({ shape }, i) => {
      const numbers = Float32Array.from(
        { length: sizeOf(shape as number[]) },
        (_, k) => 0.5 + ((7 * k + 3 * i) % 5) / 10,
      );
      return tf.tensor(numbers, shape as number[]);
    });
    layer.setWeights(values);
  });
}

/** The gradient where the backend is another one when it is taken than it was when y was computed. */
export const backendWithinGradient = async ({ other, ...args }: Lasting & { readonly other: string }) => {
  const own = tf.getBackend();
  await tf.setBackend(other);
  await tf.ready();
  await tf.setBackend(own);
  return withTensors(async (make) => {
    const { x: values, dy: gradient } = layerInputs(args);
    const [x, dy] = [make(values, [...args.shape]), make(gradient, [...args.shape])];
    const dxVia = async (name: string) => {
      const { layer, call } = lasting(args);
      tf.dispose(call(x, false));
      fill(layer);
      const dx = tf.grad((x: tf.Tensor) => {
        const y = scalarOf(call(x, true), dy);
        void tf.setBackend(name); // at once, since it has started
        return y;
      })(x);
      await tf.setBackend(own);
      for (const weight of layer.weights) weight.dispose();
      return take(dx);
    };
    return { expected: await dxVia(own), actual: await dxVia(other) };
  });
};

/** Layers that are built, called and differentiated in scopes of the user's; what is kept of them, and what is left. */
export const inScopes = (args: Lasting) =>
  withTensors(async (make) => {
    const { x: values, dy: gradient } = layerInputs(args);
    const [x, dy] = [make(values, [...args.shape]), make(gradient, [...args.shape])];
    const { layer, call } = lasting(args);
    const engine = tf.engine();
    engine.startScope('outer');
    engine.startScope('inner');
    tf.keep([call(x, false)].flat()[0]!).dispose();
    engine.endScope();
    const built = tf.memory().numTensors;
    engine.startScope('left open');
    const results = tf.tidy(() => throughLayer(call, x, dy).map((one) => tf.keep(one)));
    engine.endScope();
    const kept = tf.memory().numTensors - built - results.length;
    engine.endScope();
    const read: Data[] = [];
    for (const result of results) read.push(await take(result));
    for (const weight of layer.weights) weight.dispose();
    return { kept, isFinite: read.every((data) => data.every(Number.isFinite)) };
  });

/** One input that goes through every layer of a list, and a dense layer. */
function stacked(layers: readonly Lasting[], width: number): tf.Sequential {
  const model = tf.sequential();
  for (const [i, { className, options }] of layers.entries()) {
    model.add(makeLayer({ className, options: { ...options, ...(i === 0 ? { inputShape: [3, width] } : {}) } }));
  }
  model.add(tf.layers.flatten());
  model.add(tf.layers.dense({ units: 2, kernelInitializer: tf.initializers.glorotUniform({ seed: 3 }) }));
  return model;
}

/** One model through all the layers: `fit`, a gradient and a prediction in each step; what is held after half of them and after all. */
export const liveLong = ({ layers, steps }: { readonly layers: readonly Lasting[]; readonly steps: number }) =>
  withTensors(async (make) => {
    const [examples, positions, width] = [4, 3, 4];
    const x = make(layerInputs({ shape: [examples, positions, width] }).x, [examples, positions, width]);
    const targets = make(layerInputs({ shape: [examples, 2] }).dy, [examples, 2]);
    const input = tf.input({ shape: [positions, width] });
    let y: tf.SymbolicTensor = input;
    for (const { className, options, inputs = 1 } of layers) {
      const outputs = makeLayer({ className, options }).apply(inputs === 1 ? y : new Array(inputs).fill(y));
      y = [outputs].flat()[0] as tf.SymbolicTensor;
    }
    y = tf.layers.dense({ units: 2 }).apply(tf.layers.flatten().apply(y)) as tf.SymbolicTensor;
    const model = tf.model({ inputs: input, outputs: y });
    model.compile({ optimizer: tf.train.sgd(1e-4), loss: 'meanSquaredError' });
    const gradient = tf.grad((x: tf.Tensor) => tf.sum(model.apply(x, { training: true }) as tf.Tensor));
    let finite = true;
    const live = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const { history } = await model.fit(x, targets, { epochs: 1, batchSize: examples, verbose: 0 });
        const predicted = await take(model.predict(x) as tf.Tensor);
        const dx = await take(gradient(x));
        finite &&= [...predicted, ...dx, ...(history.loss as number[])].every(Number.isFinite);
      }
      return { held: await held(), megabytes: await megabytes() };
    };
    const half = await live(Math.ceil(steps / 2));
    const all = await live(Math.floor(steps / 2));
    model.optimizer.dispose();
    model.dispose();
    return { half, all, isFinite: finite };
  });

/** Predictions asked for all at once, also while `fit` runs, and the same ones by one. */
export const atTheSameTime = ({ layers }: { readonly layers: readonly Lasting[] }) =>
  withTensors(async (make) => {
    const width = 4;
    const model = stacked(layers, width);
    const batches = [1, 2, 3, 4].map((n) => make(layerInputs({ shape: [n, 3, width] }).x, [n, 3, width]));
    const predict = async (x: tf.Tensor) => take(model.predict(x) as tf.Tensor);
    const alone: Data[] = [];
    for (const x of batches) alone.push(await predict(x));
    const together = await Promise.all(batches.map(predict));

    const targets = make(layerInputs({ shape: [4, 2] }).dy, [4, 2]);
    model.compile({ optimizer: tf.train.sgd(0.01), loss: 'meanSquaredError' });
    const during: Data[] = [];
    const onBatchEnd = async () => {
      for (const x of batches) during.push(await predict(x));
    };
    const fitting = model.fit(batches[3]!, targets, { epochs: 3, batchSize: 2, verbose: 0, callbacks: { onBatchEnd } });
    const asked = Promise.all(batches.map(predict)); // before fit has come to its first batch, or after it
    const { history } = await fitting;
    during.push(...(await asked));
    const losses = history.loss as number[];
    model.optimizer.dispose();
    model.dispose();
    return { alone, together, isFinite: [...during, losses].every((data) => Array.from(data).every(Number.isFinite)) };
  });

/** What is left when the owners of a model's tensors let go of them in this order. */
export const disposed = async ({ layers, order }: { layers: readonly Lasting[]; order: readonly number[] }) => {
  const width = 4;
  const model = stacked(layers, width);
  const x = tf.tensor(layerInputs({ shape: [4, 3, width] }).x, [4, 3, width]);
  const targets = tf.zeros([4, 2]);
  model.compile({ optimizer: tf.train.adam(0.01), loss: 'meanSquaredError' });
  await model.fit(x, targets, { epochs: 1, verbose: 0 });
  const y = model.predict(x) as tf.Tensor;
  const copies = model.getWeights().map((weight) => weight.clone());
  const data = y.data();
  // TensorFlow.js's webgpu backend does not read a tensor that is disposed of meanwhile.
  if (tf.getBackend() === 'webgpu') await data;
  const owners = [
    () => x.dispose(),
    () => targets.dispose(),
    () => model.optimizer.dispose(),
    () => model.dispose(),
    () => y.dispose(),
    () => tf.dispose(copies),
  ];
  for (const i of order) owners[i]!();
  return { predicted: await data };
};
