/**
 * Rewrites a model that Keras saved into the form that TensorFlow.js reads: Keras 3's topology becomes Keras 2's, options get
 * the names they have in TensorFlow.js, and weights the names of their layers. Pure: what it is given stays as it is, and a
 * model that needs no change comes back equal. What TensorFlow.js would leave out without a word is an error here.
 */
import { type io, serialization } from '@tensorflow/tfjs-core';
import { fail } from '../kernels/checks.ts';
import { InstanceNormalization } from './instance-normalization.ts';

type Config = Record<string, unknown>;

/** An object that Keras saved. */
interface Saved {
  readonly class_name: string;
  readonly config: Config;
  readonly name?: string;
  readonly inbound_nodes?: readonly unknown[];
}

const WHO = 'loadModel';
const MODELS = ['Functional', 'Model', 'Sequential'];
/** Layers of several inputs, which Keras also makes of operations such as x + y. */
const MERGES = ['Add', 'Average', 'Concatenate', 'Dot', 'Maximum', 'Minimum', 'Multiply'];

/** Layers that take a mask, in Keras and in TensorFlow.js. */
const MASKED = ['BatchNormalization', 'Bidirectional', 'GRU', 'LSTM', 'SimpleRNN'];

/** Other names for the same things, here and there. */
const CLASSES: Readonly<Record<string, string>> = {
  IdentityInitializer: 'Identity',
  L1: 'L1L2',
  L2: 'L1L2',
  LecunNormal: 'LeCunNormal',
  LecunUniform: 'LeCunUniform',
  OrthogonalInitializer: 'Orthogonal',
};
const OPTIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  LeakyReLU: { negative_slope: 'alpha' },
};
const ACTIVATIONS: Readonly<Record<string, string>> = { silu: 'swish' };

/** Options that TensorFlow.js's layers ignore, with the values for which that is right. */
const convolution = { groups: [1] };
const pooling = { keepdims: [false] };
const recurrent = { time_major: [false], zero_output_for_mask: [false] };
const IGNORED: Readonly<Record<string, Readonly<Record<string, readonly unknown[]>>>> = {
  Conv1D: convolution,
  Conv2D: convolution,
  Conv3D: convolution,
  Conv2DTranspose: { ...convolution, output_padding: [] },
  Conv3DTranspose: { ...convolution, output_padding: [] },
  GlobalAveragePooling1D: pooling,
  GlobalAveragePooling2D: pooling,
  GlobalMaxPooling1D: pooling,
  GlobalMaxPooling2D: pooling,
  GRU: recurrent,
  InputLayer: { optional: [false], ragged: [false] },
  LSTM: recurrent,
  SimpleRNN: recurrent,
  ReLU: { negative_slope: [0], threshold: [0] },
  Resizing: { crop_to_aspect_ratio: [false], pad_to_aspect_ratio: [false] },
};

export interface Rewritten {
  /** For `tf.loadLayersModel`. */
  readonly artifacts: io.ModelArtifacts;
  /** Names of layers that the file gives a mask which TensorFlow.js has to bring them. */
  readonly masked: readonly string[];
}

export function fromKeras(artifacts: io.ModelArtifacts): Rewritten {
  const topology = artifacts.modelTopology as Config | undefined;
  const version = String(topology?.keras_version ?? '');
  if (!isRecord(topology) || version.startsWith('tfjs-layers')) return { artifacts, masked: [] };
  const { model_config, ...whole } = topology;
  const model = model_config ?? whole;
  if (!isSaved(model)) return { artifacts, masked: [] };
  checkKnown(model);
  const rewriting = new Rewriting(Number.parseInt(version, 10) >= 3);
  const rewritten = rewriting.object(model) as Saved;
  const modelTopology = model_config ? { ...whole, model_config: rewritten } : { ...whole, ...rewritten };
  const { weightSpecs } = artifacts;
  const renamed = weightSpecs && { weightSpecs: renamedWeights(weightSpecs, rewritten) };
  return { artifacts: { ...artifacts, modelTopology, ...renamed }, masked: rewriting.masked };
}

/** How messages name a layer. */
const title = ({ class_name, config, name }: Saved) => `the layer '${config.name ?? name}' (${class_name})`;

