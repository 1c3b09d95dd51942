/** The package's layers by name, and their weights by name. */
import * as tf from '@tensorflow/tfjs';
import * as ours from '../../layers/index.ts';
import type { Data } from '../cases/tensors.ts';
import { type LayerCase, weightValues } from './layer-inputs.ts';

export type Layer = tf.layers.Layer;
type LayerClass = tf.serialization.SerializableConstructor<Layer> & (new (options?: object) => Layer);

/** One of the package's classes, by its name. */
export const layerClass = (name: string): LayerClass => (ours as unknown as Record<string, LayerClass>)[name]!;

export const makeLayer = ({ className, options }: Pick<LayerCase, 'className' | 'options'>): Layer =>
  new (layerClass(className))(options);

/** The part of a weight's name that the layer chose: without the layer's own, nor the number that makes it unique. */
export const lastPart = (name: string): string => name.split('/').at(-1)!.replace(/_\d+$/, '');

export type Weight = Layer['weights'][number];
export const variableOf = (weight: Weight) => (weight as unknown as { val: tf.Variable }).val;

/** Gives every weight its values; see `weightValues`. */
export function fillWeights(layer: Pick<Layer, 'weights' | 'setWeights'>): void {
  tf.tidy(() => {
    const values = layer.weights.map(({ originalName, shape }) => {
      const size = shape.reduce<number>((a, b) => a * b!, 1);
      return tf.tensor(weightValues(lastPart(originalName), size), shape as number[]);
    });
    layer.setWeights(values);
  });
}

export async function readWeights(weights: readonly Weight[]): Promise<Record<string, Data>> {
  const entries = weights.map(async (weight) => [lastPart(weight.originalName), await weight.read().data()]);
  return Object.fromEntries(await Promise.all(entries));
}

export type Saved = Pick<LayerCase, 'className' | 'options' | 'shape'>;

/** A model of the layer and a dense layer; the weights of both are filled. */
export function modelWith({ className, options, shape }: Saved): tf.Sequential {
  const model = tf.sequential();
  model.add(makeLayer({ className, options: { ...options, inputShape: shape.slice(1) } }));
  if (shape.length > 2) model.add(tf.layers.flatten());
  model.add(tf.layers.dense({ units: 3 }));
  for (const layer of model.layers) fillWeights(layer);
  return model;
}

/** A model of one input, through these layers one after the other. */
export function modelOf(inputShape: (number | null)[], ...layers: tf.layers.Layer[]): tf.LayersModel {
  const input = tf.input({ shape: inputShape });
  const outputs = layers.reduce((x, layer) => layer.apply(x) as tf.SymbolicTensor, input);
  return tf.model({ inputs: input, outputs });
}
