/** The table: what each mean is taken of, and what came out. */
import { colors, shortNames } from '../shared/colors.ts';
import { element, table, tableRow } from '../shared/dom.ts';
import { averaged, type Kind } from './networks.ts';
import type { Score } from './training.ts';

export interface Result extends Score {
  /** The median step's. */
  readonly milliseconds: number;
}

/** With so few values, what batch normalization takes for the mean is mostly chance. */
const FEW = 20;

export const nameOf = (kind: Kind): string =>
  kind === 'MeanOnlyBatchNormalization' ? 'Mean-Only Batch + Weight' : shortNames[kind];

export function resultTable(
  kinds: readonly Kind[],
  batch: number,
  results: Readonly<Partial<Record<Kind, Result>>>,
): HTMLTableElement {
  const heads = ['normalization', 'values behind each mean', 'test accuracy', 'test loss', 'ms per step'];
  const row = (kind: Kind) => {
    const counts = averaged(kind, batch);
    const result = results[kind];
    const name = element('span', { className: 'kind', style: `--color: ${colors[kind]}` }, nameOf(kind));
    const parts = (counts ?? []).flatMap((count, i) => [
      i > 0 && ' · ',
      element('span', count < FEW ? { className: 'few' } : {}, String(count)),
    ]);
    const cell = (name: string, text: string | undefined) => element('td', { 'data-cell': name }, text ?? '–');
    const cells = [
      element('td', {}, ...(counts ? parts : ['–'])),
      cell('accuracy', result && `${(100 * result.accuracy).toFixed(1)} %`),
      cell('loss', result?.loss.toFixed(3)),
      cell('milliseconds', result?.milliseconds.toFixed(1)),
    ];
    return tableRow(name, cells, { 'data-kind': kind });
  };
  return table(heads, kinds.map(row));
}
