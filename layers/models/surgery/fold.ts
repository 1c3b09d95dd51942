/** Folding: batch normalization becomes part of the weights of the layer before it, or of those after it. */
import type { LayersModel, layers } from '@tensorflow/tfjs-layers';
import type { Config } from '../keras/saved.ts';
import {
  type Affine,
  affineOf,
  BATCH_NORMALIZATIONS,
  followedBy,
  inputsOf,
  outputsOf,
  precededBy,
  sumsWholeKernel,
} from './channels.ts';
import { build, type Draft, draftOf, type Part, trainsInGraph, type Values } from './draft.ts';
import { useFewerOperations } from './fewer-operations.ts';
import { checkModel, type Surgery, type SurgeryNote } from './report.ts';
import { coreOf, doesNothing, isSameAxis, kernelsIn, quoted, soleSource, type Target, targetOf } from './targets.ts';

const WHO = 'foldBatchNormalization';

/**
 * A model with the same predictions and without batch normalization after, or before, convolutions and dense layers: it becomes part
 * of their weights. For inference: fewer operations, and no statistics of batches.
 *
 *     w = gamma / sqrt(variance + epsilon) w        b = beta + gamma / sqrt(variance + epsilon) (b - mean)
 *
 * Normalizations: BatchNormalization, of this package or of TensorFlow.js, BatchRenormalization and
 * MeanOnlyBatchNormalization. Layers: dense, conv1d, conv2d, conv3d, their transposed, depthwiseConv2d, separableConv2d; with
 * or without bias; within `timeDistributed`; wrapped in WeightNormalization or SpectralNormalization, which are taken
 * off. Between the two may be layers that do nothing in inference, such as dropout.
 *
 * In the new model, as long as it is not saved and loaded, depthwise convolutions add their bias themselves, and ReLUs that end at 6 are
 * one operation, with the same results.
 *
 * A normalization stays, and is in `left`, where an activation is between it and the layer, the layer's result is also used
 * elsewhere, it is before a layer that pads (and not only multiplies), another layer is between, the graph calls it with
 * `training: true`, its statistics or the new weights are not finite, or the model is in `fit`. Frozen layers are folded like others, since
 * the new model is for inference: trained further, it would become another model than the old one. Regularizers and constraints of the
 * changed weights are left out: they were meant for the old values.
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
 * folded.changed[0].layer; // 'norm'
 * folded.model.layers.length; // 2
 * ```
 * @see Jacob et al.: Quantization and Training of Neural Networks (section 3.2). 2017, https://arxiv.org/abs/1712.05877
 */
export async function foldBatchNormalization(model: LayersModel): Promise<Surgery> {
  checkModel(WHO, model);
  const { draft, changed, left } = await foldedDraft(model);
  const folded = await build(WHO, draft);
  useFewerOperations(folded);
  return { model: folded, changed, left };
}

/** The draft of the model without the normalizations that can be folded, and what was done. */
export async function foldedDraft(model: LayersModel): Promise<Omit<Surgery, 'model'> & { readonly draft: Draft }> {
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
        const outcome = isInFit(model)
          ? 'the model is being trained; fold it when fit has ended'
          : await fold(graph, name, layer);
        if (typeof outcome === 'string') left.push({ ...note, message: outcome });
        else changed.push({ ...note, message: `is part of the weights of ${quoted(outcome)}` });
      }
    }
  }
  return { draft, changed, left };
}

/** TensorFlow.js declares the member for itself alone. */
const isInFit = (model: LayersModel): boolean => (model as unknown as { readonly isTraining: boolean }).isTraining;

/** The batch normalization that a part is, or that `timeDistributed` holds. */
function normalizationIn({ layer }: Part): { layer: layers.Layer; className: string } | undefined {
  const { layer: core } = coreOf(layer);
  const className = core.getClassName();
  return BATCH_NORMALIZATIONS.includes(className) ? { layer: core, className } : undefined;
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

const TOO_LARGE = 'the weights would be larger than 32-bit floats can be';

/** Whether the new weights are too large for 32-bit floats, though the old ones are not. */
const overflows = (before: Values, after: Values): boolean => {
  const areFinite = (values: Values) =>
    [...values.values()].every((own) => own.every((v) => Number.isFinite(Math.fround(v))));
  return areFinite(before) && !areFinite(after);
};

async function foldIntoSource(graph: Draft, name: string, affine: Affine): Promise<readonly string[] | string> {
  const source = soleSource(graph, name);
  if (typeof source !== 'string') return source.reason;
  const target = targetOf(graph.part(source));
  if (typeof target === 'string') return `the layer before, ${target}`;
  if (target.activation !== 'linear') return `the layer before, '${source}', has the activation ${target.activation}`;
  if (!isSameAxis(graph.part(name), target))
    return `it normalizes another axis than that of the channels of '${source}'`;
  const kernels = await kernelsIn(target);
  if (outputsOf(kernels) !== affine.scale.length) return `'${source}' has another number of channels`;
  const values = followedBy(kernels, affine);
  if (overflows(kernels.values, values)) return TOO_LARGE;
  replace(graph, source, target, values);
  graph.remove(name);
  return [source];
}

async function foldIntoUsers(graph: Draft, name: string, affine: Affine): Promise<readonly string[] | string> {
  if (graph.isOutput(name)) return "its own result is one of the model's";
  const targets = new Map<string, [Target, Values]>();
  for (const user of usersOf(graph, name)) {
    const target = targetOf(graph.part(user.name));
    if (typeof target === 'string') return `the layer after it, ${target}`;
    if (user.others.length > 0)
      return `the layer after it, '${user.name}', also takes the result of ${quoted(user.others)}`;
    if (affine.shift.some((value) => value !== 0) && !sumsWholeKernel(target.core)) {
      return `the layer after it, '${user.name}', pads its input, or overlaps its output, so that the shift is not the same everywhere`;
    }
    if (!isSameAxis(graph.part(name), target))
      return `it normalizes another axis than that of the channels of '${user.name}'`;
    const kernels = await kernelsIn(target);
    if (inputsOf(kernels) !== affine.scale.length) return `'${user.name}' has another number of channels`;
    const values = precededBy(kernels, affine);
    if (overflows(kernels.values, values)) return TOO_LARGE;
    targets.set(user.name, [target, values]);
  }
  if (targets.size === 0) return 'no layer takes its result';
  for (const [user, [target, values]] of targets) replace(graph, user, target, values);
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

/** Gives a layer new values for its weights, and a bias. What held its old weights small does not concern the new ones. */
function replace(graph: Draft, name: string, { core, wrap }: Target, values: Values): void {
  const part = graph.part(name);
  const isFree = ([key]: [string, unknown]) => !/_(constraint|regularizer)$/.test(key);
  const config: Config = { ...Object.fromEntries(Object.entries(core.config).filter(isFree)), use_bias: true };
  part.saved = wrap({ ...core, config });
  part.values = values;
}
