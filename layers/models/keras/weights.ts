/** Renames the weights that Keras saved as the layers of TensorFlow.js name them. */
import type { io } from '@tensorflow/tfjs-core';
import { fail } from '../../../kernels/core/errors.ts';
import { isModel, isSaved, nameOf, type Saved } from './saved.ts';

type Specs = io.WeightsManifestEntry[];

/** A layer of the model with the layers that it wraps: the names of its weights may hold the names of all of them. */
interface Chain {
  readonly inner: ReadonlySet<string>;
  /** The class of the innermost layer. */
  readonly className: string;
  /** Whether it is a filter response normalization of TensorFlow Addons with a weight whose name does not have the layer's. */
  readonly learnsEpsilon: boolean;
  /** TensorFlow.js's names of the cells of a recurrent layer that has several, by Keras's names. */
  readonly cells: ReadonlyMap<string, string>;
}

/** Refuses weights that the converter has written from a .keras file: layers/dense/vars/0 may belong to any layer. */
export function checkWeightNames(specs: Specs): void {
  if (specs.some(({ name }) => /\/vars\/\d+$/.test(name))) {
    fail(
      'loadModel',
      'the weights have lost their names, as the converter writes them of a .keras file; save the model as an .h5 file and ' +
        'convert that, or take save_keras_model of tensorflowjs.converters',
    );
  }
}

/** Weights under TensorFlow.js's names, which do not contain the models around a layer, nor the layers within it. */
export function renamedWeights(specs: Specs, model: Saved): Specs {
  const { models, chains } = namesIn(model);
  const learning = [...chains].filter(([, { learnsEpsilon }]) => learnsEpsilon);
  const rename = (name: string): string => {
    if (name === 'learned_epsilon' && learning.length === 1) return `${learning[0]?.[0]}/${name}`;
    const parts = name.split('/');
    const isModelName = (part: string) => [...models].some((model) => isNumbered(part, model));
    const isAround = (part = '') => isModelName(part) && !chains.has(part);
    while (parts.length > 2 && isAround(parts[0]) && !scopeOf(parts.join('/'), (path) => chains.has(path)))
      parts.shift();
    const chain = chains.get(parts[0] as string);
    if (!chain) return parts.join('/');
    const last = parts.length - 1;
    if (chain.className === 'DepthwiseConv2D' && parts[last] === 'kernel') parts[last] = 'depthwise_kernel';
    const own = parts.filter((part, i) => i === 0 || i === last || !chain.inner.has(part));
    return own.map((part, i) => (0 < i && i < own.length - 1 && chain.cells.get(part)) || part).join('/');
  };
  const taken = new Set<string>();
  return specs.map((spec) => {
    const name = rename(spec.name);
    if (taken.has(name)) {
      fail(
        'loadModel',
        `two weights are called '${name}' (one of them '${spec.name}'); give the layers names of their own`,
      );
    }
    taken.add(name);
    return name === spec.name ? spec : { ...spec, name };
  });
}

/**
 * Whether some weights have names that no layer of the model has, or that differ only by a number from the name of a layer
 * without weights in the file.
 */
export function hasUnknownWeights(specs: Specs, model: Saved): boolean {
  const { chains } = namesIn(model);
  const scopes = [...new Set(specs.map(({ name }) => scopeOf(name, (path) => chains.has(path))))];
  const without = [...chains.keys()].filter((layer) => !scopes.includes(layer));
  return scopes.some((scope) => scope === undefined || without.some((layer) => isNumbered(scope, layer)));
}

/** A weight that the built model has, and the name of its layer. */
export interface ModelWeight {
  readonly layer: string;
  readonly name: string;
  readonly shape: readonly (number | null)[];
}

/**
 * Gives weights the names that the model has. Keras on TensorFlow 1 numbers the names of weights by session: those of a layer
 * conv2d_1 that was made a second time are called conv2d_1_1/kernel, and the layer is still called conv2d_1. All weights of one
 * such name go to the layer that has weights of the same names and shapes, and whose name differs only in the number. If several
 * layers fit, it is the one that no other weights fit, or else the one of exactly that name.
 */
