/** Figures that draw their plot again as it changes, and lines that grow while something trains. */
import * as Plot from '@observablehq/plot';
import { element } from './dom.ts';

/** Fits a plot into the page. */
export const plotStyle = { background: 'none', color: 'inherit', fontSize: '12px' };

/** A figure whose plot is drawn again, once a frame at most, when `drawSoon` asks for it or the room changes. */
export function plotFigure(
  title: string,
  options: () => Plot.PlotOptions,
  caption?: string,
): { readonly element: HTMLElement; drawSoon(): void } {
  const holder = element('div', { className: 'chart' });
  const whole = element(
    'figure',
    {},
    element('h3', {}, title),
    holder,
    caption !== undefined && element('figcaption', {}, caption),
  );
  let waiting = false;
  function draw(): void {
    waiting = false;
    const width = Math.max(260, Math.min(holder.clientWidth || 480, 720));
    holder.replaceChildren(Plot.plot({ width, style: plotStyle, ariaLabel: title, ...options() }));
  }
  function drawSoon(): void {
    if (!waiting) requestAnimationFrame(draw);
    waiting = true;
  }
  new ResizeObserver(drawSoon).observe(holder);
  return { element: whole, drawSoon };
}

export interface LineChartOptions {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  /** Colour by name of a line, in the order of the legend. */
  readonly series: Readonly<Record<string, string>>;
  readonly yDomain?: readonly [number, number];
  readonly logarithmic?: boolean;
  /** Also draws the running mean over so many points, the points themselves pale. */
  readonly smooth?: number;
  /** Draws one panel beside the other for each of these names, all with the same axes. */
  readonly panels?: readonly string[];
}

export interface LineChart {
  readonly element: HTMLElement;
  add(series: string, x: number, y: number, panel?: string): void;
  /** Empties it, and takes other lines if they are given. */
  clear(series?: Readonly<Record<string, string>>): void;
  readonly points: readonly Point[];
}

interface Point {
  readonly series: string;
  readonly x: number;
  readonly y: number;
  readonly panel?: string | undefined;
}

export function lineChart(options: LineChartOptions): LineChart {
  const { title, x, y, yDomain, logarithmic = false, smooth, panels } = options;
  let series = options.series;
  let points: Point[] = [];

  function plot(): Plot.PlotOptions {
    const channels = { x: 'x', y: 'y', stroke: 'series', z: 'series', clip: true, ...(panels && { fx: 'panel' }) };
    const marks = smooth
      ? [
          Plot.line(points, { ...channels, strokeOpacity: 0.25 }),
          Plot.line(points, Plot.windowY({ k: smooth, anchor: 'end', strict: false }, { ...channels, strokeWidth: 2 })),
        ]
      : [Plot.line(points, { ...channels, strokeWidth: 2 })];
    return {
      height: 260,
      marginLeft: 52,
      grid: true,
      x: { label: x },
      y: {
        label: y,
        type: logarithmic ? 'log' : 'linear',
        ...(logarithmic && { tickFormat: '~g' }),
        ...(yDomain && { domain: yDomain }),
      },
      ...(panels && { fx: { label: null, domain: panels } }),
      color: { legend: true, domain: Object.keys(series), range: Object.values(series) },
      marks: [...(logarithmic ? [] : [Plot.ruleY(yDomain ? [yDomain[0]] : [])]), ...marks],
    };
  }
  const { element: whole, drawSoon } = plotFigure(title, plot);
  return {
    element: whole,
    add(series, x, y, panel) {
      points.push({ series, x, y, panel });
      drawSoon();
    },
    clear(others) {
      series = others ?? series;
      points = [];
      drawSoon();
    },
    get points() {
      return points;
    },
  };
}
