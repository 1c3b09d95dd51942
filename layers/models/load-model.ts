/**
 * Loads models of Keras, TensorFlow Addons and keras_contrib: `tf.loadLayersModel`, with steps before and after it that it lacks. The file
 * is rewritten in keras/format.ts; the classes are the layers of the package.
 */
// Registers the classes that Keras's models need: TensorFlow.js's own classes of these names differ, or are missing.
import '../batch-normalization.ts';
import '../feature-normalization.ts';
import '../group-normalization.ts';
import '../gru.ts';
import '../instance-normalization.ts';
import './keras/attention.ts';
import './keras/global-pooling.ts';
import './keras/hard-silu.ts';
import './keras/bidirectional.ts';
import '../layer-norm-lstm-cell.ts';
import '../layer-normalization.ts';
import '../multi-head-attention.ts';
import '../rms-normalization.ts';
import './tensorflow-addons.ts';
import '../unit-normalization.ts';

import type { io } from '@tensorflow/tfjs-core';
import { type LayersModel, loadLayersModel } from '@tensorflow/tfjs-layers';
import { checkLoading, handlerOf, readArtifacts } from './artifacts.ts';
import { buildModel, checkedAndRewritten } from './build-model.ts';
import type { Rewritten } from './keras/format.ts';
import { fittedWeights } from './keras/weights.ts';
import { weightsOfTopology } from './load-errors.ts';

const WHO = 'loadModel';
/**
 * Loads a model of layers, as `tf.loadLayersModel` does, and also unmodified what the TensorFlow.js converter writes of
 *
 * - Keras 3, Functional and Sequential models, nested or not, from an .h5 file or by its `save_keras_model`;
 * - TensorFlow Addons' InstanceNormalization, GroupNormalization, WeightNormalization and SpectralNormalization;
 * - keras_contrib's InstanceNormalization, Keras's BatchNormalization with `renorm`, BatchNormalizationV1 and V2,
 *   SyncBatchNormalization, UnitNormalization and the preprocessing layer Normalization;
 * - tf.keras 2, separable convolutions among it, also where a second session numbered the names of the weights, as in
 *   conv2d_1_1/kernel of the layer conv2d_1.
 *
 * Where the saved graph calls a layer with `training=True` (batch statistics or dropout at inference), so does the model.
 *
 * @param urlOrHandler a URL of a model.json, a place such as `indexeddb://name`, or an `io.IOHandler`
 * @param options those of `tf.loadLayersModel`
 * @returns a model, not compiled
 * @throws if the file holds no model of layers, a layer is of an unknown class, an option is unknown, or anything in the file would
 *   be lost; the message names the layer
 * @example
 * ```js
 * const model = await loadModel('https://example.com/model/model.json');
 * model.layers.some((layer) => layer instanceof BatchNormalization); // true
 * ```
 */
export async function loadModel(urlOrHandler: string | io.IOHandler, options?: io.LoadOptions): Promise<LayersModel>;
export async function loadModel(
  urlOrHandler: string | io.IOHandler,
  options: io.LoadOptions = {},
  ...more: unknown[]
): Promise<LayersModel> {
  checkLoading(WHO, options, more);
  const [handler, url] =
    typeof urlOrHandler === 'string' ? [handlerOf(WHO, urlOrHandler, options), urlOrHandler] : [urlOrHandler];
  const rewritten = await withFittedWeights(checkedAndRewritten(await readArtifacts(WHO, handler, url)));
  return buildModel(rewritten, (artifacts) => loadLayersModel({ load: async () => artifacts }, options));
}

/** The same with weights under the names that the model has, if some were saved under other names. */
async function withFittedWeights(rewritten: Rewritten): Promise<Rewritten> {
  const { artifacts, hasUnknownWeights } = rewritten;
  const { modelTopology, weightSpecs = [] } = artifacts;
  if (!hasUnknownWeights) return rewritten;
  const wanted = await weightsOfTopology(modelTopology as object);
  return { ...rewritten, artifacts: { ...artifacts, weightSpecs: fittedWeights(weightSpecs, wanted) } };
}
