/** A table of what a model normalizes with. */
import { engine, tidy, zeros } from '@tensorflow/tfjs-core';
import type { LayersModel, layers } from '@tensorflow/tfjs-layers';
import { innerOf, isFrozen, valuesOf } from './draft.ts';
import { foldedDraft } from './fold.ts';
import { withCalls, withMethod } from './intercept.ts';
import { checkModel } from './report.ts';
import { hasStatistics, statisticNames } from './statistics.ts';
import { coreOf } from './targets.ts';

const WHO = 'describeNormalizations';

/** One normalization of a model. */
export interface NormalizationRow {
  /** The name of the layer; within other models it is preceded by their names, as in `encoder/norm`. */
  readonly layer: string;
  /** Its class; of a wrapper with that of the layer within, as in `WeightNormalization(Dense)`. */
  readonly className: string;
  /** The shape of its output. */
  readonly shape: readonly (number | null)[];
  /** Its axis or axes; undefined where it has no such option. */
  readonly axis: number | readonly number[] | undefined;
  /** Its epsilon; undefined where it has none. */
  readonly epsilon: number | undefined;
  /** The numbers in its weights, of a wrapper those that the wrapper adds. */
  readonly parameters: number;
  /** The same as a share of the model's. */
  readonly shareOfParameters: number;
  /** The operations that it runs in one prediction, each about one draw on a GPU; those that only rename a shape are not counted. */
  readonly draws: number;
  /** The same as a share of the model's. */
  readonly shareOfDraws: number;
  /** Whether training leaves it as it is. */
  readonly frozen: boolean;
  /** The state of its statistics. */
  readonly statistics: 'none' | 'plausible' | 'as initialized' | 'not finite' | 'negative variance';
  /** What may be done; empty where there is nothing to say. */
  readonly advice: string;
}

/**
 * What a model normalizes with: a row for each normalization, in models within, too, and of each wrapper of a kernel.
 *
 * To count operations, one prediction of zeros runs, with the smallest sizes that the model takes; it changes nothing.
 *
 * @param model a model of layers; it stays as it is
 * @returns the rows, in the order of the layers
 * @throws if model is no model of layers, or not built
 * @example
 * ```js
 * const model = tf.sequential({layers: [
 *   tf.layers.dense({units: 2, inputShape: [4]}),
 *   batchNormalization({name: 'norm'}),
 * ]});
 * const [row] = await describeNormalizations(model);
 * row.layer; // 'norm'
 * row.parameters; // 8
 * row.statistics; // 'as initialized'
 * row.advice; // 'train or recalibrate it: its statistics are as initialized; can be folded'
 * ```
 */
export async function describeNormalizations(model: LayersModel): Promise<NormalizationRow[]> {
  checkModel(WHO, model);
  const { changed, left } = await foldedDraft(model);
  const found = normalizationsIn(model);
  const draws = drawsIn(model, new Set(found.map(({ layer }) => layer)));
  const all = model.countParams();
  return Promise.all(
    found.map(async ({ title, layer, core }) => {
      const { axis } = core as layers.Layer & { axis?: number | number[] };
      const parameters = parametersOf(core);
      const statistics = await stateOf(core);
      const own = draws.of.get(layer) ?? 0;
      const fold = changed.some((note) => note.layer === title) ? 'can be folded' : undefined;
      const reason = left.find((note) => note.layer === title)?.message;
      return {
        layer: title,
        className: classOf(layer),
        shape: layer.inboundNodes[0]?.outputShapes[0] as (number | null)[],
        axis,
        epsilon: core.getConfig().epsilon as number | undefined,
        parameters,
        shareOfParameters: all === 0 ? 0 : parameters / all,
        draws: own,
        shareOfDraws: draws.total === 0 ? 0 : own / draws.total,
        frozen: isFrozen(core),
        statistics,
        advice: [ADVICE[statistics], fold ?? (reason && `cannot be folded: ${reason}`)].filter(Boolean).join('; '),
      };
    }),
  );
}

