/**
 * The draft of a new model: what TensorFlow.js saves of the old one, open to changes, beside the layers whose weights it takes. A
 * model within a model has a draft of its own.
 */
import { serialization, type Tensor, tensor, tidy } from '@tensorflow/tfjs-core';
import type { LayersModel, LayerVariable, layers } from '@tensorflow/tfjs-layers';
import { fail } from '../../../kernels/core/errors.ts';
import { configOfLayer, lastPartOfName } from '../../base/inner-layer.ts';
import { receivesMask } from '../../base/mask.ts';
import { copyBehaviour } from '../build-model.ts';
import { orderedCalls } from '../calls.ts';
import { type Config, isModel, isReference, type Reference, type Saved } from '../keras/saved.ts';
import { disposeWeights, emptyModel } from '../new-model.ts';

type Layer = layers.Layer;

/** Values of weights by the last part of their names, such as kernel. */
export type Values = ReadonlyMap<string, Float64Array>;

/** One layer of the draft. */
export interface Part {
  /** The layer of the old model. */
  readonly layer: Layer;
  /** What is saved of it. */
  saved: Saved;
  /** The values of the new layer's weights; undefined where they are those of the old one. */
  values?: Values;
  /** The values of the new layer's weights by the weights of the old one; undefined where they are the same. */
  merged?: ReadonlyMap<LayerVariable, Float64Array>;
  /** The draft of the model that the layer is, or that it wraps. */
  readonly within?: Draft;
}

/** Says whether a layer was called with `training: true` in the graph: then it trains, or drops values, in inference, too. */
export const trainsInGraph = ({ saved }: Part): boolean =>
  /"training":(true|1)\b/.test(JSON.stringify(saved.inbound_nodes ?? []));

/** What wrappers such as `timeDistributed` hold. */
export const innerOf = (layer: Layer): Layer | undefined => (layer as Layer & { readonly layer?: Layer }).layer;

/** Whether training leaves a layer as it is. */
export function isFrozen(layer: Layer): boolean {
  const { frozen, _trainableWeights } = layer as unknown as {
    readonly frozen?: boolean;
    readonly _trainableWeights: readonly LayerVariable[];
  };
  const isEachFrozen = _trainableWeights.length > 0 && _trainableWeights.every(({ trainable }) => !trainable);
  return frozen ?? (!layer.trainable || isEachFrozen);
}

export class Draft {
  readonly model: LayersModel;
  /** By name, in the order in which the file has them. */
  readonly parts = new Map<string, Part>();
  readonly #saved: Saved;
  /** The outputs of the model; none in a Sequential, whose output is that of its last layer. */
  #outputs: readonly Reference[];
  /** The names of the models around this one, each followed by a slash. */
  readonly #prefix: string;

  constructor(model: LayersModel, saved: Saved, prefix = '') {
    this.model = model;
    this.#saved = saved;
    this.#prefix = prefix;
    const { layers: savedLayers, output_layers: outputs } = saved.config as {
      layers: Saved[];
      output_layers?: Reference[];
    };
    this.#outputs = outputs ?? [];
    for (const [i, layer] of model.layers.entries())
      this.parts.set(layer.name, partOf(layer, savedLayers[i] as Saved, this.title(layer.name)));
  }

  /** This draft and those within. */
  *all(): Generator<Draft> {
    yield this;
    for (const { within } of this.parts.values()) if (within) yield* within.all();
  }

  /** The name of a layer with those of the models that it is in. */
  title(name: string): string {
    return this.#prefix + name;
  }

  part(name: string): Part {
    return this.parts.get(name) as Part;
  }

