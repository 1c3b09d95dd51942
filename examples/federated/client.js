/** A client: a process that has some of the digits, which never leave it. It is asked to train a model, or to recalibrate it. */
import * as tf from '@tensorflow/tfjs';
import { useBackend } from '../quickstart/backend.js';
import { loadDigits } from '../quickstart/data.js';
import { weightsAfter } from './tasks.js';
import { SEED } from './weights.js';

const { labels, samples } = JSON.parse(process.argv[2]);
await useBackend('wasm');
const { count, ...digits } = ownDigits();

/** The training digits that are this client's. */
function ownDigits() {
  const { train } = loadDigits(samples, SEED);
  const all = tf.argMax(train.labels, 1).dataSync();
  const own = tf.tensor1d(
    [...all.keys()].filter((i) => labels.includes(all[i])),
    'int32',
  );
  return { count: own.size, images: tf.gather(train.images, own), answers: tf.gather(train.labels, own) };
}

process.on('message', async (question) => {
  process.send({ weights: await weightsAfter(question, digits), count });
});
