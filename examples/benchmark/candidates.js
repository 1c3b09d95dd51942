/** The candidates of a race, as functions of no arguments: each makes one call and disposes its results. */
import * as tf from '@tensorflow/tfjs';
import { normalizations, tensors } from './workloads.js';

/** `name`, a call of f, and `nameGradient`, the call and the gradients of all inputs. */
export function both(name, f, inputs, dy) {
  const gradients = tf.grads(f);
  return {
    [name]: () => tf.tidy(() => f(...inputs)).dispose(),
    [`${name}Gradient`]: () => tf.dispose(gradients(inputs, dy)),
  };
}

/** The same of a layer in training; the gradients are those of the inputs and of all its weights. */
export function bothOfLayer(name, layer, inputs, dy) {
  const apply = (...tensors) => {
    const given = tensors.slice(0, inputs.length);
    return layer.apply(given.length > 1 ? given : given[0], { training: true });
  };
  apply(...inputs).dispose();
  const weights = layer.trainableWeights.map((weight) => weight.read());
  return both(name, apply, [...inputs, ...weights], dy);
}

/**
 * Both of every form that a normalization of workloads.js has, on random tensors: `ours`, `composed`, `layer`, `builtIn`; and
 * where they are asked for `conditional`, ours with a row of gamma and beta for each example, and `rival`, the layer of another
 * normalization.
 *
 * @param {string} name
 * @param {number[]} shape
 * @param {{rival?: string, withConditional?: boolean}} [more]
 */
export function contest(name, shape, { rival, withConditional = false } = {}) {
  const data = tensors(shape);
  const { x, dy, gamma, beta } = data;
  const { op, composed, conditional, layer, builtIn } = normalizations[name];
  const candidates = {};
  for (const [form, f] of Object.entries({ ours: op, composed })) {
    if (f) Object.assign(candidates, both(form, f, [x, gamma, beta], dy));
  }
  if (conditional && withConditional) {
    const conditions = [shape[0], shape.at(-1)];
    data.gammas = tf.randomNormal(conditions, 1, 0.1);
    data.betas = tf.randomNormal(conditions, 0, 0.1);
    Object.assign(candidates, both('conditional', op, [x, data.gammas, data.betas], dy));
  }
  const layers = [];
  for (const [form, make] of Object.entries({ layer, builtIn, rival: normalizations[rival]?.layer })) {
    if (!make) continue;
    layers.push(make());
    Object.assign(candidates, bothOfLayer(form, layers.at(-1), [x], dy));
  }
  const dispose = () => {
    for (const layer of layers) layer.dispose();
    tf.dispose(Object.values(data));
  };
  return { candidates, data, dispose };
}

/** The check of the conditional form of a workload, if it has one, by the times of its candidates. */
export const conditionalChecks = ({ label, name }, us) =>
  us.conditionalGradient
    ? [
        {
          label: `${label}: conditional / ours, fwd+grad`,
          value: us.conditionalGradient / us.oursGradient,
          ...normalizations[name].conditional,
        },
      ]
    : [];

/** The kernels of forward and gradient by themselves; undefined where the backend has none. */
export function kernelCalls(attrs, { x, dy, gamma, beta }) {
  const name = (kernel) => `tfjs-normalizations/2/${kernel}`;
  if (tf.getKernel(name('NormalizeGrad'), tf.getBackend()) === undefined) return undefined;
  const run = () => tf.engine().runKernel(name('Normalize'), { x, gamma, beta }, attrs);
  const [y, statistics] = run();
  y.dispose();
  const gradInputs = { dy, x, statistics, gamma };
  const gradAttrs = { ...attrs, affine: true };
  return {
    forward: () => tf.dispose(run()),
    backward: () => tf.dispose(tf.engine().runKernel(name('NormalizeGrad'), gradInputs, gradAttrs)),
  };
}

/** Each candidate as a runner for `race`, by `calls` or the like. */
export const runners = (candidates, calls) =>
  Object.fromEntries(Object.entries(candidates).map(([name, call]) => [name, calls(call)]));
