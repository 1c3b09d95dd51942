/** How many times as fast ours is, as bars that begin at 1: equally fast. */
import type * as Plots from '@observablehq/plot';
import { cell } from '../../benchmark/format.js';
import { below, MARGIN_BELOW, type PlotModule, plotFigure } from '../shared/charts.ts';
import { inks } from '../shared/colors.ts';
import { element } from '../shared/dom.ts';
import { type Contest, label, type Result, ratio, rivalries, ways } from './contests.ts';

const BAR = 19;

export interface Bars {
  readonly element: HTMLElement;
  show(contests: readonly Contest[], results: readonly (Result | undefined)[]): void;
}

/** One panel for each way. */
export function bars(): Bars {
  let contests: readonly Contest[] = [];
  let results: readonly (Result | undefined)[] = [];
  const panels = ways.map(({ title, suffix }) =>
    plotFigure({
      title,
      legend: () => rivalries.map(({ title }, i) => ({ name: `against ${title}`, color: inks[2 * i] })),
      plot: (Plot) => {
        const largest = Math.max(10, ...results.flatMap((result) => ways.flatMap(({ suffix }) => all(result, suffix))));
        return plot(Plot, contests, results, suffix, largest);
      },
    }),
  );
  return {
    element: element('div', { className: 'row charts' }, ...panels.map(({ element }) => element)),
    show(newContests, newResults) {
      [contests, results] = [newContests, newResults];
      for (const { drawSoon } of panels) drawSoon();
    },
  };
}

const all = (result: Result | undefined, suffix: string): number[] =>
  result ? rivalries.flatMap((rivalry) => ratio(result.us, rivalry, suffix) ?? []) : [];

function plot(
  Plot: PlotModule,
  contests: readonly Contest[],
  results: readonly (Result | undefined)[],
  suffix: string,
  largest: number,
): Plots.PlotOptions {
  // A contest without a rival of the one kind has one bar less.
  const data = contests.flatMap((contest, place) => {
    const us = results[place]?.us ?? {};
    return rivalries.flatMap((rivalry) => {
      const value = ratio(us, rivalry, suffix);
      return value === undefined ? [] : [{ contest: label(contest), than: rivalry.title, value }];
    });
  });
  const lowest = Math.min(1, ...data.map(({ value }) => value));
  return {
    height: 60 + contests.length * (2 * BAR + 14),
    marginLeft: 142,
    marginBottom: MARGIN_BELOW,
    marginRight: 48,
    x: {
      ...below('times as fast as'),
      type: 'log',
      domain: [lowest, largest],
      grid: true,
      ticks: [1, 10, 100, 1000].filter((tick) => tick <= largest),
      tickFormat: String,
    },
    y: { axis: null, domain: rivalries.map(({ title }) => title), padding: 0.12 },
    fy: { axis: 'left', label: null, domain: contests.map(label), padding: 0.22 },
    color: { domain: rivalries.map(({ title }) => title), range: rivalries.map((_, i) => inks[2 * i]) },
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
  };
}
