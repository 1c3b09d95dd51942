/**
 * Arguments of calls in a graph, as in `BatchNormalization()(x, training=True)` in Keras. TensorFlow.js keeps them with the nodes
 * of a layer, saves and loads them, and does not hand them over when the model runs.
 */
import type { layers } from '@tensorflow/tfjs-layers';
import { fail } from '../../kernels/core/errors.ts';

/** The argument `name` with which the layer was called in the graph; undefined if it was called without. */
export function argumentInGraph(layer: layers.Layer, name: string): unknown {
  const { inboundNodes } = layer;
  // The first node of a model is its own graph.
  const first = 'layers' in layer ? 1 : 0;
  const said = inboundNodes[first]?.callArgs?.[name] ?? undefined;
  for (let i = first + 1; i < inboundNodes.length; i++) {
    if ((inboundNodes[i]?.callArgs?.[name] ?? undefined) === said) continue;
    fail(
      layer.getClassName(),
      `the layer '${layer.name}' is shared, and its calls in the graph differ in '${name}', which TensorFlow.js does not ` +
        'tell apart; use a layer for each',
    );
  }
  return said;
}
