/** Training and testing one model. */
import * as tf from '@tensorflow/tfjs';

const LEARNING_RATE = 0.015;

/**
 * Trains with Adam and a learning rate that falls to zero.
 *
 * @param {tf.Sequential} model
 * @param {import('./data.js').Digits} digits
 * @param {{batch: number, epochs: number}} options
 * @param {{start(steps: number): void, step(step: number, loss: number): void, stop(): void}} progress
 * @returns {Promise<{seconds: number, steps: number}>}
 */
export async function train(model, { images, labels }, { batch, epochs }, progress) {
  const optimizer = tf.train.adam(LEARNING_RATE);
  model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });

  const steps = epochs * Math.ceil(images.shape[0] / batch);
  let step = 0;
  let recentLoss;
  progress.start(steps);
  const start = performance.now();
  try {
    await model.fit(images, labels, {
      batchSize: batch,
      epochs,
      verbose: 0,
      shuffle: false, // the digits are shuffled already, with a seed; that of `fit` has none
      callbacks: {
        onBatchEnd: async (_, { loss }) => {
          step++;
          recentLoss = step === 1 ? loss : 0.95 * recentLoss + 0.05 * loss;
          progress.step(step, recentLoss);
          // TensorFlow.js has no schedules, but an optimizer looks its rate up in every step.
          optimizer.learningRate = LEARNING_RATE * (1 - step / steps);
        },
      },
    });
  } finally {
    progress.stop();
  }
  return { seconds: (performance.now() - start) / 1000, steps };
}

/**
 * @param {tf.Sequential} model
 * @param {import('./data.js').Digits} digits
 * @returns {number} the share of digits that the model recognizes
 */
export function test(model, { images, labels }) {
  return tf.tidy(() => {
    const [, accuracy] = model.evaluate(images, labels, { batchSize: 100 });
    return accuracy.dataSync()[0];
  });
}