class Rewriting {
  readonly masked: string[] = [];
  private readonly isKeras3: boolean;

  constructor(isKeras3: boolean) {
    this.isKeras3 = isKeras3;
  }

  private value(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((one) => this.value(one));
    if (isSaved(value)) return this.object(value);
    return isRecord(value) ? this.entries(value) : value;
  }

  private entries(config: Config): Config {
    return Object.fromEntries(
      Object.entries(config).map(([key, value]) => {
        if (key === 'dtype') return [key, dtypeOf(value)];
        return [key === 'batch_shape' ? 'batch_input_shape' : key, this.value(value)];
      }),
    );
  }

  /** A layer, model, initializer and so on; Keras 3 writes functions as objects too. */
  object(saved: Saved): unknown {
    if (saved.class_name === 'function') return saved.config;
    const { module: _, registered_name: __, build_config: ___, ...rest } = saved as Saved & Config;
    // The first versions of Keras saved the layers of a Sequential alone.
    const given = Array.isArray(saved.config) ? { layers: saved.config } : saved.config;
    const config = this.config(saved, this.entries(given));
    const class_name = CLASSES[saved.class_name] ?? saved.class_name;
    if (MODELS.includes(class_name))
      return { ...rest, class_name, config: this.model({ ...saved, config: given }, config) };
    return { ...rest, class_name, config };
  }

  private config(saved: Saved, config: Config): Config {
    for (const [option, right] of Object.entries(IGNORED[saved.class_name] ?? {})) {
      const value = config[option] ?? undefined;
      if (value === undefined || right.includes(value)) continue;
      const wanted = right.length > 0 ? JSON.stringify(right[0]) : 'null';
      fail(
        WHO,
        `${title(saved)} has ${option} ${JSON.stringify(value)}, which TensorFlow.js does not have; only ${wanted} can be loaded`,
      );
    }
    if (saved.class_name === 'L1' || saved.class_name === 'L2') return { l1: 0, l2: 0, ...config };
    if (saved.class_name === 'Bidirectional') return unprefixed(config);
    const names = OPTIONS[saved.class_name] ?? {};
    return Object.fromEntries(
      Object.entries(config).map(([key, value]) => {
        const isActivation = /(^|_)activation$/.test(key) && typeof value === 'string';
        if (isActivation && value === 'hard_sigmoid' && this.isKeras3) {
          fail(
            WHO,
            `${title(saved)} has the ${key} hard_sigmoid, which is another function in Keras 3 than in TensorFlow.js; ` +
              'only models without it can be loaded',
          );
        }
        return [names[key] ?? key, isActivation ? (ACTIVATIONS[value] ?? value) : value];
      }),
    );
  }

  /** The graph of a model, in Keras 2's form. */
  private model(saved: Saved, config: Config): Config {
    const given = saved.config.layers;
    if (!Array.isArray(given)) return config;
    const all = given as Saved[];
    const masks = maskOperations(all);
    const isKept = (layer: Saved) => !masks.has(nameOf(layer));
    const layers = all.filter(isKept);
    for (const layer of layers) checkKnown(layer);
    const made = (config.layers as Saved[]).filter(isKept);
    if (!('output_layers' in config)) return { ...config, layers: this.withInput(made, saved) };
    // The first node of a model is its own graph, which TensorFlow.js and Keras 2 count, and Keras 3 in part.
    const models = layers.filter(({ class_name }) => MODELS.includes(class_name)).map(nameOf);
    const sequentials = layers.filter(({ class_name }) => class_name === 'Sequential').map(nameOf);
    const graph = made.map((layer, i) => ({
      ...layer,
      inbound_nodes: (layers[i]?.inbound_nodes ?? []).map((node) => this.node(layers[i] as Saved, node, models, masks)),
    }));
    const outputs = references(config.output_layers).map((one) => (this.isKeras3 ? shifted(one, sequentials) : one));
    const inputs = references(config.input_layers);
    // A name that no layer has would keep TensorFlow.js waiting for it.
    const names = new Set(layers.map(nameOf));
    for (const { inbound_nodes, name } of graph) {
      const missing = (inbound_nodes as Reference[][]).flat().find(([from]) => !names.has(from));
      if (missing)
        fail(WHO, `the layer '${name}' takes its input from '${missing[0]}', which is no layer of the model`);
    }
    return { ...config, layers: graph, input_layers: inputs, output_layers: outputs };
  }

