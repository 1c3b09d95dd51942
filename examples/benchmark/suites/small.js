/** What a normalization costs where the tensor is so small that only the way to the kernel counts. */
import * as tf from '@tensorflow/tfjs';
import { calls, race } from '../race.js';
import { normalizations, tensors } from '../workloads.js';

export const title = 'A small tensor, [8,16] (cpu backend)';

const SHAPE = [8, 16];

export async function run({ effort, progress }) {
  progress('layer norm and add [8,16]');
  const { x, dy, gamma, beta } = tensors(SHAPE);
  const norm = (x) => normalizations.layer.op(x, gamma, beta);
  const add = (x) => tf.add(x, dy);
  const us = await race(
    {
      norm: untaped(norm, x),
      add: untaped(add, x),
      tapedNorm: taped(norm, x),
      tapedAdd: taped(add, x),
    },
    { ...effort, rounds: 2 * effort.rounds, sampleMs: 2 * effort.sampleMs },
  );
  const table = {
    title: 'One call',
    unit: 'time',
    columns: ['layer norm', 'add'],
    rows: [
      { label: 'without a tape', values: [us.norm, us.add] },
      { label: 'under a tape', values: [us.tapedNorm, us.tapedAdd] },
    ],
  };
  const checks = [
    { label: 'layer norm / add, without a tape', value: us.norm / us.add, atMost: 1.2, aim: 0.9 },
    { label: 'layer norm / add, under a tape', value: us.tapedNorm / us.tapedAdd, atMost: 2.2, aim: 1.6 },
  ];
  return { tables: [table], checks };
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
