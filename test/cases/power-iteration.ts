/** The kernel `PowerIteration`, and the same composed. */
import { tidy } from '@tensorflow/tfjs';
import * as reference from '../../kernels/reference.ts';
import { run } from '../../kernels/registry.ts';
import { type PowerIterationInputs, powerIterationInputs } from '../support/power-iteration-inputs.ts';
import { takeAll, withTensors } from './tensors.ts';

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
