/** Replacement: normalizations of one class become ones of another, with what both have in common. */
// Registers the classes that may take the place.
import '../../batch-instance-normalization.ts';
import '../../batch-normalization.ts';
import '../../batch-renormalization.ts';
import '../../dynamic-erf.ts';
import '../../dynamic-tanh.ts';
import '../../filter-response-normalization.ts';
import '../../group-normalization.ts';
import '../../instance-normalization.ts';
import '../../layer-normalization.ts';
import '../../mean-only-batch-normalization.ts';
import '../../rms-normalization.ts';
import '../../switchable-normalization.ts';

import { serialization, tensor, tidy } from '@tensorflow/tfjs-core';
import type { LayersModel, layers } from '@tensorflow/tfjs-layers';
import { fail, show } from '../../../kernels/core/errors.ts';
import { checkCall, optionNames } from '../../../kernels/functions/checks.ts';
import { configOfLayer, lastPartOfName, resolveLayer } from '../../base/inner-layer.ts';
import { type ConfigDict, isPlainObject } from '../../base/options.ts';
import { WeightNormalization } from '../../weight-normalization.ts';
import type { Config, Saved } from '../keras/saved.ts';
import { affineOf, outputsOf } from './channels.ts';
import { build, type Draft, draftOf, type Part, valuesOf } from './draft.ts';
import { checkModel, type Surgery, type SurgeryNote } from './report.ts';
import { hasStatistics, type Statistics, statisticsIn, valuesFrom } from './statistics.ts';
import {
  coreOf,
  inputShapeOf,
  isSameAxis,
  kernelsIn,
  soleSource,
  type Target,
  targetOf,
  unwrapped,
} from './targets.ts';

const WHO = 'replaceNormalization';

/** The classes of normalizations of activations by one axis, or several, and of what takes their place. */
const NORMALIZATIONS: readonly string[] = [
  'BatchNormalization',
  'BatchRenormalization',
  'MeanOnlyBatchNormalization',
  'BatchInstanceNormalization',
  'SwitchableNormalization',
  'InstanceNormalization',
  'LayerNormalization',
  'RMSNormalization',
  'GroupNormalization',
  'FilterResponseNormalization',
  'DynamicTanh',
  'DynamicErf',
];

/** A class of normalization, with some of its options: as `getConfig` saves a layer. */
export interface NormalizationConfig {
  /** The class. */
  readonly className: string;
  /** Options of the class; the others are those of the layer that is replaced. */
  readonly config?: object;
}

/** Options of {@link replaceNormalization}. */
export interface ReplaceNormalizationOptions {
  /** The class that is replaced, or several. Default: 'BatchNormalization'. */
  readonly from?: string | readonly string[];
  /** The class that takes its place, or what `getConfig` gives of a layer: `{className, config}` with some of its options. Required. */
  readonly to: string | NormalizationConfig;
}
const OPTIONS = optionNames('from', 'to');

/**
 * A model with normalizations of another class: group normalization for small batches, renormalization for further training, and so
 * on. Names of layers, gamma and beta, frozen or not, and all options that both classes have stay, but for those that `to` gives.
 *
 * The new model predicts as the old one where the new class can: among BatchNormalization, BatchRenormalization and
 * BatchInstanceNormalization, whose statistics are taken over, and of InstanceNormalization as GroupNormalization with a group
 * for each channel. MeanOnlyBatchNormalization goes with WeightNormalization: the layer before is wrapped in it, and its g takes
 * the scale, so that predictions stay; where no layer can take it, the normalization is left. Others normalize by each example, or bound
 * each value (DynamicTanh, DynamicErf), so that the model predicts otherwise until it is trained; `changed` says so for each.
 *
 * Without `groups`, GroupNormalization gets the largest number up to 32 that divides the channels. Left is also a normalization whose
 * options the new class refuses, or whose gamma and beta have another shape there.
 *
 * @param model a model of layers, in which models may be nested and layers shared
 * @param options `to`, the new class or a config; `from`, the old one or several (BatchNormalization)
 * @returns the new model, the normalizations that are replaced, and those that are left, each with the reason
 * @throws if model is no model of layers, a class is not among the normalizations, or an option is unknown
 * @example
 * ```js
 * const model = tf.sequential({layers: [batchNormalization({inputShape: [8, 8, 6]})]});
 * const grouped = await replaceNormalization(model, {to: {className: 'GroupNormalization', config: {groups: 3}}});
 * grouped.model.layers[0].getClassName(); // 'GroupNormalization'
 * const renormalized = await replaceNormalization(model, {from: 'BatchNormalization', to: 'BatchRenormalization'});
 * renormalized.changed.length; // 1
 * ```
 */
