/** The wrappers WeightNormalization and SpectralNormalization around layers, beside the same layers without a wrapper. */
import * as tf from '@tensorflow/tfjs';
import { unitNorms } from '../../kernels/functions/weights.ts';
import {
  qkNorm,
  removeSpectralNormalization,
  removeWeightNormalization,
  spectralNorm,
  unitNormalization,
  weightNorm,
} from '../../layers/index.ts';
import { fillWeights, type Layer, lastPart, layerClass, readWeights, variableOf } from '../support/layers.ts';
import { normals } from '../support/random.ts';
import { type SizedKernel, sizedKernelInputs } from '../support/sized-kernel.ts';
import type { Wrappable } from '../support/wrapper-table.ts';
import { type Data, take, takeAll, withTensors } from './tensors.ts';

type WrapperName = 'WeightNormalization' | 'SpectralNormalization';
type Wrapper = Layer & { layer: Layer; effectiveKernels(): Record<string, tf.Tensor> };

export interface WrapperCase extends Pick<Wrappable, 'layer' | 'shape' | 'indices'> {
  readonly className: WrapperName;
  readonly options: Readonly<Record<string, unknown>>;
  readonly training: boolean;
}

const make = ({ className, options, layer }: Omit<WrapperCase, 'shape' | 'training'>): Wrapper =>
  new (layerClass(className))({ ...options, layer }) as Wrapper;

