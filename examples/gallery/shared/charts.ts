/** Figures that draw their plot again as it changes, and lines that grow while something trains. */
import type * as Plots from '@observablehq/plot';
import { element } from './dom.ts';
import { type LegendEntry, legend } from './legend.ts';
import { waitFor } from './standing.ts';

export type PlotModule = typeof Plots;

/** Observable Plot is large, and pages show their pictures before their charts. */
const loading = import('@observablehq/plot');

/** Fits a plot into the page. */
const style = { background: 'none', color: 'inherit', fontSize: '12px' };

/** Beside the ticks of the x axis a label can stand on the last one: below them it cannot. */
export const below = (label: string) =>
  ({ label, labelAnchor: 'center', labelArrow: 'none', labelOffset: 36 }) as const;
export const MARGIN_BELOW = 42;

export interface PlotFigure {
  readonly element: HTMLElement;
  drawSoon(): void;
}

export interface PlotFigureOptions {
  readonly title: string;
  readonly plot: (plot: PlotModule) => Plots.PlotOptions;
  readonly legend?: () => readonly LegendEntry[];
  readonly caption?: string;
  /** Of the plot: the room is kept before it is drawn. */
  readonly height?: number;
}

/** A figure whose plot is drawn again, once a frame at most, when `drawSoon` asks for it or the room changes. */
export function plotFigure({ title, plot, legend: entries, caption, height = 260 }: PlotFigureOptions): PlotFigure {
  const holder = element('div', { className: 'chart', style: `min-height: ${height}px` });
  const key = element('div', { className: 'key' });
  const whole = element(
    'figure',
    {},
    element('h3', {}, title),
    entries && key,
    holder,
    caption !== undefined && element('figcaption', {}, caption),
  );
  let waiting = false;
  let shown = '';
  async function draw(): Promise<void> {
    waiting = false;
    const module = await loading;
    const width = Math.max(240, Math.min(holder.clientWidth || 480, 720));
    const drawn = module.plot({ width, height, style, ariaLabel: title, ...plot(module) });
    asPicture(drawn);
    holder.replaceChildren(drawn);
    const wanted = JSON.stringify(entries?.() ?? []);
    if (wanted !== shown) key.replaceChildren(legend(entries?.() ?? []));
    shown = wanted;
  }
  function drawSoon(): void {
    if (!waiting) requestAnimationFrame(draw);
    waiting = true;
  }
  if (entries) key.replaceChildren(legend(entries()));
  new ResizeObserver(drawSoon).observe(holder);
  waitFor(draw);
  return { element: whole, drawSoon };
}

/** To screen readers a plot is one picture with its title: the labels of its marks name no role, and say nothing. */
function asPicture(plot: Element): void {
  plot.setAttribute('role', 'img');
  for (const mark of plot.querySelectorAll('[aria-label], [aria-description]')) {
    mark.removeAttribute('aria-label');
    mark.removeAttribute('aria-description');
  }
}

export interface LineChartOptions {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  /** Colour by name of a line, in the order of the legend. */
  readonly series: Readonly<Record<string, string>>;
  /** Lines in dashes. */
  readonly dashed?: readonly string[];
  readonly yDomain?: readonly [number, number];
  readonly logarithmic?: boolean;
  /** Also draws the running mean over so many points, the points themselves pale. */
  readonly smooth?: number;
  /** Draws one panel beside the other for each of these names, all with the same axes. */
  readonly panels?: readonly string[];
  readonly caption?: string;
}

export interface LineChart {
  readonly element: HTMLElement;
  add(series: string, x: number, y: number, panel?: string): void;
  /** Empties it, and takes other lines if they are given. */
  clear(series?: Readonly<Record<string, string>>): void;
  /** Takes points that were kept. */
  set(points: readonly Point[]): void;
  readonly points: readonly Point[];
}

export interface Point {
  readonly series: string;
  readonly x: number;
  readonly y: number;
  readonly panel?: string | undefined;
}

const tick = (value: number): string => String(Number(value.toPrecision(3)));

export function lineChart(options: LineChartOptions): LineChart {
  const { title, x, y, dashed = [], yDomain, logarithmic = false, smooth, panels, caption } = options;
  let series = options.series;
  let points: Point[] = [];

  function plot(Plot: PlotModule): Plots.PlotOptions {
    const lineOf = (name: string) => {
      const own = points.filter((point) => point.series === name);
      const channels = {
        x: 'x',
        y: 'y',
        stroke: series[name],
        clip: true,
        ...(panels && { fx: 'panel', z: 'panel' }),
        ...(dashed.includes(name) && { strokeDasharray: '5 3' }),
      };
      if (!smooth) return [Plot.line(own, { ...channels, strokeWidth: 2 })];
      return [
        Plot.line(own, { ...channels, strokeOpacity: 0.25 }),
        Plot.line(own, Plot.windowY({ k: smooth, anchor: 'end', strict: false }, { ...channels, strokeWidth: 2 })),
      ];
    };
    const range = points.length > 0 ? {} : { domain: [0, 1] };
    const values = points.map(({ y }) => y).filter((y) => y > 0);
    // Room on both sides: a line on the edge would be cut.
    const logDomain = values.length > 0 ? [Math.min(...values) / 1.15, Math.max(...values) * 1.15] : [1, 10];
    return {
      marginLeft: 52,
      marginBottom: MARGIN_BELOW,
      grid: true,
      x: { ...below(x), ...range },
      y: {
        label: y,
        labelArrow: 'none',
        type: logarithmic ? 'log' : 'linear',
        ...(logarithmic ? { tickFormat: tick, ticks: 5, domain: logDomain } : range),
        ...(yDomain && { domain: yDomain }),
      },
      ...(panels && { fx: { label: null, domain: panels } }),
      marks: [
        ...(logarithmic ? [] : [Plot.ruleY(yDomain ? [yDomain[0]] : [])]),
        ...Object.keys(series).flatMap(lineOf),
      ],
    };
  }
  const entries = () =>
    Object.entries(series).map(([name, color]) => ({
      name,
      color,
      ...(dashed.includes(name) && { mark: 'dashes' as const }),
    }));
  const { element: whole, drawSoon } = plotFigure({
    title,
    plot,
    legend: entries,
    ...(caption !== undefined && { caption }),
  });
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
    set(others) {
      points = [...others];
      drawSoon();
    },
    get points() {
      return points;
    },
  };
}

/** Points of a chart as a recording holds them: few digits, and not each of a long training. */
export function thinned(points: readonly Point[], most = 120): Point[] {
  const counts = new Map<string, Point[]>();
  for (const point of points) {
    const line = `${point.series}/${point.panel ?? ''}`;
    counts.set(line, [...(counts.get(line) ?? []), point]);
  }
  return [...counts.values()].flatMap((line) => {
    const every = Math.ceil(line.length / most);
    return line
      .filter((_, i) => i % every === 0 || i === line.length - 1)
      .map((point) => ({ ...point, y: Number(point.y.toPrecision(4)) }));
  });
}
