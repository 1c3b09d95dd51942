/** Layer normalization and an addition of a tensor so small that only the way to the kernel counts, on any backend. */
import * as tf from '@tensorflow/tfjs';
import { calls, race } from './race.js';
import { normalizations, tensors } from './workloads.js';

export const SHAPE = [8, 16];

/** Median times of a call, by themselves and under a tape. */
export function smallTensorTimes(effort) {
  const { x, dy, gamma, beta } = tensors(SHAPE);
  const norm = (x) => normalizations.layer.op(x, gamma, beta);
  const add = (x) => tf.add(x, dy);
  return race(
    {
      norm: untaped(norm, x),
      add: untaped(add, x),
      tapedNorm: taped(norm, x),
      tapedAdd: taped(add, x),
    },
    { ...effort, rounds: 2 * effort.rounds, sampleMs: 2 * effort.sampleMs },
  );
}

/** Calls in a loop; what happens before and after, such as the disposal of the results, is not timed. */
const untaped = (op, x) => (times) => {
  let ms;
  tf.tidy(() => {
    ms = calls(() => op(x))(times);
  });
  return ms;
};

/** The same while a gradient is recorded. */
const taped = (op, x) => (times) => {
  let ms;
  const recorded = tf.grad((x) => {
    ms = calls(() => op(x))(times);
    return op(x);
  });
  recorded(x).dispose();
  return ms;
};
