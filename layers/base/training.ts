/**
 * Whether a call trains. Keras lets a graph fix it, as in `BatchNormalization()(x, training=True)`; TensorFlow.js keeps that
 * argument with the nodes of a layer, saves and loads it, and does not hand it over when the model runs.
 */
import type { layers } from '@tensorflow/tfjs-layers';
import { fail } from '../../kernels/core/errors.ts';
import type { Kwargs } from './options.ts';

/** The `training` with which the layer was called in the graph; undefined if it was called without. */
export function trainingInGraph(layer: layers.Layer): boolean | undefined {
  const { inboundNodes } = layer;
  // The first node of a model is its own graph.
  const first = 'layers' in layer ? 1 : 0;
  const said = inboundNodes[first]?.callArgs?.training ?? undefined;
  for (let i = first + 1; i < inboundNodes.length; i++) {
    if ((inboundNodes[i]?.callArgs?.training ?? undefined) === said) continue;
    fail(
      layer.getClassName(),
      `the layer '${layer.name}' is shared, and its calls in the graph differ in 'training', which TensorFlow.js does not ` +
        'tell apart; use a layer for each',
    );
  }
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
