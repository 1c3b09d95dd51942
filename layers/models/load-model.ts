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

import { dispose, io, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { checkLoading, handlerOf, readArtifacts } from './artifacts.ts';
import { buildModel, checkedAndRewritten } from './build-model.ts';
import type { Rewritten } from './keras/format.ts';
import { fittedWeights } from './keras/weights.ts';
import { weightsOfTopology } from './load-errors.ts';
import { disposeWeights, emptyModel, initializedModel } from './new-model.ts';

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
  return buildModel(rewritten, (artifacts) => modelWithWeights(artifacts, options.strict ?? true));
}

/** The same with weights under the names that the model has, if some were saved under other names. */
async function withFittedWeights(rewritten: Rewritten): Promise<Rewritten> {
  const { artifacts, hasUnknownWeights } = rewritten;
  const { modelTopology, weightSpecs = [] } = artifacts;
  if (!hasUnknownWeights) return rewritten;
  const wanted = await weightsOfTopology(modelTopology as object);
  return { ...rewritten, artifacts: { ...artifacts, weightSpecs: fittedWeights(weightSpecs, wanted) } };
}

/** What `tf.loadLayersModel` makes of these; but where that fails, nothing is left. */
async function modelWithWeights(artifacts: io.ModelArtifacts, strict: boolean): Promise<LayersModel> {
  const { modelTopology, weightSpecs, weightData, trainingConfig, userDefinedMetadata } = artifacts;
  const areAllGiven = weightData && weightSpecs && strict;
  const model = await (areAllGiven ? emptyModel : initializedModel)(modelTopology as object);
  try {
    // TensorFlow.js has two types of it, the one of files wider.
    if (trainingConfig) model.loadTrainingConfig(trainingConfig as Parameters<typeof model.loadTrainingConfig>[0]);
    if (userDefinedMetadata) model.setUserDefinedMetadata(userDefinedMetadata);
    if (weightData) await setSavedWeights(model, weightData, weightSpecs, strict);
  } catch (error) {
    disposeWeights(model);
    model.optimizer?.dispose();
    throw error;
  }
  return model;
}

async function setSavedWeights(
  model: LayersModel,
  data: io.WeightData,
  specs: io.WeightsManifestEntry[] | undefined,
  strict: boolean,
): Promise<void> {
  if (!specs)
    throw new Error('the file holds weights, but no weightSpecs with their names and shapes; save or convert it again');
  const tensors = tidy(() => io.decodeWeights(data, specs));
  try {
    const ofOptimizer = specs.filter(({ group }) => group === 'optimizer').map(({ name }) => name);
    const entries = Object.entries(tensors).filter(([name]) => !ofOptimizer.includes(name));
    model.loadWeights(Object.fromEntries(entries), strict);
    const state = ofOptimizer.map((name) => ({ name, tensor: tensors[name] as Tensor }));
    if (model.optimizer && state.length > 0) await model.optimizer.setWeights(state);
  } finally {
    dispose(tensors);
  }
}