/** What to do about statistics in a state. */
const ADVICE: Readonly<Record<NormalizationRow['statistics'], string | undefined>> = {
  none: undefined,
  plausible: undefined,
  'as initialized': 'train or recalibrate it: its statistics are as initialized',
  'not finite': 'recalibrate it: its statistics are not finite, and so is all that comes after',
  'negative variance': 'recalibrate it: its variance is negative',
};

interface Found {
  readonly title: string;
  /** The layer of the model. */
  readonly layer: layers.Layer;
  /** The layer within `timeDistributed`. */
  readonly core: layers.Layer;
}

function normalizationsIn(model: LayersModel, prefix = ''): Found[] {
  return model.layers.flatMap((layer): Found[] => {
    const title = prefix + layer.name;
    const { layer: core } = coreOf(layer);
    if ('layers' in core) return normalizationsIn(core as LayersModel, `${title}/`);
    return isNormalization(core) ? [{ title, layer, core }] : [];
  });
}

const isNormalization = (layer: layers.Layer): boolean =>
  'effectiveKernels' in layer || /Normalization$|^Dynamic(Tanh|Erf)$/.test(layer.getClassName());

/** The class of a layer, with that of the layer within. */
function classOf(layer: layers.Layer): string {
  const inner = innerOf(layer);
  return inner ? `${layer.getClassName()}(${classOf(inner)})` : layer.getClassName();
}

/** The numbers in the weights of a layer, without those of a layer within. */
function parametersOf(layer: layers.Layer): number {
  const size = (one: layers.Layer | undefined): number =>
    (one?.weights ?? []).reduce((sum, { shape }) => sum + shape.reduce<number>((a, b) => a * (b ?? 1), 1), 0);
  return size(layer) - size(innerOf(layer));
}

async function stateOf(layer: layers.Layer): Promise<NormalizationRow['statistics']> {
  if (!hasStatistics(layer)) return 'none';
  const all = await valuesOf(layer);
  const values = statisticNames(layer).map((name) => [name, [...(all.get(name) as Float64Array)]] as const);
  if (values.some(([, own]) => !own.every(Number.isFinite))) return 'not finite';
  const isMean = (name: string) => name.endsWith('mean');
  if (values.some(([name, own]) => !isMean(name) && own.some((value) => value < 0))) return 'negative variance';
  const isFresh = values.every(([name, own]) =>
    own.every((value) => value === (isMean(name) || name === 'count' ? 0 : 1)),
  );
  return isFresh ? 'as initialized' : 'plausible';
}

/** Operations that compute nothing. */
const RENAMING = ['Reshape', 'Identity', 'ExpandDims', 'Squeeze'];

/** How many operations a prediction runs, and how many of them in the layers of a set. */
function drawsIn(
  model: LayersModel,
  watched: ReadonlySet<layers.Layer>,
): { total: number; of: Map<layers.Layer, number> } {
  // Sizes do not matter to the number of operations; small ones take little time, where the model takes them.
  for (const largest of [32, Number.POSITIVE_INFINITY]) {
    try {
      return countedDraws(model, watched, largest);
    } catch {
      // The model asks for its own sizes; a model that does not run has no operations.
    }
  }
  return { total: 0, of: new Map() };
}

function countedDraws(
  model: LayersModel,
  watched: ReadonlySet<layers.Layer>,
  largest: number,
): ReturnType<typeof drawsIn> {
  const counts = { total: 0, of: new Map<layers.Layer, number>() };
  const inputs = () =>
    model.inputs.map(({ shape, dtype }) => {
      const sizes = shape.map((size, i) => (i === shape.length - 1 ? (size ?? 1) : Math.min(size ?? 32, largest)));
      return zeros([1, ...sizes.slice(1)], dtype);
    });
  tidy(() => {
    const x = inputs();
    withMethod(
      [engine()],
      'runKernel',
      (own, runKernel) =>
        (name, ...rest) => {
          if (!RENAMING.includes(name)) counts.total++;
          return runKernel.call(own, name, ...rest) as never;
        },
      () =>
        withCalls(
          watched,
          (layer, proceed) => {
            const before = counts.total;
            const y = proceed();
            counts.of.set(layer, (counts.of.get(layer) ?? 0) + counts.total - before);
            return y;
          },
          () => model.call(x, {}),
        ),
    );
  });
  return counts;
}
