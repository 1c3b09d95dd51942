/** Folding: batch normalization becomes part of the weights of the layer before it, or of those after it. */
import { tidy } from '@tensorflow/tfjs-core';
import type { LayersModel, layers } from '@tensorflow/tfjs-layers';
import { lastPartOfName } from '../../base/inner-layer.ts';
import type { KernelWrapper } from '../../base/kernel-wrapper.ts';
import type { Config, Saved } from '../keras/saved.ts';
import {
  type Affine,
  affineOf,
  BATCH_NORMALIZATIONS,
  channelAxis,
  followedBy,
  hasKernel,
  inputsOf,
  type Kernels,
  outputsOf,
  precededBy,
  sumsWholeKernel,
} from './channels.ts';
import { build, type Draft, draftOf, innerOf, numbersOf, type Part, trainsInGraph, valuesOf } from './draft.ts';
import { checkModel, type Surgery, type SurgeryNote } from './report.ts';

const WHO = 'foldBatchNormalization';

/**
 * A model with the same predictions and without batch normalization after, or before, convolutions and dense layers: it becomes part
 * of their weights. For inference: fewer operations, and no statistics of batches.
 *
 *     w = gamma / sqrt(variance + epsilon) w        b = beta + gamma / sqrt(variance + epsilon) (b - mean)
 *
 * Normalizations: BatchNormalization, of this package or of TensorFlow.js, {@link BatchRenormalization} and
 * {@link MeanOnlyBatchNormalization}. Layers: dense, conv1d, conv2d, conv3d, their transposed, depthwiseConv2d, separableConv2d; with
 * or without bias; within `timeDistributed`; wrapped in {@link WeightNormalization} or {@link SpectralNormalization}, which are taken
 * off. Between the two may be layers that do nothing in inference, such as dropout.
 *
 * A normalization stays, and is in `left`, where an activation is between it and the layer, the layer's result is also used
 * elsewhere, it is before a layer that pads (and not only multiplies), another layer is between, the graph calls it with
 * `training: true`, its statistics are not finite, or the model is in `fit`. Whether layers are frozen is no matter, since the new
 * model is for inference: trained further, it is another model than the old one would become. Regularizers and constraints of the
 * changed weights, which were meant for others, are gone.
 *
 * @param model a model of layers, in which models may be nested and layers shared
 * @returns the new model, the normalizations that are folded, and those that are left, each with the reason
 * @throws if model is no model of layers, or not built
 * @example
 * ```js
 * const model = tf.sequential({layers: [
 *   tf.layers.conv2d({filters: 2, kernelSize: 3, useBias: false, inputShape: [8, 8, 1]}),
 *   batchNormalization({name: 'norm'}),
 *   tf.layers.reLU(),
 * ]});
 * const folded = await foldBatchNormalization(model);
 * folded.changed; // [{layer: 'norm', ...}]
 * folded.model.layers.length; // 2
 * ```
 * @see Jacob et al.: Quantization and Training of Neural Networks (section 3.2). 2017, https://arxiv.org/abs/1712.05877
 */
export async function foldBatchNormalization(model: LayersModel): Promise<Surgery> {
  checkModel(WHO, model);
  const draft = draftOf(model);
  const changed: SurgeryNote[] = [];
  let left: SurgeryNote[] = [];
  // What is folded may bring a normalization next to a layer.
  for (let before = -1; before !== changed.length; ) {
    before = changed.length;
    left = [];
    for (const graph of draft.all()) {
      for (const name of [...graph.parts.keys()]) {
        const { layer, className } = normalizationIn(graph.part(name)) ?? {};
        if (!layer || !className) continue;
        const note = { layer: graph.title(name), className };
        const outcome = isInFit(model) ? 'the model is being trained; fold it when fit has ended' : await fold(graph, name, layer);
        if (typeof outcome === 'string') left.push({ ...note, message: outcome });
        else changed.push({ ...note, message: `is part of the weights of ${quoted(outcome)}` });
      }
    }
  }
  return { model: await build(WHO, draft), changed, left };
}

/** TensorFlow.js declares the member for itself alone. */
const isInFit = (model: LayersModel): boolean => (model as unknown as { readonly isTraining: boolean }).isTraining;

const quoted = (names: readonly string[]) => names.map((name) => `'${name}'`).join(' and ');

