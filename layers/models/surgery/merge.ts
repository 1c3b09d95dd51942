/** Merging: several models of one architecture, trained apart, become one. */
import type { LayersModel, LayerVariable, layers } from '@tensorflow/tfjs-layers';
import { fail, show } from '../../../kernels/core/errors.ts';
import { lastPartOfName } from '../../base/inner-layer.ts';
import type { Config } from '../keras/saved.ts';
import { build, type Draft, draftOf, innerOf, layersWithin, numbersOf, type Part, valuesOf } from './draft.ts';
import { checkModel, type Surgery, type SurgeryNote } from './report.ts';
import { hasStatistics, merge, statisticNames, statisticsIn, valuesFrom } from './statistics.ts';
import { coreOf } from './targets.ts';

const WHO = 'mergeStatistics';

/**
 * One model of several that were trained apart, on data of their own: the step of federated and of data-parallel training. Weights
 * are averaged by count; the statistics of normalizations are those of all data together, in which the variance is also that between
 * the models' means: an average of variances would lack it where the data differ.
 *
 *     mean = sum n_i mean_i / n      variance = sum n_i (variance_i + (mean_i - mean)^2) / n      weight = sum n_i weight_i / n
 *
 * Sums are of 64-bit floats. Integer weights, such as `initialized`, and the vectors of SpectralNormalization, whose signs are
 * arbitrary, are those of the model with the largest count. A FeatureNormalization that has counted its data is merged by its own count.
 *
 * @param models models of one architecture: the same classes of layers, in the same order, with the same connections, options and
 *   shapes of weights; names may differ, and what has no effect on predictions, such as initializers and the rate of dropout
 * @param counts for each model of how many values, such as examples, its weights and statistics are; 0 leaves it out
 * @returns the new model, with the names of the first, the layers whose weights are merged, and those that keep some of one model
 * @throws if there is no model, the architectures differ, a count is negative or not finite, all counts are 0 or their sum is not finite,
 *   or weights of a model with a count above 0 are not finite
 * @example
 * ```js
 * const [a, b] = [0, 1].map(() => tf.sequential({layers: [batchNormalization({inputShape: [1]})]}));
 * a.setWeights([[1], [0], [0], [1]].map((values) => tf.tensor(values))); // gamma, beta, mean 0, variance 1
 * b.setWeights([[3], [0], [4], [1]].map((values) => tf.tensor(values))); // mean 4, variance 1
 * const {model} = await mergeStatistics([a, b], [50, 50]);
 * model.getWeights().map((weight) => weight.dataSync()[0]); // [2, 0, 2, 5]
 * ```
 * @see Chan, Golub, LeVeque: Updating Formulae and a Pairwise Algorithm for Computing Sample Variances. 1979
 * @see McMahan et al.: Communication-Efficient Learning of Deep Networks from Decentralized Data. 2016, https://arxiv.org/abs/1602.05629
 */
export async function mergeStatistics(models: readonly LayersModel[], counts: readonly number[]): Promise<Surgery> {
  if (!Array.isArray(models) || models.length === 0)
    fail(WHO, `models must be a list of at least one; received ${show(models)}`);
  for (const [i, model] of models.entries()) checkModel(WHO, model, `models[${i}]`);
  const isCount = (count: unknown) => Number.isFinite(count) && (count as number) >= 0;
  if (
    !Array.isArray(counts) ||
    counts.length !== models.length ||
    !counts.every(isCount) ||
    !counts.some((count) => count > 0) ||
    !isCount(counts.reduce((sum, count) => sum + count, 0))
  ) {
    fail(
      WHO,
      `counts must be a number of at least 0 for each of the ${models.length} models, not all 0, with a finite sum; received ${show(counts)}`,
    );
  }
  const [first] = models as [LayersModel];
  const draft = draftOf(first);
  for (let i = 1; i < models.length; i++) {
    const model = models[i] as LayersModel;
    checkAlike(first, model, `models[${i}]`);
    checkSameFunction(draft, draftOf(model), `models[${i}]`);
  }
  // The weights of a model with the count 0 are not looked at.
  const counting = models.map((model, i) => ({ model, count: counts[i] as number })).filter(({ count }) => count > 0);
  const [changed, left]: [SurgeryNote[], SurgeryNote[]] = [[], []];
  await mergeWithin(draft, counting, changed, left);
  return { model: await build(WHO, draft), changed, left };
}

/** Fails unless both models have layers of the same classes with weights of the same shapes. */
function checkAlike(first: LayersModel, model: LayersModel, name: string): void {
  const describe = (layer: layers.Layer) => {
    const shapes = layer.weights.map((weight) => `${lastPartOfName(weight)} [${weight.shape}]`);
    return `${layer.getClassName()} with ${shapes.length > 0 ? shapes.join(', ') : 'no weights'}`;
  };
  const [all, others] = [layersWithin(first), layersWithin(model)];
  for (let i = 0; i < Math.max(all.length, others.length); i++) {
    const [own, other] = [all[i], others[i]].map((layer) => (layer ? describe(layer) : 'nothing'));
    if (own === other) continue;
    const remedy = 'make all models of one architecture';
    fail(
      WHO,
      `${name} differs from models[0] at layer ${i}, '${all[i]?.name}': ${other} in place of ${own}; ${remedy}`,
    );
  }
}

/** Options without which a layer still computes the same, of itself or of a layer within, in prediction. */
const WITHOUT_EFFECT =
  /^(name|layers|trainable|dtype|batch_input_shape|momentum|rate|stddev|seed|.*_(initializer|regularizer|constraint))$/;

