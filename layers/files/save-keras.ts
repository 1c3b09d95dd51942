/** Models as files of Keras 3, `.keras`: a zip of the model's config and of its weights in HDF5. */
import type { io, Tensor } from '@tensorflow/tfjs-core';
import { LayersModel, loadLayersModel } from '@tensorflow/tfjs-layers';
import { fail, show } from '../../kernels/core/errors.ts';
import { refuseWithout } from '../base/peers.ts';
import { type Dataset, writeHdf5 } from './hdf5-write.ts';
import { weightGroups } from './keras/groups.ts';
import { modelInKeras } from './keras/topology.ts';
import { SAVED_HERE } from './open.ts';
import { openSink } from './sink.ts';

const WHO = 'saveKeras';
/** The version of Keras that reads and writes such files in the tests. */
const KERAS_VERSION = '3.15.1';

/**
 * Saves a model as a file of Keras 3, which opens there with the same predictions.
 *
 * Layers of TensorFlow.js, and those of this package that Keras has, become Keras's own. The other layers of this package become
 * the classes of `examples/keras/tfjs_normalizations.py`, which Python has to import before it loads the file. The optimizer, and
 * states of recurrent layers, are left out. What would mean something else in Keras is refused before anything is written.
 *
 * Needs the packages `h5wasm` and `fflate`.
 *
 * @param model a model that is built, by `tf.sequential`, `tf.model` or loading
 * @param destination a path in Node, or `downloads://name.keras` in a page; without it the bytes are returned
 * @returns the bytes of the file, or nothing if there is a destination
 * @throws if the model is not built or disposed of, a layer or an option has no counterpart in Keras (the message names the layer
 *   and the way out), a weight is not finite, or a package is missing
 * @example
 * ```js
 * const model = tf.sequential({layers: [tf.layers.dense({units: 2, inputShape: [3]}), switchableNormalization()]});
 * const bytes = await saveKeras(model);
 * String.fromCharCode(...bytes.slice(0, 2)); // 'PK'
 * ```
 */
export async function saveKeras(model: LayersModel, destination: string): Promise<void>;
export async function saveKeras(model: LayersModel): Promise<Uint8Array>;
export async function saveKeras(model: LayersModel, destination?: string): Promise<unknown> {
  if (destination !== undefined) checkDestination(WHO, destination);
  const bytes = await fileOf(model);
  if (destination === undefined) return bytes;
  await writeTo(destination, bytes);
  return undefined;
}

/**
 * A handler for `model.save`, which writes a file of Keras 3.
 *
 * TensorFlow.js gives a handler what it would write into a `model.json`, of which the model is made once more. What TensorFlow.js
 * itself does not save is missing, therefore; {@link saveKeras} takes the model as it is.
 *
 * @param destination a path in Node, or `downloads://name.keras` in a page
 * @throws if the destination is no such name; when saving, as `saveKeras`
 * @example
 * ```js
 * const model = tf.sequential({layers: [tf.layers.dense({units: 2, inputShape: [3]})]});
 * const {modelArtifactsInfo} = await model.save(kerasFile('model.keras'));
 * modelArtifactsInfo.modelTopologyType; // 'JSON'
 * ```
 */
export function kerasFile(destination: string): io.IOHandler {
  checkDestination('kerasFile', destination);
  return {
    async save(artifacts: io.ModelArtifacts): Promise<io.SaveResult> {
      const model = await loadLayersModel({ load: async () => artifacts });
      try {
        await saveKeras(model, destination);
      } finally {
        model.dispose();
      }
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    },
  };
}

function checkDestination(who: string, destination: unknown): void {
  if (typeof destination === 'string' && /[^/\\]\.keras$/.test(destination)) return;
  fail(
    who,
    `the destination must be a name that ends in .keras, by which Keras knows the format; received ${show(destination)}`,
  );
}

async function fileOf(model: LayersModel): Promise<Uint8Array> {
  checkModel(model);
  const config = modelInKeras(model);
  const weights = await writeHdf5(WHO, 'layers', await datasetsOf(config, model));
  let zipSync: typeof import('fflate').zipSync;
  try {
    ({ zipSync } = await import('fflate'));
  } catch (error) {
    refuseWithout('fflate', WHO, error);
  }
  const date = new Date().toISOString().slice(0, 19).replace('T', '@');
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const files = {
    'metadata.json': json({ keras_version: KERAS_VERSION, date_saved: date, [SAVED_HERE]: true }),
    'config.json': json(config),
    'model.weights.h5': weights,
  };
  // Not compressed, as by Keras: weights hardly become smaller.
  return zipSync(files, { level: 0 });
}

function checkModel(model: unknown): asserts model is LayersModel {
  if (!(model instanceof LayersModel)) {
    fail(WHO, `model must be a model of layers, of this copy of TensorFlow.js; received ${show(model)}`);
  }
  if (!model.inputs?.length) {
    fail(WHO, `the model '${model.name}' is not built, and has no weights yet; give it an inputShape`);
  }
}

async function datasetsOf(config: ReturnType<typeof modelInKeras>, model: LayersModel): Promise<Dataset[]> {
  const datasets: Dataset[] = [];
  for (const { path, weights, layer } of weightGroups(config, model)) {
    for (const [i, weight] of weights.entries()) {
      const problem = (what: string) =>
        fail(WHO, `the weight '${weight.originalName}' of the layer '${layer}' ${what}`);
      let tensor: Tensor;
      try {
        tensor = weight.read();
      } catch {
        return problem('is disposed of; save the model before it is disposed of');
      }
      const values = (await tensor.data()) as Float32Array | Int32Array;
      if (!values.every(Number.isFinite))
        problem('holds a value that is not finite; train anew, at a lower learning rate');
      datasets.push({ path: `${path}/vars/${i}`, shape: tensor.shape, values });
    }
  }
  return datasets;
}

/** A file that was there before stays as it was if the new one cannot be written. */
async function writeTo(destination: string, bytes: Uint8Array): Promise<void> {
  const sink = await openSink(WHO, destination, bytes.length);
  try {
    await sink.write(bytes);
    await sink.finish();
  } catch (error) {
    await sink.abandon();
    throw error;
  }
}
