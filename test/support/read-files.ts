/** Files of Keras with what they predict, and what becomes of loading one. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import type { File } from 'h5wasm';
import { loadHdf5, removeFile } from '../../layers/files/hdf5-library.ts';
import { type FileSource, loadModel } from '../../layers/files/index.ts';

export const KERAS_FILES = join(__dirname, '..', 'goldens', 'keras-files');
export const pathOf = (name: string) => join(KERAS_FILES, name);
export const bytesOf = (name: string) => Uint8Array.from(readFileSync(pathOf(name)));

/** Files of whole models that can be loaded, such as `3.15/cnn.keras`. */
export const wholeModels = ['2.13', '2.15', '3.15'].flatMap((version) =>
  readdirSync(pathOf(version))
    .filter((name) => /\.keras$|^[^.-]*\.h5$/.test(name))
    .map((name) => `${version}/${name}`),
);

export interface Expected {
  readonly x: number[];
  readonly xshape: number[];
  readonly y: number[];
}

/** What Keras predicts with the model of a file. */
export const expectedOf = (name: string): Expected =>
  JSON.parse(readFileSync(pathOf(`${name.match(/^[\d.]+\/\w+/)?.[0]}.json`), 'utf8'));

export function predict(model: tf.LayersModel, { x, xshape }: Expected): Float32Array {
  return tf.tidy(() => (model.predict(tf.tensor(x, xshape)) as tf.Tensor).dataSync() as Float32Array);
}

/** Disposes of a model with all of its weights; `model.dispose` leaves those of models within, and of cells. */
export function disposeAll({ weights }: tf.LayersModel): void {
  for (const weight of new Map(weights.map((weight) => [weight.id, weight])).values()) weight.dispose();
}

/** The model, or the message of the error. A model that was refused has left nothing. */
export async function loaded(source: FileSource): Promise<tf.LayersModel | string> {
  const before = tf.memory();
  try {
    return await loadModel(source);
  } catch (error) {
    const { numTensors, numDataBuffers } = tf.memory();
    const left = [numTensors - before.numTensors, numDataBuffers - before.numDataBuffers];
    const { message } = error as Error;
    return left.some(Boolean) ? `${message} (left: ${left} tensors and buffers)` : message;
  }
}

/** An HDF5 file as h5wasm writes it. */
export async function hdf5Of(fill: (file: File) => void): Promise<Uint8Array> {
  const { open, module } = await loadHdf5('test');
  const file = open('/written.h5', 'w') as File;
  try {
    fill(file);
    file.close();
    return module.FS.readFile('/written.h5');
  } finally {
    removeFile(module, '/written.h5');
  }
}
