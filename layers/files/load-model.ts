/** Loading of whole models from files of Keras. What TensorFlow.js can make of a topology is `layers/models`' part. */
import type { io } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { fail, show } from '../../kernels/core/errors.ts';
import { checkLoading } from '../models/artifacts.ts';
import { buildModel, checkedAndRewritten } from '../models/build-model.ts';
import { type Config, isRecord, isSaved, type Saved } from '../models/keras/saved.ts';
import { loadModel as loadArtifacts } from '../models/load-model.ts';
import { disposeWeights, emptyModel } from '../models/new-model.ts';
import { kindOf } from './kinds.ts';
import { openFile } from './open.ts';
import { type FileSource, isFileSource, readSource } from './source.ts';
import { setWeights } from './weights.ts';

const WHO = 'loadModel';

/**
 * Loads a model of layers from a file of Keras, without Python: a `.keras` file of Keras 3 or of Keras 2 from 2.12 on, or an `.h5`
 * file with a whole model of Keras 2 or 3. And all that `loadModel` of the main entry loads. What a file is, is seen by its
 * content.
 *
 * A model that TensorFlow.js would understand by half is refused before its weights are read, with the name of the layer. No code
 * in a file is run. What `fit` needed, the optimizer and its state, is left.
 *
 * @param source a URL or, in Node, a path; a `File` or `Blob`; its bytes, which must not change meanwhile; or what `loadModel` of
 *   the main entry takes: the URL of a model.json, a place such as `indexeddb://name`, an `io.IOHandler`
 * @param options those of `tf.loadLayersModel`; for files of Keras `onProgress`, `requestInit` and `fetchFunc` have a meaning
 * @returns a model, not compiled
 * @throws if a package that reads the file is not installed (`npm install h5wasm fflate`), the file is damaged or of another kind,
 *   a layer cannot be represented, a weight is missing, left over, of another shape or not finite; nothing remains of the model
 * @example
 * ```js
 * import { loadModel } from 'tfjs-normalizations/files';
 *
 * const model = await loadModel('https://example.com/model/model.keras');
 * model.predict(tf.ones([1, 4])).shape; // [1, 2]
 * ```
 */
export async function loadModel(source: FileSource | io.IOHandler, options?: io.LoadOptions): Promise<LayersModel>;
export async function loadModel(
  source: FileSource | io.IOHandler,
  options: io.LoadOptions = {},
  ...more: unknown[]
): Promise<LayersModel> {
  checkLoading(WHO, options, more);
  if (!isFileSource(source)) return loadArtifacts(source, options);
  if (typeof source === 'string' && isForTensorFlowJs(source, options)) return loadArtifacts(source, options);
  const { onProgress = () => {}, ...others } = options;
  const isDownload = typeof source === 'string' || source instanceof URL;
  // Of a download, one half is for the file to arrive and the other for its weights to be read.
  const half = isDownload ? 0.5 : 0;
  const bytes = await readSource(WHO, source, { ...others, onProgress: (share) => onProgress(half * share) });
  const kind = kindOf(bytes);
  if (kind === 'json' && isDownload) return loadArtifacts(String(source), options);
  return modelOf(bytes, (share) => onProgress(half + (1 - half) * share));
}

/** Whether a place is one that only TensorFlow.js's handlers know, or that of a model.json. */
function isForTensorFlowJs(place: string, options: io.LoadOptions): boolean {
  const [, scheme] = place.match(/^([a-z][a-z\d+.-]+):\/\//i) ?? [];
  const isOther = scheme !== undefined && !['http', 'https', 'file', 'blob'].includes(scheme.toLowerCase());
  return isOther || /\.json$/i.test(place.split(/[?#]/)[0] ?? '') || options.fromTFHub === true;
}

/** The model in a file; `onProgress` is told the share of its weights that has been read. */
async function modelOf(bytes: Uint8Array, onProgress: (share: number) => void): Promise<LayersModel> {
  const { config, version, isOurs, weights } = await openFile(WHO, bytes);
  try {
    if (config === undefined) {
      fail(
        WHO,
        'the HDF5 file holds no model, but weights at most; build the model, and give it these with loadWeights',
      );
    }
    const saved = savedModel(config);
    const { compile_config: _, ...model_config } = saved;
    const modelTopology = { keras_version: version, model_config };
    const { masked = new Map(), ...rewritten } = checkedAndRewritten({ modelTopology });
    const model = await buildModel(isOurs ? rewritten : { ...rewritten, masked }, ({ modelTopology }) =>
      emptyModel(modelTopology as object),
    );
    try {
      setWeights(WHO, weights, saved, model, onProgress);
    } catch (error) {
      disposeWeights(model);
      throw error;
    }
    return model;
  } catch (error) {
    const { message } = error as Error;
    if (message.startsWith(`${WHO}: `)) throw error;
    const remedy = 'get the file or save the model again';
    return fail(WHO, `the file does not hold a model as Keras saves it (${message}); ${remedy}`, error);
  } finally {
    weights.close();
  }
}

function savedModel(config: string): Saved & Config {
  let saved: unknown;
  try {
    // Keras numbers objects that several layers share. TensorFlow.js shares none, and equal layers are to look equal.
    saved = JSON.parse(config, (key, value) => (key === 'shared_object_id' ? undefined : value));
  } catch (error) {
    fail(WHO, `the config of the model is no JSON (${(error as Error).message}); get the file or save the model again`);
  }
  if (isSaved(saved) && isRecord(saved.config)) return saved as Saved & Config;
  return fail(
    WHO,
    `the config of the model must have a class_name and a config; received ${show(saved)}; save it again`,
  );
}
