/** Forward and forward + gradient on the native backend of @tensorflow/tfjs-node, against what its users have today. */
import { startNative } from '../native-process.js';

export const title = 'Speed of one normalization (tensorflow backend, @tensorflow/tfjs-node)';

const image = [8, 32, 32, 64];
/** Bars are pairs: of the forward, and of forward + gradient. */
const layer = [
  { atLeast: 2.5, aim: 8 },
  { atLeast: 20, aim: 100 },
];
const formula = [
  { atLeast: 1.3, aim: 4 },
  { atLeast: 1.8, aim: 6 },
];
const batch = [
  { atLeast: 2.5, aim: 3 },
  { atLeast: 7, aim: 12 },
];
const groups = [
  { atLeast: 1.5, aim: 3 },
  { atLeast: 2, aim: 6 },
];
const rms = [
  { atLeast: 1.3, aim: 2.5 },
  { atLeast: 1.7, aim: 4 },
];
const workloads = [
  { label: 'LN', name: 'layer', shape: [512, 768], builtIn: layer, composed: formula },
  { label: 'LN', name: 'layer', shape: [4096, 768], builtIn: layer, composed: formula },
  { label: 'RMS', name: 'rms', shape: [512, 768], composed: rms },
  { label: 'BN', name: 'batch', shape: image, builtIn: batch },
  { label: 'IN', name: 'instance', shape: image, composed: groups },
  { label: 'GN(8)', name: 'group', shape: image, composed: groups },
].map((workload) => ({ ...workload, label: `${workload.label} [${workload.shape}]` }));

const columns = { ours: 'ours', layer: 'our layer', builtIn: 'TF.js layer', composed: 'composed' };

export async function run({ effort, clock, progress }) {
  let native;
  try {
    progress('@tensorflow/tfjs-node');
    native = await startNative(clock);
  } catch (error) {
    return { notes: [`Skipped: there is no @tensorflow/tfjs-node (${error.message}).`], tables: [], checks: [] };
  }
  const results = [];
  try {
    for (const { label, name, shape } of workloads) {
      progress(label);
      results.push(await native.ask({ name, shape, effort }));
    }
  } finally {
    native.close();
  }
  const table = (title, suffix) => ({
    title,
    unit: 'time',
    columns: Object.values(columns),
    rows: workloads.map(({ label }, i) => ({
      label,
      values: Object.keys(columns).map((name) => results[i][name + suffix]),
    })),
  });
  return {
    notes: [`Computed by ${native.device}.`],
    tables: [table('Forward', ''), table('Forward + gradient', 'Gradient')],
    checks: workloads.flatMap((workload, i) => ratios(workload, results[i])),
  };
}

function ratios({ label, builtIn, composed }, us) {
  const pair = (what, numerator, denominator, limits) =>
    [
      { way: 'forward', suffix: '' },
      { way: 'fwd+grad', suffix: 'Gradient' },
    ].map(({ way, suffix }, i) => ({
      label: `${label}: ${what}, ${way}`,
      value: us[numerator + suffix] / us[denominator + suffix],
      ...limits?.[i],
    }));
  return [
    ...(us.builtIn ? pair('TF.js layer / ours', 'builtIn', 'layer', builtIn) : []),
    ...pair('composed / ours', 'composed', 'ours', composed),
  ];
}
