/** The inputs of power iteration, the same for the case and for the oracle. */
import type { PowerIterationAttrs } from '../../kernels/contract.ts';
import { normals } from './random.ts';

export interface PowerIterationInputs extends PowerIterationAttrs {
  readonly rest: number;
  readonly out: number;
  /** Multiplies w: 0 is the matrix that has no direction. */
  readonly scale: number;
}

/** w, u and v of these sizes, always the same. */
export function powerIterationInputs({ rest, out, scale }: PowerIterationInputs) {
  const w = normals(1, rest * out).map((value) => value * scale);
  return { w, u: normals(2, out), v: normals(3, rest) };
}
