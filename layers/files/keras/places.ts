/** Which dataset of an HDF5 file of Keras holds which weight of a model. Only names and shapes are looked at, no values. */
import type { LayersModel, LayerVariable, layers } from '@tensorflow/tfjs-layers';
import { fail } from '../../../kernels/core/errors.ts';
import type { Saved } from '../../models/keras/saved.ts';
import { CHECKPOINT_DEPENDENCIES, LAYERS, weightGroups } from './groups.ts';

type Layer = layers.Layer;

/** What is asked of the file. */
export interface WeightFile {
  keys(path: string): string[];
  shape(path: string): readonly number[] | undefined;
  attribute(path: string, name: string): unknown;
}

/** A weight, and the path of the dataset that holds it. */
export interface Place {
  readonly path: string;
  readonly weight: LayerVariable;
  /** The name of the layer, for messages. */
  readonly layer: string;
}

const OTHER_MODEL = 'the file is of another model, or a layer has other options than when it was saved';

/** The places of weights in `model.weights.h5` of Keras 3, and of Keras 2 from 2.12 on. `saved` is the same model. */
export function placesInGroups(who: string, file: WeightFile, saved: Saved, model: LayersModel): Place[] {
  const layout = file.keys('').includes(CHECKPOINT_DEPENDENCIES.folder) ? CHECKPOINT_DEPENDENCIES : LAYERS;
  const places = weightGroups(saved, model, layout).flatMap((group) => {
    const { weights, layer } = group;
    const path = `${pathInFile(file, group.path)}/vars`;
    checkCount(who, layer, weights.length, file.keys(path).length, path);
    return weights.map((weight, i) => ({ path: `${path}/${i}`, weight, layer }));
  });
  checkShapes(who, file, places);
  checkAllUsed(who, file, layout.folder, places);
  return places;
}

/** The path of a group in the file: Keras 2 has a _ before the names of attention's projections. */
function pathInFile(file: WeightFile, path: string): string {
  const inKeras2 = path.replace(/\/((query|key|value|output)_dense)$/, '/_$1');
  return inKeras2 !== path && file.keys(inKeras2).length > 0 ? inKeras2 : path;
}

/**
 * The places of weights in an .h5 file of Keras 2, which Keras 3 calls legacy: a group for each layer within the group `root`, with
 * lists of names.
 */
export function placesByLayers(who: string, file: WeightFile, root: string, model: LayersModel): Place[] {
  const groups = textsOf(file, root, 'layer_names')
    .map((name) => ({ name, path: joined(root, name), names: textsOf(file, joined(root, name), 'weight_names') }))
    .filter(({ names }) => names.length > 0);
  const layers = model.layers.filter(({ weights }) => weights.length > 0);
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  const strange = groups.filter(({ name }) => !byName.has(name)).map(({ name }) => `'${name}'`);
  if (groups.length !== layers.length) {
    const received = `${groups.length}${strange.length > 0 ? `, of which it does not have ${strange.slice(0, 5).join(', ')}` : ''}`;
    fail(who, `the model has ${layers.length} layers with weights, and the file ${received}; ${OTHER_MODEL}`);
  }
  const places = groups.flatMap(({ name, path, names }, i) => {
    // Names that Keras makes up are numbered: a model built a second time has others. Then the order decides, as in Keras.
    const layer = (strange.length === 0 ? byName.get(name) : layers[i]) as Layer;
    checkCount(who, layer.name, layer.weights.length, names.length, path);
    return inOrderOf(names, layer.weights).map((weight, k) => ({
      path: joined(path, names[k] as string),
      weight,
      layer: layer.name,
    }));
  });
  checkShapes(who, file, places);
  return places;
}

/** Weights in the order of the file, which is theirs, unless their names say something else. */
function inOrderOf(names: readonly string[], weights: readonly LayerVariable[]): readonly LayerVariable[] {
  const byName = new Map(weights.map((weight) => [lastPart(weight.originalName), weight]));
  const named = names.map((name) => byName.get(lastPart(name)));
  const areDistinct = new Set(named).size === weights.length && named.every((weight) => weight !== undefined);
  return areDistinct ? (named as LayerVariable[]) : weights;
}

/** `kernel` of `dense/kernel:0`. */
const lastPart = (name: string) => name.slice(name.lastIndexOf('/') + 1).replace(/:\d+$/, '');

const joined = (...parts: string[]) => parts.filter((part) => part !== '').join('/');

/** The texts of an attribute. HDF5 limits its size, so that Keras splits long lists: `weight_names0`, `weight_names1`, ... */
function textsOf(file: WeightFile, path: string, name: string): string[] {
  const texts: unknown[] = [];
  const add = (value: unknown) => {
    if (Array.isArray(value)) texts.push(...value);
    return value !== undefined;
  };
  if (!add(file.attribute(path, name))) for (let i = 0; add(file.attribute(path, `${name}${i}`)); ) i++;
  return texts.filter((text) => typeof text === 'string');
}

function checkCount(who: string, layer: string, needed: number, found: number, path: string): void {
  if (found === needed) return;
  fail(who, `the layer '${layer}' has ${needed} weights, and the file ${found} in '${path}'; ${OTHER_MODEL}`);
}

function checkShapes(who: string, file: WeightFile, places: readonly Place[]): void {
  for (const { path, weight, layer } of places) {
    const { originalName, shape } = weight;
    const found = file.shape(path);
    if (found && String(found) === String(shape)) continue;
    const received = found ? `has it of shape [${found}]` : 'does not have it';
    const name = `${lastPart(originalName)}' of shape [${shape}]`;
    fail(who, `the layer '${layer}' needs the weight '${name}, and the file ${received} at '${path}'; ${OTHER_MODEL}`);
  }
}

/** Refuses a file that has values for which the model has no weight. Those of optimizers and random generators are left. */
function checkAllUsed(who: string, file: WeightFile, folder: string, places: readonly Place[]): void {
  const used = new Set(places.map(({ path }) => path));
  let left = MOST_OBJECTS;
  const visit = (path: string, depth: number): void => {
    // In a damaged file groups may hold themselves.
    if (left-- === 0 || depth > MOST_DEPTH)
      fail(who, `the HDF5 file is damaged: '${path}' has no end; get the file again`);
    if (used.has(path) || path.endsWith('seed_generator')) return;
    if (file.shape(path))
      fail(who, `the file has the weight '${path}', which no layer of the model takes; ${OTHER_MODEL}`);
    for (const name of file.keys(path)) visit(`${path}/${name}`, depth + 1);
  };
  visit(folder, 0);
}
const MOST_OBJECTS = 100_000;
const MOST_DEPTH = 50;
