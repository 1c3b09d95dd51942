/** Layers on one input: what they give, their gradients, and what becomes of their weights; and layers in models. */
import * as tf from '@tensorflow/tfjs';
import { type LayerCase, layerInputs } from '../support/layer-inputs.ts';
import { fillWeights, type Layer, lastPart, makeLayer, readWeights, variableOf } from '../support/layers.ts';
import { type Data, take, withTensors } from './tensors.ts';

/** A built layer with its weights filled, its input and the gradient of its output. */
async function withLayer<T>(
  args: LayerCase,
  body: (layer: Layer, call: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor, dy: tf.Tensor) => Promise<T>,
): Promise<T> {
  return withTensors(async (make) => {
    const { shape, dtype = 'float32', training } = args;
    const values = layerInputs(args);
    const [given, dy] = [make(values.x, [...shape]), make(values.dy, [...shape])];
    const x = dtype === 'float32' ? tf.clone(given) : tf.cast(given, dtype);
    const layer = makeLayer(args);
    layer.build([...shape]);
    fillWeights(layer);
    const kwargs: Record<string, unknown> = { training };
    if (args.mask) kwargs.mask = tf.tensor(args.mask as boolean[], shape.slice(0, -1), 'bool');
    try {
      return await body(layer, (x) => layer.apply(x, kwargs) as tf.Tensor, x, dy);
    } finally {
      x.dispose();
      (kwargs.mask as tf.Tensor | undefined)?.dispose();
      for (const weight of layer.weights) weight.dispose();
    }
  });
}

/** Without a gradient: y, all weights afterwards, and what the layer says of itself. */
export const applyLayer = (args: LayerCase) =>
  withLayer(args, async (layer, call, x) => {
    const y = call(x);
    const described = {
      outputShape: layer.computeOutputShape([...args.shape]) as number[],
      yShape: y.shape,
      dtype: y.dtype,
      count: layer.countParams(),
      trainable: layer.trainableWeights.map((weight) => lastPart(weight.originalName)),
      weightShapes: Object.fromEntries(layer.weights.map((w) => [lastPart(w.originalName), w.shape as number[]])),
    };
    return { y: await take(y), weights: await readWeights(layer.weights), ...described };
  });

/** The gradients of sum(y dy) in x and every trainable weight, and all weights afterwards. */
export const differentiateLayer = (args: LayerCase) =>
  withLayer(args, async (layer, call, x, dy) => {
    const [xVariable, names, variables] = asVariables(layer, x);
    let y: tf.Tensor | undefined;
    const f = () => {
      const out = call(xVariable);
      y = tf.keep(tf.clone(out));
      return tf.sum(tf.mul(out, dy)) as tf.Scalar;
    };
    const { value, grads } = tf.variableGrads(f, variables);
    value.dispose();
    const gradients = await takeGradients(grads, names, variables);
    xVariable.dispose();
    return { y: await take(y!), gradients, weights: await readWeights(layer.weights) };
  });

/** The gradients of the penalty sum(dx^2) + sum(x^2), where dx is that of sum(y dy), in x and every trainable weight. */
export const penalizeLayer = (args: LayerCase) =>
  withLayer(args, async (layer, call, x, dy) => {
    const [xVariable, names, variables] = asVariables(layer, x);
    const dx = tf.grad((x: tf.Tensor) => tf.sum(tf.mul(call(x), dy)));
    const penalty = () => tf.add(tf.sum(tf.square(dx(xVariable))), tf.sum(tf.square(xVariable))) as tf.Scalar;
    const { value, grads } = tf.variableGrads(penalty, variables);
    value.dispose();
    const gradients = await takeGradients(grads, names, variables);
    xVariable.dispose();
    return { gradients };
  });

/** The gradient in x of sum(dgamma^2), where dgamma is that of sum(y dy). */
export const penalizeGamma = (args: LayerCase) =>
  withLayer(args, async (layer, call, x, dy) => {
    const gamma = variableOf(layer.trainableWeights.find((weight) => lastPart(weight.originalName) === 'gamma')!);
    const dgamma = (x: tf.Tensor) => tf.grads(() => tf.sum(tf.mul(call(x), dy)))([gamma])[0]!;
    const dx = tf.grad((x: tf.Tensor) => tf.sum(tf.square(dgamma(x))))(x);
    return { gradients: { x: await take(dx) } };
  });