  /** A Sequential without an input layer, which was built all the same. */
  private withInput(layers: Saved[], { config, ...saved }: Saved): Saved[] {
    const [first, ...others] = layers;
    const { build_config } = saved as Config;
    const shape = config.build_input_shape ?? (isRecord(build_config) ? build_config.input_shape : undefined);
    const isOpen = first && !('batch_input_shape' in first.config) && !MODELS.includes(first.class_name);
    if (!isOpen || !Array.isArray(shape)) return layers;
    return [{ ...first, config: { ...first.config, batch_input_shape: shape } }, ...others];
  }

  /** One call of a layer: [[layer, node, tensor, keyword arguments], one for each input]. */
  private node(layer: Saved, node: unknown, models: readonly string[], masks: ReadonlySet<string>): unknown {
    if (Array.isArray(node)) {
      return node.map((input) => {
        if (!isReference(input)) fail(WHO, `${title(layer)} is called in a way that TensorFlow.js does not have`);
        const [name, index, tensor, kwargs = {}] = input;
        return [name, index, tensor, this.kwargs(layer, kwargs as Config, masks)];
      });
    }
    const { args = [], kwargs = {} } = node as { args?: unknown[]; kwargs?: Config };
    const passed = this.kwargs(layer, kwargs, masks);
    const [only] = args;
    const inputs = args.length === 1 && Array.isArray(only) ? only : args;
    const isOperation = args.length > 1 && !MERGES.includes(layer.class_name);
    const histories = inputs.map(historyOf);
    if (isOperation || inputs.length === 0 || !histories.every(isReference)) {
      fail(
        WHO,
        `${title(layer)} is called with other arguments than one tensor or a list of tensors, which TensorFlow.js does not have`,
      );
    }
    return histories.map((history) => [...shifted(history, models), passed]);
  }

  /** Keras 3 also writes the default `training: false` of some layers, and fit goes over it; in Keras 2 someone said so. */
  private kwargs(layer: Saved, kwargs: Config, masks: ReadonlySet<string>): Config {
    const given = Object.entries(kwargs).filter(([, value]) => value !== null);
    for (const [key, value] of given) {
      if (key === 'training') continue;
      if (key === 'mask' && masks.has(historyOf(value)?.[0] ?? '') && MASKED.includes(layer.class_name)) {
        this.masked.push(nameOf(layer));
        continue;
      }
      fail(
        WHO,
        `${title(layer)} is called with the argument ${key}, which TensorFlow.js does not hand over; only models without it can be loaded`,
      );
    }
    const training = Boolean(kwargs.training);
    const isSaid = training || (kwargs.training === false && !this.isKeras3);
    return isSaid ? { training } : {};
  }
}

const nameOf = ({ name, config }: Saved) => String(name ?? config.name);

type Reference = readonly [layer: string, node: number, tensor: number, ...rest: unknown[]];
const isReference = (value: unknown): value is Reference =>
  Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'number' && typeof value[2] === 'number';

/** Where a tensor of Keras 3 comes from. */
function historyOf(tensor: unknown): Reference | undefined {
  const history = isSaved(tensor) ? tensor.config.keras_history : undefined;
  return isReference(history) ? history : undefined;
}

/**
 * Names of the operations by which Keras 3 computes masks within the graph: any(x != value) and x != 0 of what also goes into
 * a Masking or Embedding, which in TensorFlow.js do that themselves.
 */
