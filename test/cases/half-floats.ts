/** A public function or layer on inputs that 16-bit floats hold: what it gives, its gradients, and what becomes of weights. */
import * as tf from '@tensorflow/tfjs';
import {
  FUNCTIONS,
  type FunctionSubject,
  type HalfCase,
  halfValues,
  LAYERS,
  type LayerSubject,
} from '../support/half-subjects.ts';
import { lastPart, variableOf } from '../support/layers.ts';
import { type Data, take, withTensors } from './tensors.ts';

type Results = Record<string, Data>;
const STEPS = 3;

export const halfFloats = (args: HalfCase): Promise<Results> => {
  const f = FUNCTIONS[args.subject];
  return f ? ofFunction(f, args) : ofLayer(LAYERS[args.subject]!, args);
};

const single = (shape: readonly number[], args: HalfCase) => (args.single ? [1, ...shape.slice(1)] : [...shape]);

const ofFunction = ({ inputs, f }: FunctionSubject, args: HalfCase) =>
  withTensors(async (make) => {
    const names = Object.keys(inputs);
    const tensors = names.map((name, i) => {
      const [like, ...given] = inputs[name]!;
      const shape = like === 'activations' || like === 'values' ? single(given, args) : given;
      return make(halfValues(like, shape, i + 1, args), shape);
    });
    const named = (list: tf.Tensor[]) => Object.fromEntries(names.map((name, i) => [name, list[i]!]));
    const results: Results = {};
    const outputs = tf.tidy(() => f(named(tensors)));
    const { shape } = outputs.y;
    for (const [name, output] of Object.entries(outputs)) results[name] = await take(output);
    const size = shape.reduce((a, b) => a * b, 1);
    const dy = make(
      halfValues('activations', shape, 50, { ...args, std: args.upstream, mean: 0, dead: false }).slice(0, size),
      shape,
    );
    const grads = tf.grads((...list: tf.Tensor[]) => f(named(list)).y)(tensors, dy);
    for (const [i, grad] of grads.entries()) {
      const gradient = await take(grad);
      if (!['u', 'direction'].includes(inputs[names[i]!]![0])) results[`d${names[i]}`] = gradient;
    }
    return results;
  });

const ofLayer = (subject: LayerSubject, args: HalfCase) =>
  withTensors(async (make) => {
    const shape = subject.kernels ? [...subject.shape] : single(subject.shape, args);
    const ofInputs = subject.kernels ? { ...args, std: 1, mean: 0 } : args;
    const xs = Array.from({ length: subject.inputs ?? 1 }, (_, i) =>
      make(halfValues('activations', shape, i + 1, ofInputs), shape),
    );
    const layer = subject.layer();
    layer.build(xs.length > 1 ? xs.map((x) => x.shape) : shape);
    for (const [i, weight] of layer.weights.entries()) fill(weight, i + 100, args, subject);
    // The norms of a kernel are found when the layer is built.
    if (subject.kernels) startOver(layer, args);
    const positions = shape.slice(0, -1).reduce((a, b) => a * b, 1);
    const mask = tf.tensor(
      Array.from({ length: positions }, (_, i) => i % 3 !== 1),
      shape.slice(0, -1),
      'bool',
    );
    const call = (x: tf.Tensor[], training: boolean) =>
      tf.tidy(() => {
        const y = layer.apply(x.length > 1 ? x : x[0]!, { training, ...(subject.masked ? { mask } : {}) });
        return (Array.isArray(y) ? y[0] : y) as tf.Tensor;
      });
    const results: Results = {};
    const differentiate = async (when: string, training: boolean) => {
      const trainable = layer.trainableWeights;
      const inputs = [...xs, ...trainable.map(variableOf)];
      const probe = call(xs, false);
      const dy = make(
        halfValues('activations', probe.shape, 50, { ...args, std: args.upstream, mean: 0, dead: false }),
        probe.shape,
      );
      probe.dispose();
      const { value, grads } = tf.valueAndGrads((...list: tf.Tensor[]) => call(list.slice(0, xs.length), training))(
        inputs,
        dy,
      );
      results[`y ${when}`] = await take(value);
      for (const [i, grad] of grads.entries()) {
        const name = i < xs.length ? `x${i || ''}` : lastPart(trainable[i - xs.length]!.originalName);
        results[`d${name} ${when}`] = await take(grad);
      }
    };
    try {
      await differentiate('in training', true);
      for (let step = 1; step < STEPS; step++) tf.dispose(call(xs, true));
      for (const weight of layer.weights) {
        results[lastPart(weight.originalName)] = (await weight.read().data()).slice();
      }
      results.y = await take(call(xs, false));
      await differentiate('in inference', false);
    } finally {
      mask.dispose();
      for (const weight of layer.weights) weight.dispose();
    }
    return results;
  });

/** Parameters that are not as they start; moving averages start as they do. */
function fill(weight: tf.layers.Layer['weights'][number], seed: number, args: HalfCase, subject: LayerSubject): void {
  const name = lastPart(weight.originalName);
  const shape = weight.shape as number[];
  const like = /kernel/.test(name)
    ? 'activations'
    : /^(gamma|scale|g)$/.test(name)
      ? 'scale'
      : /^(beta|.*_weights)$/.test(name)
        ? 'shift'
        : /^(mean)$/.test(name)
          ? 'mean'
          : /^variance$/.test(name)
            ? 'variance'
            : undefined;
  if (name === 'rho') tf.tidy(() => void weight.write(tf.fill(shape, 0.625)));
  if (!like || (subject.kernels && like !== 'activations')) return;
  tf.tidy(() => void weight.write(tf.tensor(halfValues(like, shape, seed, args), shape)));
}

/** g of the kernel as it is now. */
function startOver(layer: tf.layers.Layer, _: HalfCase): void {
  const weight = (name: string) => layer.weights.find((w) => lastPart(w.originalName) === name);
  const [g, kernel] = [weight('g'), weight('kernel')];
  if (!g || !kernel) return;
  const [rows, units] = kernel.shape as [number, number];
  const values = kernel.read().dataSync();
  const norms = Array.from({ length: units }, (_, unit) =>
    Math.hypot(...Array.from({ length: rows }, (_, row) => values[row * units + unit]!)),
  );
  tf.tidy(() => void g.write(tf.tensor(norms, g.shape as number[])));
}
