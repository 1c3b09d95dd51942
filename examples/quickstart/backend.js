/** Chooses the TensorFlow.js backend: wasm, cpu, or the native one of @tensorflow/tfjs-node. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { UsageError } from '../command-line.js';
import { startWasm } from '../wasm.js';

const SETUP = 'test/support/setup-tfjs-node.mjs';
/** Where that script builds it. */
const BUILT = fileURLToPath(new URL('../../.cache/tfjs-node/node_modules/@tensorflow/tfjs-node', import.meta.url));

/**
 * @param {'wasm' | 'cpu' | 'tensorflow'} name
 * @throws {UsageError} if @tensorflow/tfjs-node is needed and does not load; an error where wasm does not start
 */
export async function useBackend(name) {
  tf.enableProdMode(); // or TensorFlow.js advertises its native backend
  if (name === 'wasm') return startWasm();
  if (name === 'tensorflow') loadTfjsNode();
  await tf.setBackend(name);
}

function loadTfjsNode() {
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'; // no news about the processor
  const require = createRequire(import.meta.url);
  const reasons = [];
  for (const path of ['@tensorflow/tfjs-node', BUILT]) {
    try {
      return require(path);
    } catch (error) {
      reasons.push(error.message.split('\n')[0]);
    }
  }
  throw new UsageError(
    `--backend tensorflow needs @tensorflow/tfjs-node, which does not load (${reasons[0]}).
Install it with its binary: npm install --no-save --ignore-scripts=false @tensorflow/tfjs-node@${tf.version_core}
or build it from package registries alone (Linux x64, python3, g++): node ${SETUP}`,
  );
}
