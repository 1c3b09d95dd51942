/** The forms of one normalization against each other, on the backend of a page. */
import * as tf from '@tensorflow/tfjs';
import { contest, runners } from './candidates.js';
import { drawnCalls, gpuOf } from './gpu.ts';
import { calls, median, race } from './race.js';

/**
 * The clock of a page is coarse, and a sample waits for the GPU once. The backends collect what is asked for before they send it, so
 * that in a sample of few calls the GPU waits for JavaScript, too, and has nothing to do meanwhile: samples take longer than in Node.
 */
const COARSE = 20;

/**
 * The median times of all candidates, and on a GPU their draws, or dispatches.
 *
 * @param {{name: string, shape: number[], rival?: string, withConditional?: boolean, effort: {rounds: number,
 *   slowRounds: number, sampleMs: number}}} what a normalization, and what else joins the race: see `contest`; the effort of
 *   `race`
 * @param {(candidate: string, done: number) => unknown} [watch] as in `race`
 * @returns {Promise<{us: Record<string, number>, draws?: Record<string, number>, gpuUs?: {ours: number, copy: number}}>}
 *   `gpuUs`: by the clock of the GPU, where it has one: our function, and a copy of x
 */
export async function measure({ name, shape, effort: { sampleMs, ...samples }, ...more }, watch = () => {}) {
  const effort = { ...samples, sampleMs: COARSE * sampleMs };
  const { candidates, data, dispose } = contest(name, shape, more);
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
    const us = await race(runners(candidates, drawnCalls(gpu)), effort, watch);
    const ours = await gpuTime(gpu, candidates.ours);
    if (ours === undefined) return { us, draws };
    return { us, draws, gpuUs: { ours, copy: await gpuTime(gpu, () => tf.neg(data.x).dispose()) } };
  } finally {
    dispose();
  }
}

/** The median of a few calls by the clock of the GPU, if it has one. */
async function gpuTime(gpu, call) {
  const times = [];
  for (let i = 0; i < 5; i++) times.push(await gpu.time?.(call));
  return times[0] === undefined ? undefined : median(times);
}
