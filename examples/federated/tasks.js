/** What clients are asked for, whatever runs them: a process, or a worker of a page. */
import { recalibrate } from 'tfjs-normalizations/surgery';
import { buildModel } from '../quickstart/model.js';
import { SEED, weightsOf, withWeights } from './weights.js';

/** The digits that each client has: none of them is at another. */
export const CLIENTS = [
  [0, 1, 2, 3],
  [4, 5, 6],
  [7, 8, 9],
];

/** The network that all train, before it has learned. */
export const newModel = () => buildModel('batch', SEED);

const TASKS = {
  /** One pass through the client's digits. */
  async train(model, { images, answers }) {
    model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
    model.optimizer.setLearningRate(0.05);
    // A page that is not in front draws no frames, for which the training would wait.
    await model.fit(images, answers, { batchSize: 32, epochs: 1, verbose: 0, shuffle: false, yieldEvery: 'never' });
    return model;
  },
  /** The same weights, with the statistics of the client's digits. */
  async recalibrate(model, { images }) {
    const { model: exact } = await recalibrate(model, images, { batchSize: 200 });
    return exact;
  },
};

/**
 * The weights of the model of all when a client has done what it is asked for, with its own digits.
 *
 * @param {{task: keyof typeof TASKS, weights: Float32Array[]}} question
 * @param {{images: import('@tensorflow/tfjs').Tensor, answers: import('@tensorflow/tfjs').Tensor}} digits
 */
export async function weightsAfter({ task, weights }, digits) {
  const model = withWeights(newModel(), weights);
  const done = await TASKS[task](model, digits);
  const after = weightsOf(done);
  for (const one of new Set([model, done])) one.dispose();
  return after;
}
