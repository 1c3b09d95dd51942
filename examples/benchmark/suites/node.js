/** Forward and forward + gradient on the native backend of @tensorflow/tfjs-node, against what its users have today. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setUpTfjsNode } from '../../../test/support/setup-tfjs-node.mjs';

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
  let path;
  try {
    progress('@tensorflow/tfjs-node');
    path = setUpTfjsNode();
  } catch (error) {
    return { notes: [`Skipped: there is no @tensorflow/tfjs-node (${error.message}).`], tables: [], checks: [] };
  }
  const { ask, end } = await start(path, clock);
  const results = [];
  try {
    for (const { label, name, shape } of workloads) {
      progress(label);
      results.push(await ask({ name, shape, effort }));
    }
  } finally {
    end();
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

/**
 * A process with the backend, so that it does not become that of this one. It has no --expose-gc: tensors are native memory
 * that is freed when they are disposed, and a forced collection slows down the calls that come after it, by up to a half.
 */
async function start(path, clock) {
  const env = { TF_CPP_MIN_LOG_LEVEL: '2', ...process.env }; // no news about the processor
  const child = fork(fileURLToPath(new URL('../native.js', import.meta.url)), [path, clock], { env, execArgv: [] });
  const gone = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`the process with @tensorflow/tfjs-node has ended (${signal ?? code})`);
  });
  gone.catch(() => {}); // it is to end at last
  const answer = async () => (await Promise.race([once(child, 'message'), gone]))[0];
  await answer();
  return {
    ask: (what) => {
      child.send(what);
      return answer();
    },
    end: () => child.kill(),
  };
}
