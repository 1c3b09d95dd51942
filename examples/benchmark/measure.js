/** The forms of one normalization against each other, on the backend of a page. */
import * as tf from '@tensorflow/tfjs';
import { contest, runners } from './candidates.js';
import { drawnCalls, gpuOf } from './gpu.ts';
import { calls, race } from './race.js';

/** The clock of a page is coarse, and a sample waits for the GPU once: samples take longer than in Node. */
const COARSE = 5;

/**
 * The median times of all candidates, and on a GPU their draws, or dispatches.
 *
 * @param {{name: string, shape: number[], rival?: string, effort: {rounds: number,
 *   slowRounds: number, sampleMs: number}}} what a normalization, and maybe another one
 *   whose layer joins the race; the effort of `race`
 * @param {(candidate: string, done: number) => unknown} [watch] as in `race`
 * @returns {Promise<{us: Record<string, number>, draws?: Record<string, number>}>}
 */
export async function measure({ name, shape, rival, effort: { sampleMs, ...samples } }, watch = () => {}) {
  const effort = { ...samples, sampleMs: COARSE * sampleMs };
  const { candidates, dispose } = contest(name, shape, rival);
  try {
    const gpu = gpuOf(tf.getBackend());
    if (!gpu) return { us: await race(runners(candidates, calls), effort, watch) };
    const draws = {};
    for (const [candidate, call] of Object.entries(candidates)) {
      await watch(candidate, 0);
      call(); // uploads what it needs
      await watch(candidate, 0);
      draws[candidate] = gpu.countDraws(call);
    }
    await gpu.wait(); // the first sample is not to pay for them
    return { us: await race(runners(candidates, drawnCalls(gpu)), effort, watch), draws };
  } finally {
    dispose();
  }
}
