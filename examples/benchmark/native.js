/**
 * Measures on the backend of @tensorflow/tfjs-node. A process of its own, started by native-process.js: it is sent what to
 * measure, and sends back median times.
 */
import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs';
import { normalizationKernels } from 'tfjs-normalizations';
import { contest, runners } from './candidates.js';
import { calls, race, useProcessorTime } from './race.js';
import { smallTensorTimes } from './small-tensor.js';
import { stepTimes } from './training.js';

const [path, clock] = process.argv.slice(2);
tf.enableProdMode();
const { version } = createRequire(import.meta.url)(path);
if (tf.getBackend() !== 'tensorflow') throw new Error(`the backend is '${tf.getBackend()}', not 'tensorflow'`);
if (clock === 'cpu') useProcessorTime();

async function forms({ name, shape, effort }) {
  const { candidates, dispose } = contest(name, shape, { withConditional: true });
  const us = await race(runners(candidates, calls), effort);
  dispose();
  return us;
}

const measure = (what) => (what.model ? stepTimes(what) : what.small ? smallTensorTimes(what.effort) : forms(what));
process.on('message', async (what) => process.send(await measure(what)));
const { TF_Version: libtensorflow } = tf.backend().binding;
const { kernels, details } = normalizationKernels();
const ran = `${kernels} kernels (${details})`;
process.send({ device: `@tensorflow/tfjs-node ${version['tfjs-node']} with libtensorflow ${libtensorflow}; ${ran}` });
