/** Gives a model the weights of an HDF5 file of Keras: all of them, or none. */
import { dispose, type Tensor, tensor } from '@tensorflow/tfjs-core';
import type { LayersModel, LayerVariable } from '@tensorflow/tfjs-layers';
import { fail } from '../../kernels/core/errors.ts';
import type { Saved } from '../models/keras/saved.ts';
import type { Hdf5File } from './hdf5.ts';
import { type Place, placesByLayers, placesInGroups } from './keras/places.ts';

/**
 * Everything is read and checked before the first weight is set.
 *
 * @param saved what Keras saved of the model, or would save
 * @param onProgress is told the share of the values that has been read
 */
export function setWeights(
  who: string,
  file: Hdf5File,
  saved: Saved,
  model: LayersModel,
  onProgress: (share: number) => void = () => {},
): void {
  const places = placesOf(who, file, saved, model);
  const found = new Set(places.map(({ weight }) => weight.id));
  const without = model.weights.find(({ id }) => !found.has(id));
  if (without) fail(who, `the file has no values for the weight '${without.originalName}'; save the model again`);
  const sizes = places.map(({ weight }) => sizeOf(weight));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const values: Tensor[] = [];
  let done = 0;
  try {
    for (const [i, place] of places.entries()) {
      const size = sizes[i] as number;
      values.push(readWeight(who, file, place, (share) => onProgress((done + share * size) / total)));
      done += size;
    }
    for (const [i, { weight }] of places.entries()) weight.write(values[i] as Tensor);
  } finally {
    dispose(values);
  }
}

/** The two forms differ in what is at the root of the file. */
function placesOf(who: string, file: Hdf5File, saved: Saved, model: LayersModel): Place[] {
  const names = file.keys('');
  const root = names.includes('model_weights') ? 'model_weights' : '';
  const isByLayers = ['layer_names', 'layer_names0'].some((name) => file.attribute(root, name) !== undefined);
  if (isByLayers) return placesByLayers(who, file, root, model);
  if (names.includes('layers') || names.includes('_layer_checkpoint_dependencies')) {
    return placesInGroups(who, file, saved, model);
  }
  const received = names.length === 0 ? 'nothing' : names.slice(0, 5).join(', ');
  return fail(
    who,
    `the HDF5 file holds no weights as Keras saves them, but ${received}; save the model with model.save`,
  );
}

function readWeight(who: string, file: Hdf5File, place: Place, onProgress: (share: number) => void): Tensor {
  const { path, weight, layer } = place;
  const { shape, dtype, originalName } = weight;
  const kind = dtype === 'int32' ? 'int32' : 'float32';
  const values = file.read(path, kind, onProgress);
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong !== -1) {
    fail(
      who,
      `the weight '${originalName}' of the layer '${layer}' has the value ${values[wrong]} at index ${wrong}; ` +
        'train the model again, with a smaller learning rate, say',
    );
  }
  return tensor(values, shape as number[], kind);
}

const sizeOf = ({ shape }: LayerVariable) => shape.reduce<number>((size, length) => size * (length ?? 1), 1);
