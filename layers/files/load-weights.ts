/** Loading of weights alone, into a model that is there. */
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { fail, show } from '../../kernels/core/errors.ts';
import { optionNames } from '../../kernels/functions/checks.ts';
import { checkLoading } from '../models/artifacts.ts';
import { GROUPED_ATTENTION, isSaved, type Saved } from '../models/keras/saved.ts';
import { openFile } from './open.ts';
import { type FileSource, type ReadOptions, readSource } from './source.ts';
import { setWeights } from './weights.ts';

const WHO = 'loadWeights';
const OPTIONS = optionNames('onProgress', 'requestInit', 'fetchFunc');
/** TensorFlow.js's names of classes that have others in Keras. */
const CLASSES: Readonly<Record<string, string>> = { KerasBidirectional: 'Bidirectional', Model: 'Functional' };

function classInKeras({ class_name: className, config }: Saved): string {
  if (className === 'MultiHeadAttention' && config.num_key_value_heads !== undefined) return GROUPED_ATTENTION;
  return CLASSES[className] ?? className;
}

/**
 * Gives a model the weights of a file of Keras: a `.weights.h5` or `.keras` file of Keras 3 or of Keras 2 from 2.12 on, or an `.h5`
 * file of Keras 2 with a whole model or weights alone. The model must have the same layers as the one that was saved, in the same
 * order. Its weights are replaced all at once, or none where something does not fit.
 *
 * @param model a model of layers with its weights, of `tf.model`, `tf.sequential` or `loadModel`
 * @param source a URL or, in Node, a path; a `File` or `Blob`; or its bytes
 * @param options `onProgress`, told the share that is done; `requestInit` and `fetchFunc`, as of `tf.loadLayersModel`
 * @throws if a package that reads the file is not installed (`npm install h5wasm fflate`), the file is damaged or of another kind, or
 *   a weight is missing, left over, of another shape or not finite
 * @example
 * ```js
 * import { loadModel, loadWeights } from 'tfjs-normalizations/files';
 *
 * const model = await loadModel('https://example.com/model/model.keras');
 * await loadWeights(model, 'https://example.com/model/model.h5');
 * model.predict(tf.ones([1, 4])).shape; // [1, 2]
 * ```
 */
export async function loadWeights(model: LayersModel, source: FileSource, options?: ReadOptions): Promise<void>;
export async function loadWeights(
  model: LayersModel,
  source: FileSource,
  options: ReadOptions = {},
  ...more: unknown[]
): Promise<void> {
  checkLoading(WHO, options, more, OPTIONS);
  if (!Array.isArray(model?.layers)) fail(WHO, `the first argument must be a model of layers; received ${show(model)}`);
  const { onProgress = () => {} } = options;
  const bytes = await readSource(WHO, source, { ...options, onProgress: (share) => onProgress(share / 2) });
  const { weights } = await openFile(WHO, bytes);
  try {
    setWeights(WHO, weights, savedOf(model), model, (share) => onProgress((1 + share) / 2));
  } finally {
    weights.close();
  }
}

/** The model as Keras would save it, as far as names of groups depend on it. */
function savedOf(model: LayersModel): Saved {
  const json = JSON.stringify(model.toJSON(null, false), (_, value) =>
    isSaved(value) ? { ...value, class_name: classInKeras(value) } : value,
  );
  return JSON.parse(json);
}
