/**
 * Races candidates on the backend of @tensorflow/tfjs-node. A process of its own, started by suites/node.js: it is sent what
 * to measure, and sends back the median times.
 */
import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs';
import { bothOfAll, runners } from './candidates.js';
import { calls, race, useProcessorTime } from './race.js';
import { normalizations, tensors } from './workloads.js';

const [path, clock] = process.argv.slice(2);
tf.enableProdMode();
createRequire(import.meta.url)(path);
if (tf.getBackend() !== 'tensorflow') throw new Error(`the backend is '${tf.getBackend()}', not 'tensorflow'`);
if (clock === 'cpu') useProcessorTime();

process.on('message', async ({ name, shape, effort }) => {
  const data = tensors(shape);
  const us = await race(runners(bothOfAll(normalizations[name], data), calls), effort);
  tf.dispose(Object.values(data));
  process.send(us);
});
process.send({ ready: true });
