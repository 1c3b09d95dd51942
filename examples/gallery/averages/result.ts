/** One run of the layer: what went in and came out, and what that says of cells and examples. */
import * as tf from '@tensorflow/tfjs';
import { activationsOf, CHANNELS, type Examples, type Kind, loadExamples, SIZE } from './activations.ts';
import { type Cell, cellsOf, indexOf, type Shape } from './cells.ts';
import { type Name, normalizationOf, type Settings } from './normalizations.ts';
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
}

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
  return { name, settings, light, shape, examples, names, past, x, y, yInFullLight };
}

/** How much each cell shares with the chosen one: 1 for those that share most. */
export function litBy({ name, settings, shape }: Result, chosen: Cell): Float32Array {
  const sources = normalizationOf(name).sources(settings);
  const lit = Float32Array.from(cellsOf(shape), (cell) => {
    return sources.reduce((sum, { share, together }) => sum + (together(chosen, cell) ? share : 0), 0);
  });
  const most = lit[indexOf(shape, chosen)];
  // What shares little shall yet be seen.
  return lit.map((share) => (share > 0 ? 0.25 + (0.75 * share) / most : 0));
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
