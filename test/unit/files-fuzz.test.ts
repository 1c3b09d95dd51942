/**
 * Damaged and hostile files of Keras: each becomes a model or an error of ours, nothing is left of it, and good files load afterwards.
 * `FUZZ_FILES=100000 FUZZ_SEED=1 npx jest test/unit/files-fuzz` tries more, and others.
 */
import { beforeAll, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { fuzzFiles } from '../support/fuzz-files.ts';

const COUNT = Number(process.env.FUZZ_FILES ?? 1000);
const SEED = Number(process.env.FUZZ_SEED ?? 1);

/** Files with which something went wrong once. */
const FOUND = {
  'a constraint that is an initializer': [630],
  'sizes of gigabytes': [1576, 1671, 2718, 24598, 29536],
  'layers that no output needs': [5549, 18060, 18319],
  'a constraint that is a layer': [5867],
  'an initializer that is an optimizer': [1082850],
};

beforeAll(() => tf.setBackend('cpu'));

test.each(Object.entries(FOUND))('%s', async (_, seeds) => {
  for (const seed of seeds) expect((await fuzzFiles(1, seed)).wrong).toEqual([]);
});

test(
  `${COUNT} files from seed ${SEED}`,
  async () => {
    const { loaded, refused, wrong } = await fuzzFiles(COUNT, SEED);
    expect(wrong).toEqual([]);
    // Changes of what does not matter, such as an optimizer's state, leave models that load.
    expect(loaded).toBeGreaterThan(COUNT / 10);
    expect(refused).toBeGreaterThan(COUNT / 4);
  },
  Math.max(500_000, 100 * COUNT),
);