export async function replaceNormalization(model: LayersModel, options: ReplaceNormalizationOptions): Promise<Surgery>;
export async function replaceNormalization(
  model: LayersModel,
  options: ReplaceNormalizationOptions,
  ...more: unknown[]
): Promise<Surgery> {
  checkModel(WHO, model);
  checkCall(WHO, options, OPTIONS, more);
  const from = [options.from ?? 'BatchNormalization'].flat();
  const { className, config = {} } = typeof options.to === 'string' ? { className: options.to } : (options.to ?? {});
  for (const name of [...from, className]) {
    if (NORMALIZATIONS.includes(name as string)) continue;
    const given = name === undefined ? 'to' : 'a class';
    fail(
      WHO,
      `${given} must be one of ${NORMALIZATIONS.join(', ')}; received ${show(name)}; to may be {className, config}`,
    );
  }
  if (!isPlainObject(config)) fail(WHO, `the config of to must be an object; received ${show(config)}`);
  const draft = draftOf(model);
  const [changed, left]: [SurgeryNote[], SurgeryNote[]] = [[], []];
  for (const graph of draft.all()) {
    for (const name of [...graph.parts.keys()]) {
      const { layer } = coreOf(graph.part(name).layer);
      const own = layer.getClassName();
      if (!from.includes(own)) continue;
      const note = { layer: graph.title(name), className: own };
      const outcome = await replaced(graph, name, className as string, config as ConfigDict);
      if (outcome.done) changed.push({ ...note, message: outcome.message });
      else left.push({ ...note, message: outcome.message });
    }
  }
  return { model: await build(WHO, draft), changed, left };
}

interface Outcome {
  readonly done: boolean;
  readonly message: string;
}

async function replaced(graph: Draft, name: string, className: string, given: ConfigDict): Promise<Outcome> {
  const part = graph.part(name);
  const { layer: old } = coreOf(part.layer);
  let made: layers.Layer;
  try {
    made = likeOld(part, className, given);
  } catch (error) {
    return { done: false, message: (error as Error).message };
  }
  try {
    const values = await valuesOf(made);
    const before = await valuesOf(old);
    for (const [ours, theirs] of [
      ['gamma', 'scale'],
      ['scale', 'gamma'],
      ['gamma', 'gamma'],
      ['scale', 'scale'],
      ['beta', 'beta'],
    ] as const) {
      const [own, kept] = [values.get(ours), before.get(theirs)];
      if (!own || !kept) continue;
      if (own.length !== kept.length)
        return { done: false, message: `${theirs} has ${kept.length} values, and would have ${own.length}` };
      values.set(ours, kept);
    }
    const statistics = hasStatistics(old) ? statisticsIn(old, before, 1, 'moving_') : undefined;
    const isMeanOnly = className === 'MeanOnlyBatchNormalization' && old.getClassName() !== className;
    let isFitted = true;
    if (isMeanOnly) {
      const mean = statistics && (await scaleInLayerBefore(graph, name));
      if (!mean || typeof mean === 'string') return { done: false, message: mean ?? 'it keeps no statistics' };
      values.set('moving_mean', mean);
    } else if (statistics && hasStatistics(made)) {
      const likeBefore = fitted(old, made, statistics);
      isFitted = likeBefore.variance.every((variance) => variance >= 0);
      const kept = { ...likeBefore, variance: likeBefore.variance.map((variance) => Math.max(0, variance)) };
      for (const [key, value] of valuesFrom(made, kept)) values.set(key, value);
    }
    place(part, { class_name: className, config: inFileForm(made.getConfig()) as Config }, values);
    const predicts =
      keepsFunction(old, made) && isFitted ? 'predicts as before' : 'predicts otherwise until it is trained';
    return { done: true, message: `is a ${className} now, and ${predicts}` };
  } finally {
    for (const weight of made.weights) weight.dispose();
  }
}

