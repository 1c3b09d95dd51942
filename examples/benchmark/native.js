/**
 * Measures on the backend of @tensorflow/tfjs-node. A process of its own, started by native-process.js: it is sent what to
 * measure, and sends back median times.
 */
import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs';
import { contest, runners } from './candidates.js';
import { calls, race, useProcessorTime } from './race.js';
import { stepTimes } from './training.js';

const [path, clock] = process.argv.slice(2);
tf.enableProdMode();
const { version } = createRequire(import.meta.url)(path);
if (tf.getBackend() !== 'tensorflow') throw new Error(`the backend is '${tf.getBackend()}', not 'tensorflow'`);
if (clock === 'cpu') useProcessorTime();

async function forms({ name, shape, effort }) {
  const { candidates, dispose } = contest(name, shape);
  const us = await race(runners(candidates, calls), effort);
  dispose();
  return us;
}

process.on('message', async (what) => process.send(await (what.model ? stepTimes(what) : forms(what))));
const { TF_Version: libtensorflow } = tf.backend().binding;
process.send({ device: `@tensorflow/tfjs-node ${version['tfjs-node']} with libtensorflow ${libtensorflow}` });
