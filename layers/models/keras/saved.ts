/** The types of the JSON that Keras saves, objects of a class and calls between layers, and functions that read it. */
import { fail } from '../../../kernels/core/errors.ts';

export type Config = Record<string, unknown>;

/** A layer, model, initializer and so on. */
export interface Saved {
  readonly class_name: string;
  readonly config: Config;
  readonly name?: string;
  readonly registered_name?: string | null;
  readonly inbound_nodes?: readonly unknown[];
}

/** The origin of a tensor: a layer, the number of its call, and the number of the output. */
export type Reference = readonly [layer: string, node: number, tensor: number, ...rest: unknown[]];

/** Classes of models, in Keras and TensorFlow.js. */
export const MODELS = ['Functional', 'Model', 'Sequential'];

/** The class. Keras 3 saves one under the name by which its package exports it. */
export const classOf = ({ class_name }: Saved): string =>
  class_name === GROUPED_ATTENTION ? 'GroupedQueryAttention' : class_name;
/** The public name of attention with fewer heads of keys and values. Its weights have the name of the class: `GroupedQueryAttention`. */
export const GROUPED_ATTENTION = 'GroupQueryAttention';

/** The config. The first versions of Keras saved of a Sequential its layers alone, in a graph with its name beside them. */
export function configOf({ config, name }: Saved): Config {
  if (!Array.isArray(config)) return config ?? {};
  return { ...(name === undefined ? {} : { name }), layers: config };
}

export const isModel = ({ class_name }: Saved) => MODELS.includes(class_name);
export const nameOf = ({ name, config }: Saved) => String(name ?? config.name);

/** Fails with the layer's name and class. */
export function refuse(layer: Saved, message: string): never {
  const { class_name, config, name } = layer;
  const title = config?.name ?? name;
  return fail('loadModel', `the ${title === undefined ? 'model' : `layer '${title}'`} (${class_name}) ${message}`);
}

export function isRecord(value: unknown): value is Config {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isSaved(value: unknown): value is Saved {
  return isRecord(value) && typeof value.class_name === 'string' && 'config' in value;
}

export const isReference = (value: unknown): value is Reference =>
  Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'number' && typeof value[2] === 'number';

/** The origin of a tensor in a file of Keras 3. */
export function historyOf(tensor: unknown): Reference | undefined {
  const history = isSaved(tensor) ? tensor.config.keras_history : undefined;
  return isReference(history) ? history : undefined;
}
