/** Forward, forward + gradient and gradient alone, against TensorFlow.js, a plain copy and onnxruntime. */
import * as tf from '@tensorflow/tfjs';
import { conditionalChecks, contest, kernelCalls, runners } from '../candidates.js';
import { onnxRunners } from '../onnx.js';
import { asyncCalls, calls, race } from '../race.js';
import { attributes, normalizations } from '../workloads.js';

export const title = 'Speed of one normalization (cpu backend)';

const rows = [
  [64, 128],
  [512, 768],
  [4096, 768],
];
const images = [[8, 32, 32, 64]];
const workloads = [
  { label: 'LN', name: 'layer', shapes: rows },
  { label: 'AdaLN', name: 'adaptive', shapes: [[4, 64, 256]] },
  { label: 'RMS', name: 'rms', shapes: rows },
  { label: 'BN', name: 'batch', shapes: images },
  { label: 'IN', name: 'instance', shapes: images },
  { label: 'GN(8)', name: 'group', shapes: images },
].flatMap(({ label, name, shapes }) => shapes.map((shape) => ({ label: `${label} [${shape}]`, name, shape })));

/** Bars are for tensors of 1.5 MB and more, where the way to the kernel no longer counts. */
const LARGE = 512 * 768;

const bars = {
  'TF.js layer / ours, forward': { atLeast: 75, aim: 200 },
  'TF.js layer / ours, fwd+grad': { atLeast: 300, aim: 500 },
  'ours / copy, forward': { atMost: 14, aim: 9 },
  'ours / copy, backward': { atMost: 18, aim: 12 },
};
const onnxBars = {
  LayerNormalization: { atLeast: 3, aim: 5 },
  InstanceNormalization: { atLeast: 2, aim: 3 },
  GroupNormalization: { atLeast: 2, aim: 3 },
};

/** Columns and the candidates in them. */
const tables = [
  {
    title: 'Forward',
    columns: ['ours', 'TF.js layer', 'composed', 'copy', 'ort-web', 'ort-node'],
    candidates: ['ours', 'builtIn', 'composed', 'copy', 'ort-web', 'ort-node'],
  },
  {
    title: 'Forward + gradient',
    columns: ['ours', 'conditional', 'TF.js layer', 'composed', 'backward', 'copy'],
    candidates: [...['oursGradient', 'conditionalGradient', 'builtInGradient', 'composedGradient', 'backward', 'copy']],
  },
  { title: 'As a layer of a model', columns: ['forward', 'fwd+grad'], candidates: ['layer', 'layerGradient'] },
];

export async function run({ effort, progress, warn }) {
  const results = [];
  for (const { label, name, shape } of workloads) {
    progress(label);
    results.push({ label, name, shape, us: await measure(name, shape, effort, warn) });
  }
  return {
    tables: tables.map(({ title, columns, candidates }) => ({
      title,
      unit: 'time',
      columns,
      rows: results.map(({ label, us }) => ({ label, values: candidates.map((name) => us[name]) })),
    })),
    measurements: results.map(({ name, shape, us }) => ({ name, shape, us })),
    checks: [
      ...results.filter(({ shape }) => tf.util.sizeFromShape(shape) >= LARGE).flatMap(ratios),
      ...results.flatMap((result) => conditionalChecks(result, result.us)),
    ],
  };
}

function ratios({ label, name, us }) {
  const ratio = (what, numerator, denominator, limits = bars[what]) => {
    const value = us[numerator] / us[denominator];
    return { label: `${label}: ${what}`, value, ...limits };
  };
  return [
    ratio('TF.js layer / ours, forward', 'builtIn', 'layer'),
    ratio('TF.js layer / ours, fwd+grad', 'builtInGradient', 'layerGradient'),
    ratio('ours / copy, forward', 'ours', 'copy'),
    ratio('ours / copy, backward', 'backward', 'copy'),
    ratio('ort-web / ours, forward', 'ort-web', 'ours', onnxBars[normalizations[name].onnx]),
  ].filter(({ value }) => Number.isFinite(value)); // there is not every candidate everywhere
}

/** The median times of all candidates that exist for the normalization. */
async function measure(name, shape, effort, warn) {
  const { candidates: forms, data, dispose } = contest(name, shape, { withConditional: true });
  const attrs = attributes(normalizations[name], shape);
  const values = { x: data.x.dataSync(), gamma: data.gamma.dataSync(), beta: data.beta.dataSync() };

  const copied = new Float32Array(values.x.length); // made once: allocations make the time swing
  const candidates = {
    copy: calls(() => copied.set(values.x)),
    ...runners(forms, calls),
  };
  const kernels = kernelCalls(attrs, data);
  if (kernels) candidates.backward = calls(kernels.backward);
  const onnx = await onnxRunners(normalizations[name].onnx, attrs.view.groups, shape, values, warn);
  Object.assign(candidates, runners(onnx, asyncCalls));

  const us = await race(candidates, effort);
  dispose();
  return us;
}
