/**
 * Rewrites a model that Keras saved into the form that TensorFlow.js reads: Keras 3's topology becomes Keras 2's, options get
 * the names they have in TensorFlow.js, and weights the names of their layers. The artifacts themselves are not changed; a model that
 * needs no change comes back equal. Options that TensorFlow.js would silently ignore are an error here.
 */
import type { io } from '@tensorflow/tfjs-core';
import { maskOperations, rewrittenGraph } from './graph.ts';
import { checkKnown, classInTensorFlowJs, dtypeOf, renamedOptions } from './options.ts';
import { type Config, configOf, isModel, isRecord, isReference, isSaved, nameOf, refuse, type Saved } from './saved.ts';
import { rescalingOf } from './scalars.ts';
import { checkWeightNames, hasUnknownWeights, renamedWeights } from './weights.ts';

export interface Rewritten {
  /** For `tf.loadLayersModel`. */
  readonly artifacts: io.ModelArtifacts;
  /** By the name of a layer, whether the file gives it a mask; absent for a file that TensorFlow.js wrote. */
  readonly masked?: ReadonlyMap<string, boolean>;
  /** Whether some weights have names that no layer of the model has, as in files of a second session; see `fittedWeights`. */
  readonly hasUnknownWeights?: boolean;
}

export function fromKeras(artifacts: io.ModelArtifacts): Rewritten {
  const topology = artifacts.modelTopology as Config | undefined;
  const version = String(topology?.keras_version ?? '');
  if (!isRecord(topology) || version.startsWith('tfjs-layers')) return { artifacts };
  const { model_config, ...whole } = topology;
  const model = model_config ?? whole;
  if (!isSaved(model)) return { artifacts };
  checkWeightNames(artifacts.weightSpecs ?? []);
  checkKnown(model);
  const isKeras3 = version ? Number.parseInt(version, 10) >= 3 : 'module' in model;
  const context: Context = { isKeras3, masked: new Map() };
  const rewritten = rewrittenObject(model, context) as Saved;
  const modelTopology = model_config ? { ...whole, model_config: rewritten } : { ...whole, ...rewritten };
  const { weightSpecs } = artifacts;
  const weights = weightSpecs && { weightSpecs: renamedWeights(weightSpecs, rewritten) };
  return {
    artifacts: { ...artifacts, modelTopology, ...weights },
    masked: context.masked,
    hasUnknownWeights: weights !== undefined && hasUnknownWeights(weights.weightSpecs, rewritten),
  };
}

interface Context {
  readonly isKeras3: boolean;
  readonly masked: Map<string, boolean>;
}

function rewrittenValue(value: unknown, context: Context): unknown {
  if (Array.isArray(value)) return value.map((one) => rewrittenValue(one, context));
  if (isSaved(value)) return rewrittenObject(value, context);
  return isRecord(value) ? rewrittenEntries(value, context) : value;
}

function rewrittenEntries(config: Config, context: Context): Config {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => {
      if (key === 'dtype') return [key, dtypeOf(value)];
      return [key === 'batch_shape' ? 'batch_input_shape' : key, rewrittenValue(value, context)];
    }),
  );
}

/** Rewrites a layer, model, initializer and so on. Keras 3 writes functions as such objects, too. */
function rewrittenObject(saved: Saved, context: Context): unknown {
  if (saved.class_name === 'function') return saved.config;
  const { module: _, registered_name: __, build_config, ...rest } = saved as Saved & Config;
  const given = withRescalings(withInputShapes(configOf(saved)));
  const config = renamedOptions(saved, rewrittenEntries(given, context), context.isKeras3);
  const class_name = classInTensorFlowJs(saved);
  if (!isModel(saved) || !Array.isArray(given.layers)) return { ...rest, class_name, config };
  const layers = given.layers as Saved[];
  const masks = maskOperations(layers);
  const kept = layers.filter((layer) => !masks.has(nameOf(layer)));
  for (const layer of kept) checkKnown(layer);
  const made = (config.layers as Saved[]).filter((layer) => !masks.has(nameOf(layer)));
  if (!('output_layers' in config)) {
    const shape = config.build_input_shape ?? (isRecord(build_config) ? build_config.input_shape : undefined);
    return { ...rest, class_name, config: { ...config, layers: withInput(saved, made, shape) } };
  }
  const { nodes, ...ends } = rewrittenGraph(config, kept, { ...context, masks });
  if (new Set(ends.output_layers.map(String)).size < ends.output_layers.length)
    refuse(saved, 'has one output twice, with which TensorFlow.js cannot predict; save the model with it once');
  const called = made.map((layer, i) => ({ ...layer, inbound_nodes: nodes[i] }));
  return { ...rest, class_name, config: { ...config, layers: called, ...ends } };
}

/** The layers of a Sequential. If the first one has no input shape, it gets the shape with which the model was built. */
function withInput(model: Saved, layers: Saved[], shape: unknown): Saved[] {
  const [first, ...others] = layers;
  if (!first || !lacksInputShape(first)) return layers;
  if (!Array.isArray(shape)) refuse(model, 'has no input shape in the file; save it with an input layer in it');
  return [{ ...first, config: { ...first.config, batch_input_shape: shape } }, ...others];
}

/** Whether the first layer of a Sequential has no input shape. */
function lacksInputShape(first: Saved): boolean {
  const { config } = first;
  if (!isRecord(config) || isModel(first) || 'batch_input_shape' in config || 'batch_shape' in config) return false;
  return !(isSaved(config.layer) && lacksInputShape(config.layer) === false);
}

function withRescalings(config: Config): Config {
  if (!Array.isArray(config.layers)) return config;
  return { ...config, layers: config.layers.map((layer) => (isSaved(layer) ? rescalingOf(layer) : layer)) };
}

/** tf.keras 1 saves no input shape for a Sequential within a graph: it is that of the input layer before it. */
function withInputShapes(config: Config): Config {
  if (!Array.isArray(config.layers)) return config;
  const all = config.layers.filter(isSaved);
  const layers = config.layers.map((layer) => {
    if (!isSaved(layer) || layer.class_name !== 'Sequential') return layer;
    const [reference] = [layer.inbound_nodes?.[0]].flat();
    const before = all.find((one) => isReference(reference) && nameOf(one) === reference[0]);
    const { batch_input_shape: shape } = before?.class_name === 'InputLayer' ? before.config : {};
    return shape ? { ...layer, config: { build_input_shape: shape, ...configOf(layer) } } : layer;
  });
  return { ...config, layers };
}
