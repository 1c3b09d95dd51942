/**
 * What wrappers need to know of the layers they wrap: which layers can be wrapped, where the kernels are and which of their
 * axes number the output units, and how to lend a layer other values for the length of one call.
 */
import { serialization, type Tensor } from '@tensorflow/tfjs-core';
import { type LayerVariable, layers } from '@tensorflow/tfjs-layers';
import { fail, show } from '../../kernels/core/errors.ts';
import { type Constraint, configOf } from './identifiers.ts';
import { deepCopy, isPlainObject, savedOptions } from './options.ts';

/** A layer, or what `getConfig` and Keras save of one. */
export type WrappedLayer = layers.Layer | serialization.ConfigDict;

type Properties = Record<string, unknown>;

const { classNameMap } = serialization.SerializationMap.getMap();

/** The layer that an option stands for; `customObjects` are classes beside those that are registered. */
export function resolveLayer(who: string, layer: unknown, customObjects: serialization.ConfigDict = {}): layers.Layer {
  if (layer instanceof layers.Layer) return layer;
  const { className, config } = (isPlainObject(layer) ? layer : {}) as serialization.ConfigDict;
  if (typeof className !== 'string') {
    const rule = 'layer must be a layer, such as tf.layers.dense({units: 8}), or its saved config';
    fail(who, `${rule}; received ${show(layer)}`);
  }
  const known = { ...classNameMap, ...customObjects } as typeof classNameMap;
  if (!Object.hasOwn(known, className)) fail(who, `there is no layer class '${className}'; register it first`);
  const [cls, fromConfig] = known[className] as (typeof classNameMap)[string];
  let made: unknown;
  try {
    made = fromConfig(cls, savedOptions(deepCopy((config ?? {}) as serialization.ConfigDict)));
  } catch (error) {
    fail(who, `layer could not be made of its config, ${show(layer)}: ${(error as Error).message}`);
  }
  if (made instanceof layers.Layer) return made;
  return fail(who, `layer must be a layer; received the config of a ${className}; wrap tf.layers.dense, for example`);
}

/** What `getConfig` writes of a wrapped layer. */
export function configOfLayer(layer: layers.Layer): serialization.ConfigDict {
  const config = layer.getConfig();
  const { depthMultiplier, depthwiseConstraint } = layer as unknown as Described;
  // TensorFlow.js does not save depthMultiplier of separable convolutions, and saves for depthwiseConstraint the regularizer.
  if (depthMultiplier !== undefined) config.depthMultiplier = depthMultiplier;
  if ('depthwiseConstraint' in config) config.depthwiseConstraint = configOf(depthwiseConstraint ?? undefined);
  return { className: layer.getClassName(), config };
}
interface Described {
  readonly depthMultiplier?: number;
  readonly depthwiseConstraint?: Constraint | null;
}

/** Refuses a layer that has no kernel of its own to normalize, or whose kernel TensorFlow.js cannot train. */
export function checkWrappable(who: string, layer: layers.Layer): void {
  const name = `${layer.getClassName()} '${layer.name}'`;
  const { cell, stateSize } = layer as unknown as { cell?: Properties; stateSize?: unknown };
  if ('layers' in layer) fail(who, `layer must be one layer; received the model ${name}; wrap its layers`);
  if ('effectiveKernels' in layer) fail(who, `layer is wrapped already, in ${name}; one normalization is enough`);
  if ('layer' in layer) {
    const received = layer.getClassName();
    fail(who, `layer is itself a wrapper, ${name}; wrap the layer inside: ${received} around ${who} around the layer`);
  }
  if (stateSize !== undefined && !cell) {
    fail(who, `layer is a cell, ${name}, which is called once for each time step; wrap the recurrent layer around it`);
  }
  if (cell && 'cells' in cell) {
    fail(who, `the recurrent layer ${name} has several cells; use a recurrent layer for each, and wrap those`);
  }
  if (isA(layer, 'Conv3DTranspose')) fail(who, `${name} has no gradient in TensorFlow.js and cannot be trained`);
}

function isA(layer: layers.Layer, className: string): boolean {
  const builtIn = classNameMap[className]?.[0];
  return builtIn !== undefined && layer instanceof builtIn;
}

/** Members of a layer that TensorFlow.js does not declare. */
interface Internals {
  readonly built: boolean;
  readonly cell?: Internals;
  readonly _trainableWeights: readonly LayerVariable[];
  readonly _addedWeightNames: readonly string[];
  _refCount: number | null;
}
const internalsOf = (layer: layers.Layer) => layer as unknown as Internals;

/** Whether the layer has its weights. A recurrent layer whose `build` was called directly has them, and `built` is false. */
export const isBuilt = (layer: layers.Layer): boolean => layer.built || internalsOf(layer).cell?.built === true;

