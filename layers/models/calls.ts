/**
 * Numbers the calls of a graph in the order in which TensorFlow.js makes them when it loads a file. It goes through the layers, and makes
 * the calls whose inputs are there already, so that the second call of a layer may be made before the first; it then counts calls by
 * that order, while the file counts them as they are listed. For topologies in TensorFlow.js's form.
 */
import { show } from '../../kernels/core/errors.ts';
import {
  type Config,
  isModel,
  isRecord,
  isReference,
  isSaved,
  nameOf,
  type Reference,
  refuse,
  type Saved,
} from './keras/saved.ts';

/** A call of a layer, and the results of other calls that it takes. */
interface Call {
  readonly layer: Saved;
  /** The number of the call in the file. */
  readonly number: number;
  readonly inputs: readonly Reference[];
}

/** By the name of a layer: the number that each of its calls gets, by its number in the file. */
type Numbers = ReadonlyMap<string, Map<number, number>>;

/**
 * The same topology, with calls numbered in the order in which they will be made, and without layers and calls that no output needs:
 * TensorFlow.js would make their weights, which then belong to no model. Refuses a graph in which the input of a layer is never
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
  const config: Config = { ...model.config, layers };
  if (!('output_layers' in config)) return { ...model, config };
  const numbers = numbersOfCalls(model, layers.filter(isSaved));
  const renumbered = (value: unknown): unknown => {
    if (!isReference(value)) return Array.isArray(value) ? value.map(renumbered) : value;
    const [name, number, ...rest] = value;
    return [name, numbers.get(name)?.get(number) ?? number, ...rest];
  };
  for (const key of ['input_layers', 'output_layers']) if (key in config) config[key] = renumbered(config[key]);
  config.layers = layers.flatMap((layer) => {
    if (!isSaved(layer)) return [layer];
    const own = numbers.get(nameOf(layer));
    if (!own) return [];
    const nodes = layer.inbound_nodes?.filter((_, i) => own.has(i + firstCall(layer)));
    return [nodes ? { ...layer, inbound_nodes: renumbered(nodes) } : layer];
  });
  return { ...model, config };
}

/** The number of the first call that a file lists: an input needs no call, and that of a model is its own graph. */
const firstCall = (layer: Saved) => (isModel(layer) || layer.class_name === 'InputLayer' ? 1 : 0);

/** The numbers of the calls that outputs of the graph need; layers that are not among its inputs and have none are missing. */
function numbersOfCalls(model: Saved, layers: readonly Saved[]): Numbers {
  for (const layer of layers) {
    if (layer.name !== layer.config?.name)
      refuse(layer, `is called '${layer.name}' by the graph; save the model again`);
  }
  if (new Set(layers.map(nameOf)).size < layers.length) refuse(model, 'has two layers of one name; save it again');
  const { input_layers, output_layers } = model.config;
  const needed = new Map(referencesIn(output_layers).map((one) => [keyOf(one), one]));
  if (needed.size === 0) refuse(model, 'has no outputs; save it again');
  const calls: Call[] = [];
  for (const call of orderOfCalls(layers).reverse()) {
    if (!needed.has(keyOf([nameOf(call.layer), call.number, 0]))) continue;
    calls.push(call);
    for (const input of call.inputs) needed.set(keyOf(input), input);
  }
  const names = new Set([...needed.values(), ...referencesIn(input_layers)].map(([name]) => name));
  const numbers = withoutCalls(layers.filter((layer) => names.has(nameOf(layer))));
  for (const call of calls.reverse()) count(numbers, call);
  return numbers;
}

const keyOf = ([name, number]: Reference) => `${number} ${name}`;

function referencesIn(value: unknown): Reference[] {
  if (isReference(value)) return [value];
  return Array.isArray(value) ? value.flatMap(referencesIn) : [];
}

/** Before the first call that is to be made. */
const withoutCalls = (layers: readonly Saved[]) =>
  new Map(layers.map((layer) => [nameOf(layer), new Map(firstCall(layer) ? [[0, 0]] : [])]));

function count(numbers: Numbers, { layer, number }: Call): void {
  const own = numbers.get(nameOf(layer));
  own?.set(number, own.size);
}

/** All calls in the order in which TensorFlow.js makes them. */
function orderOfCalls(layers: readonly Saved[]): Call[] {
  const numbers = withoutCalls(layers);
  const order: Call[] = [];
  let waiting = layers.flatMap((layer) =>
    [layer.inbound_nodes ?? []].flat().map((node, i) => waitingCall(layer, i + firstCall(layer), node)),
  );
  for (;;) {
    const next: Call[] = [];
    for (const call of waiting) {
      const isReady = call.inputs.every(([from, number]) => numbers.get(from)?.has(number));
      if (!isReady) next.push(call);
      else if (call.inputs.length > 0) {
        count(numbers, call);
        order.push(call);
      }
    }
    if (next.length === 0) return order;
    if (next.length === waiting.length) {
      const { layer, inputs } = next[0] as Call;
      const [from, number] = inputs.find(([from, number]) => !numbers.get(from)?.has(number)) as Reference;
      refuse(layer, `takes its input from call ${number} of '${from}', which never comes; save the model again`);
    }
    waiting = next;
  }
}

function waitingCall(layer: Saved, number: number, node: unknown): Call {
  if (Array.isArray(node) && node.every(isReference)) return { layer, number, inputs: node };
  return refuse(layer, `is called on ${show(node)}, which names no results of layers; save the model again`);
}
