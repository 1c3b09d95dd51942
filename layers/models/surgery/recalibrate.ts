/** Recalibration: the statistics that layers keep are taken anew, exactly, of all data of a dataset. */
import { dispose, keep, type Tensor, type TensorContainer, tensor } from '@tensorflow/tfjs-core';
import type { LayersModel, layers } from '@tensorflow/tfjs-layers';
import { fail } from '../../../kernels/core/errors.ts';
import { checkCall, checkFunction, checkPositiveInteger, optionNames } from '../../../kernels/functions/checks.ts';
import { lastPartOfName } from '../../base/inner-layer.ts';
import { usableMask } from '../../base/mask.ts';
import type { Kwargs } from '../../base/options.ts';
import { FeatureNormalization } from '../../feature-normalization.ts';
import { disposeWeights } from '../new-model.ts';
import { type DataSource, type Passes, passesOf } from './dataset.ts';
import { build, type Draft, draftOf, innerOf, isFrozen, layersWithin, numbersOf } from './draft.ts';
import { withCalls } from './intercept.ts';
import { checkModel, type Surgery, type SurgeryNote } from './report.ts';
import { hasStatistics, indicesAlong, merge, type Statistics, statisticsOf, valuesFrom } from './statistics.ts';

const WHO = 'recalibrate';

/** How far {@link recalibrate} is, after each batch. */
export interface RecalibrationProgress {
  /** The layer whose statistics are taken now. */
  readonly layer: string;
  /** Its place among those that are recalibrated, from 0. */
  readonly index: number;
  /** How many there are. */
  readonly layers: number;
  /** The number of batches that it has seen. */
  readonly batches: number;
}

/** Options of {@link recalibrate}. */
export interface RecalibrateOptions {
  /** The size of the batches into which tensors are cut; no statistic depends on it. Default: 32. */
  readonly batchSize?: number;
  /** Is called after each batch. Default: nothing is. */
  readonly onProgress?: (progress: RecalibrationProgress) => void;
}
const OPTIONS = optionNames('batchSize', 'onProgress');

/**
 * A model whose normalizations have the exact statistics of a dataset, instead of moving averages from training ("precise batch
 * normalization"): after training, after weights were averaged or changed, or for data of another kind.
 *
 *     mean = sum(x) / n      variance = sum((x - mean)^2) / n       of all values of a channel in all data
 *
 * Layer after layer, in the order in which they are called: each is given by the layers before, which are recalibrated already and in
 * inference mode, as they will be. Each layer takes one pass through the data, up to this layer. Sums are of 64-bit floats, and
 * batches are merged as by Chan, so that the result does not depend on how the data are cut. A mask restricts the statistics as in
 * training.
 *
 * Layers: all that keep statistics: BatchNormalization, of this package or of TensorFlow.js, also with `renorm`, BatchRenormalization,
 * MeanOnlyBatchNormalization, BatchInstanceNormalization, SwitchableNormalization and FeatureNormalization. Left are those that are
 * frozen, that see no value, or values that are not finite, and a FeatureNormalization that goes the way back.
 *
 * @param model a model of layers, in which models may be nested and layers shared
 * @param data all data in a tensor (or a list of one for each input); an iterable of batches; a `tf.data.Dataset` of batches; or a
 *   function that starts an iteration. What a dataset or function gives is disposed of, other tensors are not. A batch is the input,
 *   or `{xs}`
 * @param options `batchSize` (32), into which tensors are cut; `onProgress`, called after each batch
 * @returns the new model, the layers with new statistics, and those that are left, each with the reason
 * @throws if model is no model of layers, the data hold no batch, can be gone through only once, or do not fit the model
 * @example
 * ```js
 * const model = tf.sequential({layers: [batchNormalization({inputShape: [2]})]});
 * const data = tf.tensor([[1, 10], [3, 30]]);
 * const exact = await recalibrate(model, data);
 * exact.model.getWeights()[2]; // [2, 20]
 * exact.model.getWeights()[3]; // [1, 100]
 * ```
 * @see Wu, Johnson: Rethinking "Batch" in BatchNorm (section 3). 2021, https://arxiv.org/abs/2105.07576
 */
export async function recalibrate(model: LayersModel, data: DataSource, options?: RecalibrateOptions): Promise<Surgery>;
export async function recalibrate(
  model: LayersModel,
  data: DataSource,
  options: RecalibrateOptions = {},
  ...more: unknown[]
): Promise<Surgery> {
  checkModel(WHO, model);
  checkCall(WHO, options, OPTIONS, more);
  const { batchSize = 32, onProgress = () => {} } = options;
  checkFunction(WHO, 'onProgress', onProgress);
  const passes = passesOf(WHO, data, model.inputNames, checkPositiveInteger(WHO, 'batchSize', batchSize, 32));
  const draft = draftOf(model);
  const copy = await build(WHO, draft);
  try {
    return { model: copy, ...(await recalibrateLayers(copy, draft, passes, onProgress)) };
  } catch (error) {
    disposeWeights(copy);
    throw error;
  }
}

