/**
 * Puts the 48 claims to the test, in Node on TensorFlow.js's wasm backend, and writes the effects that it measures into
 * claims/recorded.json, after every seed. What is recorded already is not measured again, so that it can be stopped and started.
 *
 *     npm run claims                                 all that is not yet recorded
 *     npm run claims -- --claim batch-1,spectral-2   these
 *     npm run claims -- --seeds 1 --print            writes nothing, and prints the effects as JSON
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { build } from 'esbuild';
import { count, names, parse, run } from '../command-line.js';
import { readDigits } from './digits-plugin.js';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const FILE = path('claims/recorded.json');
const BUNDLE = path('../../dist/claims/experiments.mjs');
const EXAMPLE = 'npm run claims -- --claim batch-1';
const MOST_SEEDS = 20;

/** The experiments are TypeScript, and take the library as it stands. */
async function loadExperiments() {
  await build({
    entryPoints: [path('claims/node.ts')],
    outfile: BUNDLE,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: ['@tensorflow/*'],
    logLevel: 'warning',
    plugins: [
      {
        name: 'the library and the digits',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^tfjs-normalizations$/ }, () => ({ path: path('../../layers/index.ts') }));
          onResolve({ filter: /^tfjs-normalizations\/kernels\// }, ({ path: name }) => ({
            path: path(`../../${name.slice('tfjs-normalizations/'.length)}/index.ts`),
          }));
          // Pages fetch them; here they are read.
          onResolve({ filter: /^virtual:digits$/ }, () => ({ path: 'digits', namespace: 'virtual' }));
          onLoad({ filter: /^digits$/, namespace: 'virtual' }, () => ({
            contents: "export const test = '', train = '';",
          }));
        },
      },
    ],
  });
  return import(BUNDLE);
}

const digitsOf = (bytes) => {
  const length = bytes.length / 785;
  return { labels: bytes.subarray(0, length), pixels: bytes.subarray(length) };
};

const readRecorded = () => JSON.parse(readFileSync(FILE, 'utf8'));

/** One line for each claim: a change of one is a change of one line. */
function write(recorded, order) {
  const lines = order
    .filter((id) => recorded[id])
    .map((id) => `  ${JSON.stringify(id)}: ${JSON.stringify(recorded[id])}`);
  writeFileSync(FILE, `{\n${lines.join(',\n')}\n}\n`);
}

await run('claims', async (args) => {
  const { claims, measure, startWasm, SEEDS, verdictOf } = await loadExperiments();
  const ids = claims.map(({ id }) => id);
  const defaults = { claim: ids.join(','), seeds: String(SEEDS), print: false, again: false };
  const options = parse(args, defaults, EXAMPLE);
  if (options.help) {
    return console.log(`Puts the claims about normalizations to the test.

  npm run claims -- [options]

  --claim LIST   which, separated by commas (all): ${ids.join(', ')}
  --seeds N      how many seeds, from 1 (${SEEDS})
  --again        also what is recorded already
  --print        writes nothing, and prints the effects as JSON`);
  }
  const wanted = names('--claim', options.claim, ids);
  const seeds = count('--seeds', options.seeds, MOST_SEEDS);
  tf.enableProdMode();
  await startWasm();
  const files = readDigits();
  const data = { train: digitsOf(files.train), test: digitsOf(files.test), frame: async () => {} };
  const machine = `${cpus().length} cores (${arch()}), one used; wasm backend of TensorFlow.js ${tf.version_core}, Node ${process.versions.node}`;
  const printed = {};

  for (const claim of claims.filter(({ id }) => wanted.includes(id))) {
    try {
      printed[claim.id] = await record(claim);
    } catch (error) {
      // The others may go well.
      console.error(`${claim.id}: ${error.stack}`);
      process.exitCode = 1;
    }
  }
  if (options.print) console.log(JSON.stringify(printed));

  /** Measures the seeds that are not recorded, and writes each. Returns the effects by condition. */
  async function record(claim) {
    const kept = options.again || options.print ? undefined : readRecorded()[claim.id];
    const effects = Object.fromEntries(
      Object.keys(claim.conditions).map((name) => [name, [...(kept?.effects[name] ?? [])]]),
    );
    let seconds = kept?.seconds ?? 0;
    const next = 1 + Math.min(...Object.values(effects).map(({ length }) => length));
    for (let seed = next; seed <= seeds; seed++) {
      const start = performance.now();
      const found = await measure(claim, { ...data, seed });
      seconds += (performance.now() - start) / 1000;
      for (const [name, effect] of Object.entries(found)) effects[name][seed - 1] = effect;
      if (options.print) continue;
      const date = new Date().toISOString().slice(0, 10);
      const entry = { date, machine, seconds: Number(seconds.toFixed(1)), effects };
      write({ ...readRecorded(), [claim.id]: entry }, ids);
    }
    if (next <= seeds) console.error(`${claim.id}: ${verdictOf(claim, effects).verdict} (${seconds.toFixed(1)} s)`);
    return effects;
  }
});
