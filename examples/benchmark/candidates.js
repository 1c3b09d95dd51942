/** The candidates of a race, as functions of no arguments: each makes one call and disposes its results. */
import * as tf from '@tensorflow/tfjs';

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

/** Both of every form that a normalization of workloads.js has: `ours`, `composed`, `layer` and `builtIn`. */
export function bothOfAll({ op, composed, layer, builtIn }, { x, dy, gamma, beta }) {
  const all = {};
  for (const [name, f] of Object.entries({ ours: op, composed })) {
    if (f) Object.assign(all, both(name, f, [x, gamma, beta], dy));
  }
  for (const [name, make] of Object.entries({ layer, builtIn })) {
    if (make) Object.assign(all, bothOfLayer(name, make(), [x], dy));
  }
  return all;
}

/** The kernels of forward and gradient by themselves; undefined where the backend has none. */
export function kernelCalls(attrs, { x, dy, gamma, beta }) {
  const name = (kernel) => `tfjs-normalizations/${kernel}`;
  if (tf.getKernel(name('NormalizeGrad'), tf.getBackend()) === undefined) return undefined;
  const run = () => tf.engine().runKernel(name('Normalize'), { x, gamma, beta }, attrs);
  const [y, moments] = run();
  y.dispose();
  const gradInputs = { dy, x, moments, gamma };
  const gradAttrs = { ...attrs, affine: true };
  return {
    forward: () => tf.dispose(run()),
    backward: () => tf.dispose(tf.engine().runKernel(name('NormalizeGrad'), gradInputs, gradAttrs)),
  };
}

/** Each candidate as a runner for `race`, by `calls` or the like. */
export const runners = (candidates, calls) =>
  Object.fromEntries(Object.entries(candidates).map(([name, call]) => [name, calls(call)]));
