/** Forward, forward + gradient and gradient alone, against TensorFlow.js, a plain copy and onnxruntime. */
import * as tf from '@tensorflow/tfjs';
import { onnxRunners } from '../onnx.js';
import { asyncCalls, calls, race } from '../race.js';
import { attributes, normalizations, tensors } from '../workloads.js';

export const title = 'Speed of one normalization (cpu backend)';

const rows = [
  [64, 128],
  [512, 768],
  [4096, 768],
];
const images = [[8, 32, 32, 64]];
const workloads = [
  { label: 'LN', name: 'layer', shapes: rows },
  { label: 'RMS', name: 'rms', shapes: rows },
  { label: 'BN', name: 'batch', shapes: images },
  { label: 'IN', name: 'instance', shapes: images },
  { label: 'GN(8)', name: 'group', shapes: images },
].flatMap(({ label, name, shapes }) =>
  shapes.map((shape) => ({ label: `${label} [${shape}]`, shape, normalization: normalizations[name] })),
);

/** What is measured only where other costs have faded: tensors of 1.5 MB and more. */
const LARGE = 512 * 768;

const bars = {
  'TF.js layer / ours, forward': { atLeast: 75, aim: 200 },
  'TF.js layer / ours, fwd+grad': { atLeast: 300, aim: 500 },
  'ours forward / copy': { atMost: 3.6, aim: 2.5 },
  'ours backward / copy': { atMost: 4.6, aim: 3.5 },
  'ort-web / ours, LN forward': { atLeast: 3, aim: 5 },
  'ort-web / ours, IN, GN forward': { atLeast: 2, aim: 3 },
};

export async function run({ effort, progress, warn }) {
  const forward = { title: 'Forward', columns: ['ours', 'TF.js layer', 'composed', 'copy', 'ort-web', 'ort-node'] };
  const gradient = { title: 'Forward + gradient', columns: ['ours', 'TF.js layer', 'composed', 'backward', 'copy'] };
  const layers = { title: 'Our layer, as a model calls it', columns: ['forward', 'fwd+grad'] };
  for (const table of [forward, gradient, layers]) table.rows = [];
  const checks = [];
  for (const { label, shape, normalization } of workloads) {
    progress(label);
    const us = await measure(normalization, shape, effort, warn);
    forward.rows.push({
      label,
      values: [us.ours, us.builtIn, us.composed, us.copy, us['ort-web'], us['ort-node']],
    });
    gradient.rows.push({
      label,
      values: [us.oursGradient, us.builtInGradient, us.composedGradient, us.backward, us.copy],
    });
    layers.rows.push({ label, values: [us.layer, us.layerGradient] });
    if (tf.util.sizeFromShape(shape) < LARGE) continue;
    const check = (name, numerator, denominator) => {
      const value = us[numerator] / us[denominator];
      if (Number.isFinite(value)) checks.push({ label: `${label}: ${name}`, value, ...bars[name] });
    };
    check('TF.js layer / ours, forward', 'builtIn', 'layer');
    check('TF.js layer / ours, fwd+grad', 'builtInGradient', 'layerGradient');
    check('ours forward / copy', 'ours', 'copy');
    check('ours backward / copy', 'backward', 'copy');
    check(`ort-web / ours, ${label.startsWith('LN') ? 'LN' : 'IN, GN'} forward`, 'ort-web', 'ours');
  }
  return { tables: [forward, gradient, layers].map((table) => ({ unit: 'time', ...table })), checks };
}

async function measure(normalization, shape, effort, warn) {
  const { x, dy, gamma, beta } = tensors(shape);
  const { op, composed, layer, builtIn } = normalization;
  const inputs = [x, gamma, beta];
  const data = { x: x.dataSync(), gamma: gamma.dataSync(), beta: beta.dataSync() };
  const dispose = (tensors) => {
    for (const tensor of tensors) tensor.dispose();
  };

  const candidates = {
    copy: calls(() => new Float32Array(data.x.length).set(data.x)),
    ours: forward(op, inputs),
    oursGradient: forwardAndGradient(op, inputs, dy),
    composed: forward(composed, inputs),
    composedGradient: forwardAndGradient(composed, inputs, dy),
  };
  for (const [name, make] of Object.entries({ layer, builtIn })) {
    if (make === undefined) continue;
    const built = make();
    const apply = (x) => built.apply(x, { training: true });
    apply(x).dispose();
    const parameters = built.trainableWeights.map((weight) => weight.read());
    candidates[name] = forward(apply, [x]);
    candidates[`${name}Gradient`] = forwardAndGradient(apply, [x, ...parameters], dy);
  }
  const runners = await onnxRunners(normalization.onnx, 8, shape, data, warn);
  for (const [name, call] of Object.entries(runners)) candidates[name] = asyncCalls(call);

  const backward = backwardKernel(attributes(normalization, shape), { x, dy, gamma, beta });
  if (backward) candidates.backward = calls(backward);
  const times = await race(candidates, effort);
  dispose([...inputs, dy]);
  return times;

  function forward(f, inputs) {
    return calls(() => tf.tidy(() => f(...inputs)).dispose());
  }
  function forwardAndGradient(f, inputs, dy) {
    const gradients = tf.grads(f);
    return calls(() => dispose(gradients(inputs, dy)));
  }
}

/** Runs the kernel of the gradient by itself; undefined where the backend has none. */
function backwardKernel(attrs, { x, dy, gamma, beta }) {
  const name = (kernel) => `tfjs-normalizations/${kernel}`;
  if (tf.getKernel(name('NormalizeGrad'), tf.getBackend()) === undefined) return undefined;
  const engine = tf.engine();
  const [y, moments] = engine.runKernel(name('Normalize'), { x, gamma, beta }, attrs);
  y.dispose();
  return () => {
    const gradients = engine.runKernel(name('NormalizeGrad'), { dy, x, moments, gamma }, { ...attrs, affine: true });
    for (const tensor of gradients) tensor.dispose();
  };
}
