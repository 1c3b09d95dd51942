/**
 * The groups of the HDF5 file in which Keras 3 keeps weights, `model.weights.h5`: which weights of a TensorFlow.js model are in
 * which group. Names of groups count the classes of layers within one model, and say nothing about the names of layers.
 */
import type { LayersModel, LayerVariable, layers } from '@tensorflow/tfjs-layers';
import { weightsByRole } from '../../base/inner-layer.ts';
import { type Config, classOf, isModel, isSaved, nameOf, type Saved } from '../../models/keras/saved.ts';
import { MultiHeadAttention } from '../../multi-head-attention.ts';
import { SpectralNormalization } from '../../spectral-normalization.ts';

type Layer = layers.Layer;

export interface WeightGroup {
  /** Such as `layers/bidirectional/forward_layer/cell`. The datasets are `vars/0`, `vars/1` and so on within it. */
  readonly path: string;
  /** In the order of the datasets. Two groups may hold the same weight. */
  readonly weights: readonly LayerVariable[];
  /** The names of the layer and of the models around it, for messages: `encoder/dense_1`. */
  readonly layer: string;
}

/** How a version of Keras names the groups of layers. */
export interface Layout {
  /** The group within that of a model which holds those of its layers. */
  readonly folder: string;
  /** How often a layer that has weights is counted among those of its class. */
  readonly countOfLayerWithWeights: number;
}

/** Keras 3, and Keras 2.15. */
export const LAYERS: Layout = { folder: 'layers', countOfLayerWithWeights: 1 };
/** Keras 2.12 to 2.14 go through a list in which layers with weights stand twice: three of Dense are dense, dense_2, dense_4. */
export const CHECKPOINT_DEPENDENCIES: Layout = { folder: '_layer_checkpoint_dependencies', countOfLayerWithWeights: 2 };

/**
 * All groups that hold weights.
 *
 * @param saved the model as Keras saves it: `{class_name: 'Functional' or 'Sequential', config: {layers, ...}}`
 * @param model the same model in TensorFlow.js, with layers of the same names; those that hold no weights may be missing
 * @param layout that of Keras 3 by default
 */
export function weightGroups(saved: Saved, model: LayersModel, layout = LAYERS): WeightGroup[] {
  return new Groups(layout).ofModel(saved, model, '', '');
}

/** Keras's name for the groups of a class: `BatchNormalization` becomes `batch_normalization`, `PReLU` `p_re_lu`. */
const groupName = (className: string): string =>
  className
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();

/**
 * The layers of a model, or the cells of a stack, each with the name of its group: the second Dense is `dense_1`.
 *
 * @param countOf how often a layer is counted; once by default
 */
function namedGroups(layers: readonly Saved[], countOf = (_: Saved) => 1): [layer: Saved, name: string][] {
  const counts = new Map<string, number>();
  return layers.filter(isCounted).map((layer) => {
    const name = groupName(classOf(layer));
    const count = counts.get(name) ?? 0;
    counts.set(name, count + countOf(layer));
    return [layer, count === 0 ? name : `${name}_${count}`];
  });
}

/** Keras 3 lists operations such as x + y among the layers of a graph. They are no layers and have no groups. */
const isCounted = ({ module }: Saved & { readonly module?: unknown }) => !/^keras\.(src\.)?ops\b/.test(String(module));

const childrenOf = ({ layers, cells }: Config): Saved[] => [layers ?? cells].flat().filter(isSaved);

/** The layers that a layer of TensorFlow.js may hold. */
interface Holder {
  readonly layer?: Layer;
  readonly cell?: Layer;
  readonly cells?: readonly Layer[];
  readonly forwardLayer?: Layer;
  readonly backwardLayer?: Layer;
}