export function fittedWeights(specs: Specs, wanted: readonly ModelWeight[]): Specs {
  const layers = grouped(wanted, ({ layer }) => layer);
  const open = new Map<string, Map<string, Renaming>>();
  const isLayer = (path: string) => [...layers.keys()].some((layer) => isNumberedPath(path, layer));
  for (const [scope, group] of grouped(specs, ({ name }) => scopeOf(name, isLayer) ?? name)) {
    const fits = [...layers].flatMap(([layer, weights]): [string, Renaming][] => {
      const renaming = isNumberedPath(scope, layer) && renamingOf(group, weights);
      return renaming ? [[layer, renaming]] : [];
    });
    open.set(scope, new Map(fits));
  }
  const names = new Map<string, string>();
  const next = () =>
    [...open].find(([, fits]) => fits.size === 1) ?? [...open].find(([scope, fits]) => fits.has(scope));
  for (let found = next(); found; found = next()) {
    const [scope, fits] = found;
    const layer = fits.size === 1 ? ([...fits.keys()][0] as string) : scope;
    open.delete(scope);
    for (const [given, name] of fits.get(layer) as Renaming) names.set(given, name);
    for (const [other, otherFits] of open) {
      if (otherFits.delete(layer) && otherFits.size === 0) {
        fail(
          'loadModel',
          `the weights called '${scope}' and those called '${other}' both may be of the layer '${layer}'; ` +
            'save the model again in a session of its own',
        );
      }
    }
  }
  return specs.map((spec) => ({ ...spec, name: names.get(spec.name) ?? spec.name }));
}

/** By the name of a weight in the file, its name in the model. */
type Renaming = ReadonlyMap<string, string>;

/** The names that the weights of `group` get in a layer with the weights `wanted`, if each has one place there. */
function renamingOf(group: Specs, wanted: readonly ModelWeight[]): Renaming | undefined {
  const renaming = new Map<string, string>();
  for (const { name, shape } of group) {
    const fits = wanted.filter((weight) => String(weight.shape) === String(shape) && isNumberedName(name, weight.name));
    const [fit] = fits;
    if (fits.length !== 1 || !fit || [...renaming.values()].includes(fit.name)) return undefined;
    renaming.set(name, fit.name);
  }
  return renaming;
}

/**
 * Whether `given` is `name` apart from numbers that Keras added to its parts, and from parts in between, which are names of
 * wrapped layers and cells.
 */
function isNumberedName(given: string, name: string): boolean {
  const parts = given.split('/');
  const own = name.split('/');
  if (parts.pop() !== own.pop()) return false;
  for (const part of parts) if (own[0] !== undefined && isNumbered(part, own[0])) own.shift();
  return own.length === 0;
}

/** Whether each part of `path` is that of `other`, or that with a number added. The name of a layer may have several parts. */
function isNumberedPath(path: string, other: string): boolean {
  const [parts, others] = [path.split('/'), other.split('/')];
  return parts.length === others.length && parts.every((part, i) => isNumbered(part, others[i] as string));
}

/** The longest path at the beginning of a weight's name that names a layer, by `isLayer`. */
function scopeOf(name: string, isLayer: (path: string) => boolean): string | undefined {
  const parts = name.split('/');
  for (let end = parts.length - 1; end > 0; end--) {
    const path = parts.slice(0, end).join('/');
    if (isLayer(path)) return path;
  }
  return undefined;
}

/** Whether `part` is `name`, or `name` with a number added, such as conv2d_1 and conv2d. */
const isNumbered = (part: string, name: string): boolean =>
  part.startsWith(name) && /^(_\d+)?$/.test(part.slice(name.length));

function grouped<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
  return groups;
}

function namesIn(model: Saved): { models: Set<string>; chains: Map<string, Chain> } {
  const models = new Set<string>();
  const chains = new Map<string, Chain>();
  const visit = (saved: Saved): void => {
    const { layer: wrapped, layers } = saved.config;
    const within = Array.isArray(layers) ? (layers as Saved[]) : isSaved(wrapped) && isModel(wrapped) ? [wrapped] : [];
    if (within.length > 0) {
      models.add(nameOf(saved));
      for (const layer of within) visit(layer);
      return;
    }
    const inner = new Set<string>();
    let innermost = saved;
    // The two layers of Bidirectional keep their names.
    while (isSaved(innermost.config.layer) && !saved.class_name.endsWith('Bidirectional')) {
      innermost = innermost.config.layer;
      inner.add(nameOf(innermost));
    }
    const { cell } = isSaved(innermost.config.layer) ? innermost.config.layer.config : innermost.config;
    const cells = new Map<string, string>();
    if (isSaved(cell)) inner.add(nameOf(cell));
    if (isSaved(cell) && Array.isArray(cell.config.cells)) {
      for (const [i, one] of cell.config.cells.entries()) if (isSaved(one)) cells.set(nameOf(one), `RNNCell_${i}`);
    }
    const learnsEpsilon = innermost.config.learned_epsilon === true;
    chains.set(nameOf(saved), { inner, className: innermost.class_name, cells, learnsEpsilon });
  };
  visit(model);
  return { models, chains };
}