  /** The inputs of each call of a layer. */
  #calls(name: string): Reference[][] {
    const { saved } = this.part(name);
    if (saved.inbound_nodes) return saved.inbound_nodes as Reference[][];
    const names = [...this.parts.keys()];
    const before = names[names.indexOf(name) - 1];
    return before === undefined ? [] : [[[before, 0, 0]]];
  }

  /** The layers whose results a layer takes. */
  sources(name: string): string[] {
    return [
      ...new Set(
        this.#calls(name)
          .flat()
          .map(([from]) => from),
      ),
    ];
  }

  /** The layers that take results of a layer. */
  users(name: string): string[] {
    return [...this.parts.keys()].filter((user) => this.sources(user).includes(name));
  }

  /** Whether a result of the layer is one of the model's. */
  isOutput(name: string): boolean {
    if (this.#outputs.length > 0) return this.#outputs.some(([from]) => from === name);
    return [...this.parts.keys()].at(-1) === name;
  }

  /** Takes a layer of one input out: who took its results takes what it took. */
  remove(name: string): void {
    const calls = this.#calls(name);
    const { saved } = this.part(name);
    const names = [...this.parts.keys()];
    const after = names[names.indexOf(name) + 1];
    this.parts.delete(name);
    if (!saved.inbound_nodes) {
      // The first layer of a Sequential holds the shape of the input.
      const { batch_input_shape, dtype } = saved.config;
      if (after !== undefined && batch_input_shape) this.configure(after, { batch_input_shape, dtype });
      return;
    }
    const bypassed = (value: unknown): unknown => {
      if (!isReference(value)) return Array.isArray(value) ? value.map(bypassed) : value;
      const [from, number, tensor, ...rest] = value;
      const [source] = from === name ? (calls[number] as Reference[]) : [];
      return source ? [source[0], source[1], source[2], ...rest] : [from, number, tensor, ...rest];
    };
    this.#outputs = bypassed(this.#outputs) as Reference[];
    for (const part of this.parts.values()) {
      part.saved = { ...part.saved, inbound_nodes: bypassed(part.saved.inbound_nodes) as unknown[] };
    }
  }

  /** Gives a layer other options. */
  configure(name: string, options: Config): void {
    const part = this.part(name);
    part.saved = { ...part.saved, config: { ...part.saved.config, ...options } };
  }

  /** What is saved of the new model. */
  topology(): Saved {
    const layers = [...this.parts.values()].map(({ saved, within }) => {
      if (!within) return saved;
      const inner = within.topology();
      return isModel(saved)
        ? { ...saved, config: inner.config }
        : { ...saved, config: { ...saved.config, layer: inner } };
    });
    const outputs = this.#outputs.length > 0 ? { output_layers: this.#outputs } : {};
    return { ...this.#saved, config: { ...this.#saved.config, layers, ...outputs } };
  }
}

function partOf(layer: Layer, saved: Saved, title: string): Part {
  if (isModel(saved)) return { layer, saved, within: new Draft(layer as LayersModel, saved, `${title}/`) };
  const inner = innerOf(layer);
  const innerSaved = saved.config.layer as Saved | undefined;
  if (inner && innerSaved && isModel(innerSaved)) {
    return { layer, saved, within: new Draft(inner as LayersModel, innerSaved, `${title}/`) };
  }
  // TensorFlow.js does not save all options of separable and depthwise convolutions.
  const { depthMultiplier, depthwiseConstraint } = configOfLayer(layer).config as Config;
  const missing: Config = {};
  if (depthMultiplier !== undefined) missing.depth_multiplier = depthMultiplier;
  if (depthwiseConstraint !== undefined) missing.depthwise_constraint = inSavedForm(depthwiseConstraint);
  return { layer, saved: { ...saved, config: { ...saved.config, ...missing } } };
}

/** What `getConfig` gives, with the key that files have. */
const inSavedForm = (value: unknown): unknown => {
  const { className, config } = (value ?? {}) as { className?: string; config?: Config };
  return className === undefined ? value : { class_name: className, config };
};

/** The draft of a copy. */
export function draftOf(model: LayersModel): Draft {
  return new Draft(model, model.toJSON(undefined, false) as unknown as Saved);
}

/** The values of a layer's weights by the last part of their names. */
export async function valuesOf({ weights }: Layer): Promise<Map<string, Float64Array>> {
  const entries = weights.map(async (weight) => [lastPartOfName(weight), await numbersOf(weight.read())] as const);
  return new Map(await Promise.all(entries));
}

/** The values of a tensor in 64-bit floats. */
export const numbersOf = async (tensor: Tensor): Promise<Float64Array> => Float64Array.from(await tensor.data());

/** The model that a draft has become, with the weights of the old model but where the draft has others. */
export async function build(who: string, draft: Draft): Promise<LayersModel> {
  const model = await withClassesOf(draft.model, () => emptyModel(orderedCalls(draft.topology())));
  try {
    fill(draft, model);
  } catch (error) {
    disposeWeights(model);
    throw new Error(`${who}: ${(error as Error).message}`, { cause: error });
  }
  return model;
}

function fill(draft: Draft, model: LayersModel, isMaskedAround = false): void {
  for (const layer of model.layers) {
    const { layer: old, values, merged, within } = draft.part(layer.name);
    const isMasked = isMaskedAround || receivesMask(layer);
    copyBehaviour(old, layer, isMasked);
    if (within) {
      fill(within, ('layers' in layer ? layer : innerOf(layer)) as LayersModel, isMasked);
    } else if (values) {
      setWeights(layer, (weight) => tensorOf(weight, values.get(lastPartOfName(weight)) as Float64Array));
    } else if (layer.weights.length > 0) {
      const sources = inOrderOf(layer.weights, old.weights);
      setWeights(layer, (weight, i) => {
        const source = sources[i] as LayerVariable;
        const values = merged?.get(source);
        return values ? tensorOf(weight, values) : source.read();
      });
      // TensorFlow.js saves whether a layer is frozen, and not whether one of its weights is.
      for (const [i, weight] of layer.weights.entries()) weight.trainable = (sources[i] as LayerVariable).trainable;
    }
  }
}

const setWeights = (layer: Layer, valueFor: (weight: LayerVariable, i: number) => Tensor): void =>
  tidy(() => layer.setWeights(layer.weights.map(valueFor)));

const tensorOf = ({ shape, dtype }: LayerVariable, values: Float64Array): Tensor =>
  tensor(Float32Array.from(values), shape as number[], dtype as 'float32');

/** `old` in the order of `weights`: that of two layers differs where one of them is frozen. */
function inOrderOf(weights: readonly LayerVariable[], old: readonly LayerVariable[]): LayerVariable[] {
  const byName = new Map(old.map((weight) => [weight.originalName, weight]));
  const isNamed = byName.size === old.length && weights.every(({ originalName }) => byName.has(originalName));
  return isNamed ? weights.map(({ originalName }) => byName.get(originalName) as LayerVariable) : [...old];
}

/** Runs `f` while the classes of the model's layers are known to TensorFlow.js, also those that nobody has registered. */
async function withClassesOf<T>(model: LayersModel, f: () => Promise<T>): Promise<T> {
  const { classNameMap } = serialization.SerializationMap.getMap();
  const added: string[] = [];
  for (const layer of layersWithin(model)) {
    const name = layer.getClassName();
    if (name === undefined) fail('surgery', `the class of the layer '${layer.name}' has no className; give it one`);
    if (Object.hasOwn(classNameMap, name)) continue;
    const cls = layer.constructor as unknown as (typeof classNameMap)[string][0];
    classNameMap[name] = [cls, cls.fromConfig];
    added.push(name);
  }
  try {
    return await f();
  } finally {
    for (const name of added) delete classNameMap[name];
  }
}

/** All layers of a model or wrapper, those within models and wrappers, too. */
export function layersWithin(layer: Layer): Layer[] {
  const inner = innerOf(layer);
  const { layers = inner ? [inner] : [] } = layer as Partial<LayersModel>;
  return layers.flatMap((one) => [one, ...layersWithin(one)]);
}