/** The batch normalization that a part is, or that `timeDistributed` holds. */
function normalizationIn({ layer }: Part): { layer: layers.Layer; className: string } | undefined {
  const { layer: core } = coreOf(layer);
  const className = core.getClassName();
  return BATCH_NORMALIZATIONS.includes(className) ? { layer: core, className } : undefined;
}

/** The layer within as many `timeDistributed` as there are. */
function coreOf(layer: layers.Layer, depth = 0): { layer: layers.Layer; depth: number } {
  const inner = layer.getClassName() === 'TimeDistributed' ? innerOf(layer) : undefined;
  return inner ? coreOf(inner, depth + 1) : { layer, depth };
}

/** Folds one normalization; gives the layers that took it over, or the reason why none did. */
async function fold(graph: Draft, name: string, layer: layers.Layer): Promise<readonly string[] | string> {
  const part = graph.part(name);
  if (trainsInGraph(part)) return 'the graph calls it with training: true, so that it normalizes by each batch';
  const affine = await affineOf(layer);
  if (!affine) return 'its statistics, gamma or beta are not all finite';
  const before = await foldIntoSource(graph, name, affine);
  if (typeof before !== 'string') return before;
  const after = await foldIntoUsers(graph, name, affine);
  return typeof after === 'string' ? `${before}; ${after}` : after;
}

async function foldIntoSource(graph: Draft, name: string, affine: Affine): Promise<readonly string[] | string> {
  const source = soleSource(graph, name);
  if (typeof source !== 'string') return source.reason;
  const target = targetOf(graph.part(source));
  if (typeof target === 'string') return `the layer before, ${target}`;
  if (target.activation !== 'linear') return `the layer before, '${source}', has the activation ${target.activation}`;
  if (!isSameAxis(graph.part(name), target)) return `it normalizes another axis than that of the channels of '${source}'`;
  const kernels = await kernelsIn(target);
  if (outputsOf(kernels) !== affine.scale.length) return `'${source}' has another number of channels`;
  replace(graph, source, target, followedBy(kernels, affine));
  graph.remove(name);
  return [source];
}

/** The one layer whose result a normalization takes, past layers that do nothing; that result is used nowhere else. */
function soleSource(graph: Draft, name: string): string | { reason: string } {
  const sources = graph.sources(name);
  const [source] = sources;
  if (source === undefined) return { reason: 'there is no layer before it' };
  if (sources.length > 1) return { reason: `it is shared, and takes the results of ${quoted(sources)}` };
  if (graph.isOutput(source)) return { reason: `the result of the layer before, '${source}', is also one of the model's` };
  const others = graph.users(source).filter((user) => user !== name);
  if (others.length > 0) return { reason: `the result of the layer before, '${source}', is also used by ${quoted(others)}` };
  return doesNothing(graph.part(source)) ? soleSource(graph, source) : source;
}

async function foldIntoUsers(graph: Draft, name: string, affine: Affine): Promise<readonly string[] | string> {
  if (graph.isOutput(name)) return "its own result is one of the model's";
  const targets = new Map<string, [Target, Kernels]>();
  for (const user of usersOf(graph, name)) {
    const target = targetOf(graph.part(user.name));
    if (typeof target === 'string') return `the layer after it, ${target}`;
    if (user.others.length > 0) return `the layer after it, '${user.name}', also takes the result of ${quoted(user.others)}`;
    if (affine.shift.some((value) => value !== 0) && !sumsWholeKernel(target.core)) {
      return `the layer after it, '${user.name}', pads its input, or overlaps its output, so that the shift is not the same everywhere`;
    }
    if (!isSameAxis(graph.part(name), target)) return `it normalizes another axis than that of the channels of '${user.name}'`;
    const kernels = await kernelsIn(target);
    if (inputsOf(kernels) !== affine.scale.length) return `'${user.name}' has another number of channels`;
    targets.set(user.name, [target, kernels]);
  }
  if (targets.size === 0) return 'no layer takes its result';
  for (const [user, [target, kernels]] of targets) replace(graph, user, target, precededBy(kernels, affine));
  graph.remove(name);
  return [...targets.keys()];
}

/** The layers that take the result of a normalization, past layers that do nothing, and what else they take. */
function usersOf(graph: Draft, name: string): { name: string; others: string[] }[] {
  return graph.users(name).flatMap((user) => {
    const others = graph.sources(user).filter((source) => source !== name);
    const passes = doesNothing(graph.part(user)) && others.length === 0 && !graph.isOutput(user);
    return passes ? usersOf(graph, user) : [{ name: user, others }];
  });
}