/** A built layer without a wrapper, from its saved config. */
function plainLayer({ className, config }: WrapperCase['layer'], inputShape: readonly number[]): Layer {
  const [cls, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
  const layer = fromConfig(cls, { ...config } as tf.serialization.ConfigDict) as Layer;
  layer.build([...inputShape]);
  layer.built = true; // recurrent layers do not say so themselves
  return layer;
}

function inputOf({ shape, indices }: Pick<WrapperCase, 'shape' | 'indices'>): tf.Tensor {
  const values = normals(
    31,
    shape.reduce((a, b) => a * b, 1),
  );
  return tf.tensor(indices ? values.map((_, i) => (i * 3) % indices) : values, [...shape]);
}

const values = async (tensors: Record<string, tf.Tensor>) => {
  const read: Record<string, Data> = {};
  for (const [name, tensor] of Object.entries(tensors)) read[name] = await take(tensor);
  return read;
};

/** y and the gradients of sum(y dy) in every trainable weight, by name. */
async function differentiate(layer: Layer, x: tf.Tensor, training: boolean) {
  const weights = layer.trainableWeights;
  let y: tf.Tensor | undefined;
  const f = () => {
    const out = layer.apply(x, { training }) as tf.Tensor;
    y = tf.keep(tf.clone(out));
    return tf.sum(tf.mul(out, tf.tensor(normals(32, out.size), out.shape))) as tf.Scalar;
  };
  const { value, grads } = tf.variableGrads(f, weights.map(variableOf));
  value.dispose();
  const gradients: Record<string, Data> = {};
  for (const weight of weights) gradients[lastPart(weight.originalName)] = await take(grads[variableOf(weight).name]!);
  return { y: await take(y!), gradients };
}

/** A call of the wrapped layer with its gradients, and of a plain layer that has the same kernels. */
export const wrapLayer = async (args: WrapperCase) => {
  const { layer, shape, training } = args;
  const x = inputOf(args);
  const [wrapper, plain] = [make(args), plainLayer(layer, shape)];
  wrapper.build([...shape]);
  fillWeights(wrapper);
  const before = await readWeights(wrapper.weights);
  const wrapped = await differentiate(wrapper, x, training);
  const kernels = wrapper.effectiveKernels();
  for (const weight of plain.weights) {
    const name = lastPart(weight.originalName);
    weight.write(kernels[name] ?? wrapper.weights.find((w) => lastPart(w.originalName) === name)!.read());
  }
  const unwrapped = await differentiate(plain, x, training);
  const after = await readWeights(wrapper.weights);
  const names = wrapper.weights.map((w) => lastPart(w.originalName));
  const count = wrapper.countParams();
  for (const { weights } of [wrapper, plain]) for (const weight of weights) weight.dispose();
  x.dispose();
  return { wrapped, unwrapped, before, after, names, count, kernels: await values(kernels) };
};

/** Training calls on an unchanged kernel: the weights before and after, and the kernel used. */
export const callOften = async ({ calls, ...args }: WrapperCase & { calls: number }) => {
  const x = inputOf(args);
  const wrapper = make(args);
  wrapper.build([...args.shape]);
  fillWeights(wrapper);
  const before = await readWeights(wrapper.weights);
  for (let i = 0; i < calls; i++) tf.dispose(wrapper.apply(x, { training: true }) as tf.Tensor);
  const after = await readWeights(wrapper.weights);
  const kernels = await values(wrapper.effectiveKernels());
  for (const weight of wrapper.weights) weight.dispose();
  x.dispose();
  return { before, after, kernels };
};

/** Spectral normalization of a kernel of zeros: everything that could become NaN. */
export const zeroKernel = async (args: WrapperCase) => {
  const x = inputOf(args);
  const wrapper = make(args);
  wrapper.build([...args.shape]);
  fillWeights(wrapper);
  for (const weight of wrapper.layer.weights) tf.tidy(() => void weight.write(tf.zerosLike(weight.read())));
  const before = await readWeights(wrapper.weights);
  const result = await differentiate(wrapper, x, args.training);
  const after = await readWeights(wrapper.weights);
  for (const weight of wrapper.weights) weight.dispose();
  x.dispose();
  return { ...result, before, after };
};

const regression = (shape: readonly number[]) => ({
  x: tf.tensor(
    normals(
      41,
      shape.reduce((a, b) => a * b, 1),
    ),
    [...shape],
  ),
  targets: tf.tensor(normals(42, shape[0]! * 2), [shape[0]!, 2]),
});

/** Two wrapped layers in `fit`; losses, and the kernel of the first afterwards. */
export const fitWrapped = async ({ className, options, steps }: WrapperCase & { steps: number }) => {
  const dense = (units: number, seed: number) =>
    tf.layers.dense({ units, activation: 'tanh', kernelInitializer: tf.initializers.glorotUniform({ seed }) });
  const wrap = (layer: Layer, more = {}) => new (layerClass(className))({ ...options, ...more, layer });
  const first = wrap(dense(8, 1), { inputShape: [6] }) as Wrapper;
  const model = tf.sequential({ layers: [first, wrap(dense(2, 2))] });
  const optimizer = tf.train.sgd(0.05);
  model.compile({ optimizer, loss: 'meanSquaredError' });
  const { x, targets } = regression([16, 6]);
  const before = tf.memory().numTensors;
  const { history } = await model.fit(x, targets, { epochs: steps, batchSize: 16, shuffle: false, verbose: 0 });
  const grown = tf.memory().numTensors - before;
  const kernels = await values(first.effectiveKernels());
  tf.dispose([x, targets]);
  optimizer.dispose();
  model.dispose();
  return { losses: history.loss as number[], kernels, grown };
};

/** The first training call with `dataInit`, a second one, and one in inference before both. */
export const initializeFromData = async (args: WrapperCase) => {
  const x = inputOf(args);
  const wrapper = make(args);
  wrapper.build([...args.shape]);
  const start = await readWeights(wrapper.weights);
  const other = tf.tidy(() => tf.add(tf.mul(x, 3), 1));
  tf.dispose(wrapper.apply(other, { training: false }) as tf.Tensor);
  const untouched = await readWeights(wrapper.weights);
  const { y, gradients } = await differentiate(wrapper, x, true);
  const first = await readWeights(wrapper.weights);
  tf.dispose(wrapper.apply(other, { training: true }) as tf.Tensor);
  const second = await readWeights(wrapper.weights);
  for (const weight of wrapper.weights) weight.dispose();
  tf.dispose([x, other]);
  return { start, untouched, y, gradients, first, second };
};

/** What files hold of a model. Not by `model.save`, which in Jest does not know the arrays of the native backend as arrays. */
async function artifactsOf(model: tf.LayersModel): Promise<tf.io.ModelArtifacts> {
  const weightSpecs = model.weights.map(({ originalName, shape, dtype }) => ({ name: originalName, shape, dtype }));
  const values: number[] = [];
  for (const weight of model.weights) for (const value of await weight.read().data()) values.push(value);
  const modelTopology = JSON.parse(model.toJSON() as string);
  return {
    modelTopology,
    weightSpecs: weightSpecs as tf.io.WeightsManifestEntry[],
    weightData: new Float32Array(values).buffer,
  };
}

/** A model, the same saved and loaded, without its wrappers, and that one saved and loaded: all should predict the same. */
async function versions(model: tf.LayersModel, x: tf.Tensor, className: WrapperName) {
  const predict = (model: tf.LayersModel) => take(model.predict(x) as tf.Tensor);
  const remove = className === 'WeightNormalization' ? removeWeightNormalization : removeSpectralNormalization;
  const loaded = await tf.loadLayersModel(tf.io.fromMemory(await artifactsOf(model)));
  const plain = remove(model);
  const saved = await artifactsOf(plain);
  const plainLoaded = await tf.loadLayersModel(tf.io.fromMemory(saved));
  const predictions: Data[] = [];
  for (const one of [model, loaded, plain, plainLoaded]) predictions.push(await predict(one));
  const topology = JSON.stringify(saved.modelTopology);
  const names = [plain, plainLoaded].map(({ weights }) => weights.map(({ originalName }) => originalName));
  for (const one of [model, loaded, plain, plainLoaded]) disposeModel(one);
  return { predictions, topology, names };
}

/** TensorFlow.js counts the uses of a shared layer, and a model's `dispose` takes off only one. */
function disposeModel(model: tf.LayersModel): void {
  const variables = model.weights.map(variableOf);
  model.dispose();
  for (const variable of variables) if (!variable.isDisposed) variable.dispose();
}

/** A few steps of training, which leave g, u and v other values than they start from. */
async function train(model: tf.LayersModel, x: tf.Tensor): Promise<void> {
  const optimizer = tf.train.sgd(0.1);
  model.compile({ optimizer, loss: 'meanSquaredError' });
  const targets = tf.ones([x.shape[0]!, ...(model.outputs[0]!.shape.slice(1) as number[])]);
  await model.fit(x, targets, { epochs: 3, verbose: 0 });
  targets.dispose();
  optimizer.dispose();
}

/** Trained (where the backend can), saved, loaded and unwrapped in a model of one layer. */
export const wrappedModel = async (args: WrapperCase) => {
  const { className, options, layer, shape, training } = args;
  const x = inputOf(args);
  const model = tf.sequential({
    layers: [make({ className, options: { ...options, inputShape: shape.slice(1) }, layer })],
  });
  if (training) await train(model, x);
  const result = await versions(model, x, className);
  x.dispose();
  return result;
};

/** The same for models in which wrapped layers are shared, within a model, in timeDistributed and in bidirectional. */
export const nestedModel = async ({ className, options }: Pick<WrapperCase, 'className' | 'options'>) => {
  const wrap = (layer: Layer) => new (layerClass(className))({ ...options, layer }) as never;
  const x = tf.tensor(normals(51, 2 * 4 * 3), [2, 4, 3]);
  const inner = tf.sequential({
    layers: [
      tf.layers.dense({ units: 5, inputShape: [6], name: 'plain' }),
      wrap(tf.layers.dense({ units: 3, activation: 'relu' })),
    ],
  });
  const input = tf.input({ shape: [4, 3] });
  const times = tf.layers.timeDistributed({ layer: wrap(tf.layers.dense({ units: 3 })) }).apply(input);
  const both = tf.layers
    .bidirectional({ layer: wrap(tf.layers.gru({ units: 3, returnSequences: true })), mergeMode: 'concat' })
    .apply(times) as tf.SymbolicTensor;
  const last = tf.layers.globalAveragePooling1d({}).apply(both);
  const shared = wrap(tf.layers.dense({ units: 3 })) as Layer;
  const once = shared.apply(inner.apply(last)) as tf.SymbolicTensor;
  const twice = shared.apply(once) as tf.SymbolicTensor;
  const model = tf.model({ inputs: input, outputs: tf.layers.add().apply([once, twice]) as tf.SymbolicTensor });
  await train(model, x);
  const result = await versions(model, x, className);
  x.dispose();
  return result;
};

/** `bidirectional` around a wrapped recurrent layer, and two plain layers with its kernels, the second on reversed input. */
export const inBothDirections = async ({
  className,
  options,
  layer,
  states,
}: Omit<WrapperCase, 'shape' | 'training'> & { states: boolean }) => {
  const x = tf.tensor(normals(61, 2 * 5 * 3), [2, 5, 3]);
  const both = tf.layers.bidirectional({ layer: make({ className, options, layer }) as never, mergeMode: 'concat' });
  const sizes = layer.className === 'LSTM' ? 4 : 2;
  const initialState = Array.from({ length: sizes }, (_, i) => tf.tensor(normals(70 + i, 2 * 4), [2, 4]));
  const kwargs = states ? { initialState } : {};
  both.build([2, 5, 3]);
  const { forwardLayer, backwardLayer } = both as unknown as { forwardLayer: Wrapper; backwardLayer: Wrapper };
  fillWeights(forwardLayer);
  fillWeights(backwardLayer);
  // Other values than forward, so that the two cannot be mistaken for each other.
  for (const weight of backwardLayer.weights)
    tf.tidy(() => void weight.write(tf.mul(tf.add(weight.read(), 0.3), -0.7)));
  const outputs = both.apply(x, { ...kwargs }) as tf.Tensor | tf.Tensor[];
  const actual: Data[] = [];
  for (const one of [outputs].flat()) actual.push(await take(one));

  const halves = [initialState.slice(0, sizes / 2), initialState.slice(sizes / 2)];
  const plains = [forwardLayer, backwardLayer].map((wrapper) => {
    const plain = plainLayer(layer, [2, 5, 3]);
    const kernels = wrapper.effectiveKernels();
    for (const weight of plain.weights) {
      const name = lastPart(weight.originalName);
      weight.write(kernels[name] ?? wrapper.layer.weights.find((w) => lastPart(w.originalName) === name)!.read());
    }
    tf.dispose(kernels);
    return plain;
  });
  const expected: Data[] = [];
  const apart = tf.tidy(() => {
    const [forward, backward] = [x, tf.reverse(x, 1)].map((x, i) =>
      [plains[i]!.apply(x, states ? { initialState: halves[i] } : {}) as tf.Tensor | tf.Tensor[]].flat(),
    ) as [tf.Tensor[], tf.Tensor[]];
    const [y, reversed] = [forward[0]!, backward[0]!];
    const restored = layer.config.returnSequences ? tf.reverse(reversed, 1) : reversed;
    return [tf.concat([y, restored], -1), ...forward.slice(1), ...backward.slice(1)];
  });
  for (const one of apart) expected.push(await take(one));
  for (const one of [both, ...plains]) for (const weight of one.weights) weight.dispose();
  tf.dispose([x, initialState]);
  return { actual, expected };
};

export interface KernelCase {
  readonly shape: readonly number[];
  readonly axis: number | readonly number[];
}

/**
 * The gradient of a gradient penalty through the normalized kernel, ours and composed from ordinary ops by hand for a matrix
 * [rest, units]: the penalty is sum(dw^2), where dw is the gradient of sum(sin(w normalized) d).
 */
export const penalizeKernel = ({ shape }: Pick<KernelCase, 'shape'>) =>
  withTensors(async (tensor) => {
    const [rest, units] = shape as [number, number];
    const w = tensor(normals(81, rest * units), [rest, units]);
    const g = tensor(normals(82, units, 1, 0.3));
    const [d, u, v] = [normals(83, rest * units), normals(84, units), normals(85, rest)].map((x) => tensor(x)) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    const penalty = (normalize: (w: tf.Tensor, g: tf.Tensor) => tf.Tensor) => {
      const inner = (w: tf.Tensor, g: tf.Tensor) => tf.sum(tf.mul(tf.sin(normalize(w, g)), tf.reshape(d, w.shape)));
      return (w: tf.Tensor, g: tf.Tensor) =>
        tf.addN(
          tf
            .grads(inner)([w, g])
            .map((dx) => tf.sum(tf.square(dx))),
        ) as tf.Scalar;
    };
    const forms = {
      weight: (w: tf.Tensor, g: tf.Tensor) => weightNorm(w, { g }),
      weightByHand: (w: tf.Tensor, g: tf.Tensor) => tf.div(tf.mul(w, g), tf.sqrt(tf.sum(tf.square(w), 0))),
      // g takes part so that all forms have two arguments.
      spectral: (w: tf.Tensor, g: tf.Tensor) => tf.mul(spectralNorm(w, { u, v, powerIterations: 0 }).kernel, g),
      spectralByHand: (w: tf.Tensor, g: tf.Tensor) => {
        const sigma = tf.sum(tf.mul(w, tf.outerProduct(v as tf.Tensor1D, u as tf.Tensor1D)));
        return tf.mul(tf.div(w, sigma), g);
      },
    };
    const results: Record<string, tf.Tensor> = {};
    for (const [name, form] of Object.entries(forms)) {
      const [dw, dg] = tf.grads(penalty(form))([w, g]);
      results[`${name} w`] = dw!;
      results[`${name} g`] = dg!;
    }
    return values(results);
  });

/** The public functions on a kernel of any axes, forward. */
export const normalizeKernel = ({ shape, axis, units }: KernelCase & { units: number }) =>
  withTensors(async (tensor) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const kernel = tensor(normals(91, size), [...shape]);
    const [g, u] = [tensor(normals(92, units)), tensor(normals(93, units), [1, units])];
    const { kernel: spectral, ...rest } = spectralNorm(kernel, { u, axis, powerIterations: 3 });
    const again = spectralNorm(kernel, { u: rest.u, v: rest.v, axis, powerIterations: 2 });
    const results = { weight: weightNorm(kernel, { g, axis }), bare: weightNorm(kernel, { axis }), spectral, ...rest };
    const { u: u2, v: v2, sigma: sigma2, kernel: kernel2 } = again;
    return { ...(await takeAll(results)), ...(await takeAll({ u2, v2, sigma2, kernel2 })) };
  });

