/** Forward and forward + gradient on the native backend of @tensorflow/tfjs-node, against what its users have today. */
import { conditionalChecks } from '../candidates.js';
import { startNative } from '../native-process.js';

export const title = 'Speed of one normalization (tensorflow backend, @tensorflow/tfjs-node)';

const image = [8, 32, 32, 64];
/** Bars are pairs: of the forward, and of forward + gradient. */
const layer = [
  { atLeast: 12, aim: 25 },
  { atLeast: 80, aim: 200 },
];
const composed = [
  { atLeast: 4, aim: 8 },
  { atLeast: 6, aim: 12 },
];
const batch = [
  { atLeast: 4, aim: 6 },
  { atLeast: 10, aim: 15 },
];
const workloads = [
  { label: 'LN', name: 'layer', shape: [512, 768], builtIn: layer, composed },
  { label: 'LN', name: 'layer', shape: [4096, 768], builtIn: layer, composed },
  { label: 'AdaLN', name: 'adaptive', shape: [4, 64, 256] },
  { label: 'RMS', name: 'rms', shape: [512, 768], composed },
  { label: 'BN', name: 'batch', shape: image, builtIn: batch },
  { label: 'IN', name: 'instance', shape: image, composed },
  { label: 'GN(8)', name: 'group', shape: image, composed },
].map((workload) => ({ ...workload, label: `${workload.label} [${workload.shape}]` }));

const columns = {
  ours: 'ours',
  conditional: 'conditional',
  layer: 'our layer',
  builtIn: 'TF.js layer',
  composed: 'composed',
};

export async function run({ effort, clock, progress }) {
  let native;
  try {
    progress('@tensorflow/tfjs-node');
    native = await startNative(clock);
  } catch (error) {
    return { notes: [`Skipped: there is no @tensorflow/tfjs-node (${error.message}).`], tables: [], checks: [] };
  }
  const results = [];
  let small;
  try {
    for (const { label, name, shape } of workloads) {
      progress(label);
      results.push(await native.ask({ name, shape, effort }));
    }
    progress('a small tensor');
    small = await native.ask({ small: true, effort });
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
    device: native.device,
    measurements: workloads.map(({ name, shape }, i) => ({ name, shape, us: results[i] })),
    checks: [
      ...workloads.flatMap((workload, i) => ratios(workload, results[i])),
      { label: 'LN [8,16] / add', value: small.norm / small.add, atMost: 1.5, aim: 1.1 },
    ],
  };
}

function ratios(workload, us) {
  const { label, builtIn, composed } = workload;
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
    ...(us.composed ? pair('composed / ours', 'composed', 'ours', composed) : []),
    ...conditionalChecks(workload, us),
  ];
}
