/** What a normalization costs where the tensor is so small that only the way to the kernel counts. */
import { smallTensorTimes } from '../small-tensor.js';

export const title = 'A small tensor, [8,16] (cpu backend)';

export async function run({ effort, progress }) {
  progress('layer norm and add [8,16]');
  const us = await smallTensorTimes(effort);
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