/** Takes the statistics of the new model anew, layer after layer; says of which, and of which not. */
async function recalibrateLayers(
  copy: LayersModel,
  draft: Draft,
  passes: Passes,
  onProgress: (progress: RecalibrationProgress) => void,
): Promise<Omit<Surgery, 'model'>> {
  const titles = titlesOf(draft, copy);
  const keeping = [...new Set(layersWithin(copy))].filter(hasStatistics);
  const reasons = new Map(keeping.map((layer) => [layer, reasonToLeave(layer)]));
  const wanted = keeping.filter((layer) => reasons.get(layer) === undefined);
  const calls = await callsOf(copy, wanted, passes);
  for (const [index, [layer, count]] of calls.entries()) {
    const report = (batches: number) =>
      onProgress({ layer: titles.get(layer) as string, index, layers: calls.length, batches });
    reasons.set(layer, await recalibrateLayer(copy, layer, count, passes, report));
  }
  for (const layer of wanted)
    if (!calls.some(([called]) => called === layer)) reasons.set(layer, 'the model never calls it');
  const note = (layer: layers.Layer, message: string): SurgeryNote => ({
    layer: titles.get(layer) as string,
    className: layer.getClassName(),
    message,
  });
  const left = keeping.flatMap((layer) => (reasons.get(layer) ? [note(layer, reasons.get(layer) as string)] : []));
  const changed = keeping.flatMap((layer) =>
    reasons.get(layer) ? [] : [note(layer, 'has the statistics of all data')],
  );
  return { changed, left };
}

/** By layer of the new model, its name with those of the models that it is in. */
function titlesOf(draft: Draft, model: LayersModel): Map<layers.Layer, string> {
  const titles = new Map<layers.Layer, string>();
  for (const layer of model.layers) {
    const { within } = draft.part(layer.name);
    for (let one: layers.Layer | undefined = layer; one; one = innerOf(one)) {
      titles.set(one, draft.title(layer.name));
      if (within && 'layers' in one)
        for (const [inner, title] of titlesOf(within, one as LayersModel)) titles.set(inner, title);
    }
  }
  return titles;
}

function reasonToLeave(layer: layers.Layer): string | undefined {
  if (isFrozen(layer)) return 'it is frozen; set trainable = true to recalibrate it';
  const goesBack = layer instanceof FeatureNormalization && layer.invert;
  return goesBack ? 'it goes the way back, and its statistics are those of its output' : undefined;
}

/** What a layer is called with. */
type Observer = (layer: layers.Layer, x: Tensor, kwargs: Kwargs) => void;

/** Thrown by an observer that has seen enough of a prediction. */
const ENOUGH = new Error('the rest of the prediction is not needed');

/** Predicts while `observe` is told of the calls of layers. */
function observed(model: LayersModel, watched: readonly layers.Layer[], inputs: Tensor[], observe: Observer): void {
  const [batchSize = 1] = inputs[0]?.shape ?? [];
  const around: Parameters<typeof withCalls>[1] = (layer, proceed, x, kwargs) => {
    observe(layer, x, kwargs);
    return proceed();
  };
  try {
    withCalls(watched, around, () => dispose(model.predict(inputs, { batchSize })));
  } catch (error) {
    if (error === ENOUGH) return;
    fail(WHO, `the model does not predict on the data (${(error as Error).message}); give what it takes`);
  }
}

/** Each layer with how often a prediction calls it, in the order of its last call: then all that it is given is final. */
async function callsOf(
  model: LayersModel,
  watched: readonly layers.Layer[],
  passes: Passes,
): Promise<[layers.Layer, number][]> {
  for await (const inputs of passes()) {
    const counts = new Map<layers.Layer, number>();
    observed(model, watched, inputs, (layer) => {
      const count = counts.get(layer) ?? 0;
      counts.delete(layer);
      counts.set(layer, count + 1);
    });
    return [...counts];
  }
  return fail(WHO, 'the data hold no batch; give at least one');
}

