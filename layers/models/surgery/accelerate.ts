/** Graph models whose normalizations are spelled out: these become one operation each, which our kernels run. */
import {
  dispose,
  type io,
  type ModelPredictConfig,
  type ModelTensorInfo,
  type NamedTensorMap,
  type Tensor,
} from '@tensorflow/tfjs-core';
import { fail, show } from '../../../kernels/core/errors.ts';
import { refuseWithout } from '../../base/peers.ts';
import { checkLoading, handlerOf, readArtifacts } from '../artifacts.ts';
import { isRecord } from '../keras/saved.ts';
import { Graph } from './graph.ts';
import { type GraphForm, Matcher } from './graph-match.ts';
import type { GraphTopology } from './graph-node.ts';
import { nodeFor, OPERATION, runOperation } from './graph-operation.ts';
import type { Surgery, SurgeryNote } from './report.ts';

const WHO = 'accelerate';

async function converter() {
  try {
    return await import('@tensorflow/tfjs-converter');
  } catch (error) {
    return refuseWithout('@tensorflow/tfjs-converter', WHO, error);
  }
}

/** What every `tf.GraphModel` has. Its own class is of an optional package, which the types of this one do without. */
export interface AcceleratedModel {
  /** The model's inputs. */
  readonly inputs: ModelTensorInfo[];
  /** The model's outputs. */
  readonly outputs: ModelTensorInfo[];
  /** The outputs for the inputs. */
  predict(inputs: Tensor | Tensor[] | NamedTensorMap, config?: ModelPredictConfig): Tensor | Tensor[] | NamedTensorMap;
  /** The results of nodes. */
  execute(inputs: Tensor | Tensor[] | NamedTensorMap, outputs?: string | string[]): Tensor | Tensor[];
  /** As `execute`, for graphs with control flow. */
  executeAsync(inputs: Tensor | Tensor[] | NamedTensorMap, outputs?: string | string[]): Promise<Tensor | Tensor[]>;
  /** Saves the model; {@link registerGraphNormalizations} comes before it is loaded. */
  save(handlerOrURL: io.IOHandler | string): Promise<io.SaveResult>;
  /** Frees its weights. */
  dispose(): void;
}

/** The kinds of normalization in a graph, as the layers are called that do the same. */
const NAMES: Readonly<Record<GraphForm, string>> = {
  layer: 'LayerNormalization',
  batch: 'BatchNormalization',
  instance: 'InstanceNormalization',
  group: 'GroupNormalization',
  rootMeanSquare: 'RMSNormalization',
  length: 'UnitNormalization',
};

/**
 * Makes the operation known to TensorFlow.js that stands in the models of {@link accelerate}: call it before one that was saved is
 * loaded with `tf.loadGraphModel`.
 *
 * @throws if the package @tensorflow/tfjs-converter is not installed
 * @example
 * ```js
 * const {model} = await accelerate('https://example.com/graph/model.json');
 * await model.save('indexeddb://accelerated');
 *
 * await registerGraphNormalizations(); // in a page that only loads it
 * const again = await tf.loadGraphModel('indexeddb://accelerated');
 * again.predict(tf.ones([1, 6])).shape; // [1, 6]
 * ```
 */
export async function registerGraphNormalizations(): Promise<void> {
  const { registerOp } = await converter();
  // TensorFlow.js's own interface of a node has the inputs and attributes, and more.
  registerOp(OPERATION, runOperation as unknown as Parameters<typeof registerOp>[1]);
}

/**
 * A graph model with the same predictions that runs normalizations by the kernels of this package: where an exporter has spelled one
 * out, in about ten to sixteen operations, it becomes a single one.
 *
 *     mean = sum(x) / n or mean(x)     variance = mean((x - mean)^2) or mean(x^2) - mean^2
 *     y = (x - mean) / sqrt(variance + epsilon) gamma + beta
 *     y = x / sqrt(mean(x^2) + epsilon) gamma           y = x / sqrt(max(sum(x^2), epsilon))
 *
 * They are found by what the operations compute and over which axes, in any order of their factors, never by names: layer, batch
 * (by the statistics of each batch), instance and group normalization with channels last, root mean square and unit length over the
 * last axes. What does not match exactly stays: other axes or sizes, a mean that is divided by another number, sizes that are not
 * known before the graph runs, steps that are also used elsewhere. Batch normalization with fixed statistics is no matter of this
 * function: the converter folds it.
 *
 * @param source a URL of a model.json, an `io.IOHandler`, what its `load` gives, or a `tf.GraphModel`, which stays as it is
 * @param options those of `tf.loadGraphModel`, where source is a URL
 * @returns `model`, the new `tf.GraphModel` (in TypeScript `accelerate<tf.GraphModel>(...)` has its type); `changed`, the normalizations
 *   that are one operation now, by the names of their last nodes; and `left`, what looked like a normalization and is left, with the
 *   reason. If the model is saved, {@link registerGraphNormalizations} must come before it is loaded
 * @throws if the package @tensorflow/tfjs-converter is not installed (@tensorflow/tfjs brings it), source holds no graph model, or
 *   its weights are missing
 * @example
 * ```js
 * const {model, changed, left} = await accelerate('https://example.com/graph/model.json');
 * changed.length; // 2
 * model.predict(tf.ones([1, 6])).shape; // [1, 6]
 * ```
 * @see `layerNorm` and the other functions of the main entry, which run it, for the papers
 */
