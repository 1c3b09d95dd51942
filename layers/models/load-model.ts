/**
 * Loading of models from Keras, TensorFlow Addons and keras_contrib: `tf.loadLayersModel` with what it leaves out before and
 * after. The rewriting of the file is in keras/format.ts, the classes are the layers of the package.
 */
// Registers the classes that Keras's models ask for: TensorFlow.js's own under these names differ, or are missing.
import '../batch-normalization.ts';
import '../feature-normalization.ts';
import '../group-normalization.ts';
import '../instance-normalization.ts';
import './keras/bidirectional.ts';
import '../layer-normalization.ts';
import '../rms-normalization.ts';
import './tensorflow-addons.ts';
import '../unit-normalization.ts';

import { io } from '@tensorflow/tfjs-core';
import { type LayersModel, type layers, loadLayersModel } from '@tensorflow/tfjs-layers';
import { fail } from '../../kernels/core/errors.ts';
import { checkCall } from '../../kernels/functions/checks.ts';
import { receivesMask } from '../base/mask.ts';
import { isTraining, trainingInGraph } from '../base/training.ts';
import { checkArtifacts, LOAD_OPTIONS, readArtifacts } from './artifacts.ts';
import { checkCalls } from './calls.ts';
import { fromKeras, type Rewritten } from './keras/format.ts';
import { checkMask } from './keras/masks.ts';
import { fittedWeights } from './keras/weights.ts';
import { explainLoadError, weightsOfTopology } from './load-errors.ts';

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
  checkCall(WHO, options, LOAD_OPTIONS, more);
  const [handler, url] =
    typeof urlOrHandler === 'string' ? [handlerOf(urlOrHandler, options), urlOrHandler] : [urlOrHandler];
  const { artifacts, masked } = await withFittedWeights(checkedAndRewritten(await readArtifacts(WHO, handler, url)));
  const model = await loadLayersModel({ load: async () => artifacts }, options).catch(async (error: Error) => {
    throw new Error(`${WHO}: ${await explainLoadError(error, artifacts)}`, { cause: error });
  });
  try {
    for (const [layer, isMasked] of layersOf(model)) {
      if (masked) checkMask(layer, masked);
      obeyTrainingOfGraph(layer);
      hideArgumentsOfOthers(layer, isMasked);
    }
  } catch (error) {
    model.dispose();
    throw error;
  }
  return model;
}

/** The file as `loadLayersModel` reads it. Checked first, since that would never end on some broken files, or not say why. */
function checkedAndRewritten(given: io.ModelArtifacts): Rewritten {
  checkArtifacts(WHO, given);
  try {
    const rewritten = fromKeras(given);
    checkCalls(rewritten.artifacts.modelTopology);
    return rewritten;
  } catch (error) {
    const { message } = error as Error;
    if (message.startsWith(`${WHO}: `)) throw error;
    const remedy = 'save or convert the model again';
    throw new Error(
      `${WHO}: the file does not hold a model as Keras or TensorFlow.js save it (${message}); ${remedy}`,
      {
        cause: error,
      },
    );
  }
}

/** The same with the names that the model's weights have, where some were saved under others. */
async function withFittedWeights(rewritten: Rewritten): Promise<Rewritten> {
  const { artifacts, hasUnknownWeights } = rewritten;
  const { modelTopology, weightSpecs = [] } = artifacts;
  if (!hasUnknownWeights) return rewritten;
  const wanted = await weightsOfTopology(modelTopology as object);
  return { ...rewritten, artifacts: { ...artifacts, weightSpecs: fittedWeights(weightSpecs, wanted) } };
}

function handlerOf(url: string, options: io.LoadOptions): io.IOHandler {
  const handlers = io.getLoadHandlers(url, options);
  if (handlers.length > 1) fail(WHO, `there are ${handlers.length} ways to load from '${url}'; give a handler`);
  return handlers[0] ?? io.browserHTTPRequest(url, options);
}

/** The layers of a model and of the models within, each with whether a mask gets there. */
const layersOf = (model: layers.Layer, isMasked = false): [layers.Layer, boolean][] =>
  (model as LayersModel).layers.flatMap((layer): [layers.Layer, boolean][] => {
    const own: [layers.Layer, boolean] = [layer, isMasked || receivesMask(layer)];
    return 'layers' in layer ? [own, ...layersOf(...own)] : [own];
  });

/** Makes calls of a layer use the `training` of the graph, which TensorFlow.js saves and loads but does not use. */
function obeyTrainingOfGraph(layer: layers.Layer): void {
  if (trainingInGraph(layer) === undefined) return;
  const { call } = layer;
  layer.call = (inputs, kwargs) => call.call(layer, inputs, { ...kwargs, training: isTraining(layer, kwargs) });
}

/**
 * Keeps masks from a recurrent layer that are not its own: TensorFlow.js keeps one object of arguments for all layers, in which
 * those of the layers before are left. A mask that TimeDistributed gets is not meant for the layer within.
 */
function hideArgumentsOfOthers(layer: layers.Layer, isMasked: boolean): void {
  const isDistributed = layer.getClassName() === 'TimeDistributed';
  if (!(isDistributed || 'cell' in layer || 'forwardLayer' in layer)) return;
  const { apply } = layer;
  layer.apply = (inputs, { mask, ...kwargs } = {}) =>
    apply.call(layer, inputs, isMasked && mask && !isDistributed ? { ...kwargs, mask } : kwargs);
}