function maskOperations(layers: readonly Saved[]): Set<string> {
  const argumentsOf = ({ inbound_nodes = [] }: Saved): unknown[][] =>
    inbound_nodes.map((node) => (isRecord(node) && Array.isArray(node.args) ? node.args : []));
  const key = (tensor: unknown) => JSON.stringify(historyOf(tensor));
  const masked = new Map<string, unknown>();
  for (const layer of layers) {
    const { class_name, config } = layer;
    const value = class_name === 'Masking' ? (config.mask_value ?? 0) : 0;
    if (class_name !== 'Masking' && !(class_name === 'Embedding' && config.mask_zero === true)) continue;
    for (const [tensor] of argumentsOf(layer)) masked.set(key(tensor), value);
  }
  const names = new Set<string>();
  for (const layer of layers) {
    const calls = argumentsOf(layer);
    const isMask = ([tensor, value]: unknown[]) =>
      (layer.class_name === 'NotEqual' && masked.get(key(tensor)) === value) ||
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
  return fail(WHO, `an input or output of a model is ${JSON.stringify(value)}, which names no tensor`);
}

/** TensorFlow.js computes in float32 and knows no other sizes of integers than 32 bits. */
function dtypeOf(dtype: unknown): unknown {
  const name = isRecord(dtype) && isRecord(dtype.config) ? dtype.config.name : dtype;
  if (typeof name !== 'string') return name ?? null;
  if (/_from_/.test(name))
    fail(WHO, `a layer is quantized (${name}), which TensorFlow.js does not have; save the model without`);
  if (/float/.test(name)) return 'float32';
  return /int/.test(name) ? 'int32' : name;
}

/** Keras 3 saves the forward layer of `Bidirectional` under a name that TensorFlow.js gives it anew. */
function unprefixed(config: Config): Config {
  const { layer } = config;
  if (!isSaved(layer)) return config;
  const name = String(layer.config.name).replace(/^forward_/, '');
  return { ...config, layer: { ...layer, config: { ...layer.config, name } } };
}

function checkKnown(layer: Saved): void {
  const { classNameMap } = serialization.SerializationMap.getMap();
  const { class_name: className, config } = layer;
  if (!Object.hasOwn(classNameMap, className)) {
    fail(
      WHO,
      `${title(layer)} is of a class that neither TensorFlow.js nor this package has; make it known with ` +
        "tf.serialization.registerClass under the name '" +
        `${className}', or save the model without it`,
    );
  }
  if (isSaved(config?.layer)) checkKnown(config.layer);
  const isOurs = className === 'InstanceNormalization' && classNameMap[className]?.[0] === InstanceNormalization;
  if (isOurs && !('groups' in config) && !('gamma_constraint' in config)) {
    fail(
      WHO,
      `${title(layer)} is neither TensorFlow Addons' nor keras_contrib's, by its options; write the class it is and make ` +
        'it known with tf.serialization.registerClass',
    );
  }
}

/** The names that the layers of TensorFlow.js have for their weights. */
function renamedWeights(specs: io.WeightsManifestEntry[], model: Saved): io.WeightsManifestEntry[] {
  const layers = new Map<string, { inner: Set<string>; className: string }>();
  const models = new Set<string>();
  const visit = (saved: Saved): void => {
    const { layers: own, layer } = saved.config;
    if (Array.isArray(own)) {
      models.add(nameOf(saved));
      for (const one of own as Saved[]) visit(one);
      return;
    }
    const inner = new Set<string>();
    let [innermost, next] = [saved, layer];
    for (; isSaved(next) && saved.class_name !== 'Bidirectional'; next = innermost.config.layer) {
      innermost = next;
      inner.add(nameOf(next));
    }
    layers.set(nameOf(saved), { inner, className: innermost.class_name });
  };
  visit(model);

  const rename = (name: string): string => {
    const parts = name.split('/');
    while (parts.length > 2 && models.has(parts[0] as string) && !layers.has(parts[0] as string)) parts.shift();
    const layer = layers.get(parts[0] as string);
    if (!layer) return name;
    const last = parts.length - 1;
    if (layer.className === 'DepthwiseConv2D' && parts[last] === 'kernel') parts[last] = 'depthwise_kernel';
    return parts.filter((part, i) => i === 0 || i === last || !layer.inner.has(part)).join('/');
  };
  const taken = new Set<string>();
  return specs.map((spec) => {
    const name = rename(spec.name);
    if (taken.has(name))
      fail(WHO, `two weights are called '${name}' (one of them '${spec.name}'); give the layers names of their own`);
    taken.add(name);
    return name === spec.name ? spec : { ...spec, name };
  });
}

function isRecord(value: unknown): value is Config {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSaved(value: unknown): value is Saved {
  return isRecord(value) && typeof value.class_name === 'string' && 'config' in value;
}
