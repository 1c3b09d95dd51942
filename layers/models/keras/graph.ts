/** Rewrites the graph of a model of Keras 3 or 2 for TensorFlow.js: the calls of layers, with their inputs and arguments. */
import { fail } from '../../../kernels/core/errors.ts';
import {
  type Config,
  classOf,
  historyOf,
  isModel,
  isRecord,
  isReference,
  isSaved,
  nameOf,
  type Reference,
  refuse,
  type Saved,
} from './saved.ts';

/** Layers of several inputs, as which Keras also saves operations such as x + y. */
const MERGES = ['Add', 'Average', 'Concatenate', 'Dot', 'Maximum', 'Minimum', 'Multiply'];
/** Layers that take a mask, in Keras and in TensorFlow.js. */
export const MASK_TAKERS = [
  'BatchNormalization',
  'Bidirectional',
  'GlobalAveragePooling1D',
  'GRU',
  'LSTM',
  'RNN',
  'SimpleRNN',
];

/** The context in which the calls of a model are rewritten. */
interface Calls {
  readonly isKeras3: boolean;
  /** The names of the layers that are models. */
  readonly models: readonly string[];
  /** The names of the operations that compute masks; see `maskOperations`. */
  readonly masks: ReadonlySet<string>;
  /** By the name of a layer that takes a mask, whether it is called with one. `rewrittenGraph` adds to it. */
  readonly masked: Map<string, boolean>;
}

/** The calls of all layers, and the inputs and outputs of the graph; `layers` are as they were saved. */
export function rewrittenGraph(config: Config, layers: readonly Saved[], context: Omit<Calls, 'models'>) {
  // The first node of a model is its own graph. TensorFlow.js and Keras 2 count it; Keras 3 does not where layers are
  // called, and among the outputs of the graph it counts it unless the model is a Sequential.
  const calls = { ...context, models: layers.filter(isModel).map(nameOf) };
  const sequentials = layers.filter(({ class_name }) => class_name === 'Sequential').map(nameOf);
  const isKeras3 = layers.some(({ inbound_nodes }) => inbound_nodes?.some(isRecord));
  const made = layers.map((layer) => (layer.inbound_nodes ?? []).map((node) => rewrittenCall(layer, node, calls)));
  const ends = references(config.output_layers).map((one) => (isKeras3 ? countingOwnCall(one, sequentials) : one));
  // No layer takes its input from a model's own graph. If one takes it from node 0 of a model, the file does not count that graph, as
  // in tf.keras 1.
  const uncounted = calls.models.filter((model) =>
    [...made.flat(2), ...ends].some(([name, node]) => name === model && node === 0),
  );
  const nodes = made.map((node) => node.map((call) => call.map((one) => countingOwnCall(one, uncounted))));
  // TensorFlow.js would wait forever for the output of a layer that is not there.
  const names = new Set(layers.map(nameOf));
  for (const [i, layer] of layers.entries()) {
    const missing = nodes[i]?.flat().find(([from]) => !names.has(from));
    if (missing) refuse(layer, `takes its input from '${missing[0]}', which is no layer of the model`);
  }
  return {
    nodes,
    input_layers: references(config.input_layers),
    output_layers: ends.map((one) => countingOwnCall(one, uncounted)),
  };
}

/** One call of a layer: [[layer, node, tensor, keyword arguments], one for each input]. */
function rewrittenCall(layer: Saved, node: unknown, calls: Calls): Reference[] {
  if (isAttention(layer)) return rewrittenAttention(layer, node, calls);
  if (Array.isArray(node)) {
    return node.map((input) => {
      if (!isReference(input)) refuse(layer, 'is called in a way that TensorFlow.js does not have');
      const [name, index, tensor, kwargs = {}] = input;
      return [name, index, tensor, rewrittenKwargs(layer, kwargs as Config, calls)];
    });
  }
  const { args: given = [], kwargs: named = {} } = node as { args?: unknown[]; kwargs?: Config };
  // TensorFlow.js takes the states that a recurrent layer starts from as inputs after the first.
  const { inputs: first, initial_state, ...kwargs } = named;
  const args = first ? [first, ...given] : given;
  const passed = rewrittenKwargs(layer, kwargs, calls);
  const inputs = [...(args.length === 1 ? listOf(args[0]) : args), ...listOf(initial_state ?? [])];
  const isMerge = MERGES.includes(layer.class_name);
  const histories = inputs.map(historyOf);
  if ((args.length > 1 && !isMerge) || inputs.length < (isMerge ? 2 : 1) || !histories.every(isReference)) {
    refuse(
      layer,
      'is called with other arguments than one tensor or a list of tensors, which TensorFlow.js does not have',
    );
  }
  return histories.map(([name, node, tensor]) => [...countingOwnCall([name, node, tensor], calls.models), passed]);
}

/**
 * The keyword arguments of a call that TensorFlow.js has. `training: false` counts in a file of Keras 2, where someone wrote it
 * in a call; Keras 3 also saves the default of some layers so, which `fit` overrules.
 */
