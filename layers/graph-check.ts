/**
 * Refuses a graph of which TensorFlow.js would wait for a part forever: a layer that is called on the result of a call which
 * the file does not have, or which itself waits for this one. For topologies in TensorFlow.js's form.
 */
import { isModel, isRecord, isReference, isSaved, nameOf, type Reference, refuse, type Saved } from './keras-saved.ts';

/** A call that has not been made yet: its layer, and the results that it takes. */
interface Waiting {
  readonly layer: Saved;
  readonly inputs: readonly Reference[];
}

export function checkCalls(topology: unknown): void {
  const model = isRecord(topology) && 'model_config' in topology ? topology.model_config : topology;
  if (!isSaved(model) || !isRecord(model.config) || !Array.isArray(model.config.layers)) return;
  const layers = model.config.layers.filter(isSaved);
  for (const layer of layers) checkCalls(layer);
  // The first call of a model is its own graph, and an input needs none.
  const calls = new Map(layers.map((layer) => [nameOf(layer), isModel(layer) || !layer.inbound_nodes?.length ? 1 : 0]));
  let waiting: Waiting[] = layers.flatMap((layer) =>
    (Array.isArray(layer.inbound_nodes) ? layer.inbound_nodes : []).map((node) => ({
      layer,
      inputs: [node].flat().filter(isReference),
    })),
  );
  for (;;) {
    const next: Waiting[] = [];
    for (const call of waiting) {
      const isReady = call.inputs.every(([from, index]) => (calls.get(from) ?? 0) > index);
      const name = nameOf(call.layer);
      if (isReady) calls.set(name, (calls.get(name) ?? 0) + 1);
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
