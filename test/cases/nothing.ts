/** Groups without variance and tensors without values: what every function and layer gives, and the gradients of it. */
import * as tf from '@tensorflow/tfjs';
import * as ours from '../../layers/index.ts';
import { type FunctionName, functions } from '../support/functions.ts';
import { normals } from '../support/random.ts';
import { type Data, takeAll, withTensors } from './tensors.ts';

export interface EqualCase {
  readonly name: FunctionName;
  readonly shape: readonly number[];
  /** The value of all elements. */
  readonly value: number;
  readonly options: object;
}

const BETA = 0.5;

/** y, and the gradients of x, gamma and beta, and that of the gradient of x, where all values are equal. */
export const ofEqualValues = ({ name, shape, value, options }: EqualCase) =>
  withTensors(async (make) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const c = shape.at(-1)!;
    const x = make(new Float32Array(size).fill(value), [...shape]);
    const dy = make(normals(5, size), [...shape]);
    const [gamma, beta] = [make(new Float32Array(c).fill(2)), make(new Float32Array(c).fill(BETA))];
    const f = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => functions[name](x, { ...options, gamma, beta });
    const { value: y, grads } = tf.valueAndGrads(f)([x, gamma, beta], dy);
    const dx = tf.grad((x: tf.Tensor) => tf.sum(tf.mul(f(x, gamma, beta), dy)));
    const again = tf.grad((x: tf.Tensor) => tf.sum(tf.mul(dx(x), dy)))(x);
    return takeAll({ y, dx: grads[0], dgamma: grads[1], dbeta: grads[2], again });
  });

/** The same where the mean and variance that are given are `mean` and 0. */
export const withoutVariance = ({ shape, value, mean }: Pick<EqualCase, 'shape' | 'value'> & { mean: number }) =>
  withTensors(async (make) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const c = shape.at(-1)!;
    const x = make(new Float32Array(size).fill(value), [...shape]);
    const at = make(new Float32Array(c).fill(mean));
    const [none, beta] = [make(new Float32Array(c)), make(new Float32Array(c).fill(BETA))];
    const f = (x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor) =>
      ours.batchNorm(x, { mean, variance, beta, epsilon: 0 }).y;
    const plain = tf.tidy(() => f(x, at, none));
    const { value: y, grads } = tf.valueAndGrads(f)([x, at, none]);
    return takeAll({ plain, y, dx: grads[0], dmean: grads[1], dvariance: grads[2] });
  });

export interface LayerOfEqualCase {
  readonly className: string;
  readonly options: object;
  readonly shape: readonly number[];
  readonly value: number;
}

/** A layer in training, on equal values, then in inference: y, dx, and the weights, of which the averages start at 0. */
export const layerOfEqualValues = ({ className, options, shape, value }: LayerOfEqualCase) =>
  withTensors(async (make) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const x = make(new Float32Array(size).fill(value), [...shape]);
    const dy = make(normals(5, size), [...shape]);
    const layer = layerOf(className, options);
    layer.build([...shape]);
    const names = layer.weights.map(({ originalName }) => originalName);
    tf.tidy(() =>
      layer.setWeights(
        layer.weights.map((weight, i) =>
          /moving|renorm/.test(names[i]!) ? tf.zerosLike(weight.read()) : weight.read(),
        ),
      ),
    );
    const call = (training: boolean) => (x: tf.Tensor) => layer.apply(x, { training }) as tf.Tensor;
    const inference = tf.tidy(() => call(false)(x));
    const { value: y, grad: dx } = tf.valueAndGrad(call(true))(x, dy);
    const weights = Object.fromEntries(layer.weights.map((weight, i) => [names[i]!, tf.clone(weight.read())]));
    for (const weight of layer.weights) weight.dispose();
    return { results: await takeAll({ y, dx, inference }), weights: await takeAll(weights) };
  });

const layerOf = (className: string, options: object): tf.layers.Layer => {
  const Class = (ours as unknown as Record<string, new (options: object) => tf.layers.Layer>)[className]!;
  return new Class(options);
};

/** Shapes and gradients of a function of a tensor without values. */
export const functionOfNothing = ({ name, shape, options }: Omit<EqualCase, 'value'>) =>
  withTensors(async (make) => {
    const c = shape.at(-1)!;
    const x = make(new Float32Array(0), [...shape]);
    const parameters = [make(normals(1, c)), make(normals(2, c))];
    const f = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => functions[name](x, { ...options, gamma, beta });
    const plain = tf.tidy(() => f(x, parameters[0]!, parameters[1]!));
    const { value, grads } = tf.valueAndGrads(f)([x, ...parameters]);
    const shapes = [plain.shape, value.shape, grads[0]!.shape];
    return { shapes, gradients: await takeAll({ plain, value, dx: grads[0], dgamma: grads[1], dbeta: grads[2] }) };
  });

export interface LayerOfNothingCase {
  readonly className: string;
  readonly options: object;
  readonly shapes: readonly (readonly number[])[];
  readonly training: boolean;
  /** Whether the inputs have a mask of as few positions. */
  readonly masked?: boolean;
}

/** A layer of inputs without values, with its gradients, and what becomes of the weights that are not trained. */
export const layerOfNothing = ({ className, options, shapes, training, masked }: LayerOfNothingCase) =>
  withTensors(async (make) => {
    const wrapped = /^(Weight|Spectral)/.test(className) ? { layer: tf.layers.dense({ units: 3 }) } : {};
    const layer = layerOf(className, { ...wrapped, ...options });
    const known = shapes.map((shape) => shape.map((size, i) => (i === 0 ? null : size)));
    layer.build(known.length === 1 ? known[0]! : known);
    const inputs = shapes.map((shape) => make(new Float32Array(shape.reduce((a, b) => a * b, 1)), [...shape]));
    const state = layer.nonTrainableWeights;
    const read = async () => Promise.all(state.map(async (weight) => Array.from(await weight.read().data())));
    const before = await read();
    const kwargs: Record<string, unknown> = { training };
    if (masked) kwargs.mask = make(new Float32Array(0), shapes[0]!.slice(0, -1));
    const call = (...x: tf.Tensor[]) => {
      const y = layer.apply(x.length === 1 ? x[0]! : x, kwargs) as tf.Tensor | tf.Tensor[];
      return Array.isArray(y) ? y[0]! : y;
    };
    const plain = tf.tidy(() => call(...inputs));
    const { value: y, grads: dx } = tf.valueAndGrads(call)(inputs);
    const trained = layer.trainableWeights.map((weight) => (weight as unknown as { val: tf.Variable }).val);
    const gradients: Record<string, tf.Tensor> = {};
    if (trained.length > 0) {
      const { value, grads } = tf.variableGrads(() => tf.sum(call(...inputs)) as tf.Scalar, trained);
      value.dispose();
      for (const [name, grad] of Object.entries(grads)) if (grad) gradients[name] = grad;
    }
    const described = { y: y.shape, plain: plain.shape, dx: dx.map(({ shape }) => shape) };
    const after = await read();
    for (const weight of layer.weights) weight.dispose();
    const all = Object.fromEntries([...dx.entries()].map(([i, one]) => [`dx${i}`, one]));
    const values: Record<string, Data | undefined> = await takeAll({ ...all, ...gradients, y, plain });
    return { ...described, values, state: { before, after } };
  });