/**
 * The statistics with which the new layer divides by what the old one divided by, though its epsilon may be another: of a larger one
 * than the old layer's variance and epsilon together the variance would be negative.
 */
function fitted(old: layers.Layer, made: layers.Layer, statistics: Statistics): Statistics {
  const [before, after] = [old, made].map((layer) => (layer as layers.Layer & { epsilon: number }).epsilon);
  const isMeanOnly = old.getClassName() === 'MeanOnlyBatchNormalization';
  const square = (variance: number) => (isMeanOnly ? 1 : variance + (before as number));
  return { ...statistics, variance: statistics.variance.map((v) => square(v) - (after as number)) };
}

/** A built layer of the new class with the options that both have. */
function likeOld(part: Part, className: string, given: ConfigDict): layers.Layer {
  const { layer: old } = coreOf(part.layer);
  const inner = inputShapeOf(part);
  // By its constructor: of an empty config the class might think that Keras saved it, whose defaults may be others.
  const [cls] = serialization.SerializationMap.getMap().classNameMap[className] as unknown as [
    new (args: object) => layers.Layer,
  ];
  const known = new cls({}).getConfig();
  const { name, trainable, dtype, batchInputShape, ...own } = old.getConfig();
  const common: Config = Object.fromEntries(
    Object.entries(own).filter(([key]) => key in known && !key.startsWith('moving')),
  );
  if (className === 'RMSNormalization' || old.getClassName() === 'RMSNormalization') delete common.epsilon;
  const [axis, ...moreAxes] = [common.axis].flat();
  if (moreAxes.length === 0) common.axis = axis;
  const isGrouped = className === 'GroupNormalization' && common.groups === undefined && given.groups === undefined;
  const channels = inner.at((given.axis ?? axis) as number) as number;
  const groups = isGrouped ? { groups: groupsFor(old, channels) } : {};
  const first = { ...(batchInputShape && { batchInputShape }), ...(dtype && { dtype }) };
  const config = { ...common, ...groups, ...given, name, trainable, ...first };
  const made = resolveLayer(WHO, { className, config } as ConfigDict);
  made.build(inner);
  return made;
}

/** The groups that do what the old layer does, or else at most 32 that divide the channels. */
function groupsFor(old: layers.Layer, channels: number): number {
  if (old.getClassName() === 'InstanceNormalization') return channels;
  let groups = Math.min(32, channels);
  while (channels % groups !== 0) groups--;
  return groups;
}

/** Whether the new layer gives in inference what the old one gave. */
function keepsFunction(old: layers.Layer, made: layers.Layer): boolean {
  const [from, to] = [old.getClassName(), made.getClassName()];
  const byStatistics = ['BatchNormalization', 'BatchRenormalization', 'MeanOnlyBatchNormalization'];
  if (from === to) return true;
  if (byStatistics.includes(from)) return byStatistics.includes(to) || to === 'BatchInstanceNormalization';
  const isByChannel = (layer: layers.Layer, className: string) =>
    className === 'InstanceNormalization' ||
    (className === 'GroupNormalization' &&
      (layer as layers.Layer & { groups: number }).groups === layer.weights[0]?.shape[0]);
  return isByChannel(old, from) && isByChannel(made, to);
}

