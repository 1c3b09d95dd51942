/** `PowerIteration`: the matrix is in the memory as a whole, since each step reads all of it. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { padded } from './kernels.ts';
import type { Memory, Output, SimdKernel } from './memory.ts';

export const powerIteration: SimdKernel<'PowerIteration'> = (memory, { w, u, v }, attrs) => {
  const { iterations, first, epsilon } = attrs;
  const [rest, out] = w.shape as [number, number];
  const matrix = memory.address(w);
  const product = memory.scratch(Math.max(rest, out));
  const sums = memory.scratch(2 * padded(out));
  const [newU, newV] = [copied(memory, u, out), copied(memory, v, rest)];
  const sigma = memory.kernels.powerIteration(
    matrix,
    newU.address,
    newV.address,
    product,
    sums,
    rest,
    out,
    iterations,
    first === 'u',
    epsilon,
  );
  return [newU.tensor(), newV.tensor(), memory.tensor([], Float32Array.of(sigma))];
};

/** A new tensor with the values of another, for the kernel to change. */
function copied(memory: Memory, vector: TensorInfo, size: number): Output {
  const output = memory.output(vector.shape);
  memory.write(output.address, memory.values(vector), 0, size);
  return output;
}
