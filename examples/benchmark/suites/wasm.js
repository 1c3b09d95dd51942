/**
 * Forward, forward + gradient and the kernels alone on TensorFlow.js's wasm backend, against its ordinary ops, a copy and
 * onnxruntime; and a training step of a network with convolutions, against the cpu backend.
 */
import * as tf from '@tensorflow/tfjs';
import { startWasm } from '../../wasm.js';
import { conditionalChecks, contest, kernelCalls, runners } from '../candidates.js';
import { models } from '../models.js';
import { onnxRunners } from '../onnx.js';
import { asyncCalls, calls, race } from '../race.js';
import { stepTimes } from '../training.js';
import { attributes, normalizations } from '../workloads.js';

export const title = 'Speed of one normalization (wasm backend, in Node, one thread)';

const rows = [512, 768];
const images = [8, 32, 32, 64];
const ofRows = [
  { atMost: 5, aim: 3.5 },
  { atMost: 7, aim: 5 },
];
const ofImages = [
  { atMost: 12, aim: 8 },
  { atMost: 17, aim: 12 },
];
const ofFormula = [
  { atLeast: 5, aim: 8 },
  { atLeast: 12, aim: 25 },
];
/** Bars are pairs: of the forward, and of the backward or of forward + gradient. */
const workloads = [
  { label: 'LN', name: 'layer', shape: rows, copy: ofRows, composed: ofFormula, onnx: { atLeast: 10, aim: 15 } },
  { label: 'AdaLN', name: 'adaptive', shape: [4, 64, 256] },
  { label: 'RMS', name: 'rms', shape: rows, copy: ofRows },
  { label: 'BN', name: 'batch', shape: images, copy: ofImages },
  { label: 'IN', name: 'instance', shape: images, copy: ofImages, onnx: { atLeast: 2.2, aim: 3 } },
  { label: 'GN(8)', name: 'group', shape: images, copy: ofImages, onnx: { atLeast: 3.5, aim: 5 } },
].map((workload) => ({ ...workload, label: `${workload.label} [${workload.shape}]` }));

const columns = {
  ours: 'ours',
  oursGradient: 'fwd+grad',
  conditionalGradient: 'conditional',
  composed: 'composed',
  composedGradient: 'fwd+grad',
  forward: 'forward kernel',
  backward: 'backward kernel',
  copy: 'copy',
  'ort-web': 'ort-web',
};

export async function run({ effort, progress, warn }) {
  const results = [];
  let training;
  await startWasm();
  try {
    for (const { label, name, shape } of workloads) {
      progress(label);
      results.push(await measure(name, shape, effort, warn));
    }
    progress('a training step');
    const rounds = Math.ceil(0.6 * effort.rounds);
    training = await stepTimes({ model: 'mnist', effort: { ...effort, rounds, slowRounds: rounds } });
  } finally {
    await tf.setBackend('cpu');
  }
  progress('a training step on the cpu backend');
  const { ours: onCpu } = await stepTimes({ model: 'mnist', effort, only: ['ours'] });
  return {
    tables: [
      {
        title: 'Time',
        unit: 'time',
        columns: Object.values(columns),
        rows: workloads.map(({ label }, i) => ({
          label,
          values: Object.keys(columns).map((name) => results[i][name]),
        })),
      },
      {
        title: 'A training step',
        unit: 'time',
        columns: ['without', 'ours', 'TF.js', 'ours, cpu'],
        rows: [{ label: models.mnist.label, values: [training.without, training.ours, training.theirs, onCpu] }],
      },
    ],
    measurements: workloads.map(({ name, shape }, i) => ({ name, shape, us: results[i] })),
    checks: [...workloads.flatMap((workload, i) => ratios(workload, results[i])), ...ofTraining(training, onCpu)],
  };
}

function ofTraining({ without, ours, theirs }, onCpu) {
  const ratio = (what, value, limits) => ({ label: `${models.mnist.label}: ${what}`, value, ...limits });
  return [
    ratio('ours, cpu backend / wasm', onCpu / ours, { atLeast: 60, aim: 120 }),
    ratio('ours / without', ours / without, { atMost: 1.15, aim: 1.05 }),
    ratio("TF.js's / without", theirs / without),
  ];
}

function ratios(workload, us) {
  const { label, copy = [], onnx, composed = [] } = workload;
  const ratio = (what, value, limits) => ({ label: `${label}: ${what}`, value, ...limits });
  return [
    ratio('ours / copy, forward', us.forward / us.copy, copy[0]),
    ratio('ours / copy, backward', us.backward / us.copy, copy[1]),
    ratio('composed / ours, forward', us.composed / us.ours, composed[0]),
    ratio('composed / ours, fwd+grad', us.composedGradient / us.oursGradient, composed[1]),
    ratio('ort-web / ours, forward', us['ort-web'] / us.ours, onnx),
    ...conditionalChecks(workload, us),
  ].filter(({ value }) => Number.isFinite(value)); // onnxruntime has not all of them
}

/** The median times of our function and of the formula in ordinary ops, of our kernels alone, a copy of x, and onnxruntime. */
async function measure(name, shape, effort, warn) {
  const { candidates: forms, data, dispose } = contest(name, shape, { withConditional: true });
  const { ours, oursGradient, conditionalGradient, composed, composedGradient } = forms;
  const attrs = attributes(normalizations[name], shape);
  const kernels = kernelCalls(attrs, data);
  const from = Float32Array.from(data.x.dataSync());
  const to = new Float32Array(from.length);
  const copy = () => to.set(from);
  const values = { x: from, gamma: data.gamma.dataSync(), beta: data.beta.dataSync() };
  const { 'ort-web': onnx } = await onnxRunners(normalizations[name].onnx, attrs.view.groups, shape, values, warn);
  const given = { ours, oursGradient, conditionalGradient, composed, composedGradient, ...kernels, copy };
  const candidates = runners(Object.fromEntries(Object.entries(given).filter(([, call]) => call)), calls);
  if (onnx) candidates['ort-web'] = asyncCalls(onnx);
  const us = await race(candidates, effort);
  dispose();
  return us;
}