/** The weights of a built layer: those that training adjusts unless they are frozen, and those that are never trained. */
export function weightsByRole(layer: layers.Layer): { trainable: LayerVariable[]; state: LayerVariable[] } {
  const { _trainableWeights, cell } = internalsOf(layer);
  const trained = new Set([..._trainableWeights, ...(cell?._trainableWeights ?? []), ...layer.trainableWeights]);
  return { trainable: [...trained], state: layer.weights.filter((weight) => !trained.has(weight)) };
}

/** The name that `layer` gave to its weight, without the names of the layers that it was built in. */
export function nameGivenBy(layer: layers.Layer, { originalName }: LayerVariable): string {
  const { _addedWeightNames, cell } = internalsOf(layer);
  const names = [..._addedWeightNames, ...(cell?._addedWeightNames ?? [])];
  const fitting = names.filter((name) => originalName === name || originalName.endsWith(`/${name}`));
  const longest = (a: string, b: string) => (b.length > a.length ? b : a);
  return fitting.reduce(longest, originalName.slice(originalName.lastIndexOf('/') + 1));
}

/** The weight `variable` under another name: two layers list one weight, and freeze it together. */
export const underName = (variable: LayerVariable, originalName: string): LayerVariable =>
  Object.create(variable, {
    originalName: { value: originalName, enumerable: true },
    trainable: {
      get: () => variable.trainable,
      set(trainable: boolean) {
        variable.trainable = trainable;
      },
    },
  });

/**
 * Counts the wrapper among the users of the layer, if a model uses it already: TensorFlow.js disposes of the layer's weights
 * with its last user. Returns whether there is another.
 */
export function countUser(layer: layers.Layer): boolean {
  const internals = internalsOf(layer);
  if (layer.inboundNodes.length === 0 || !internals._refCount) return false;
  internals._refCount++;
  return true;
}

/** A kernel of a layer. */
export interface Kernel {
  /** The object that holds the kernel in its property `key`: the layer, or the cell of a recurrent layer. */
  readonly owner: Properties;
  readonly key: string;
  readonly variable: LayerVariable;
  /** The beginning of the names of the weights that a wrapper adds for this kernel. */
  readonly prefix: string;
  /** The axes that number the output units. */
  readonly axes: readonly number[];
}

const PREFIXES = {
  kernel: '',
  recurrentKernel: 'recurrent_',
  depthwiseKernel: 'depthwise_',
  pointwiseKernel: 'pointwise_',
  embeddings: '',
};

/** The kernels of a built layer. */
export function kernelsOf(who: string, layer: layers.Layer): Kernel[] {
  const owner = ((layer as unknown as Properties).cell ?? layer) as Properties;
  const kernels: Kernel[] = [];
  for (const [key, prefix] of Object.entries(PREFIXES)) {
    const variable = owner[key] as LayerVariable | null | undefined;
    if (typeof variable?.read !== 'function') continue;
    kernels.push({ owner, key, variable, prefix, axes: unitAxes(layer, key, variable.shape.length) });
  }
  if (kernels.length === 0) {
    const looked = Object.keys(PREFIXES).join(', ');
    fail(who, `the layer ${layer.getClassName()} '${layer.name}' has no kernel (none of ${looked}); do not wrap it`);
  }
  return kernels;
}

function unitAxes(layer: layers.Layer, key: string, rank: number): number[] {
  if (key === 'depthwiseKernel') return [rank - 2, rank - 1]; // [height, width, inputs, multiplier]
  if (isA(layer, 'Conv2DTranspose')) return [rank - 2]; // [height, width, outputs, inputs]
  return [rank - 1];
}

/** The number of values along `axes`. */
export const sizeAlong = ({ shape }: LayerVariable, axes: readonly number[]): number =>
  axes.reduce((size, axis) => size * (shape[axis] as number), 1);

/** The last part of a weight's name, which is how its layer calls it. */
export const lastPartOfName = ({ originalName }: LayerVariable): string =>
  originalName.slice(originalName.lastIndexOf('/') + 1);

/** A property of an object, and the value that it has for a while. */
export type Replacement = readonly [owner: Properties, key: string, value: unknown];

/** Runs `f` while properties have other values, and puts their own back, also if `f` throws. */
export function withReplaced<T>(replacements: readonly Replacement[], f: () => T): T {
  const own = replacements.map(([owner, key]) => owner[key]);
  try {
    for (const [owner, key, value] of replacements) owner[key] = value;
    return f();
  } finally {
    for (const [i, [owner, key]] of replacements.entries()) owner[key] = own[i];
  }
}

/** A stand-in for the weight `variable` that reads as `value`. */
export const readingAs = (variable: LayerVariable, value: Tensor): LayerVariable =>
  Object.create(variable, { read: { value: () => value } });
