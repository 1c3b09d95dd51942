/** What every operation on a whole model gives back, and the checks of the model that it is given. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { LayersModel, type LayerVariable } from '@tensorflow/tfjs-layers';
import { fail, show } from '../../../kernels/core/errors.ts';

/** What was done to one layer, or why nothing was done to it. */
export interface SurgeryNote {
  /** The name of the layer; within other models it is preceded by their names, as in `encoder/norm`. */
  readonly layer: string;
  /** The name of its class; of graph models the kind of normalization. */
  readonly className: string;
  /** One sentence. */
  readonly message: string;
}

/** What every operation on a whole model gives back. */
export interface Surgery<Model = LayersModel> {
  /** A new model, not compiled, with weights of its own. The one that was given stays as it was. */
  readonly model: Model;
  /** The layers that are other than before. */
  readonly changed: readonly SurgeryNote[];
  /** The layers that the operation is about and left as they were, each with the reason. */
  readonly left: readonly SurgeryNote[];
}

/** Fails unless `model` is a model of layers that has its weights. */
export function checkModel(who: string, model: unknown, name = 'model'): asserts model is LayersModel {
  if (!(model instanceof LayersModel)) fail(who, `${name} must be a model of layers; received ${show(model)}`);
  if (model.inputs === undefined || model.inputs.length === 0) {
    fail(who, `the model '${model.name}' is not built, and has no weights yet; give its first layer an inputShape`);
  }
  // TensorFlow.js does not declare the variable.
  const isGone = (weight: LayerVariable) => (weight as unknown as { readonly val?: Tensor }).val?.isDisposed;
  if (model.weights.some(isGone)) fail(who, `the model '${model.name}' is disposed of; load or build it again`);
}
