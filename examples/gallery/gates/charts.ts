/** The gates as they move: rho with its spread, the weights of the sources as shares of one, and where rho has ended. */
import * as Plot from '@observablehq/plot';
import { plotFigure } from '../shared/charts.ts';
import { colors } from '../shared/colors.ts';
import { type Question, questions } from './pictures.ts';

const questionColors: Readonly<Record<Question, string>> = { digit: '#8e5bd6', style: '#b08a00' };
export const questionNames: Readonly<Record<Question, string>> = { digit: 'which digit', style: 'which style' };
export const layerNames = ['first layer', 'second layer'];
const sources = ['batch', 'layer', 'instance'] as const;
const sourceColors = [colors.BatchNormalization, colors.LayerNormalization, colors.InstanceNormalization];

export interface Chart<Point> {
  readonly element: HTMLElement;
  add(...points: Point[]): void;
  clear(): void;
  readonly points: readonly Point[];
}

function chart<Point>(
  title: string,
  caption: string,
  options: (points: readonly Point[]) => Plot.PlotOptions,
): Chart<Point> {
  let points: Point[] = [];
  const { element, drawSoon } = plotFigure(title, () => ({ height: 320, ...options(points) }), caption);
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

const questionScale = {
  legend: true,
  domain: questions.map((question) => questionNames[question]),
  range: questions.map((question) => questionColors[question]),
};
const asked = ({ question }: { question: Question }) => questionNames[question];
const layerOf = ({ layer }: { layer: number }) => layerNames[layer];
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
  return chart(
    'Rho while they train',
    'From 0, instance, to 1, batch: the mean over the channels, and one standard deviation to both sides.',
    (points) => ({
      x: { label: 'step', labelOffset: 34, domain: [0, steps()], ticks: 3 },
      y: { label: null, ...share },
      fx: { label: null, padding: 0.14, domain: layerNames },
      color: questionScale,
      marginBottom: 38,
      grid: true,
      marks: [
        Plot.frame({ strokeOpacity: 0.2 }),
        Plot.areaY(points, {
          fx: layerOf,
          x: 'step',
          y1: ({ mean, spread }: RhoPoint) => clip(mean - spread),
          y2: ({ mean, spread }: RhoPoint) => clip(mean + spread),
          fill: asked,
          fillOpacity: 0.18,
        }),
        Plot.line(points, { fx: layerOf, x: 'step', y: 'mean', stroke: asked, strokeWidth: 2.5 }),
      ],
    }),
  );
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
  chart(
    'Rho of the channels now',
    'How many of the 16 channels have which rho, from 0, instance, to 1, batch.',
    (points) => ({
      x: { label: 'rho', labelOffset: 34, ...share },
      marginBottom: 38,
      y: { label: null, domain: [0, 16], ticks: [0, 8, 16] },
      fx: { label: null, padding: 0.14, domain: layerNames },
      fy: { axis: null, domain: questionScale.domain },
      color: questionScale,
      marks: [
        Plot.frame({ strokeOpacity: 0.2 }),
        Plot.rectY(bins(points), { fx: layerOf, fy: asked, x1: 'from', x2: 'to', y: 'count', fill: asked, inset: 0.5 }),
      ],
    }),
  );

export interface WeightPoint {
  readonly layer: number;
  readonly of: 'means' | 'variances';
  readonly source: (typeof sources)[number];
  readonly step: number;
  readonly weight: number;
}

export const weightChart = (question: Question, steps: () => number): Chart<WeightPoint> =>
  chart(
    `Asked ${questionNames[question]}`,
    'Whose means and variances the layer takes, as shares of one.',
    (points) => ({
      marginRight: 98,
      marginBottom: 38,
      x: { label: 'step', labelOffset: 34, domain: [0, steps()], ticks: 3 },
      y: { label: null, ...share },
      fx: { label: null, padding: 0.14, domain: ['means', 'variances'] },
      fy: { label: null, domain: layerNames },
      color: { legend: true, domain: [...sources], range: sourceColors },
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
  );