/**
 * What normalizes a kernel whose values have any size, with gradients: weight and spectral normalization, and as vectors along
 * axis 1 of [1, rest, units] unit and query-key normalization, the latter with the scale 4.
 */
export const normalizeSizedKernel = (args: SizedKernel & { steps: number }) =>
  withTensors(async (tensor) => {
    const inputs = sizedKernelInputs(args);
    const shape = [...args.shape];
    const units = shape.at(-1)!;
    const [kernel, dy, dyOfUnits] = [inputs.kernel, inputs.dy, inputs.dyOfUnits].map((v) => tensor(v, shape)) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    const [g, u, scale] = [tensor(inputs.g), tensor(inputs.u), tensor(Float32Array.of(4))];
    const norms = unitNorms(kernel, [shape.length - 1]);
    const weight = tf.valueAndGrads((v: tf.Tensor, g: tf.Tensor) => weightNorm(v, { g }))([kernel, g], dy);
    const derived = (f: (x: tf.Tensor) => tf.Tensor) => tf.valueAndGrad(f)(kernel, dyOfUnits);
    const asVectors = (f: (x: tf.Tensor) => tf.Tensor) =>
      derived((x) => tf.reshape(f(tf.reshape(x, [1, -1, units])), shape));
    const bare = derived((v) => weightNorm(v));
    const { kernel: once, sigma, ...vectors } = spectralNorm(kernel, { u, powerIterations: args.steps });
    const spectral = derived((w) => spectralNorm(w, { ...vectors, powerIterations: 0 }).kernel);
    const layer = unitNormalization({ axis: 1 });
    const vector = asVectors((x) => layer.apply(x) as tf.Tensor);
    const query = asVectors((x) => qkNorm(x, x, scale, { axis: 1 })[0]);
    return takeAll({
      norms,
      ...{ weight: weight.value, dv: weight.grads[0], dg: weight.grads[1] },
      ...{ bare: bare.value, dBare: bare.grad },
      ...{ once, sigma, ...vectors, spectral: spectral.value, dSpectral: spectral.grad },
      ...{ vector: vector.value, dVector: vector.grad, query: query.value, dQuery: query.grad },
    });
  });

