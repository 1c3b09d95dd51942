/** All numbers: two lines for each contest, forward and with gradient. */
import { cell } from '../../benchmark/format.js';
import { shortNames } from '../shared/colors.ts';
import { element } from '../shared/dom.ts';
import { type Contest, classes, type Result, ratio, rivalries, sizeText, ways } from './contests.ts';

/** @param results in the places of their contests; missing ones are still to come */
export function table(contests: readonly Contest[], results: readonly (Result | undefined)[]): HTMLElement {
  const drawn = results.some((result) => result?.draws);
  const columns = drawn ? ['ours', 'theirs', 'faster', 'draws'] : ['ours', 'theirs', 'faster'];
  const groups = rivalries.map(({ kind, title }) =>
    element('th', { colSpan: columns.length, scope: 'colgroup' }, `As a ${kind}, against ${title}`),
  );
  const heads = rivalries.flatMap(() => columns.map((column) => element('th', { scope: 'col' }, column)));
  return element(
    'table',
    { className: 'results' },
    element(
      'thead',
      {},
      element('tr', {}, element('td', { colSpan: 2 }), ...groups),
      element('tr', {}, element('td', { colSpan: 2 }), ...heads),
    ),
    ...contests.map((contest, place) => element('tbody', {}, ...lines(contest, results[place], drawn))),
  );
}

function lines(contest: Contest, result: Result | undefined, drawn: boolean): HTMLElement[] {
  const { name, shape } = contest;
  const title = element('strong', {}, shortNames[classes[name]]);
  const head = element('th', { scope: 'rowgroup', rowSpan: ways.length }, title, element('br'), sizeText(shape));
  return ways.map(({ title, suffix }, i) => {
    const cells = rivalries.flatMap((rivalry) => numbers(rivalry, result, suffix, drawn));
    return element('tr', {}, i === 0 && head, element('th', { scope: 'row' }, title), ...cells);
  });
}

type Rivalry = (typeof rivalries)[number];

function numbers(rivalry: Rivalry, result: Result | undefined, suffix: string, drawn: boolean): HTMLElement[] {
  const candidates = [rivalry.ours + suffix, rivalry.theirs + suffix];
  const times = candidates.map((candidate) => td(result && cell(result.us[candidate], 'time'), candidate));
  const faster = result && ratio(result.us, rivalry, suffix);
  const bold = td(result && (faster === undefined ? '-' : `${cell(faster, 'ratio')}×`), `${candidates[0]}-faster`);
  bold.classList.add('faster');
  if (!drawn) return [...times, bold];
  const draws = candidates.flatMap((candidate) => result?.draws?.[candidate] ?? []).join(' : ');
  return [...times, bold, td(result && draws, `${candidates[0]}-draws`)];
}

/** A number, or a sign that it is to come. */
const td = (text: string | undefined, name: string) => element('td', { 'data-of': name }, text ?? '…');
