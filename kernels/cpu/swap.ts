/** `SwapAxes`, in strips of a few rows: the cache holds a strip while its columns are written one after the other. */
import { type CpuKernel, tensor, valuesOf } from './backend.ts';

const STRIP = 8;

export const SwapAxes: CpuKernel<'SwapAxes'> = ({ inputs: { x }, backend, attrs: { n, a, b } }) => {
  const from = valuesOf(backend, x);
  const to = new Float32Array(from.length);
  for (let start = 0; start < from.length; start += a * b) {
    for (let top = 0; top < a; top += STRIP) {
      const end = Math.min(top + STRIP, a);
      for (let column = 0; column < b; column++) {
        for (let row = top; row < end; row++) {
          to[start + column * a + row] = from[start + row * b + column] as number;
        }
      }
    }
  }
  return [tensor(backend, [n, b, a], to)];
};
