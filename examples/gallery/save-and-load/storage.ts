/**
 * Saving, loading, listing and deleting. What the model said when it was saved goes into the same file, as metadata: so it
 * outlives the page, and travels with a download.
 */
import * as tf from '@tensorflow/tfjs';
// Registers the layers. Without this import loadLayersModel fails: "Unknown layer: GroupNormalization".
import 'tfjs-normalizations';
import { disposeModel } from './model.ts';

export interface Memories {
  /** Of the ten digits, when the model was saved. */
  readonly predictions: readonly (readonly number[])[];
  /** Of each step of training. */
  readonly losses: readonly number[];
  readonly backend: string;
}

/** Names of models share the browser's storage with other pages of this address. */
const PREFIX = 'indexeddb://tfjs-normalizations/';
export const addressOf = (name: string): string => PREFIX + name;

/** With the state of the optimizer, so that training can go on. */
async function save(model: tf.LayersModel, address: string, memories: Memories): Promise<void> {
  model.setUserDefinedMetadata(memories);
  // To save the optimizer leaves a scalar behind, its count of steps: the scope takes it.
  tf.engine().startScope();
  try {
    await model.save(address, { includeOptimizer: true });
  } finally {
    tf.engine().endScope();
  }
}
export const saveInBrowser = (model: tf.LayersModel, name: string, memories: Memories): Promise<void> =>
  save(model, addressOf(name), memories);
/** Two files: `name`.json and `name`.weights.bin. */
export const download = (model: tf.LayersModel, name: string, memories: Memories): Promise<void> =>
  save(model, `downloads://${name}`, memories);

export interface Loaded {
  readonly model: tf.LayersModel;
  readonly memories: Memories;
}

async function load(from: string | tf.io.IOHandler): Promise<Loaded> {
  const model = await tf.loadLayersModel(from);
  const memories = model.getUserDefinedMetadata() as Memories | undefined;
  if (memories?.predictions) return { model, memories };
  disposeModel(model);
  throw new Error('This model was not saved by this page: it does not say what it predicted.');
}
export const loadFromBrowser = (name: string): Promise<Loaded> => load(addressOf(name));

/** The .json and the .bin of a download, chosen together. */
export async function loadFromFiles(files: readonly File[]): Promise<Loaded> {
  const json = files.filter(({ name }) => name.endsWith('.json'));
  const weights = files.filter(({ name }) => name.endsWith('.bin'));
  if (json.length !== 1 || weights.length === 0)
    throw new Error('Choose both files of a download: the .json and the .bin.');
  return load(tf.io.browserFiles([...json, ...weights]));
}

export interface Entry {
  readonly name: string;
  readonly saved: Date;
  readonly bytes: number;
}

/** The newest first. */
export async function list(): Promise<Entry[]> {
  const entries = Object.entries(await tf.io.listModels()).filter(([address]) => address.startsWith(PREFIX));
  return entries
    .map(([address, { dateSaved, modelTopologyBytes = 0, weightDataBytes = 0 }]) => ({
      name: address.slice(PREFIX.length),
      saved: new Date(dateSaved),
      bytes: modelTopologyBytes + weightDataBytes,
    }))
    .sort((a, b) => b.saved.getTime() - a.saved.getTime());
}

export const remove = (name: string): Promise<unknown> => tf.io.removeModel(addressOf(name));
