/**
 * The normalizations at the sizes that are measured, in three forms each: our function, our layer and TensorFlow.js's as
 * TensorFlow.js users call them, and the formula in ordinary ops.
 */
import * as tf from '@tensorflow/tfjs';
import * as ours from 'tfjs-normalizations';

export const EPSILON = 1e-3;
const GROUPS = 8;

/** y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, as one writes it. */
function composed(x, gamma, beta, axes) {
  const { mean, variance } = tf.moments(x, axes, true);
  return tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, EPSILON))), gamma), beta);
}

/** The axes between those of the batch and of the channels. */
const positions = ({ rank }) => Array.from({ length: rank - 2 }, (_, i) => i + 1);

/** The same with channels in groups. */
function composedGroups(x, gamma, beta) {
  const [n, h, w, c] = x.shape;
  const split = tf.reshape(x, [n, h, w, GROUPS, c / GROUPS]);
  const perGroup = [GROUPS, c / GROUPS];
  const y = composed(split, tf.reshape(gamma, perGroup), tf.reshape(beta, perGroup), [1, 2, 4]);
  return tf.reshape(y, x.shape);
}

/** y = x / (sqrt(mean(x^2)) + epsilon) * gamma + beta. */
function composedRms(x, gamma, beta) {
  const rms = tf.sqrt(tf.mean(tf.square(x), -1, true));
  return tf.add(tf.mul(tf.div(x, tf.add(rms, EPSILON)), gamma), beta);
}

const epsilon = EPSILON;
const layerNorm = (x, gamma, beta) => ours.layerNorm(x, { gamma, beta, epsilon });
const rows = (shape) => ({ n: tf.util.sizeFromShape(shape.slice(0, -1)), s: 1, c: shape.at(-1), groups: 1 });
const images = ([n, h, w, c], groups) => ({ n, s: h * w, c, groups });

/**
 * By name: `op` and `composed`, functions of (x, gamma, beta); `layer` and `builtIn`, which make our layer and
 * TensorFlow.js's, where it has one; `view(shape)` and `form`, what the kernel of the gradient is called with; `onnx`,
 * ONNX's operator; `conditional`, the limits of how much longer it may take with a row of gamma and beta for each example.
 */
export const normalizations = {
  layer: {
    op: layerNorm,
    composed: (x, gamma, beta) => composed(x, gamma, beta, [-1]),
    layer: () => ours.layerNormalization({ epsilon }),
    builtIn: () => tf.layers.layerNormalization({ epsilon }),
    view: rows,
    onnx: 'LayerNormalization',
  },
  adaptive: {
    op: layerNorm,
    view: rows,
    conditional: { atMost: 1.2 },
  },
  rms: {
    op: (x, gamma, beta) => ours.rmsNorm(x, { gamma, beta, epsilon }),
    composed: composedRms,
    layer: () => ours.rmsNormalization({ epsilon }),
    view: rows,
    form: { center: false, epsilonPlacement: 'outside' },
  },
  batch: {
    op: (x, gamma, beta) => ours.batchNorm(x, { gamma, beta, epsilon }).y,
    composed: (x, gamma, beta) => composed(x, gamma, beta, [0, ...positions(x)]),
    layer: () => ours.batchNormalization({ epsilon }),
    builtIn: () => tf.layers.batchNormalization({ epsilon }),
    view: ([n, h, w, c]) => ({ n: 1, s: n * h * w, c, groups: c }),
    conditional: { atMost: 1.2 },
  },
  instance: {
    op: (x, gamma, beta) => ours.instanceNorm(x, { gamma, beta, epsilon }),
    composed: (x, gamma, beta) => composed(x, gamma, beta, positions(x)),
    layer: () => ours.instanceNormalization({ epsilon }),
    view: (shape) => images(shape, shape[3]),
    conditional: { atMost: 1.15 },
    onnx: 'InstanceNormalization',
  },
  renorm: {
    layer: () => ours.batchRenormalization({ epsilon }),
  },
  group: {
    op: (x, gamma, beta) => ours.groupNorm(x, { gamma, beta, epsilon, groups: GROUPS }),
    composed: composedGroups,
    layer: () => ours.groupNormalization({ epsilon, groups: GROUPS }),
    view: (shape) => images(shape, GROUPS),
    onnx: 'GroupNormalization',
  },
};

/** The attributes with which a normalization calls the kernels. */
export const attributes = ({ view, form }, shape) => ({
  view: view(shape),
  epsilon: EPSILON,
  epsilonPlacement: 'inside',
  center: true,
  rescale: true,
  ...form,
});

/** Random tensors for a shape: x, dy of that shape, gamma, beta of its last axis. */
export function tensors(shape, { mean = 0, seed = 1 } = {}) {
  const parameter = (center, seed) => tf.randomNormal(shape.slice(-1), center, 0.1, 'float32', seed);
  return {
    x: tf.randomNormal(shape, mean, 1, 'float32', seed),
    dy: tf.randomNormal(shape, 0, 1, 'float32', seed + 1),
    gamma: parameter(1, seed + 2),
    beta: parameter(0, seed + 3),
  };
}
