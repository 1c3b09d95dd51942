/** The kernel `PowerIteration`, and the same composed. */
import { exp, tidy } from '@tensorflow/tfjs';
import { run } from '../../kernels/core/registry.ts';
import * as reference from '../../kernels/ops/reference.ts';
import { type PowerIterationInputs, powerIterationInputs } from '../support/power-iteration-inputs.ts';
import { takeAll, withTensors } from './tensors.ts';

export const powerIteration = (args: PowerIterationInputs & { readonly route: 'kernel' | 'reference' }) =>
  withTensors(async (make) => {
    const { rest, out, iterations, first, epsilon } = args;
    const values = powerIterationInputs(args);
    const given = (values: Float32Array, shape: number[]) =>
      args.exponentials ? exp(make(values.map(Math.log), shape)) : make(values, shape);
    const attributes = { iterations, first, epsilon };
    const results = tidy(() => {
      const [w, u, v] = [given(values.w, [rest, out]), given(values.u, [1, out]), given(values.v, [1, rest])];
      return args.route === 'kernel'
        ? run('PowerIteration', { w, u, v }, attributes)
        : reference.powerIteration(w, u, v, attributes);
    });
    const [u, v, sigma] = results;
    return takeAll({ u, v, sigma });
  });
