/**
 * Why a model could not be loaded. TensorFlow.js's messages name no layer: so the model is built once more, without weights or layer
 * by layer, to find the layer that a message is about. Runs only after an error.
 */
import type { io } from '@tensorflow/tfjs-core';
import type { LayersModel, layers } from '@tensorflow/tfjs-layers';
import { type Config, isRecord, isSaved, nameOf, type Saved } from './keras/saved.ts';
import type { ModelWeight } from './keras/weights.ts';
import { disposeWeights, emptyModel } from './new-model.ts';

/** The message of `error`, or one that says what is wrong. `artifacts` are in TensorFlow.js's form. */
export async function explainLoadError(error: Error, artifacts: io.ModelArtifacts): Promise<string> {
  const { modelTopology, weightSpecs = [], weightData = [] } = artifacts;
  const bytes = [weightData].flat().reduce((sum, { byteLength }) => sum + byteLength, 0);
  const needed = weightSpecs.reduce((sum, spec) => sum + bytesOf(spec), 0);
  if (bytes < needed) return `the weights are ${needed} bytes, of which ${bytes} are there; get the file again`;
  const model = await buildTopology(modelTopology as object);
  if (!('message' in model)) {
    const difference = weightDifference(model, weightSpecs);
    disposeWeights(model);
    return difference ?? error.message;
  }
  const { model_config, ...whole } = modelTopology as Config;
  for (const layer of leavesOf(model_config ?? whole)) {
    const alone = await buildTopology({ class_name: 'Sequential', config: { name: 'one', layers: [layer] } });
    if (!('message' in alone)) disposeWeights(alone);
    else if (alone.message === model.message)
      return `the layer '${nameOf(layer)}' (${layer.class_name}): ${model.message}`;
  }
  return error.message;
}

/** The size of a weight in bytes; NaN where its type has no fixed size or is unknown. */
function bytesOf({ dtype, shape, quantization }: io.WeightsManifestEntry): number {
  const each = { bool: 1, complex64: 8, float16: 2, float32: 4, int32: 4, uint8: 1, uint16: 2 }[
    (quantization?.dtype ?? dtype) as string
  ];
  return shape.reduce((size, length) => size * length, each ?? Number.NaN);
}

/** The names and shapes of the weights of a model, which is made without values; none if it cannot be made. */
export async function weightsOfTopology(modelTopology: object): Promise<ModelWeight[]> {
  const model = await buildTopology(modelTopology);
  if ('message' in model) return [];
  const weights = weightsOf(model);
  disposeWeights(model);
  return weights.map(({ layer, weight: { originalName: name, shape } }) => ({ layer: layer.name, name, shape }));
}

const buildTopology = (modelTopology: object): Promise<LayersModel | Error> =>
  emptyModel(modelTopology).catch((error: Error) => error);

function leavesOf(saved: unknown): Saved[] {
  if (!isSaved(saved)) return [];
  const { layers } = isRecord(saved.config) ? saved.config : {};
  return Array.isArray(layers) ? layers.flatMap(leavesOf) : [saved];
}

/** A message about the first weight on which the model and the file differ. */
function weightDifference(model: LayersModel, specs: io.WeightsManifestEntry[]): string | undefined {
  const remedy =
    'the topology and the weights are not of the same model, or the layer is not of the class that it is called';
  const wanted = new Set(weightsOf(model).map(({ weight }) => weight.originalName));
  // TensorFlow.js also finds a weight whose name in the file has one more part before the last, that of a cell.
  const targetOf = (name: string) => (wanted.has(name) ? name : name.replace(/[^/]+\/([^/]+)$/, '$1'));
  const given = new Map(specs.map(({ name, shape }) => [targetOf(name), shape]));
  for (const { layer, weight } of weightsOf(model)) {
    const { originalName: name } = weight;
    const shape = given.get(name);
    if (shape && String(shape) === String(weight.shape)) continue;
    const found = shape ? `has it of shape [${shape}]` : 'does not have it';
    const title = `the layer '${layer.name}' (${layer.getClassName()})`;
    return `${title} needs the weight '${name}' of shape [${weight.shape}], and the file ${found}; ${remedy}`;
  }
  const extra = specs.find(({ name }) => !wanted.has(targetOf(name)));
  if (!extra) return undefined;
  const [first = ''] = extra.name.split('/');
  const layer = weightsOf(model).find(({ layer }) => layer.name === first)?.layer;
  const taker = layer ? `the layer '${first}' (${layer.getClassName()}) does not take` : 'no layer takes';
  return `the file has the weight '${extra.name}', which ${taker}; ${remedy}`;
}

type Weight = layers.Layer['weights'][number];

/** The weights of a model, each with its layer, in models within and in models that a layer wraps, too. */
function weightsOf(model: LayersModel): { layer: layers.Layer; weight: Weight }[] {
  return model.layers.flatMap((layer) => {
    const { layer: inner = layer } = layer as layers.Layer & { readonly layer?: layers.Layer };
    return 'layers' in inner ? weightsOf(inner as LayersModel) : layer.weights.map((weight) => ({ layer, weight }));
  });
}