export async function accelerate<Model extends AcceleratedModel = AcceleratedModel>(
  source: string | io.IOHandler | io.ModelArtifacts | AcceleratedModel,
  options?: io.LoadOptions,
): Promise<Surgery<Model>>;
export async function accelerate(
  source: unknown,
  options: io.LoadOptions = {},
  ...more: unknown[]
): Promise<Surgery<AcceleratedModel>> {
  checkLoading(WHO, options, more);
  const artifacts = await artifactsOf(source, options);
  const { topology, changed, left } = rewritten(artifacts);
  const { loadGraphModel } = await converter();
  await registerGraphNormalizations();
  const model = await loadGraphModel({ load: async () => ({ ...artifacts, modelTopology: topology }) });
  return { model, changed, left };
}

async function artifactsOf(source: unknown, options: io.LoadOptions): Promise<io.ModelArtifacts> {
  const given =
    typeof source === 'string'
      ? await readArtifacts(WHO, handlerOf(WHO, source, options), source)
      : await loaded(source);
  const { modelTopology, weightData, weightSpecs } = given as Partial<io.ModelArtifacts>;
  if (!isRecord(modelTopology) || !Array.isArray((modelTopology as { node?: unknown }).node)) {
    fail(
      WHO,
      'the source holds no graph model (modelTopology with a list of nodes); models of layers have no use for this',
    );
  }
  if (weightSpecs?.length !== 0 && !weightData) {
    fail(
      WHO,
      'the weights are missing, without which constants are unknown; give the URL of the model.json, or a handler',
    );
  }
  return given;
}

/** What a handler or a model gives, or artifacts themselves. */
async function loaded(source: unknown): Promise<io.ModelArtifacts> {
  if (!isRecord(source))
    fail(WHO, `source must be a URL, a handler, artifacts or a graph model; received ${show(source)}`);
  if ('modelTopology' in source) return source as unknown as io.ModelArtifacts;
  if (!('executor' in source)) return readArtifacts(WHO, source as unknown as io.IOHandler);
  let artifacts: io.ModelArtifacts | undefined;
  const save = async (own: io.ModelArtifacts): Promise<io.SaveResult> => {
    artifacts = own;
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
  };
  await (source as unknown as AcceleratedModel).save({ save });
  return artifacts as unknown as io.ModelArtifacts;
}

/** The topology with one operation for each normalization. */
function rewritten(artifacts: io.ModelArtifacts): { topology: object; changed: SurgeryNote[]; left: SurgeryNote[] } {
  const topology = artifacts.modelTopology as GraphTopology;
  const weights = Graph.weightsOf(artifacts);
  const changed: SurgeryNote[] = [];
  const left: SurgeryNote[] = [];
  try {
    const graph = new Graph(topology, weights, outputsOf(artifacts));
    const matcher = new Matcher(graph);
    for (const { name, op } of graph.nodes) {
      const isRoot = ['Rsqrt', 'Sqrt', 'Pow'].includes(op) && graph.node(name)?.op === op;
      const match = isRoot ? matcher.find(name) : undefined;
      if (typeof match === 'string') left.push({ layer: name, className: op, message: match });
      if (match === undefined || typeof match === 'string') continue;
      const { input, attr } = nodeFor(match);
      graph.replace(match.result, OPERATION, input, attr);
      const message = `${match.within.size + 1} operations are one`;
      changed.push({ layer: match.result, className: NAMES[match.form], message });
    }
    return { topology: { ...topology, node: graph.nodes }, changed, left };
  } finally {
    dispose(weights);
  }
}

/** The names of the tensors that the model gives; none where the artifacts do not say. */
function outputsOf({ signature, userDefinedMetadata }: io.ModelArtifacts): string[] {
  const { outputs = {} } = (signature ?? (userDefinedMetadata as { signature?: unknown })?.signature ?? {}) as {
    outputs?: Record<string, { name: string }>;
  };
  return Object.values(outputs).map(({ name }) => name);
}
