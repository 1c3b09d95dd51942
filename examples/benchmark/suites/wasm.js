/** Forward, forward + gradient and the kernels alone on TensorFlow.js's wasm backend, against its ordinary ops and a copy. */
import * as tf from '@tensorflow/tfjs';
import { startWasm } from '../../wasm.js';
import { contest, kernelCalls, runners } from '../candidates.js';
import { calls, race } from '../race.js';
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
  { label: 'LN', name: 'layer', shape: rows, copy: ofRows, composed: ofFormula },
  { label: 'RMS', name: 'rms', shape: rows, copy: ofRows },
  { label: 'BN', name: 'batch', shape: images, copy: ofImages },
  { label: 'IN', name: 'instance', shape: images, copy: ofImages },
  { label: 'GN(8)', name: 'group', shape: images, copy: ofImages },
].map((workload) => ({ ...workload, label: `${workload.label} [${workload.shape}]` }));

const columns = {
  ours: 'ours',
  oursGradient: 'fwd+grad',
  composed: 'composed',
  composedGradient: 'fwd+grad',
  forward: 'forward kernel',
  backward: 'backward kernel',
  copy: 'copy',
};

export async function run({ effort, progress }) {
  await startWasm();
  try {
    const results = [];
    for (const { label, name, shape } of workloads) {
      progress(label);
      results.push(await measure(name, shape, effort));
    }
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
      ],
      measurements: workloads.map(({ name, shape }, i) => ({ name, shape, us: results[i] })),
      checks: workloads.flatMap((workload, i) => ratios(workload, results[i])),
    };
  } finally {
    await tf.setBackend('cpu');
  }
}

function ratios({ label, copy, composed = [] }, us) {
  const ratio = (what, value, limits) => ({ label: `${label}: ${what}`, value, ...limits });
  return [
    ratio('ours / copy, forward', us.forward / us.copy, copy[0]),
    ratio('ours / copy, backward', us.backward / us.copy, copy[1]),
    ratio('composed / ours, forward', us.composed / us.ours, composed[0]),
    ratio('composed / ours, fwd+grad', us.composedGradient / us.oursGradient, composed[1]),
  ];
}

/** The median times of our function and of the formula in ordinary ops, of our kernels alone, and of a copy of x. */
async function measure(name, shape, effort) {
  const { candidates, data, dispose } = contest(name, shape);
  const { ours, oursGradient, composed, composedGradient } = candidates;
  const kernels = kernelCalls(attributes(normalizations[name], shape), data);
  const from = Float32Array.from(data.x.dataSync());
  const to = new Float32Array(from.length);
  const copy = () => to.set(from);
  const us = await race(runners({ ours, oursGradient, composed, composedGradient, ...kernels, copy }, calls), effort);
  dispose();
  return us;
}