class Groups {
  readonly #layout: Layout;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  ofModel(saved: Saved, model: LayersModel, path: string, name: string): WeightGroup[] {
    const { folder, countOfLayerWithWeights } = this.#layout;
    const layers = new Map(model.layers.map((layer) => [layer.name, layer]));
    const countOf = (child: Saved) => (layers.get(nameOf(child))?.weights.length ? countOfLayerWithWeights : 1);
    return namedGroups(childrenOf(saved.config), countOf).flatMap(([child, group]) => {
      const layer = layers.get(nameOf(child));
      return layer ? this.ofLayer(child, layer, `${path}${folder}/${group}`, `${name}${layer.name}`) : [];
    });
  }

  ofLayer(saved: Saved, layer: Layer, path: string, name: string): WeightGroup[] {
    const { config } = saved;
    if (isModel(saved)) return this.ofModel(saved, layer as LayersModel, `${path}/`, `${name}/`);
    const { layer: wrapped, cell, cells, forwardLayer, backwardLayer } = layer as Holder;
    const within = (key: string, inner: Layer, from: unknown = config[key]) =>
      this.ofLayer(isSaved(from) ? from : saved, inner, `${path}/${key}`, name);
    if (forwardLayer && backwardLayer) {
      return [
        ...within('forward_layer', forwardLayer, config.layer),
        ...within('backward_layer', backwardLayer, config.backward_layer ?? config.layer),
      ];
    }
    if (cell) return within('cell', cell);
    if (cells) {
      return namedGroups(childrenOf(config)).flatMap(([child, group], i) =>
        this.ofLayer(child, cells[i] as Layer, `${path}/cells/${group}`, name),
      );
    }
    if (layer instanceof MultiHeadAttention) {
      const isGrouped = classOf(saved) === 'GroupedQueryAttention';
      return ofParts(layer, PROJECTIONS, path, name, isGrouped ? '/_' : '/');
    }
    if (NORMALIZED_CELLS.includes(layer.getClassName())) return ofParts(layer, CELL_NORMS, path, name);
    const groups = wrapped ? within('layer', wrapped) : [];
    const inner = groups.flatMap(({ weights }) => weights);
    const own = ownWeights(layer, inner);
    // Keras's SpectralNormalization lists the kernel that it normalizes among its own weights, too. It is the wrapped layer's first.
    const isOfKeras = layer instanceof SpectralNormalization && !layer.reparameterize;
    const weights = isOfKeras ? [...inner.slice(0, 1), ...own] : own;
    return weights.length === 0 ? groups : [{ path, weights, layer: name }, ...groups];
  }
}

/** Keras's names for the projections of attention, by the names of their weights. */
const PROJECTIONS: Readonly<Record<string, string>> = {
  query: 'query_dense',
  key: 'key_dense',
  value: 'value_dense',
  attention_output: 'output_dense',
};

/** Our cells with layer normalization, and the layers within them that they have in Keras. */
const NORMALIZED_CELLS = ['LayerNormLSTMCell', 'LayerNormGRUCell'];
const CELL_NORMS: Readonly<Record<string, string>> = {
  kernel_norm: 'kernel_norm',
  recurrent_norm: 'recurrent_norm',
  state_norm: 'state_norm',
};

/** The weights of a layer that has layers within it in Keras, whose groups `parts` names after `before`, and what it has itself. */
function ofParts(
  layer: Layer,
  parts: Readonly<Record<string, string>>,
  path: string,
  name: string,
  before = '/',
): WeightGroup[] {
  const groups = new Map<string, LayerVariable[]>();
  for (const weight of layer.weights) {
    const part = parts[weight.originalName.split('/').at(-2) ?? ''];
    const group = part === undefined ? path : path + before + part;
    groups.set(group, [...(groups.get(group) ?? []), weight]);
  }
  return [...groups].map(([path, weights]) => ({ path, weights, layer: name }));
}

/** The weights of a layer, those that are trained first, without those of the layers that it holds. */
function ownWeights(layer: Layer, inner: readonly LayerVariable[]): LayerVariable[] {
  const { trainable, state } = weightsByRole(layer);
  // Our wrappers list the weights of their layer once more, as objects with other names and the same id.
  const held = new Set(inner.map(({ id }) => id));
  // A layer that has none to train holds a placeholder, which it does not list.
  const listed = [...trainable, ...state].filter((weight) => layer.weights.includes(weight));
  return listed.filter(({ id }) => !held.has(id));
}
