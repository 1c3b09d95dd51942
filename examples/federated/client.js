/** A client: a process that has some of the digits, which never leave it. It is asked to train a model, or to recalibrate it. */
import * as tf from '@tensorflow/tfjs';
import { recalibrate } from 'tfjs-normalizations/surgery';
import { useBackend } from '../quickstart/backend.js';
import { loadDigits } from '../quickstart/data.js';
import { buildModel } from '../quickstart/model.js';
import { SEED, weightsOf, withWeights } from './weights.js';

const { labels, samples } = JSON.parse(process.argv[2]);
await useBackend('wasm');
const { images, count, answers } = ownDigits();

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

const TASKS = {
  /** One pass through the client's digits. */
  async train(model) {
    model.compile({ optimizer: tf.train.sgd(0.05), loss: 'categoricalCrossentropy' });
    await model.fit(images, answers, { batchSize: 32, epochs: 1, verbose: 0, shuffle: false });
    return model;
  },
  /** The same weights, with the statistics of the client's digits. */
  async recalibrate(model) {
    const { model: exact } = await recalibrate(model, images, { batchSize: 200 });
    return exact;
  },
};

process.on('message', async ({ task, weights }) => {
  const model = withWeights(buildModel('batch', SEED), weights);
  const done = await TASKS[task](model);
  process.send({ weights: weightsOf(done), count });
  for (const one of new Set([model, done])) one.dispose();
});
