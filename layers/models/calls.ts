/**
 * Numbers the calls of a graph in the order in which TensorFlow.js makes them when it loads a file. It goes through the layers, and makes
 * the calls whose inputs are there already, so that the second call of a layer may be made before the first; it then counts calls by
 * that order, while the file counts them as they are listed. For topologies in TensorFlow.js's form.
 */
import { show } from '../../kernels/core/errors.ts';
import { isModel, isRecord, isReference, isSaved, nameOf, type Reference, refuse, type Saved } from './keras/saved.ts';

/** A call of a layer that is not made yet, and the results of other calls that it takes. */
interface Waiting {
  readonly layer: Saved;
  /** The number of the call in the file. */
  readonly number: number;
  readonly inputs: readonly Reference[];
}

/** By the name of a layer: the number that each of its calls gets, by its number in the file. */
type Numbers = ReadonlyMap<string, Map<number, number>>;

/**
 * The same topology, with calls numbered in the order in which they will be made. Refuses a graph in which the input of a layer is never
 * there, because the file lacks the call that makes it, or that call waits for this layer: TensorFlow.js would load such a file
 * forever.
 */
export function orderedCalls<T>(topology: T): T {
  if (isRecord(topology) && 'model_config' in topology) {
    return { ...topology, model_config: orderedCalls(topology.model_config) };
  }
  return (isSaved(topology) ? orderedModel(topology) : topology) as T;
}

function orderedModel(model: Saved): Saved {
  if (!isRecord(model.config) || !Array.isArray(model.config.layers)) return model;
  const layers = model.config.layers.map((layer) => (isSaved(layer) ? orderedModel(layer) : layer));
  const numbers = numbersOfCalls(model, layers.filter(isSaved));
  const renumbered = (value: unknown): unknown => {
    if (!isReference(value)) return Array.isArray(value) ? value.map(renumbered) : value;
    const [name, number, ...rest] = value;
    return [name, numbers.get(name)?.get(number) ?? number, ...rest];
  };
  const config = { ...model.config };
  for (const key of ['input_layers', 'output_layers']) if (key in config) config[key] = renumbered(config[key]);
  config.layers = layers.map((layer) =>
    isSaved(layer) && layer.inbound_nodes ? { ...layer, inbound_nodes: renumbered(layer.inbound_nodes) } : layer,
  );
  return { ...model, config };
}

function numbersOfCalls(model: Saved, layers: readonly Saved[]): Numbers {
  for (const layer of layers) {
    const isNamed = !('output_layers' in model.config) || layer.name === layer.config?.name;
    if (!isNamed) refuse(layer, `is called '${layer.name}' by the graph; save the model again`);
  }
  // An input needs no call, and the first call of a model is its own graph.
  const isThere = (layer: Saved) => isModel(layer) || layer.class_name === 'InputLayer';
  const numbers = new Map(layers.map((layer) => [nameOf(layer), new Map(isThere(layer) ? [[0, 0]] : [])]));
  let waiting = layers.flatMap((layer) =>
    [layer.inbound_nodes ?? []].flat().map((node, i) => waitingCall(layer, i + (isThere(layer) ? 1 : 0), node)),
  );
  for (;;) {
    const next: Waiting[] = [];
    for (const call of waiting) {
      const isReady = call.inputs.every(([from, number]) => numbers.get(from)?.has(number));
      const own = numbers.get(nameOf(call.layer));
      if (!isReady) next.push(call);
      else if (call.inputs.length > 0) own?.set(call.number, own.size);
    }
    if (next.length === 0) return numbers;
    if (next.length === waiting.length) {
      const { layer, inputs } = next[0] as Waiting;
      const [from, number] = inputs.find(([from, number]) => !numbers.get(from)?.has(number)) as Reference;
      refuse(layer, `takes its input from call ${number} of '${from}', which never comes; save the model again`);
    }
    waiting = next;
  }
}

function waitingCall(layer: Saved, number: number, node: unknown): Waiting {
  if (Array.isArray(node) && node.every(isReference)) return { layer, number, inputs: node };
  return refuse(layer, `is called on ${show(node)}, which names no results of layers; save the model again`);
}
