/** What many experiments have in common. */
import type { Effect, Experiment, Run } from './claim.ts';
import { convolutional, score, type Trial } from './learning.ts';

const SMALL_NETWORK = 'two convolutions (8 and 16 channels), each with the normalization and a ReLU, and a dense layer';

type Described = Omit<Experiment, 'data' | 'networks' | 'unit' | 'measure' | 'threshold'> & Partial<Experiment>;

/** Reads digits: accuracy on 500 digits of the test, in percent. */
export const digits = (own: Described): Experiment => ({
  measure:
    'difference of the accuracy on 500 other digits, each at the best of three learning rates (two where sequences are read)',
  unit: 'points',
  threshold: 1,
  data: 'MNIST digits of 14 x 14 pixels',
  networks: SMALL_NETWORK,
  ...own,
});

/** Median time of calls in turns. */
export const time = (own: Described): Experiment => ({
  measure: 'by how many percent the median call takes longer, of 31 in turns',
  unit: '% of time',
  threshold: 5,
  data: 'normal numbers',
  networks: 'the layer alone, at 4 x 56 x 56 x 64 (ResNet-50) or 4 x 128 x 768 (BERT base)',
  ...own,
});

/** By how many points the first is better than the best of the others, each judged by the task that it is worst at. */
export const betterAtItsWorst =
  (norm: Trial['norm'], others: readonly Trial['norm'][], tasks: readonly Partial<Trial>[]): Effect =>
  async (run) => {
    const worst = async (norm: Trial['norm']) =>
      Math.min(
        ...(await accuracies(
          tasks.map((task) => convolutional(norm, 32, task)),
          run,
        )),
      );
    const own = await worst(norm);
    let best = 0;
    for (const other of others) best = Math.max(best, await worst(other));
    return own - best;
  };

/** From the lowest to the highest accuracy of these. */
export const spread = async (trials: readonly Trial[], run: Run): Promise<number> => {
  const all = await accuracies(trials, run);
  return Math.max(...all) - Math.min(...all);
};

/** How many points the choices spread more than as many first weights with one choice do. */
export const spreadsMore =
  (choices: readonly Trial[], one: Trial): Effect =>
  async (run) => {
    const chance = choices.map((_, i) => ({ ...one, otherStart: i }));
    return (await spread(choices, run)) - (await spread(chance, run));
  };

async function accuracies(trials: readonly Trial[], run: Run): Promise<number[]> {
  const found: number[] = [];
  for (const trial of trials) found.push((await score(trial, run)).accuracy);
  return found;
}
