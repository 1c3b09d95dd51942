/**
 * Whether a call trains. Keras lets a graph fix it, as in `BatchNormalization()(x, training=True)`; TensorFlow.js keeps that
 * argument with the nodes of a layer, saves and loads it, and does not hand it over when the model runs.
 */
import type { layers } from '@tensorflow/tfjs-layers';
import { fail } from '../../kernels/core/errors.ts';
import type { Kwargs } from './options.ts';

/** What the graph around `layer` says of training; undefined: nothing. */
export function graphTraining(layer: layers.Layer): boolean | undefined {
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
 * Whether a call of `layer` is a training call: the graph counts more than `fit`, an explicit false more than the graph. As in
 * TensorFlow.js what counts as true is true.
 */
export function isTraining(layer: layers.Layer, kwargs: Kwargs): boolean {
  const asked: unknown = kwargs?.training ?? undefined;
  if (asked === undefined) return graphTraining(layer) ?? false;
  return Boolean(asked) && (graphTraining(layer) ?? true);
}