function rewrittenKwargs(layer: Saved, kwargs: Config, { isKeras3, masks, masked }: Calls): Config {
  if (isKeras3 && takesMask(layer) && !masked.has(nameOf(layer))) masked.set(nameOf(layer), false);
  for (const [key, value] of Object.entries(kwargs)) {
    if (isNothing(value) || key === 'training') continue;
    if (key === 'mask' && masks.has(historyOf(value)?.[0] ?? '')) {
      if (takesMask(layer)) masked.set(nameOf(layer), true);
      const isAround = layer.class_name === 'TimeDistributed' || isModel(layer);
      if (takesMask(layer) || (isAround && !holdsMaskTaker(layer))) continue;
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

/** Layers that Keras calls with several tensors by name, and that take them as a list in TensorFlow.js. */
const isAttention = (layer: Saved) => classOf(layer) in ATTENTION_ARGUMENTS;
const MASKS = ['query_mask', 'value_mask', 'key_mask'];
const ofHeads = ['query', 'value', 'key', ...MASKS, 'attention_mask'];
const ATTENTION_ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  Attention: ['inputs', 'mask'],
  GroupedQueryAttention: ofHeads,
  MultiHeadAttention: ofHeads,
};

/** A call of an attention layer as one of a list: [query, value], then perhaps the key and an attention mask. */
function rewrittenAttention(layer: Saved, node: unknown, calls: Calls): Reference[] {
  const { args, kwargs } = argumentsOf(layer, node);
  const names = ATTENTION_ARGUMENTS[classOf(layer)] as readonly string[];
  const { inputs = [], ...named }: Config = {
    ...Object.fromEntries(args.map((arg, i) => [names[i] ?? `argument ${i}`, arg])),
    ...kwargs,
  };
  const [first, second, third] = listOf(inputs);
  const { query = first, value = second, key = third, attention_mask: mask, use_causal_mask, ...others } = named;
  for (const [name, given] of Object.entries(others)) {
    const isMask = [...MASKS, 'mask'].includes(name);
    const areMasks =
      isMask && listOf(given).every((one) => isNothing(one) || calls.masks.has(referenceOf(one)?.[0] ?? ''));
    // TensorFlow.js passes the masks of inputs by itself, or AttentionInputs refuses the graph.
    if (areMasks || given === false) delete others[name];
  }
  const passed = rewrittenKwargs(layer, others, calls);
  const tensors = [query, value, key ?? (isNothing(mask ?? null) ? null : value), mask].filter(
    (one) => !isNothing(one ?? null),
  );
  const references = tensors.map(referenceOf);
  if (tensors.length < 2 || !references.every((one) => one !== undefined)) {
    refuse(layer, 'is called with other arguments than tensors of the graph, which TensorFlow.js does not have');
  }
  const isKeras3 = !Array.isArray(node);
  return (references as Reference[]).map(([name, at, tensor]) => {
    const counted = isKeras3 ? countingOwnCall([name, at, tensor], calls.models) : ([name, at, tensor] as const);
    return [...counted, use_causal_mask ? { ...passed, use_causal_mask: true } : passed];
  });
}

/** The arguments of a call. Keras 2 lists the tensors of the first argument, each with all arguments that have names. */
function argumentsOf(layer: Saved, node: unknown): { args: unknown[]; kwargs: Config } {
  if (!Array.isArray(node)) {
    const { args = [], kwargs = {} } = node as { args?: unknown[]; kwargs?: Config };
    return { args, kwargs };
  }
  const tensors = node.filter(isReference);
  const kwargs = tensors[0]?.[3];
  const first = layer.class_name === 'Attention' ? tensors : tensors[0];
  return { args: [first], kwargs: isRecord(kwargs) ? kwargs : {} };
}

const referenceOf = (tensor: unknown): Reference | undefined => (isReference(tensor) ? tensor : historyOf(tensor));

const takesMask = ({ class_name }: Saved) => MASK_TAKERS.includes(class_name);

/** Whether a layer within this one uses masks. GlobalAveragePooling1D does in Keras, and ignores them in TensorFlow.js. */
function holdsMaskTaker({ config: { layer, layers } }: Saved): boolean {
  const held = [layers ?? layer].flat().filter(isSaved);
  return held.some((one) => takesMask(one) || holdsMaskTaker(one));
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
    const isMaskOf = (tensor: unknown) => names.has(historyOf(tensor)?.[0] ?? '');
    const isMask = ([tensor, value]: unknown[]) =>
      (layer.class_name === 'NotEqual' && maskedValues.get(key(tensor)) === value) ||
      (layer.class_name === 'Any' && isMaskOf(tensor)) ||
      // The mask of a sum: true where that of either input is.
      (layer.class_name === 'LogicalOr' && isMaskOf(tensor) && isMaskOf(value));
    if (calls.length > 0 && calls.every(isMask)) names.add(nameOf(layer));
  }
  return names;
}

/** A reference as TensorFlow.js counts: the first call of a model is its own graph, so that all others have a number more. */
const countingOwnCall = ([name, node, ...rest]: Reference, models: readonly string[]): Reference => [
  name,
  models.includes(name) ? node + 1 : node,
  ...rest,
];

/** The values of a list or of a dictionary. Keras numbers those of a dictionary in the order of its keys. */
function listOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  if (!isRecord(value) || isSaved(value)) return [value];
  return Object.keys(value)
    .sort()
    .map((key) => value[key]);
}

/** Whether a value is None, or a list or dictionary of None, one for each of several inputs. */
const isNothing = (value: unknown): boolean =>
  value === null || ((Array.isArray(value) || isRecord(value)) && Object.values(value).every(isNothing));

/** Inputs or outputs of a graph: one, a list, or by names. */
function references(value: unknown): Reference[] {
  if (isReference(value)) return [value];
  if (Array.isArray(value) || isRecord(value)) return listOf(value).flatMap(references);
  return fail('loadModel', `an input or output of a model is ${JSON.stringify(value)}, which names no tensor`);
}
