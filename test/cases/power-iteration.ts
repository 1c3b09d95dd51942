/** The kernel `PowerIteration`, and the same composed. */
import { tidy } from '@tensorflow/tfjs';
import type { PowerIterationAttrs } from '../../kernels/contract.ts';
import * as reference from '../../kernels/reference.ts';
import { run } from '../../kernels/registry.ts';
import { normals } from '../support/random.ts';
import { takeAll, withTensors } from './tensors.ts';

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

export const powerIteration = (args: PowerIterationInputs & { readonly route: 'kernel' | 'reference' }) =>
  withTensors(async (make) => {
    const { rest, out, iterations, first, epsilon } = args;
    const values = powerIterationInputs(args);
    const [w, u, v] = [make(values.w, [rest, out]), make(values.u, [1, out]), make(values.v, [1, rest])];
    const attributes = { iterations, first, epsilon };
    const [nextU, nextV, sigma] =
      args.route === 'kernel'
        ? run('PowerIteration', { w, u, v }, attributes)
        : tidy(() => reference.powerIteration(w, u, v, attributes));
    return takeAll({ u: nextU, v: nextV, sigma });
  });
