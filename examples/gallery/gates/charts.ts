/** The gates as they move: rho with its spread, the weights of the sources as shares of one, and where rho has ended. */
import type * as Plots from '@observablehq/plot';
import { below, MARGIN_BELOW, type PlotModule, plotFigure } from '../shared/charts.ts';
import { colors, inks } from '../shared/colors.ts';
import type { LegendEntry } from '../shared/legend.ts';
import { type Question, questions } from './pictures.ts';

export const questionNames: Readonly<Record<Question, string>> = { digit: 'which digit', style: 'which style' };
/** Both questions are put to the same normalization, so they differ in ink: strong and solid, pale and in dashes. */
const questionInks: Readonly<Record<Question, string>> = { digit: inks[0], style: inks[2] };
const dashesOf: Readonly<Record<Question, string>> = { digit: 'none', style: '5 3' };
export const layerNames = ['first layer', 'second layer'];
const sources = ['batch', 'layer', 'instance'] as const;
const sourceColors = [colors.BatchNormalization, colors.LayerNormalization, colors.InstanceNormalization];

export interface Chart<Point> {
  readonly element: HTMLElement;
  add(...points: Point[]): void;
  clear(): void;
  readonly points: readonly Point[];
}

interface ChartOptions<Point> {
  readonly title: string;
  readonly caption: string;
  readonly legend: readonly LegendEntry[];
  plot(Plot: PlotModule, points: readonly Point[]): Plots.PlotOptions;
}

function chart<Point>({ title, caption, legend, plot }: ChartOptions<Point>): Chart<Point> {
  let points: Point[] = [];
  const { element, drawSoon } = plotFigure({
    title,
    caption,
    legend: () => legend,
    height: 300,
    plot: (Plot) => plot(Plot, points),
  });
  return {
    element,
    add(...added) {
      points.push(...added);
      drawSoon();
    },
    clear() {
      points = [];
      drawSoon();
    },
    get points() {
      return points;
    },
  };
}

const questionLegend: readonly LegendEntry[] = [
  { name: `asked ${questionNames.digit}`, color: questionInks.digit },
  { name: `asked ${questionNames.style}`, color: questionInks.style, mark: 'dashes' },
];
const layerOf = ({ layer }: { layer: number }) => layerNames[layer];
/** The end of the axis: a recorded run may be longer than the one that is set. */
const lastOf = (points: readonly { readonly step: number }[], steps: number): number =>
  points.reduce((last, { step }) => Math.max(last, step), steps);
const share = { domain: [0, 1], ticks: [0, 0.5, 1], tickFormat: String };

export interface RhoPoint {
  readonly question: Question;
  readonly layer: number;
  readonly step: number;
  readonly mean: number;
  /** The standard deviation over the channels. */
  readonly spread: number;
}

export function rhoChart(steps: () => number): Chart<RhoPoint> {
  const clip = (value: number) => Math.min(1, Math.max(0, value));
  return chart({
    title: 'Rho while they train',
    caption: 'From 0, instance, to 1, batch: the mean over the channels, and one standard deviation to both sides.',
    legend: questionLegend,
    plot: (Plot, points) => ({
      x: { ...below('step'), domain: [0, lastOf(points, steps())], ticks: 3 },
      y: { label: null, ...share },
      fx: { label: null, padding: 0.14, domain: layerNames },
      marginBottom: MARGIN_BELOW,
      grid: true,
      marks: [
        Plot.frame({ strokeOpacity: 0.2 }),
        ...questions.flatMap((question) => {
          const own = points.filter((point) => point.question === question);
          const ink = questionInks[question];
          return [
            Plot.areaY(own, {
              fx: layerOf,
              x: 'step',
              y1: ({ mean, spread }: RhoPoint) => clip(mean - spread),
              y2: ({ mean, spread }: RhoPoint) => clip(mean + spread),
              fill: ink,
              fillOpacity: 0.16,
            }),
            Plot.line(own, {
              fx: layerOf,
              x: 'step',
              y: 'mean',
              stroke: ink,
              strokeWidth: 2.5,
              strokeDasharray: dashesOf[question],
            }),
          ];
        }),
      ],
    }),
  });
}

export interface FinalRho {
  readonly question: Question;
  readonly layer: number;
  readonly rho: number;
}

const BINS = 10;
const bins = (points: readonly FinalRho[]) =>
  questions.flatMap((question) =>
    layerNames.flatMap((_, layer) => {
      const own = points.filter((point) => point.question === question && point.layer === layer);
      return Array.from({ length: BINS }, (_, bin) => {
        const count = own.filter(({ rho }) => Math.min(BINS - 1, Math.floor(rho * BINS)) === bin).length;
        return { question, layer, from: bin / BINS, to: (bin + 1) / BINS, count };
      });
    }),
  );

export const rhoHistogram = (): Chart<FinalRho> =>
  chart({
    title: 'Rho of the channels now',
    caption: 'How many of the 16 channels have which rho, from 0, instance, to 1, batch.',
    legend: questionLegend,
    plot: (Plot, points) => ({
      x: { ...below('rho'), ...share },
      marginBottom: MARGIN_BELOW,
      y: { label: null, domain: [0, 16], ticks: [0, 8, 16] },
      fx: { label: null, padding: 0.14, domain: layerNames },
      fy: { axis: null, domain: questions, padding: 0.08 },
      marks: [
        Plot.frame({ strokeOpacity: 0.2 }),
        Plot.rectY(bins(points), {
          fx: layerOf,
          fy: 'question',
          x1: 'from',
          x2: 'to',
          y: 'count',
          fill: ({ question }: { question: Question }) => questionInks[question],
          inset: 0.5,
        }),
      ],
      color: { type: 'identity' },
    }),
  });

export interface WeightPoint {
  readonly layer: number;
  readonly of: 'means' | 'variances';
  readonly source: (typeof sources)[number];
  readonly step: number;
  readonly weight: number;
}

export const weightChart = (question: Question, steps: () => number): Chart<WeightPoint> =>
  chart({
    title: `Asked ${questionNames[question]}`,
    caption: 'Whose means and variances the layer takes, as shares of one.',
    legend: sources.map((name, i) => ({ name, color: sourceColors[i] })),
    plot: (Plot, points) => ({
      marginRight: 98,
      marginBottom: MARGIN_BELOW,
      x: { ...below('step'), domain: [0, lastOf(points, steps())], ticks: 3 },
      y: { label: null, ...share },
      fx: { label: null, padding: 0.14, domain: ['means', 'variances'] },
      fy: { label: null, domain: layerNames, padding: 0.1 },
      color: { domain: [...sources], range: sourceColors },
      marks: [
        Plot.areaY(points, {
          fx: 'of',
          fy: layerOf,
          x: 'step',
          y: 'weight',
          fill: 'source',
          order: sources as unknown as string[],
          fillOpacity: 0.85,
        }),
        Plot.frame({ strokeOpacity: 0.2 }),
      ],
    }),
  });
