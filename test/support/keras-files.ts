/** Model files as Keras writes them, from a few words; and their weights. Nothing here rewrites. */
import * as tf from '@tensorflow/tfjs';

type Config = Record<string, unknown>;

/** An object in the spelling of Keras 3. */
export const saved = (class_name: string, config: unknown, module = 'keras.layers') => ({
  module,
  class_name,
  config,
  registered_name: null,
});
const FLOAT32 = saved('DTypePolicy', { name: 'float32' }, 'keras');

/** An output of the call number `node` of a layer. */
export const output = (layer: string, node = 0) =>
  saved('__keras_tensor__', { shape: [null], dtype: 'float32', keras_history: [layer, node, 0] });

/** A layer of a graph of Keras 3, with its positional arguments, and those by name. */
export const called = (class_name: string, config: Config, args: unknown[], kwargs: Config = {}) => ({
  ...saved(class_name, { trainable: true, dtype: FLOAT32, ...config }),
  name: config.name,
  inbound_nodes: args.length > 0 ? [{ args, kwargs }] : [],
});

export const input3 = (name: string, ...batch_shape: (number | null)[]) =>
  called('InputLayer', { name, batch_shape, sparse: false, ragged: false }, []);

export const graph3 = (name: string, layers: Config[], last: string, node = 0) =>
  saved('Functional', {
    name,
    trainable: true,
    layers,
    input_layers: [layers[0]!.name, 0, 0],
    output_layers: [last, node, 0],
  });

/** The same in the spelling of Keras 2: each input is [layer, node, tensor, arguments by name]. */
export const called2 = (class_name: string, config: Config, inputs: string[], kwargs: Config = {}) => ({
  class_name,
  config: { trainable: true, dtype: 'float32', ...config },
  name: config.name,
  inbound_nodes: inputs.length > 0 ? [inputs.map((input) => [input, 0, 0, kwargs])] : [],
});

export const graph2 = (shape: (number | null)[], layers: Config[]) => ({
  class_name: 'Functional',
  config: {
    name: 'model',
    layers: [
      called2('InputLayer', { name: 'x', batch_input_shape: shape, sparse: false, ragged: false }, []),
      ...layers,
    ],
    input_layers: [['x', 0, 0]],
    output_layers: [[layers.at(-1)!.name, 0, 0]],
  },
});

export type Values = Record<
  string,
  { readonly shape: number[]; readonly data: number[]; readonly dtype?: 'int32' | 'bool' }
>;

/** What a handler loads. */
export async function file(
  keras_version: string,
  model_config: Config,
  weights: Values,
): Promise<tf.io.ModelArtifacts> {
  const named = Object.entries(weights).map(([name, { data, shape, dtype }]) => ({
    name,
    tensor: tf.tensor(data, shape, dtype ?? 'float32'),
  }));
  const { data: weightData, specs: weightSpecs } = await tf.io.encodeWeights(named);
  tf.dispose(named.map(({ tensor }) => tensor));
  return { modelTopology: { keras_version, backend: 'tensorflow', model_config }, weightSpecs, weightData };
}

/** Numbers that repeat in no simple way, between -1 and 1. */
export const values = (shape: number[], seed = 1) => ({
  shape,
  data: Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) =>
    Math.fround(Math.sin(seed + 2.3 * i + i * i)),
  ),
});
