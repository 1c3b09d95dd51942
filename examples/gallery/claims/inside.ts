/** What happens inside of deep networks: how gradients grow on their way, and how far means go from 0. */
import * as tf from '@tensorflow/tfjs';
import type { Effect, Run } from './claim.ts';
import { type DataName, dataOf } from './data.ts';
import { first, type Trial, tensors, train } from './learning.ts';
import { builders, type Design } from './networks.ts';

const EXAMPLES = 64;

/** The power of ten by which a gradient grows from the outputs of eight layers to their inputs. */
export async function growth(norm: Design['norm'], start: number, run: Run): Promise<number> {
  const network = builders.deep({ network: 'deep', norm, start, steps: 0, seed: run.seed });
  const grown = tf.tidy(() => {
    const { x, labels } = tensors(dataOf('plain', run, EXAMPLES).train);
    const ofOutputs = tf.norm(tf.grad((y) => tf.losses.softmaxCrossEntropy(labels, y))(network.logits(x, true)));
    const loss = (x: tf.Tensor) => tf.losses.softmaxCrossEntropy(labels, network.logits(x as tf.Tensor2D, true));
    return tf.div(tf.log(tf.div(tf.norm(tf.grad(loss)(x)), ofOutputs)), Math.LN10);
  });
  const [value] = await grown.data();
  grown.dispose();
  network.dispose();
  return value;
}

/** How far the inputs of ReLUs are from a mean of 0, in standard deviations: the mean of all units, after a training. */
export async function meanShift(norm: Design['norm'], data: DataName, run: Run): Promise<number> {
  const trial: Trial = { network: 'dense', norm, data, batch: 32, steps: 40 };
  const examples = dataOf(data, run, trial.batch * trial.steps).train;
  const network = builders.dense({ ...trial, seed: run.seed });
  await train(network, examples, trial, 0.003, run);
  const shifts = tf.tidy(() => {
    const { x } = tensors(first(examples, 200));
    const all = network.beforeActivations?.(x, false) ?? [];
    return tf.mean(
      tf.stack(
        all.map((values) => {
          const { mean, variance } = tf.moments(values, 0);
          return tf.mean(tf.div(tf.abs(mean), tf.sqrt(tf.add(variance, 1e-6))));
        }),
      ),
    );
  });
  const [value] = await shifts.data();
  shifts.dispose();
  network.dispose();
  return value;
}

/** The difference of a measure between two normalizations, the first minus the second. */
export const difference =
  <Norm>(measure: (norm: Norm, run: Run) => Promise<number>, one: Norm, other: Norm): Effect =>
  async (run) =>
    (await measure(one, run)) - (await measure(other, run));
