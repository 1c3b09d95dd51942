/** Whether a call trains: Keras lets a graph fix it, see call-arguments.ts. */
import type { layers } from '@tensorflow/tfjs-layers';
import { argumentInGraph } from './call-arguments.ts';
import type { Kwargs } from './options.ts';

/** The `training` with which the layer was called in the graph; undefined if it was called without. */
export function trainingInGraph(layer: layers.Layer): boolean | undefined {
  const said = argumentInGraph(layer, 'training');
  return said === undefined ? undefined : Boolean(said);
}

/**
 * Whether a call of `layer` is a training call. An explicit false says no, then the graph decides, then what `fit` or the caller
 * asks for. As in TensorFlow.js, 1 counts as true.
 */
export function isTraining(layer: layers.Layer, kwargs: Kwargs): boolean {
  const asked: unknown = kwargs?.training ?? undefined;
  if (asked === undefined) return trainingInGraph(layer) ?? false;
  return Boolean(asked) && (trainingInGraph(layer) ?? true);
}