/** Gives a layer the statistics of the data; says why not where they are none. */
async function recalibrateLayer(
  model: LayersModel,
  layer: layers.Layer,
  calls: number,
  passes: Passes,
  onBatch: (batches: number) => void,
): Promise<string | undefined> {
  let all: Statistics | undefined;
  let batches = 0;
  for await (const inputs of passes()) {
    const seen: { x: Tensor; mask: Tensor | undefined }[] = [];
    try {
      observed(model, [layer], inputs, (_, x, kwargs) => {
        const mask =
          layer.getClassName() === 'BatchNormalization'
            ? usableMask(layer, x, axesOf(layer, x)[0] as number, kwargs)
            : undefined;
        seen.push({ x: keep(x.clone()), mask: mask && keep(mask.clone()) });
        if (seen.length === calls) throw ENOUGH;
      });
      for (const { x, mask } of seen) {
        const part = await statisticsOfTensor(layer, x, mask);
        if (part) all = all ? merge([all, part]) : part;
      }
    } finally {
      dispose(seen as TensorContainer);
    }
    onBatch(++batches);
  }
  if (!all) return 'no value came to it';
  if (![...all.mean, ...all.variance].every(Number.isFinite)) return 'what comes to it is not finite';
  setStatistics(layer, all);
  return undefined;
}

/** The axes for whose indices a layer keeps statistics, from the front, in the order of its weights. */
function axesOf(layer: layers.Layer, x: Tensor): number[] {
  const { axis } = layer as layers.Layer & { readonly axis: number | number[] | null };
  const front = [axis ?? []].flat().map((one) => (one < 0 ? one + x.rank : one));
  return front.sort((a, b) => a - b);
}

async function statisticsOfTensor(layer: layers.Layer, x: Tensor, mask?: Tensor): Promise<Statistics | undefined> {
  const axes = axesOf(layer, x);
  const { size, indexOf } = indicesAlong(x.shape, axes);
  const values = await numbersOf(x);
  if (!mask) return statisticsOf(values, size, indexOf);
  const isKept = await mask.data();
  const others = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const place = indicesAlong(x.shape, others).indexOf;
  return statisticsOf(values, size, (i) => (isKept[place(i)] ? indexOf(i) : -1));
}

function setStatistics(layer: layers.Layer, statistics: Statistics): void {
  const values = valuesFrom(layer, statistics);
  for (const weight of layer.weights) {
    const own = values.get(lastPartOfName(weight));
    if (!own) continue;
    const value = tensor(Float32Array.from(own), weight.shape as number[], weight.dtype as 'float32');
    weight.write(value);
    value.dispose();
  }
}

/**
 * Gives a {@link FeatureNormalization} the mean and variance of data, as its `adapt` in Keras does: in place, before or after the layer
 * is built. What it had is forgotten.
 *
 *     mean = sum(x) / n      variance = sum((x - mean)^2) / n       of all data, for each index of the layer's axes
 *
 * @param layer the layer, without the options `mean` and `variance`; it is built for the data if it is not yet
 * @param data as of {@link recalibrate}, for one input
 * @param options `batchSize` (32), into which a tensor is cut
 * @throws if the layer is another or has no weights for statistics, or the data hold no batch, do not fit the layer or are not finite
 * @example
 * ```js
 * const norm = featureNormalization({inputShape: [2]});
 * await adapt(norm, tf.tensor([[1, 10], [3, 30]]));
 * norm.apply(tf.tensor([[1, 10], [3, 30]])); // [[-1, -1], [1, 1]]
 * ```
 * @see Keras: Normalization. https://keras.io/api/layers/preprocessing_layers/numerical/normalization/
 */
export async function adapt(
  layer: FeatureNormalization,
  data: DataSource,
  options?: { readonly batchSize?: number },
): Promise<void>;
export async function adapt(
  layer: FeatureNormalization,
  data: DataSource,
  options: { readonly batchSize?: number } = {},
  ...more: unknown[]
): Promise<void> {
  const who = 'adapt';
  if (!(layer instanceof FeatureNormalization))
    fail(who, 'layer must be a FeatureNormalization; recalibrate takes models');
  checkCall(who, options, optionNames('batchSize'), more);
  const passes = passesOf(who, data, ['x'], checkPositiveInteger(who, 'batchSize', options.batchSize ?? 32, 32));
  let all: Statistics | undefined;
  for await (const [x] of passes()) {
    if (!layer.built) layer.build((x as Tensor).shape.map((size, i) => (i === 0 ? null : size)));
    if (!hasStatistics(layer)) fail(who, `the layer '${layer.name}' has mean and variance as options; leave them out`);
    layer.computeOutputShape((x as Tensor).shape);
    const part = await statisticsOfTensor(layer, x as Tensor);
    if (part) all = all ? merge([all, part]) : part;
  }
  if (!all) return fail(who, 'the data hold no value; give at least one batch');
  if (![...all.mean, ...all.variance].every(Number.isFinite)) fail(who, 'the data are not finite; clean them first');
  setStatistics(layer, all);
}
