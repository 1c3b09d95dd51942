/** The chosen cell in numbers: whose mean and variance it shares, and its output by hand and by the layer. */
import { element } from '../shared/dom.ts';
import type { Cell, Shape, Statistics } from './cells.ts';
import type { Source } from './normalizations.ts';

export interface Names {
  readonly examples: readonly string[];
  readonly channels: readonly string[];
}

/** What belongs to a source, in words. */
export function membersOf(source: Source, cell: Cell, shape: Shape, names: Names, groups: number): string {
  const channel = `‘${names.channels[cell.channel]}’`;
  const example = `‘${names.examples[cell.example]}’`;
  const size = shape.channels / groups;
  const first = Math.floor(cell.channel / size) * size;
  const members = names.channels.slice(first, first + size).map((name) => `‘${name}’`);
  switch (source.name) {
    case 'batch':
      return shape.examples > 1 ? `${channel} of all ${shape.examples} examples` : `${channel} of the one example`;
    case 'instance':
      return `${channel} of ${example}`;
    case 'layer':
      return `all channels of ${example}`;
    case 'position':
      return `all channels at this position of ${example}`;
    case 'group':
      return `${members.join(', ')} of ${example}`;
    default:
      return source.name satisfies never;
  }
}

export const rounded = (value: number): string =>
  value
    .toFixed(4)
    .replace('-', '−')
    .replace(/^−(0\.0+)$/, '$1');

export interface Row {
  readonly source: Source;
  readonly members: string;
  readonly statistics: Statistics;
}

export interface Columns {
  /** How much of each source is taken. */
  readonly shares?: boolean;
  readonly mean?: boolean;
  readonly variance?: boolean;
  readonly meanSquare?: boolean;
}

/** One line for each source of statistics. */
export function statisticsTable(rows: readonly Row[], shown: Columns): HTMLElement {
  const columns: readonly (readonly [boolean | undefined, string, (row: Row) => string])[] = [
    [shown.shares, 'part', ({ source }) => `${Math.round(100 * source.share)} %`],
    [true, 'cells', ({ statistics }) => statistics.count.toLocaleString('en')],
    [shown.mean, 'mean', ({ statistics }) => rounded(statistics.mean)],
    [shown.variance, 'variance', ({ statistics }) => rounded(statistics.variance)],
    [shown.meanSquare, 'mean of squares', ({ statistics }) => rounded(statistics.meanSquare)],
  ];
  const used = columns.filter(([isShown]) => isShown);
  const head = ['Shares its statistics with', ...used.map(([, title]) => title)];
  const line = (row: Row) =>
    element(
      'tr',
      { 'data-source': row.source.name },
      element('td', { className: 'members' }, row.members),
      ...used.map(([, , text]) => element('td', {}, text(row))),
    );
  return element(
    'div',
    { className: 'table', tabIndex: 0, role: 'region', 'aria-label': 'Statistics' },
    element(
      'table',
      {},
      element('thead', {}, element('tr', {}, ...head.map((title) => element('th', {}, title)))),
      element('tbody', {}, ...rows.map(line)),
    ),
  );
}
