/** How many times as fast ours is, as bars that begin at 1: equally fast. */
import * as Plot from '@observablehq/plot';
import { cell } from '../../benchmark/format.js';
import { plotStyle } from '../shared/charts.ts';
import { element } from '../shared/dom.ts';
import { type Contest, label, type Result, ratio, rivalries, ways } from './contests.ts';

const BAR = 19;

export interface Bars {
  readonly element: HTMLElement;
  show(contests: readonly Contest[], results: readonly (Result | undefined)[]): void;
}

/** One panel for each way. */
export function bars(): Bars {
  let draw = () => {};
  const panels = ways.map(({ title, suffix }) => {
    const holder = element('div', { className: 'chart' });
    return { title, suffix, holder, figure: element('figure', {}, element('h3', {}, title), holder) };
  });
  const whole = element('div', { className: 'row' }, ...panels.map(({ figure }) => figure));
  new ResizeObserver(() => draw()).observe(whole);
  return {
    element: whole,
    show(contests, results) {
      const largest = Math.max(10, ...results.flatMap((result) => ways.flatMap(({ suffix }) => all(result, suffix))));
      draw = () => {
        for (const { title, suffix, holder } of panels) {
          holder.replaceChildren(plot(title, holder.clientWidth, contests, results, suffix, largest));
        }
      };
      draw();
    },
  };
}

const all = (result: Result | undefined, suffix: string): number[] =>
  result ? rivalries.flatMap((rivalry) => ratio(result.us, rivalry, suffix) ?? []) : [];

function plot(
  title: string,
  width: number,
  contests: readonly Contest[],
  results: readonly (Result | undefined)[],
  suffix: string,
  largest: number,
) {
  // A contest without a rival of the one kind has one bar less.
  const data = contests.flatMap((contest, place) => {
    const us = results[place]?.us ?? {};
    return rivalries.flatMap((rivalry) => {
      const value = ratio(us, rivalry, suffix);
      return value === undefined ? [] : [{ contest: label(contest), than: rivalry.title, value }];
    });
  });
  const lowest = Math.min(1, ...data.map(({ value }) => value));
  return Plot.plot({
    width: Math.max(260, width || 480),
    height: 74 + contests.length * (2 * BAR + 14),
    marginLeft: 142,
    marginBottom: 40,
    marginRight: 48,
    ariaLabel: `${title}: how many times as fast ours is`,
    style: plotStyle,
    x: {
      type: 'log',
      label: 'times as fast',
      domain: [lowest, largest],
      grid: true,
      ticks: [1, 10, 100, 1000].filter((tick) => tick <= largest),
    },
    y: { axis: null, domain: rivalries.map(({ title }) => title), padding: 0.12 },
    fy: { axis: 'left', label: null, domain: contests.map(label), padding: 0.22 },
    color: {
      legend: true,
      domain: rivalries.map(({ title }) => title),
      range: rivalries.map(({ color }) => color),
    },
    marks: [
      Plot.barX(data, { x1: 1, x2: 'value', y: 'than', fy: 'contest', fill: 'than' }),
      Plot.text(data, {
        x: 'value',
        y: 'than',
        fy: 'contest',
        text: ({ value }) => `${cell(value, 'ratio')}×`,
        textAnchor: 'start',
        dx: 5,
      }),
      Plot.ruleX([1]),
    ],
  });
}
