/** Groups without variance and tensors without values: what every function and layer gives, and the gradients of it. */
import * as tf from '@tensorflow/tfjs';
import { run } from '../../kernels/core/registry.ts';
import type { View } from '../../kernels/core/view.ts';
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
    const { axis = -1 } = options as { axis?: number };
    const c = shape.at(axis)!;
    const x = make(new Float32Array(size).fill(value), [...shape]);
    const dy = make(normals(5, size), [...shape]);
    const [gamma, beta] = [make(new Float32Array(c).fill(2)), make(new Float32Array(c).fill(BETA))];
    const f = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => functions[name](x, { ...options, gamma, beta });
    const { value: y, grads } = tf.valueAndGrads(f)([x, gamma, beta], dy);
    const dx = tf.grad((x: tf.Tensor) => tf.sum(tf.mul(f(x, gamma, beta), dy)));
    // Of a gradient the composed ops run, which are slow.
    const again = size < 500 ? tf.grad((x: tf.Tensor) => tf.sum(tf.mul(dx(x), dy)))(x) : tf.scalar(0);
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
    const { axis = -1 } = options as { axis?: number };
    const c = shape.at(axis)!;
    const x = make(new Float32Array(0), [...shape]);
    const parameters = [make(new Float32Array(c).fill(2)), make(new Float32Array(c).fill(BETA))];
    const f = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => functions[name](x, { ...options, gamma, beta });
    const plain = tf.tidy(() => f(x, parameters[0]!, parameters[1]!));
    const { value, grads } = tf.valueAndGrads(f)([x, ...parameters]);
    const shapes = [plain.shape, value.shape, grads[0]!.shape];
    return { shapes, gradients: await takeAll({ plain, value, dx: grads[0], dgamma: grads[1], dbeta: grads[2] }) };
  });

/** The kernels themselves, of x without values: the shapes of all outputs, and what is summed over x. */
export const kernelsOfNothing = ({ view }: { readonly view: View }) =>
  withTensors(async (make) => {
    const { n, s, c } = view;
    const x = make(new Float32Array(0), [n, s, c]);
    const [gamma, beta] = [make(new Float32Array(c)), make(new Float32Array(c))];
    const [mean, scale, shift] = [0, 1, 2].map(() => make(new Float32Array(n * c))) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    const attrs = { view, epsilon: 1e-3, epsilonPlacement: 'inside', center: true, rescale: true } as const;
    const [y, statistics, sum] = run('Normalize', { x, residual: x, gamma, beta }, attrs) as tf.Tensor[];
    const inputs = { dy: x, dsum: x, x, statistics: statistics!, gamma };
    const [dx, dgamma, dbeta] = run('NormalizeGrad', inputs, { ...attrs, affine: true }) as tf.Tensor[];
    const [scaled] = run('ScaleShift', { x, mean, scale, shift }, { view, epsilon: 0 });
    const [dscale, dshift] = run('ScaleShiftGrad', { dy: x, x, mean }, { view });
    const [blended] = run('BlendGrad', { dy: x, x, mean, scale, a: scale, b: shift }, { view });
    const [moments] = run('Moments', { x }, { view });
    const likeX = [y!, sum!, dx!, scaled, blended];
    const shapes = { likeX: likeX.map(({ shape }) => shape), moments: [statistics!.shape, moments.shape] };
    tf.dispose([...likeX, statistics!, moments]);
    return { shapes, sums: await takeAll({ dgamma, dbeta, dscale, dshift }) };
  });

export interface LayerOfNothingCase {
  readonly className: string;
  readonly options: object;
  readonly shapes: readonly (readonly number[])[];
  readonly training: boolean;
  /** Which input's gradient is taken, of the output of that number where there are several. Default: 0. */
  readonly which?: number;
  /** Whether the inputs have a mask of as few positions. */
  readonly masked?: boolean;
}

/** A layer of inputs without values, with its gradients, and what becomes of the weights that are not trained. */
export const layerOfNothing = ({ className, options, shapes, training, which = 0, masked }: LayerOfNothingCase) =>
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
      return Array.isArray(y) ? y[which]! : y;
    };
    const plain = tf.tidy(() => call(...inputs));
    // TensorFlow.js's webgl backend has no sum of nothing, which makes a scalar of y.
    const trained = layer.trainableWeights.map((weight) => (weight as unknown as { val: tf.Variable }).val);
    const from = [inputs[which]!, ...(className.startsWith('QK') ? [] : trained)];
    const dy = tf.zeros(plain.shape);
    const { value: y, grads } = tf.engine().gradients(() => call(...inputs), from, dy);
    dy.dispose();
    const described = { y: y.shape, plain: plain.shape, dx: grads[0]!.shape };
    const after = await read();
    for (const weight of layer.weights) weight.dispose();
    const gradients = Object.fromEntries([...grads.entries()].map(([i, grad]) => [`gradient ${i}`, grad]));
    const values: Record<string, Data | undefined> = await takeAll({ ...gradients, y, plain });
    return { ...described, values, state: { before, after } };
  });
