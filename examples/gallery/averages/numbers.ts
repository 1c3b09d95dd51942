/** The chosen cell in numbers: whose mean and variance it shares, and its output by hand and by the layer. */
import { element, table } from '../shared/dom.ts';
import { type Cell, indexOf, type Statistics } from './cells.ts';
import { byHand, normalizationOf, type Source } from './normalizations.ts';
import { parametersAt, type Result, statisticsAt } from './result.ts';

/** What belongs to a source, in words. */
function membersOf(source: Source, cell: Cell, { shape, names, settings: { groups } }: Result): string {
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
    case 'single':
      return 'nothing: only itself counts';
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

interface Row {
  readonly source: Source;
  readonly members: string;
  readonly statistics: Statistics;
}

interface Columns {
  /** How much of each source is taken. */
  readonly shares?: boolean;
  readonly mean?: boolean;
  readonly variance?: boolean;
  readonly meanSquare?: boolean;
}

/** One line for each source of statistics. */
function statisticsTable(rows: readonly Row[], shown: Columns): HTMLElement {
  const columns: readonly (readonly [boolean | undefined, string, (row: Row) => string])[] = [
    [shown.shares, 'part', ({ source }) => `${Math.round(100 * source.share)} %`],
    [true, 'cells', ({ statistics }) => statistics.count.toLocaleString('en')],
    [shown.mean, 'mean', ({ statistics }) => rounded(statistics.mean)],
    [shown.variance, 'variance', ({ statistics }) => rounded(statistics.variance)],
    [shown.meanSquare, 'mean of squares', ({ statistics }) => rounded(statistics.meanSquare)],
  ];
  const used = columns.filter(([isShown]) => isShown);
  const heads = ['Shares its statistics with', ...used.map(([, title]) => title)];
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
    table(heads, rows.map(line)),
  );
}

export function cellNumbers(result: Result, chosen: Cell): HTMLElement[] {
  const { name, settings, shape, names, x, y } = result;
  const { sources, needs = { mean: true, variance: true } } = normalizationOf(name);
  const all = sources(settings);
  const { now, past } = statisticsAt(result, chosen);
  const rows = all.map((source, i) => ({ source, members: membersOf(source, chosen, result), statistics: now[i] }));
  const at = indexOf(shape, chosen);
  const values = [
    ['before', x[at], 'x'],
    ['after, by hand', byHand(name, { x: x[at], now, past }, settings, parametersAt(result, chosen)), 'hand'],
    ['after, by the layer', y[at], 'y'],
  ] as const;
  return [
    element(
      'p',
      {},
      element('strong', {}, `${names.examples[chosen.example]}, ${names.channels[chosen.channel]}`),
      ` at row ${chosen.row + 1}, column ${chosen.column + 1}`,
    ),
    statisticsTable(
      rows.filter(({ source }) => source.share > 0),
      { shares: all.length > 1, ...needs },
    ),
    element(
      'dl',
      {},
      ...values.map(([term, value, key]) =>
        element(
          'div',
          {},
          element('dt', {}, term),
          element('dd', { className: 'number', 'data-value': key }, rounded(value)),
        ),
      ),
    ),
  ];
}