/**
 * Wraps the layer before a batch normalization in weight normalization, whose g takes the scale; gives the means of what that layer
 * gives now, or the reason why there is no such layer.
 */
async function scaleInLayerBefore(graph: Draft, name: string): Promise<Float64Array | string> {
  const { layer: old } = coreOf(graph.part(name).layer);
  const affine = await affineOf(old);
  if (!affine) return 'its statistics, gamma or beta are not all finite';
  const source = soleSource(graph, name);
  if (typeof source !== 'string') return `its scale has no place: ${source.reason}`;
  const target = targetOf(graph.part(source));
  if (typeof target === 'string') return `its scale has no place: the layer before, ${target}`;
  if (target.activation !== 'linear')
    return `its scale has no place: '${source}' has the activation ${target.activation}`;
  if ('effectiveKernels' in target.layer) return `its scale has no place: '${source}' is wrapped already`;
  const kernels = await kernelsIn(target);
  if (!isSameAxis(graph.part(name), target) || outputsOf(kernels) !== affine.scale.length) {
    return `its scale has no place: it normalizes other channels than those of '${source}'`;
  }
  const { core } = target;
  const { name: ownName, trainable, batch_input_shape, dtype, ...options } = core.config;
  const input = batch_input_shape ? { batch_input_shape, dtype } : {};
  const wrapper: Saved = {
    ...core,
    class_name: WeightNormalization.className,
    config: {
      name: ownName,
      trainable,
      ...input,
      layer: { class_name: core.class_name, config: { ...options, name: `${ownName}_inner`, trainable } },
    },
  };
  let values: ReadonlyMap<string, Float64Array>;
  try {
    values = await withLengths(target, kernels.values, affine.scale);
  } catch (error) {
    return `its scale has no place: ${(error as Error).message}`;
  }
  const part = graph.part(source);
  part.saved = target.wrap(wrapper);
  part.values = values;
  // The layer gives scale times what it gave, so its means are scale times those kept.
  const means = statisticsIn(old, await valuesOf(old), 1, 'moving_').mean;
  return means.map((mean, c) => mean * (affine.scale[c] as number));
}

/** The values of a layer in weight normalization that gives `scale` times what it gave. */
async function withLengths(
  { part, layer }: Target,
  values: ReadonlyMap<string, Float64Array>,
  scale: Float64Array,
): Promise<Map<string, Float64Array>> {
  const copy = resolveLayer(WHO, configOfLayer(layer));
  const wrapper = new WeightNormalization({ layer: copy });
  wrapper.build(inputShapeOf(part));
  try {
    tidy(() =>
      copy.setWeights(
        copy.weights.map((weight) => {
          const own = values.get(lastPartOfName(weight)) as Float64Array;
          return tensor(Float32Array.from(own), weight.shape as number[]);
        }),
      ),
    );
    const wrapped = await valuesOf(wrapper);
    // Of several kernels the last gives the outputs.
    const g = ['pointwise_g', 'depthwise_g', 'g'].find((name) => wrapped.has(name)) as string;
    wrapped.set(
      g,
      (wrapped.get(g) as Float64Array).map((length, c) => length * (scale[c] as number)),
    );
    const bias = wrapped.get('bias');
    if (bias)
      wrapped.set(
        'bias',
        bias.map((b, c) => b * (scale[c] as number)),
      );
    return wrapped;
  } finally {
    for (const weight of new Set(wrapper.weights)) weight.dispose();
  }
}

/** Puts a new layer in the place of a part, within the wrappers that are there. */
function place(part: Part, core: Saved, values: ReadonlyMap<string, Float64Array>): void {
  const { core: before, wrap } = unwrapped(part.saved, coreOf(part.layer).depth);
  part.saved = wrap({ ...before, ...core });
  part.values = values;
}

/** A config with the names of keys that files have. */
function inFileForm(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inFileForm);
  if (!isPlainObject(value)) return value;
  const inSnakeCase = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(value).map(([key, own]) => [inSnakeCase(key), inFileForm(own)]));
}
