/** What `tfjs-normalizations inspect` says of normalizations: those of a model of layers, and those spelled out in a graph model. */
import { accelerate } from '../../models/surgery/accelerate.ts';
import type { NormalizationRow } from '../../models/surgery/describe.ts';
import { startTensorFlow } from './formats.ts';
import { readingFrom, readModelJson } from './model-json.ts';
import { print, sizeOf, table } from './tables.ts';

/** What the model normalizes with; nothing where it does not. */
export function printNormalizations(rows: readonly NormalizationRow[]): void {
  if (rows.length === 0) return;
  const percent = (share: number) => `${Number((100 * share).toPrecision(2))} %`;
  table(
    ['normalization', 'kind', 'epsilon', 'parameters', 'draws', 'frozen', 'statistics', 'advice'],
    rows.map(
      ({
        layer,
        className,
        epsilon,
        parameters,
        shareOfParameters,
        draws,
        shareOfDraws,
        frozen,
        statistics,
        advice,
      }) => [
        layer,
        className,
        epsilon === undefined ? '' : String(epsilon),
        `${parameters} (${percent(shareOfParameters)})`,
        `${draws} (${percent(shareOfDraws)})`,
        frozen ? 'yes' : 'no',
        statistics,
        advice,
      ],
    ),
  );
  print('');
}

/** What normalizations are spelled out in a graph model. */
export async function inspectGraph(path: string, size: number, nodes: number): Promise<void> {
  await startTensorFlow();
  const { changed, left } = await accelerate(readingFrom(path, await readModelJson(path), () => {}));
  print(`${path}: a graph model of ${nodes} nodes, ${sizeOf(size)}`);
  if (changed.length + left.length === 0) print('no normalization is spelled out');
  for (const [title, notes] of [
    ['accelerate makes one operation of', changed],
    ['and leaves', left],
  ] as const) {
    if (notes.length === 0) continue;
    print('');
    table(
      [title, 'kind', ''],
      notes.map(({ layer, className, message }) => [layer, className, message]),
    );
  }
}
