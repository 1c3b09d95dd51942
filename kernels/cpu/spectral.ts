/** `PowerIteration`: the matrix is copied in whole, since each step reads all of it. */
import { padded } from '../simd/kernels.ts';
import { kernel, tensor, valuesOf } from './backend.ts';
import { freshHost } from './host.ts';

export const powerIteration = kernel<'PowerIteration'>(({ inputs: { w, u, v }, backend, attrs }) => {
  const { iterations, first, epsilon } = attrs;
  const [rest, out] = w.shape as [number, number];
  const host = freshHost();
  const [wAt, uAt, vAt] = [w, u, v].map((t) => host.copied(valuesOf(backend, t))) as [number, number, number];
  const product = host.take(Math.max(rest, out));
  const sums = host.take(2 * padded(out));
  const { powerIteration } = host.kernels;
  const sigma = powerIteration(wAt, uAt, vAt, product, sums, rest, out, iterations, first === 'u', epsilon);
  return [
    tensor(backend, u.shape, host.read(uAt, out)),
    tensor(backend, v.shape, host.read(vAt, rest)),
    tensor(backend, [], Float32Array.of(sigma)),
  ];
});
