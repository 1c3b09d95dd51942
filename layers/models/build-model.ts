/** Builds the model of a file, so that it behaves as it does in Keras. Used by `load-model.ts` and for files of Keras. */
import type { io } from '@tensorflow/tfjs-core';
import type { LayersModel, layers } from '@tensorflow/tfjs-layers';
import { fail } from '../../kernels/core/errors.ts';
import { receivesMask } from '../base/mask.ts';
import { isTraining, trainingInGraph } from '../base/training.ts';
import { checkArtifacts } from './artifacts.ts';
import { orderedCalls } from './calls.ts';
import { fromKeras, type Rewritten } from './keras/format.ts';
import { checkMask } from './keras/masks.ts';
import { explainLoadError } from './load-errors.ts';
import { disposeWeights } from './new-model.ts';

const WHO = 'loadModel';

/** The file in the form that `loadLayersModel` reads, checked first: on some broken files that would never end, or give no reason. */
export function checkedAndRewritten(given: io.ModelArtifacts): Rewritten {
  checkArtifacts(WHO, given);
  try {
    const rewritten = fromKeras(given);
    const modelTopology = orderedCalls(rewritten.artifacts.modelTopology as object);
    return { ...rewritten, artifacts: { ...rewritten.artifacts, modelTopology } };
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

/** The model of a file in TensorFlow.js's form; `load` lets TensorFlow.js make it. */
export async function buildModel(
  { artifacts, masked }: Rewritten,
  load: (artifacts: io.ModelArtifacts) => Promise<LayersModel>,
): Promise<LayersModel> {
  const model = await load(artifacts).catch(async (error: Error) => {
    throw new Error(`${WHO}: ${await explainLoadError(error, artifacts)}`, { cause: error });
  });
  try {
    for (const [layer, isMasked] of layersOf(model)) {
      if (masked) checkMask(layer, masked);
      checkSoftmax(layer);
      obeyTrainingOfGraph(layer);
      hideArgumentsOfOthers(layer, isMasked);
    }
  } catch (error) {
    disposeWeights(model);
    throw error;
  }
  return model;
}

/** The layers of a model and of the models within, each with whether a mask gets there. */
const layersOf = (model: layers.Layer, isMasked = false): [layers.Layer, boolean][] =>
  (model as LayersModel).layers.flatMap((layer): [layers.Layer, boolean][] => {
    const own: [layers.Layer, boolean] = [layer, isMasked || receivesMask(layer)];
    return 'layers' in layer ? [own, ...layersOf(...own)] : [own];
  });

/** Changes the methods of `copy`, a copy of `layer`, as `buildModel` has changed those of `layer`. */
export function copyBehaviour(layer: layers.Layer, copy: layers.Layer, isMasked: boolean): void {
  if (Object.hasOwn(layer, 'call')) obeyTrainingOfGraph(copy);
  if (Object.hasOwn(layer, 'apply')) hideArgumentsOfOthers(copy, isMasked);
}

/** Refuses a softmax over another axis than the last, on which TensorFlow.js fails when it predicts. */
function checkSoftmax(layer: layers.Layer): void {
  const [input] = layer.inboundNodes[0]?.inputTensors ?? [];
  if (layer.getClassName() !== 'Softmax' || !input) return;
  const axes = [(layer as layers.Layer & { readonly axis: number | number[] }).axis].flat();
  if (axes.length === 1 && [-1, input.shape.length - 1].includes(axes[0] as number)) return;
  fail(
    WHO,
    `the layer '${layer.name}' (Softmax) has the axis ${axes}, and TensorFlow.js knows but the last; permute before it`,
  );
}

/** Makes calls of a layer use the `training` of the graph, which TensorFlow.js saves and loads but does not use. */
function obeyTrainingOfGraph(layer: layers.Layer): void {
  if (trainingInGraph(layer) === undefined) return;
  const { call } = layer;
  layer.call = (inputs, kwargs) => call.call(layer, inputs, { ...kwargs, training: isTraining(layer, kwargs) });
}

/**
 * Keeps masks of other layers from a recurrent layer: TensorFlow.js passes one object of arguments to all layers, in which those of
 * earlier layers are left. A mask that TimeDistributed gets is not meant for the layer within it.
 */
function hideArgumentsOfOthers(layer: layers.Layer, isMasked: boolean): void {
  const isDistributed = layer.getClassName() === 'TimeDistributed';
  if (!(isDistributed || 'cell' in layer || 'forwardLayer' in layer)) return;
  const { apply } = layer;
  layer.apply = (inputs, { mask, ...kwargs } = {}) =>
    apply.call(layer, inputs, isMasked && mask && !isDistributed ? { ...kwargs, mask } : kwargs);
}
