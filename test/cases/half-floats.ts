/** A public function or layer on inputs that 16-bit floats hold: what it gives, its gradients, and what becomes of weights. */
import * as tf from '@tensorflow/tfjs';
import {
  FUNCTIONS,
  type FunctionSubject,
  type HalfCase,
  halfValues,
  LAYERS,
  type LayerSubject,
  type Like,
} from '../support/half-subjects.ts';
import { type Layer, lastPart, readWeights, variableOf, type Weight } from '../support/layers.ts';
import { type Data, take, withTensors } from './tensors.ts';

type Results = Record<string, Data>;
const STEPS = 3;

export const halfFloats = (args: HalfCase): Promise<Results> => {
  const f = FUNCTIONS[args.subject];
  return f ? ofFunction(f, args) : ofLayer(LAYERS[args.subject]!, args);
};

const batchOf = (like: Like, shape: readonly number[], { single }: HalfCase): number[] =>
  single && (like === 'activations' || like === 'values') ? [1, ...shape.slice(1)] : [...shape];
const upstreamOf = (shape: readonly number[], args: HalfCase, std = args.upstream) =>
  halfValues('activations', shape, 50, { ...args, std, mean: 0, dead: false });

const ofFunction = ({ inputs, f }: FunctionSubject, args: HalfCase) =>
  withTensors(async (make) => {
    const given = Object.entries(inputs).map(([name, [like, ...shape]], i) => {
      const own = batchOf(like, shape, args);
      return { name, like, tensor: make(halfValues(like, own, i + 1, args), own) };
    });
    const all = Object.fromEntries(given.map(({ name, tensor }) => [name, tensor]));
    const outputs = tf.tidy(() => f(all));
    const { shape } = outputs.y;
    const results: Results = {};
    for (const [name, output] of Object.entries(outputs)) results[name] = await take(output);
    const varied = given.filter(({ like }) => like !== 'direction');
    const y = (...list: tf.Tensor[]) =>
      f({ ...all, ...Object.fromEntries(varied.map(({ name }, i) => [name, list[i]!])) }).y;
    const dy = make(upstreamOf(shape, args), shape);
    const grads = tf.grads(y)(
      varied.map(({ tensor }) => tensor),
      dy,
    );
    for (const [i, grad] of grads.entries()) results[`d${varied[i]!.name}`] = await take(grad);
    return results;
  });

/** A training call, more of them, and a call in inference: outputs and gradients of the first and last, and the weights. */
const ofLayer = (subject: LayerSubject, args: HalfCase) =>
  withTensors(async (make) => {
    const ofInputs = subject.kernels ? { ...args, std: 1, mean: 0, dead: false, single: false } : args;
    const shape = batchOf('activations', subject.shape, ofInputs);
    const xs = Array.from({ length: subject.inputs ?? 1 }, (_, i) =>
      make(halfValues(i === 2 ? 'values' : 'activations', shape, i + 1, ofInputs), shape),
    );
    const layer = subject.layer();
    layer.build(xs.length > 1 ? xs.map((x) => x.shape) : shape);
    layer.built = true; // which TensorFlow.js's recurrent layers do not say
    for (const [i, weight] of layer.weights.entries()) fill(weight, i + 100, args);
    if (subject.kernels) fillNorms(layer);
    const positions = shape.slice(0, -1);
    const isLeft = Array.from({ length: positions.reduce((a, b) => a * b, 1) }, (_, i) => i % 3 !== 1);
    const mask = tf.tensor(isLeft, positions, 'bool');
    const call = (x: tf.Tensor[], training: boolean) =>
      tf.tidy(() => {
        const y = layer.apply(x.length > 1 ? x : x[0]!, { training, ...(subject.masked ? { mask } : {}) });
        return Array.isArray(y) ? tf.concat(y as tf.Tensor[], 1) : (y as tf.Tensor);
      });
    const results: Results = {};
    const differentiate = async (when: string, training: boolean) => {
      const names = [...xs.keys()].map((i) => `x${i || ''}`);
      names.push(...layer.trainableWeights.map((weight) => lastPart(weight.originalName)));
      const f = (...list: tf.Tensor[]) => call(list.slice(0, xs.length), training);
      const probe = call(xs, false);
      const dy = make(upstreamOf(probe.shape, args, subject.upstream), probe.shape);
      probe.dispose();
      const { value, grads } = tf.valueAndGrads(f)([...xs, ...layer.trainableWeights.map(variableOf)], dy);
      results[`y ${when}`] = await take(value);
      for (const [i, grad] of grads.entries()) results[`d${names[i]} ${when}`] = await take(grad);
    };
    try {
      await differentiate('in training', true);
      for (let step = 1; step < STEPS; step++) tf.dispose(call(xs, true));
      Object.assign(results, await readWeights(layer.weights));
      await differentiate('in inference', false);
    } finally {
      mask.dispose();
      for (const weight of layer.weights) weight.dispose();
    }
    return results;
  });

/** What weights are like that are not as they start. */
const LIKE: Readonly<Record<string, Like>> = {
  kernel: 'kernel',
  recurrent_kernel: 'shift',
  gamma: 'scale',
  scale: 'scale',
  beta: 'shift',
  mean_weights: 'shift',
  variance_weights: 'shift',
  mean: 'mean',
  variance: 'variance',
};

function fill(weight: Weight, seed: number, args: HalfCase): void {
  const like = LIKE[lastPart(weight.originalName)];
  const shape = weight.shape as number[];
  if (like) tf.tidy(() => void weight.write(tf.tensor(halfValues(like, shape, seed, args), shape)));
}

/** The lengths of the kernel that was written, in float32. */
function fillNorms({ weights }: Layer): void {
  const [g, kernel] = ['g', 'kernel'].map((name) => weights.find((w) => lastPart(w.originalName) === name));
  if (!g || !kernel) return;
  const [rows, units] = kernel.shape as [number, number];
  const values = kernel.read().dataSync();
  const column = (unit: number) => Array.from({ length: rows }, (_, row) => values[row * units + unit]!);
  const norms = Array.from({ length: units }, (_, unit) => Math.hypot(...column(unit)));
  tf.tidy(() => void g.write(tf.tensor(norms, g.shape as number[])));
}

/** All weights after a training call on values that 16-bit floats do not hold. */
export const halfOverflow = ({ subject }: { subject: string }) =>
  withTensors(async (make) => {
    const { layer: makeLayer, shape, masked, inputs = 1 } = LAYERS[subject]!;
    const layer = makeLayer();
    layer.build(inputs === 1 ? [...shape] : Array.from({ length: inputs }, () => [...shape]));
    const size = shape.reduce((a, b) => a * b, 1);
    const x = make(new Float32Array(size).fill(1e5), [...shape]);
    const mask = make(new Float32Array(size / shape.at(-1)!).fill(1), shape.slice(0, -1));
    const given = inputs === 1 ? x : Array.from({ length: inputs }, () => x);
    tf.tidy(() => void layer.apply(given, { training: true, ...(masked ? { mask: tf.cast(mask, 'bool') } : {}) }));
    const weights = await readWeights(layer.weights);
    for (const weight of layer.weights) weight.dispose();
    return Object.values(weights).flatMap((values) => [...values]);
  });
