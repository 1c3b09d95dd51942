/** The weights of a model under their own names and as they are, for programs that know the model. */
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { fail } from '../../../kernels/core/errors.ts';
import type { Entry, Plan } from './entries.ts';
import { asItIs } from './layout.ts';

/** One tensor for each weight. A weight that several layers share is there once, and found under the name that each gives it. */
export function plainPlan(who: string, model: LayersModel): Plan {
  const entries = new Map<unknown, Entry & { names: string[] }>();
  const owners = new Map<string, unknown>();
  for (const weight of model.weights) {
    const { originalName: name } = weight;
    const variable = weight.read();
    const owner = owners.get(name) ?? variable;
    if (owner !== variable) fail(who, `two weights are called '${name}'; give the layers of the model different names`);
    owners.set(name, variable);
    const entry = entries.get(variable);
    if (!entry) {
      const layout = asItIs(weight.shape as number[]);
      entries.set(variable, { role: 'value', names: [name], weight, layout });
    } else if (!entry.names.includes(name)) entry.names.push(name);
  }
  return { entries: [...entries.values()], settings: [] };
}
