/** Trains a network on digits at several learning rates, and tests it at the one that serves it best. */
import * as tf from '@tensorflow/tfjs';
import { oneHot } from '../shared/digits.ts';
import { setRate } from '../shared/training.ts';
import type { Effect, Run } from './claim.ts';
import { type DataName, dataOf, type Examples, type Order, orderOf, PIXELS } from './data.ts';
import { builders, type Design, type Network } from './networks.ts';

export interface Trial extends Omit<Design, 'seed' | 'steps'> {
  /** Default: plain. */
  readonly data?: DataName;
  readonly batch: number;
  readonly steps: number;
  /** How many digits to train with. Default: those of all steps, at most MOST. */
  readonly examples?: number;
  /** Default: shuffled. */
  readonly order?: Order;
  /** Added to the seed of the first weights alone. */
  readonly otherStart?: number;
}

/** In percent. */
export interface Score {
  /** On digits of the test. */
  readonly accuracy: number;
  /** On those it was trained with. */
  readonly trained: number;
}

const MOST = 3200;
const CHUNK = 100;
/** Adam's, falling to 0. Each normalization, and none, gets the best of these by itself. */
const RATES = [0.003, 0.01, 0.03];
/** Small batches are noisy, and take many steps. */
const RATES_OF_SMALL = [0.001, 0.003, 0.01];

/** These take longest: two rates each. */
const RATES_OF_SEQUENCES = [0.003, 0.02];

/** Trainings that several claims share, by seed and trial. */
const done = new Map<string, Promise<Score>>();

/** At the learning rate that does best on digits kept for that. The test decides nothing. */
export function score(trial: Trial, run: Run): Promise<Score> {
  const key = JSON.stringify([run.seed, tf.getBackend(), Object.entries(trial).sort()]);
  const found = done.get(key) ?? best(trial, run);
  done.set(key, found);
  found.catch(() => done.delete(key));
  return found;
}

function ratesOf({ network, batch }: Trial): readonly number[] {
  if (network === 'recurrent' || network === 'transformer') return RATES_OF_SEQUENCES;
  return batch <= 4 ? RATES_OF_SMALL : RATES;
}

async function best(trial: Trial, run: Run): Promise<Score> {
  const { data = 'plain', batch, steps, examples = Math.min(batch * steps, MOST) } = trial;
  const parts = dataOf(data, run, examples);
  let highest = -1;
  let score: Score = { accuracy: 0, trained: 0 };
  for (const rate of ratesOf(trial)) {
    const network = builders[trial.network]({ ...trial, seed: 50 * run.seed + (trial.otherStart ?? 0) });
    try {
      await train(network, parts.train, trial, rate, run);
      const reached = await accuracyOf(network, parts.validation, run);
      if (reached <= highest) continue;
      highest = reached;
      score = {
        accuracy: await accuracyOf(network, parts.test, run),
        trained: await accuracyOf(network, first(parts.train, 300), run),
      };
    } finally {
      network.dispose();
    }
  }
  return score;
}

export async function train(
  network: Network,
  examples: Examples,
  trial: Trial,
  rate: number,
  { seed, frame }: Run,
): Promise<void> {
  const { batch, steps, order = 'shuffled' } = trial;
  const indices = orderOf(order, examples, batch, seed);
  const optimizer = tf.train.adam();
  try {
    for (let step = 0; step < steps; step++) {
      setRate(optimizer, rate * (1 - step / steps));
      tf.tidy(() => {
        const { x, labels } = tensors(batchOf(examples, indices, step, batch));
        const loss = () => tf.losses.softmaxCrossEntropy(labels, network.logits(x, true)) as tf.Scalar;
        optimizer.minimize(loss, false, network.variables());
      });
      await frame();
    }
  } finally {
    optimizer.dispose();
  }
}

async function accuracyOf(network: Network, examples: Examples, { frame }: Run): Promise<number> {
  const count = examples.labels.length;
  let right = 0;
  for (let start = 0; start < count; start += CHUNK) {
    const found = tf.tidy(() => tf.argMax(network.logits(tensors(slice(examples, start, start + CHUNK)).x, false), 1));
    const classes = await found.data();
    found.dispose();
    right += classes.filter((label, i) => label === examples.labels[start + i]).length;
    await frame();
  }
  return (100 * right) / count;
}

const slice = ({ images, labels }: Examples, start: number, end: number): Examples => ({
  images: images.subarray(start * PIXELS, end * PIXELS),
  labels: labels.subarray(start, end),
});
export const first = (examples: Examples, count: number) => slice(examples, 0, Math.min(count, examples.labels.length));

export const tensors = ({ images, labels }: Examples) => ({
  x: tf.tensor2d(images, [labels.length, PIXELS]),
  labels: oneHot(labels),
});

function batchOf({ images, labels }: Examples, order: Uint32Array, step: number, size: number): Examples {
  const batch = { images: new Float32Array(size * PIXELS), labels: new Uint8Array(size) };
  for (let i = 0; i < size; i++) {
    const at = order[(step * size + i) % order.length];
    batch.labels[i] = labels[at];
    batch.images.set(images.subarray(at * PIXELS, (at + 1) * PIXELS), i * PIXELS);
  }
  return batch;
}

/** How many points of accuracy the first has more than the second. */
export const gain =
  (one: Trial, other: Trial): Effect =>
  async (run) =>
    (await score(one, run)).accuracy - (await score(other, run)).accuracy;

/** The usual trainings with batches of a size: the same for all that is compared. */
const STEPS: Readonly<Record<number, number>> = { 1: 200, 2: 200, 8: 100, 32: 60, 64: 40 };
export const convolutional = (norm: Trial['norm'], batch: number, more: Partial<Trial> = {}): Trial => ({
  network: 'convolutional',
  norm,
  batch,
  steps: STEPS[batch],
  ...more,
});

/** How many points of accuracy the first loses less than the second from batches of 32 to batches of 2. */
export const steadier =
  (one: Trial['norm'], other: Trial['norm']): Effect =>
  async (run) => {
    const lost = async (norm: Trial['norm']) =>
      (await score(convolutional(norm, 32), run)).accuracy - (await score(convolutional(norm, 2), run)).accuracy;
    return (await lost(other)) - (await lost(one));
  };
