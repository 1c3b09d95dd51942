/**
 * Damaged and hostile files of Keras: each becomes a model or an error of ours, nothing is left of it, and good files load afterwards.
 * `FUZZ_FILES=100000 FUZZ_SEED=1 npx jest test/unit/files-fuzz` tries more, and others.
 */
import { beforeAll, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { fuzzFiles } from '../support/fuzz-files.ts';

const COUNT = Number(process.env.FUZZ_FILES ?? 2000);
const SEED = Number(process.env.FUZZ_SEED ?? 1);

beforeAll(() => tf.setBackend('cpu'));

test(
  `${COUNT} files from seed ${SEED}`,
  async () => {
    const { loaded, refused, wrong } = await fuzzFiles(COUNT, SEED);
    expect(wrong).toEqual([]);
    // Changes of what does not matter, such as an optimizer's state, leave models that load.
    expect(loaded).toBeGreaterThan(COUNT / 10);
    expect(refused).toBeGreaterThan(COUNT / 4);
  },
  60_000 + 100 * COUNT,
);