/** A wrapped dense layer whose kernel has values of any size: its kernel and weights, before and after training calls. */
export const wrapSizedKernel = (
  args: SizedKernel & { className: WrapperName; options: Readonly<Record<string, unknown>>; calls: number },
) =>
  withTensors(async (tensor) => {
    const [inputs, units] = args.shape as [number, number];
    const { kernel } = sizedKernelInputs(args);
    const wrapper = make({ ...args, layer: { className: 'Dense', config: { units } } });
    const dense = wrapper.layer as Layer & { initialWeights: tf.Tensor[] | null };
    dense.initialWeights = [tensor(kernel, [inputs, units]), tensor(new Float32Array(units))];
    wrapper.build([null, inputs]);
    const start = await readWeights(wrapper.weights);
    const first = await values(wrapper.effectiveKernels());
    // y is about 1 where the kernel is not normalized.
    const x = tensor(normals(104, 4 * inputs, 0, 0.1 / Math.max(args.std, 1)), [4, inputs]);
    for (let i = 0; i < args.calls; i++) tf.dispose(wrapper.apply(x, { training: true }) as tf.Tensor);
    const { y, gradients } = await differentiate(wrapper, x, true);
    const last = await values(wrapper.effectiveKernels());
    const optimizer = tf.train.sgd(1e-3);
    const loss = () => tf.mean(tf.square(wrapper.apply(x, { training: true }) as tf.Tensor)) as tf.Scalar;
    tf.dispose(optimizer.minimize(loss, true, wrapper.trainableWeights.map(variableOf)) as tf.Scalar);
    const trained = await readWeights(wrapper.weights);
    optimizer.dispose();
    for (const weight of wrapper.weights) weight.dispose();
    return { start, first, y, gradients, last, trained };
  });

