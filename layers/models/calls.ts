/**
 * Refuses a graph in which the input of a layer never comes: it is the result of a call that the file does not have, or that
 * itself waits for this layer. TensorFlow.js would load such a file forever. For topologies in TensorFlow.js's form.
 */
import { show } from '../../kernels/core/errors.ts';
import { isModel, isRecord, isReference, isSaved, nameOf, type Reference, refuse, type Saved } from './keras/saved.ts';

/** A call of a layer that is not made yet, and the results of other calls that it takes. */
interface Waiting {
  readonly layer: Saved;
  readonly inputs: readonly Reference[];
}

export function checkCalls(topology: unknown): void {
  const model = isRecord(topology) && 'model_config' in topology ? topology.model_config : topology;
  if (!isSaved(model) || !isRecord(model.config) || !Array.isArray(model.config.layers)) return;
  const layers = model.config.layers.filter(isSaved);
  for (const layer of layers) {
    checkCalls(layer);
    const isNamed = !('output_layers' in model.config) || layer.name === layer.config?.name;
    if (!isNamed) refuse(layer, `is called '${layer.name}' by the graph; save the model again`);
  }
  // An input needs no call, and the first call of a model is its own graph.
  const isThere = (layer: Saved) => isModel(layer) || layer.class_name === 'InputLayer';
  const calls = new Map(layers.map((layer) => [nameOf(layer), isThere(layer) ? 1 : 0]));
  let waiting = layers.flatMap((layer) => [layer.inbound_nodes ?? []].flat().map((node) => waitingCall(layer, node)));
  for (;;) {
    const next: Waiting[] = [];
    for (const call of waiting) {
      const isReady = call.inputs.every(([from, index]) => (calls.get(from) ?? 0) > index);
      const name = nameOf(call.layer);
      if (isReady) calls.set(name, (calls.get(name) ?? 0) + Math.min(1, call.inputs.length));
      else next.push(call);
    }
    if (next.length === 0) return;
    if (next.length === waiting.length) {
      const { layer, inputs } = next[0] as Waiting;
      const [from, index] = inputs.find(([from, index]) => (calls.get(from) ?? 0) <= index) as Reference;
      refuse(layer, `takes its input from call ${index} of '${from}', which never comes; save the model again`);
    }
    waiting = next;
  }
}

function waitingCall(layer: Saved, node: unknown): Waiting {
  if (Array.isArray(node) && node.every(isReference)) return { layer, inputs: node };
  return refuse(layer, `is called on ${show(node)}, which names no results of layers; save the model again`);
}