/** Fails unless the layers of both models have the same options and take the results of the same ones. */
function checkSameFunction(first: Draft, draft: Draft, name: string): void {
  const [own, others] = [first, draft].map((one) => [...one.parts.values()]) as [Part[], Part[]];
  for (const [i, part] of own.entries()) {
    const other = others[i] as Part;
    const [ours, theirs] = [part, other].map((one) => (one.within ? {} : effective(one.saved.config))) as [
      Config,
      Config,
    ];
    const where = `${name} differs from models[0] at the layer '${first.title(part.layer.name)}'`;
    const option = Object.keys(ours).find((key) => JSON.stringify(ours[key]) !== JSON.stringify(theirs[key]));
    if (option)
      fail(WHO, `${where}: ${option} is ${show(theirs[option])} in place of ${show(ours[option])}; make both the same`);
    const [from, otherFrom] = [sourcesOf(first, part), sourcesOf(draft, other)];
    if (from !== otherFrom) fail(WHO, `${where}: it takes the results of other layers; connect both models alike`);
    if (part.within) checkSameFunction(part.within, other.within as Draft, name);
  }
}

/** The options that have an effect. */
const effective = (config: Config): Config =>
  JSON.parse(JSON.stringify(config, (key, value) => (WITHOUT_EFFECT.test(key) ? undefined : value)));

/** Which layers a layer takes the results of, by their places. */
function sourcesOf(draft: Draft, { layer }: Part): string {
  const names = [...draft.parts.keys()];
  return draft
    .sources(layer.name)
    .map((source) => names.indexOf(source))
    .join();
}

/** A layer of one of the models, and how many values the model has seen. */
interface Peer {
  readonly layer: layers.Layer;
  readonly count: number;
}

async function mergeWithin(
  draft: Draft,
  models: readonly { model: LayersModel; count: number }[],
  changed: SurgeryNote[],
  left: SurgeryNote[],
): Promise<void> {
  for (const [i, { name }] of draft.model.layers.entries()) {
    const part = draft.part(name);
    const peers: Peer[] = models.map(({ model, count }) => ({ layer: model.layers[i] as layers.Layer, count }));
    if (part.within) {
      const inner = peers.map(({ layer, count }) => ({
        model: ('layers' in layer ? layer : innerOf(layer)) as LayersModel,
        count,
      }));
      await mergeWithin(part.within, inner, changed, left);
    } else if (part.layer.weights.length > 0) {
      const note = { layer: draft.title(name), className: part.saved.class_name };
      const { merged, kept } = await mergeLayer(part.layer, peers, note.layer);
      part.merged = merged;
      const what = hasStatistics(coreOf(part.layer).layer)
        ? 'has the statistics of all data'
        : 'has the average weights';
      if (kept.length < part.layer.weights.length)
        changed.push({ ...note, message: `${what} of ${peers.length} models` });
      if (kept.length > 0)
        left.push({ ...note, message: `keeps ${kept.join(', ')} of the model with the largest count` });
    }
  }
}

/** The merged values of the weights of `own`, the layer of the first model, and the names of those that are taken of one model. */
async function mergeLayer(
  own: layers.Layer,
  peers: readonly Peer[],
  title: string,
): Promise<{ merged: Map<LayerVariable, Float64Array>; kept: string[] }> {
  const total = peers.reduce((sum, { count }) => sum + count, 0);
  const largest = peers.reduce((a, b) => (b.count > a.count ? b : a));
  const statistics = await mergedStatistics(peers);
  const merged = new Map<LayerVariable, Float64Array>();
  const kept: string[] = [];
  for (const [i, weight] of own.weights.entries()) {
    const name = lastPartOfName(weight);
    const read = async ({ layer }: Peer) => numbersOf((layer.weights[i] as LayerVariable).read());
    if (statistics.has(name)) {
      merged.set(weight, statistics.get(name) as Float64Array);
    } else if (weight.dtype !== 'float32' || /^(vector|sn)_[uv]$/.test(name)) {
      merged.set(weight, await read(largest));
      kept.push(name);
    } else {
      const all = await Promise.all(peers.map(read));
      const average = (_: number, at: number) =>
        all.reduce((sum, values, k) => sum + ((peers[k] as Peer).count / total) * (values[at] as number), 0);
      merged.set(weight, (all[0] as Float64Array).map(average));
    }
    if (!merged.get(weight)?.every(Number.isFinite)) {
      fail(
        WHO,
        `the weight ${name} of the layer '${title}' is not finite in one of the models; give this one the count 0`,
      );
    }
  }
  return { merged, kept };
}

/** The values of the weights that hold statistics, of all data together. */
async function mergedStatistics(peers: readonly Peer[]): Promise<Map<string, Float64Array>> {
  const cores = peers.map(({ layer, count }) => ({ layer: coreOf(layer).layer, count }));
  const [{ layer: first }] = cores as [Peer];
  if (!hasStatistics(first)) return new Map();
  const values = await Promise.all(cores.map(({ layer }) => valuesOf(layer)));
  // Each mean and its variance: batch normalization with `renorm` keeps two pairs.
  const all = new Map<string, Float64Array>();
  for (const prefix of new Set(
    statisticNames(first).map((name) => name.replace(/(mean|variance|stddev|count)$/, '')),
  )) {
    const parts = cores.map(({ layer, count }, i) =>
      statisticsIn(layer, values[i] as Map<string, Float64Array>, count, prefix),
    );
    for (const [name, merged] of valuesFrom(first, merge(parts))) if (name.startsWith(prefix)) all.set(name, merged);
  }
  return all;
}