function asVariables(layer: Layer, x: tf.Tensor): [tf.Variable, string[], tf.Variable[]] {
  const xVariable = tf.variable(x);
  const names = ['x', ...layer.trainableWeights.map((weight) => lastPart(weight.originalName))];
  return [xVariable, names, [xVariable, ...layer.trainableWeights.map(variableOf)]];
}

/** Reads gradients by the names of the weights; a parameter that has none is left out. */
async function takeGradients(grads: tf.NamedTensorMap, names: string[], variables: tf.Variable[]) {
  const gradients: Record<string, Data> = {};
  for (const [i, name] of names.entries()) {
    const grad = grads[variables[i]!.name];
    if (grad) gradients[name] = await take(grad);
  }
  return gradients;
}

/** The layer by itself, and in models of every kind: all should give the same. */
export const layerInModels = (args: LayerCase) =>
  withLayer({ ...args, training: false }, async (layer, call, x) => {
    const own = await take(call(x));
    const rest = args.shape.slice(1);
    const results: Record<string, Data> = {};
    const input = () => tf.input({ shape: rest });
    const predict = async (name: string, model: tf.LayersModel, x: tf.Tensor | tf.Tensor[]) => {
      const y = model.predict(x) as tf.Tensor | tf.Tensor[];
      for (const [i, one] of [y].flat().entries()) results[`${name} ${i}`] = await take(one as tf.Tensor);
    };
    const copy = () => makeLayer({ ...args, options: { ...args.options, name: undefined } });

    const sequential = tf.sequential();
    const first = makeLayer({ ...args, options: { ...args.options, inputShape: rest } });
    sequential.add(first);
    fillWeights(first);
    await predict('sequential', sequential, x);

    const a = input();
    const inner = copy();
    const functional = tf.model({ inputs: a, outputs: inner.apply(a) as tf.SymbolicTensor });
    fillWeights(inner);
    await predict('functional', functional, x);

    const [b, c] = [input(), input()];
    const shared = copy();
    const outputs = [b, c].map((symbol) => shared.apply(symbol) as tf.SymbolicTensor);
    const twice = tf.model({ inputs: [b, c], outputs });
    fillWeights(shared);
    await predict('shared', twice, [x, x]);

    const models: tf.LayersModel[] = [sequential, functional, twice];
    if (args.shape.length < 6) {
      const wrapped = copy();
      const over = tf.layers.timeDistributed({ layer: wrapped as never, inputShape: [2, ...rest] });
      const timed = tf.sequential({ layers: [over] });
      fillWeights(wrapped);
      const times = tf.stack([x, x], 1);
      const y = timed.predict(times) as tf.Tensor;
      const apart = tf.unstack(y, 1);
      for (const [i, one] of apart.entries()) results[`time ${i}`] = await take(one);
      tf.dispose([y, times]);
      models.push(timed);
    }
    const parameters = models.map((model) => model.countParams());
    for (const model of models) model.dispose();
    shared.dispose(); // TensorFlow.js counts a use for each of its two inputs
    return { own, results, parameters, count: layer.countParams() };
  });

/** A few steps of `fit` of the layer and a dense layer towards targets that they can reach; then evaluate and predict. */
export const fitLayer = (args: LayerCase) =>
  withTensors(async (make) => {
    const x = make(layerInputs(args).x, [...args.shape]);
    const targets = make(layerInputs({ shape: [args.shape[0]!, 2] }).dy, [args.shape[0]!, 2]);
    const model = tf.sequential();
    model.add(makeLayer({ ...args, options: { ...args.options, inputShape: args.shape.slice(1) } }));
    if (args.shape.length > 2) model.add(tf.layers.flatten());
    model.add(tf.layers.dense({ units: 2, kernelInitializer: tf.initializers.glorotUniform({ seed: 5 }) }));
    model.compile({ optimizer: tf.train.sgd(0.05), loss: 'meanSquaredError' });
    const before = tf.memory().numTensors;
    const { history } = await model.fit(x, targets, {
      epochs: 6,
      batchSize: args.shape[0]!,
      shuffle: false,
      verbose: 0,
    });
    const evaluated = await take(model.evaluate(x, targets, { batchSize: args.shape[0]! }) as tf.Tensor);
    const predicted = await take(model.predict(x) as tf.Tensor);
    const grown = tf.memory().numTensors - before;
    (model.optimizer as tf.Optimizer).dispose();
    model.dispose();
    return { losses: history.loss as number[], evaluated, predicted, grown };
  });
