/** One run of the layer: what went in and came out, and what that says of cells and examples. */
import * as tf from '@tensorflow/tfjs';
import { activationsOf, CHANNELS, type Examples, type Kind, loadExamples, SIZE } from './activations.ts';
import { type Cell, cellsOf, indexOf, type Shape, type Statistics, statisticsByKey } from './cells.ts';
import { gammaAt } from './conditions.ts';
import { type Name, normalizationOf, ofStyle, type Parameters, parameterKey, type Settings } from './normalizations.ts';
import { normalize } from './normalize.ts';

/** What the reader wants to see. */
export interface Wish {
  readonly name: Name;
  readonly settings: Settings;
  readonly kind: Kind;
  /** Of examples. */
  readonly count: number;
  /** Of the first example. */
  readonly light: number;
}

export interface Result {
  readonly name: Name;
  readonly settings: Settings;
  readonly light: number;
  readonly shape: Shape;
  readonly examples: Examples;
  readonly names: { readonly examples: readonly string[]; readonly channels: readonly string[] };
  /** Of all examples in full light, then as they are. */
  readonly past: Float32Array;
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly yInFullLight: Float32Array;
  /** Of each source, by key: of x, and of the batch before. */
  readonly statistics: { readonly now: StatisticsOfSources; readonly past: StatisticsOfSources };
  /** x, x less its mean, that divided by its deviation, and y: the last by the layer, the others by hand. */
  readonly stages: readonly Float32Array[];
}
type StatisticsOfSources = readonly Map<number, Statistics>[];

export async function run({ name, settings, kind, count, light }: Wish): Promise<Result> {
  const examples = await loadExamples(kind);
  const tensors = tf.tidy(() => {
    const past = activationsOf(examples, count, 1);
    const x = activationsOf(examples, count, light);
    return [past, x, ...normalize(name, settings, past, x)];
  });
  const [past, x, yInFullLight, y] = (await Promise.all(tensors.map((tensor) => tensor.data()))) as Float32Array[];
  tf.dispose(tensors);
  const shape = { examples: count, rows: SIZE, columns: SIZE, channels: CHANNELS };
  const names = { examples: examples.names.slice(0, count), channels: examples.filters.map(({ name }) => name) };
  const sources = normalizationOf(name).sources(settings);
  const of = (values: Float32Array) => sources.map(({ key }) => statisticsByKey(values, shape, key));
  const statistics = { now: of(x), past: of(past) };
  const known = { name, settings, light, shape, examples, names, past, x, y, yInFullLight, statistics };
  return { ...known, stages: [x, ...stepsOf(known), y] };
}

/** What a cell's output is computed from, one entry for each source. */
export function statisticsAt(
  { name, settings, statistics }: Pick<Result, 'name' | 'settings' | 'statistics'>,
  cell: Cell,
) {
  const keys = normalizationOf(name)
    .sources(settings)
    .map(({ key }) => key(cell));
  const at = (all: StatisticsOfSources) => all.map((byKey, i) => byKey.get(keys[i]) as Statistics);
  return { now: at(statistics.now), past: at(statistics.past) };
}

function stepsOf(
  result: Pick<Result, 'name' | 'settings' | 'statistics' | 'shape' | 'x'>,
): [Float32Array, Float32Array] {
  const { name, settings, shape, x } = result;
  const { steps } = normalizationOf(name);
  const [centred, divided] = [new Float32Array(x.length), new Float32Array(x.length)];
  for (const [i, cell] of cellsOf(shape).entries()) {
    [centred[i], divided[i]] = steps({ x: x[i], ...statisticsAt(result, cell) }, settings);
  }
  return [centred, divided];
}

/** How much each cell shares with the chosen one: 1 for those that share most. */
export function litBy({ name, settings, shape }: Result, chosen: Cell): Float32Array {
  const sources = normalizationOf(name)
    .sources(settings)
    .map(({ share, key }) => ({ share, key, own: key(chosen) }));
  const lit = Float32Array.from(cellsOf(shape), (cell) =>
    sources.reduce((sum, { share, key, own }) => sum + (key(cell) === own ? share : 0), 0),
  );
  const most = lit[indexOf(shape, chosen)];
  // What shares little shall yet be seen.
  return lit.map((share) => (share > 0 ? 0.25 + (0.75 * share) / most : 0));
}

/** The same place in the example that is the style of all. */
const inStyle = ({ shape }: Result, cell: Cell): Cell => ({ ...cell, example: shape.examples - 1 });

/** The gamma and beta of a cell. */
export function parametersAt(result: Result, cell: Cell): Parameters {
  const { name, settings } = result;
  const { condition } = normalizationOf(name);
  if (condition === 'style') return ofStyle(statisticsAt(result, inStyle(result, cell)).now[0]);
  return condition ? { ...settings, gamma: gammaAt(condition, cell, settings.gamma) } : settings;
}

/** The cells that share gamma and beta with the chosen one; of a style those that they come from. */
export function litByParameters(result: Result, chosen: Cell): Float32Array {
  const { name, settings, shape } = result;
  const key = parameterKey(name, settings);
  const own = key(normalizationOf(name).condition === 'style' ? inStyle(result, chosen) : chosen);
  return Float32Array.from(cellsOf(shape), (cell) => Number(key(cell) === own));
}

/** The chosen cell alone. */
export function litAlone({ shape, x }: Result, chosen: Cell): Float32Array {
  const lit = new Float32Array(x.length);
  lit[indexOf(shape, chosen)] = 1;
  return lit;
}

/** Whether examples look at each other. */
export function crosstalkOf({ name, light, shape, y, yInFullLight }: Result): string {
  if (shape.examples === 1) return 'A batch of one: its statistics are those of the one example.';
  if (light === 1) return 'Take light from the first example, and see whether the outputs of the others change.';
  const cells = cellsOf(shape);
  const difference = y.reduce(
    (most, value, i) => (cells[i].example > 0 ? Math.max(most, Math.abs(value - yInFullLight[i])) : most),
    0,
  );
  const start = `At ${Math.round(100 * light)} % of light in the first example, the outputs of the other examples`;
  if (difference > 1e-4) return `${start} change by up to ${difference.toFixed(2)}.`;
  if (name !== 'BatchRenormalization') return `${start} do not change.`;
  return `${start} do not change: the layer corrects them by its moving averages, which are those of full light.`;
}
