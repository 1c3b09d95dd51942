/** The inputs of power iteration, the same for the case and for the oracle. */
import type { PowerIterationAttrs } from '../../kernels/core/contract.ts';
import { normals } from './random.ts';

export interface PowerIterationInputs extends PowerIterationAttrs {
  readonly rest: number;
  readonly out: number;
  /** Multiplies w: 0 is the matrix that has no direction. */
  readonly scale: number;
  /** All values are taken by the backend from their logarithms, which on webgl leaves ones in the padding of textures. */
  readonly exponentials?: boolean;
}

/** w, u and v of these sizes, always the same. */
export function powerIterationInputs({ rest, out, scale, exponentials }: PowerIterationInputs) {
  const valuesOf = (seed: number, size: number) => {
    const values = normals(seed, size);
    return exponentials ? values.map(Math.exp) : values;
  };
  const w = valuesOf(1, rest * out).map((value) => value * scale);
  return { w, u: valuesOf(2, out), v: valuesOf(3, rest) };
}