/** The first batch of `dataInit`, of any mean and deviation, on a kernel of values of any size. */
export const initializeFromSizedData = (args: SizedKernel & { data: { mean: number; std: number; same?: boolean } }) =>
  withTensors(async (tensor) => {
    const [inputs, units] = args.shape as [number, number];
    const { mean, std, same } = args.data;
    const wrapper = make({
      className: 'WeightNormalization',
      options: { dataInit: true },
      layer: { className: 'Dense', config: { units } },
    });
    const dense = wrapper.layer as Layer & { initialWeights: tf.Tensor[] | null };
    dense.initialWeights = [tensor(sizedKernelInputs(args).kernel, [inputs, units]), tensor(new Float32Array(units))];
    wrapper.build([null, inputs]);
    const batch = normals(105, 64 * inputs, mean, std).map((value, i, all) => (same ? all[i % inputs]! : value));
    const x = tensor(batch, [64, inputs]);
    const y = await take(wrapper.apply(x, { training: true }) as tf.Tensor);
    const weights = await readWeights(wrapper.weights);
    for (const weight of wrapper.weights) weight.dispose();
    return { y, weights };
  });

/** Spectral normalization of a known matrix, from any vector. */
export const spectralNormOf = ({
  matrix,
  size,
  factor,
}: {
  matrix: 'identity' | 'ones';
  size: number;
  factor: number;
}) =>
  withTensors(async (tensor) => {
    const values = new Float32Array(size * size).map((_, i) =>
      matrix === 'ones' || i % (size + 1) === 0 ? factor : 0,
    );
    const u = tensor(normals(106, size), [1, size]);
    return takeAll({ ...spectralNorm(tensor(values, [size, size]), { u, powerIterations: 2 }) });
  });