const REGULARIZING = ['Dropout', 'SpatialDropout1D', 'GaussianNoise', 'GaussianDropout', 'AlphaDropout'];

/** Whether a layer gives in inference what it takes. */
function doesNothing(part: Part): boolean {
  const { class_name, config } = part.saved;
  if (class_name === 'Activation') return config.activation === 'linear';
  return REGULARIZING.includes(class_name) && !trainsInGraph(part);
}

/** A layer that may take over a normalization. */
interface Target {
  readonly part: Part;
  /** What is saved of the layer that has the kernel, without wrappers. */
  readonly core: Saved;
  /** What is saved of it with `timeDistributed` around it. */
  readonly wrap: (core: Saved) => Saved;
  readonly depth: number;
  readonly layer: layers.Layer;
  readonly activation: string;
}

type Wrapper = layers.Layer & Pick<KernelWrapper, 'layer' | 'effectiveKernels'>;
const isKernelWrapper = (layer: layers.Layer): layer is Wrapper => 'effectiveKernels' in layer;

/** The layer of a part as a target, or the reason why it is none. */
function targetOf(part: Part): Target | string {
  const { layer, depth } = coreOf(part.layer);
  const { core: saved, wrap } = unwrapped(part.saved, depth);
  const core = isKernelWrapper(layer) && 'layer' in saved.config ? withoutWrapper(saved) : saved;
  const title = `'${part.layer.name}' (${part.saved.class_name})`;
  if (!hasKernel(core.class_name)) return `${title}, has no kernel to fold into`;
  if (trainsInGraph(part)) return `${title}, is called with training: true in the graph`;
  return { part, core, wrap, depth, layer, activation: String(core.config.activation ?? 'linear') };
}

function unwrapped(saved: Saved, depth: number): { core: Saved; wrap: (core: Saved) => Saved } {
  if (depth === 0) return { core: saved, wrap: (core) => core };
  const { core, wrap } = unwrapped(saved.config.layer as Saved, depth - 1);
  return { core, wrap: (core) => ({ ...saved, config: { ...saved.config, layer: wrap(core) } }) };
}

/** What is saved of the layer in a wrapper of its kernel, in the wrapper's place. */
function withoutWrapper({ config, ...place }: Saved): Saved {
  const { layer, name, trainable, batch_input_shape, dtype } = config;
  const { class_name, config: own } = layer as Saved;
  const input = batch_input_shape ? { batch_input_shape, dtype } : {};
  return { ...place, class_name, config: { ...own, name, trainable, ...input } };
}

/** Whether a normalization's axis is that of the target's channels. */
function isSameAxis(normalization: Part, { core, depth }: Target): boolean {
  const { layer, depth: depthOfNorm } = coreOf(normalization.layer);
  const rank = normalization.layer.inboundNodes[0]?.inputTensors[0]?.rank as number;
  const axis = [(layer as layers.Layer & { readonly axis: number | number[] }).axis].flat()[0] as number;
  return (axis < 0 ? axis + rank : axis + depthOfNorm) === depth + channelAxis(core, rank - depth);
}

async function kernelsIn({ part, core, layer }: Target): Promise<Kernels> {
  const className = core.class_name;
  const inner = isKernelWrapper(layer) ? layer.layer : layer;
  const values = part.values ? new Map(part.values) : await valuesOf(inner);
  if (!part.values && isKernelWrapper(layer)) {
    for (const [name, kernel] of Object.entries(tidy(() => layer.effectiveKernels()))) {
      values.set(name, await numbersOf(kernel));
      kernel.dispose();
    }
  }
  const shapes = new Map(inner.weights.map((weight) => [lastPartOfName(weight), weight.shape as number[]]));
  return { className, shapes, values };
}

/** Gives a layer new values for its weights, and a bias. What held its old weights small does not concern the new ones. */
function replace(graph: Draft, name: string, { core, wrap }: Target, values: ReadonlyMap<string, Float64Array>): void {
  const part = graph.part(name);
  const isFree = ([key]: [string, unknown]) => !/_(constraint|regularizer)$/.test(key);
  const config: Config = { ...Object.fromEntries(Object.entries(core.config).filter(isFree)), use_bias: true };
  part.saved = wrap({ ...core, config });
  part.values = values;
}
