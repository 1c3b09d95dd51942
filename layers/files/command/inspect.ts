/** `tfjs-normalizations inspect FILE`. */
import { readFile } from 'node:fs/promises';
import type { LayersModel, layers } from '@tensorflow/tfjs-layers';
import { isModel, isRecord, isSaved, nameOf } from '../../models/keras/saved.ts';
import { describeNormalizations } from '../../models/surgery/describe.ts';
import { pytorchNotes } from '../index.ts';
import { modelInKeras } from '../keras/topology.ts';
import { openFile } from '../open.ts';
import { byteLengthOf, type Header, readHeader } from '../safetensors/header.ts';
import { matchTensors } from '../safetensors/load.ts';
import { planOf } from '../safetensors/model.ts';
import { openBytes } from '../safetensors/places.ts';
import { type Format, formatOf, loadFile, type Options, safetensorsOptions, sizeOfFile } from './formats.ts';
import { lineOf, reading } from './messages.ts';
import { readModelJson } from './model-json.ts';
import { inspectGraph, printNormalizations } from './normalizations.ts';
import { print, sizeOf, table } from './tables.ts';

/** Writes what is in a file to stdout. */
export async function inspect(path: string, options: Options): Promise<void> {
  const format = formatOf(path);
  const size = sizeOfFile(path);
  if (format === 'safetensors') return inspectWeights(path, size, options);
  const topology = await reading(path, () => savedModel(path, format));
  if (isRecord(topology) && Array.isArray(topology.node)) return inspectGraph(path, size, topology.node.length);
  const saved = layersWithin(topology, '');
  let model: LayersModel;
  try {
    model = await loadFile(path);
  } catch (error) {
    // What the file says of itself is worth reading all the same.
    if (saved.length === 0) throw error;
    print(`${path}: ${saved.length} layers, ${sizeOf(size)}`);
    table(['layer', 'class'], saved);
    print('');
    print(`is refused: ${lineOf(error)}`);
    return;
  }
  const all = layersOf(model);
  const savedClasses = new Map(saved as [name: string, className: string][]);
  print(`${path}: ${model.name}, ${all.length} layers, ${model.countParams()} parameters, ${sizeOf(size)}`);
  table(
    ['layer', 'class', 'output', 'parameters', 'weights'],
    all.map(([name, layer]) => [
      name,
      classOf(layer, savedClasses.get(name)),
      shapeOf(layer.outputShape),
      String(layer.countParams()),
      weightsOf(layer),
    ]),
  );
  print('');
  printNormalizations(await describeNormalizations(model));
  print(`as .keras:        ${refusal(() => modelInKeras(model))}`);
  const refused = refusal(() => planOf('saveSafetensors', model, safetensorsOptions(options)));
  print(`as .safetensors:  ${refused}`);
  if (refused !== FITS || options.plain) return;
  for (const note of pytorchNotes(model, { channelsLast: options.channelsLast })) print(`in PyTorch ${note}`);
}

const FITS = 'yes';

function refusal(attempt: () => unknown): string {
  try {
    attempt();
    return FITS;
  } catch (error) {
    return `no, ${lineOf(error).replace(/^\w+: /, '')}`;
  }
}

const shapeOf = (shape: unknown): string => JSON.stringify(shape).replaceAll(',', ', ');

/** All layers, those of models within under the names of these, too. */
const layersOf = (model: LayersModel, prefix = ''): [name: string, layer: layers.Layer][] =>
  model.layers.flatMap((layer): [string, layers.Layer][] =>
    'layers' in layer ? layersOf(layer as LayersModel, `${prefix}${layer.name}/`) : [[`${prefix}${layer.name}`, layer]],
  );

/** The class of a layer, with that of the layer it wraps, and the class in the file where it is another. */
function classOf(layer: layers.Layer, saved?: string): string {
  const { layer: inner } = layer as { layer?: layers.Layer };
  const name = layer.getClassName();
  const title = inner ? `${name}(${classOf(inner)})` : name;
  return saved === undefined || saved === name ? title : `${title}, saved as ${saved}`;
}

const weightsOf = (layer: layers.Layer): string =>
  layer.weights
    .map(({ originalName, dtype, shape }) => `${originalName.split('/').at(-1)} ${dtype}${shapeOf(shape)}`)
    .join('  ');

/** What a file says of its model, before anything is made of it; undefined if it says nothing. */
async function savedModel(path: string, format: Format): Promise<unknown> {
  if (format === 'json') {
    const { modelTopology } = await readModelJson(path);
    return (modelTopology as { model_config?: unknown }).model_config ?? modelTopology;
  }
  const { config, weights } = await openFile('inspect', await readFile(path));
  weights.close();
  return config && JSON.parse(config);
}

/** Names and classes of the layers of what Keras or TensorFlow.js saved. */
function layersWithin(saved: unknown, prefix: string): string[][] {
  const layers = isSaved(saved) && isRecord(saved.config) ? saved.config.layers : undefined;
  return (Array.isArray(layers) ? layers : []).filter(isSaved).flatMap((layer) => {
    const name = `${prefix}${nameOf(layer)}`;
    return isModel(layer) ? layersWithin(layer, `${name}/`) : [[name, layer.class_name]];
  });
}

/** The tensors of a safetensors file, what normalizations they seem to be, and whether a model takes them. */
async function inspectWeights(path: string, size: number, options: Options): Promise<void> {
  const header = await reading(path, async () => {
    const bytes = await openBytes('inspect', path);
    return readHeader('inspect', bytes).finally(() => bytes.close?.());
  });
  const tensors = [...header.tensors];
  const metadata = Object.entries(header.metadata).map(([key, value]) => `, ${key}: ${value}`);
  print(`${path}: ${tensors.length} tensors, ${sizeOf(size)}${metadata.join('')}`);
  table(
    ['tensor', 'type', 'shape', 'size'],
    tensors.map(([name, { dtype, shape }]) => [name, dtype, shapeOf(shape), sizeOf(byteLengthOf(dtype, shape))]),
  );
  print('');
  for (const [module, kind] of normalizationsIn(header)) print(`${module} seems to be ${kind}`);
  if (options.model === undefined) {
    print('--model FILE says whether a model takes them');
    return;
  }
  const model = await loadFile(options.model);
  print(
    `${options.model}: ${refusal(() => matchTensors(planOf('loadSafetensors', model, safetensorsOptions(options)), header, true))}`,
  );
}

/** By the names and shapes of its tensors, what a module that normalizes may be. */
function normalizationsIn({ tensors }: Header): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, { shape }] of tensors) {
    const [, module = '', last = ''] =
      /^(.*?)[./]?((?:parametrizations\.)?[^./]+(?:\.0\._u|\.original0)?)$/.exec(name) ?? [];
    if (/^running_mean$|^moving_mean$/.test(last)) found.set(module, 'a batch normalization');
    else if (/_g$|\.original0$/.test(last)) found.set(module, 'weight normalized');
    else if (/_u$/.test(last)) found.set(module, 'spectrally normalized');
    else if (/^(weight|gamma|scale)$/.test(last) && shape.length === 1 && !found.has(module)) {
      found.set(module, 'a normalization of layers, groups, instances or root mean squares, or a PReLU');
    }
  }
  return found;
}
