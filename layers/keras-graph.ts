/** The graph of a model of Keras, 3 or 2, as TensorFlow.js reads it: which layer is called on what, and with what. */
import { fail } from '../kernels/checks.ts';
import {
  type Config,
  historyOf,
  isModel,
  isRecord,
  isReference,
  nameOf,
  type Reference,
  refuse,
  type Saved,
} from './keras-saved.ts';

/** Layers of several inputs, which Keras also makes of operations such as x + y. */
const MERGES = ['Add', 'Average', 'Concatenate', 'Dot', 'Maximum', 'Minimum', 'Multiply'];
/** Layers that take a mask, in Keras and in TensorFlow.js. */
const MASKED = ['BatchNormalization', 'Bidirectional', 'GRU', 'LSTM', 'SimpleRNN'];

/** What calls are rewritten with. */
interface Calls {
  readonly isKeras3: boolean;
  /** The layers that are models. */
  readonly models: readonly string[];
  /** The operations that make masks; see `maskOperations`. */
  readonly masks: ReadonlySet<string>;
  /** Names of layers that are called with one of them: added to. */
  readonly masked: string[];
}

/** The calls of all layers, and the inputs and outputs of the graph; `layers` are as they were saved. */
export function rewrittenGraph(config: Config, layers: readonly Saved[], context: Omit<Calls, 'models'>) {
  const { isKeras3 } = context;
  // The first node of a model is its own graph, which TensorFlow.js and Keras 2 count, and Keras 3 in part.
  const calls = { ...context, models: layers.filter(isModel).map(nameOf) };
  const sequentials = layers.filter(({ class_name }) => class_name === 'Sequential').map(nameOf);
  const nodes = layers.map((layer) => (layer.inbound_nodes ?? []).map((node) => rewrittenCall(layer, node, calls)));
  // A name that no layer has would keep TensorFlow.js waiting for it.
  const names = new Set(layers.map(nameOf));
  for (const [i, layer] of layers.entries()) {
    const missing = nodes[i]?.flat().find(([from]) => !names.has(from));
    if (missing) refuse(layer, `takes its input from '${missing[0]}', which is no layer of the model`);
  }
  return {
    nodes,
    input_layers: references(config.input_layers),
    output_layers: references(config.output_layers).map((one) => (isKeras3 ? shifted(one, sequentials) : one)),
  };
}

/** One call of a layer: [[layer, node, tensor, keyword arguments], one for each input]. */
function rewrittenCall(layer: Saved, node: unknown, calls: Calls): Reference[] {
  if (Array.isArray(node)) {
    return node.map((input) => {
      if (!isReference(input)) refuse(layer, 'is called in a way that TensorFlow.js does not have');
      const [name, index, tensor, kwargs = {}] = input;
      return [name, index, tensor, rewrittenKwargs(layer, kwargs as Config, calls)];
    });
  }
  const { args = [], kwargs = {} } = node as { args?: unknown[]; kwargs?: Config };
  const passed = rewrittenKwargs(layer, kwargs, calls);
  const [only] = args;
  const inputs = args.length === 1 && Array.isArray(only) ? only : args;
  const isOperation = args.length > 1 && !MERGES.includes(layer.class_name);
  const histories = inputs.map(historyOf);
  if (isOperation || inputs.length === 0 || !histories.every(isReference)) {
    refuse(
      layer,
      'is called with other arguments than one tensor or a list of tensors, which TensorFlow.js does not have',
    );
  }
  return histories.map((history) => [...shifted(history, calls.models), passed]);
}

/** Keras 3 also writes the default `training: false` of some layers, and fit goes over it; in Keras 2 someone said so. */
function rewrittenKwargs(layer: Saved, kwargs: Config, { isKeras3, masks, masked }: Calls): Config {
  for (const [key, value] of Object.entries(kwargs)) {
    if (value === null || key === 'training') continue;
    if (key === 'mask' && masks.has(historyOf(value)?.[0] ?? '') && MASKED.includes(layer.class_name)) {
      masked.push(nameOf(layer));
      continue;
    }
    refuse(
      layer,
      `is called with the argument ${key}, which TensorFlow.js does not hand over; save the model without it`,
    );
  }
  const { training } = kwargs;
  if (training) return { training: true };
  return training === false && !isKeras3 ? { training } : {};
}

/**
 * Names of the operations by which Keras 3 computes masks within the graph: any(x != value) and x != 0 of what also goes into
 * a Masking or Embedding, which in TensorFlow.js do that themselves.
 */
export function maskOperations(layers: readonly Saved[]): Set<string> {
  const argumentsOf = ({ inbound_nodes = [] }: Saved): unknown[][] =>
    inbound_nodes.map((node) => (isRecord(node) && Array.isArray(node.args) ? node.args : []));
  const key = (tensor: unknown) => JSON.stringify(historyOf(tensor));
  const maskedValues = new Map<string, unknown>();
  for (const layer of layers) {
    const { class_name, config } = layer;
    const isMasking = class_name === 'Masking';
    if (!isMasking && !(class_name === 'Embedding' && config.mask_zero === true)) continue;
    for (const [tensor] of argumentsOf(layer)) maskedValues.set(key(tensor), isMasking ? (config.mask_value ?? 0) : 0);
  }
  const names = new Set<string>();
  for (const layer of layers) {
    const calls = argumentsOf(layer);
    const isMask = ([tensor, value]: unknown[]) =>
      (layer.class_name === 'NotEqual' && maskedValues.get(key(tensor)) === value) ||
      (layer.class_name === 'Any' && names.has(historyOf(tensor)?.[0] ?? ''));
    if (calls.length > 0 && calls.every(isMask)) names.add(nameOf(layer));
  }
  return names;
}

/** Counts the own node of the models among the layers. */
const shifted = ([name, node, tensor]: Reference, models: readonly string[]): Reference => [
  name,
  models.includes(name) ? node + 1 : node,
  tensor,
];

/** Inputs or outputs of a graph: one, a list, or by names. */
function references(value: unknown): Reference[] {
  if (isReference(value)) return [value];
  if (Array.isArray(value) || isRecord(value)) return Object.values(value).flatMap(references);
  return fail('loadModel', `an input or output of a model is ${JSON.stringify(value)}, which names no tensor`);
}
