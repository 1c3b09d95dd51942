/** How the values of a block are distributed: one histogram for each part of it. */
import { below, MARGIN_BELOW, plotFigure } from '../shared/charts.ts';

export interface Part {
  readonly name: string;
  readonly values: Float32Array;
}

const BINS = 48;

/** @param reach the axis goes so far to both sides; what lies beyond counts in the last bins */
function binsOf({ name, values }: Part, reach: number) {
  const counts = new Float64Array(BINS);
  for (const value of values) {
    const bin = Math.floor(((value / reach + 1) / 2) * BINS);
    counts[Math.min(Math.max(bin, 0), BINS - 1)]++;
  }
  const highest = Math.max(...counts);
  const edge = (bin: number) => reach * ((2 * bin) / BINS - 1);
  return Array.from(counts, (count, i) => ({ name, x1: edge(i), x2: edge(i + 1), height: Math.sqrt(count / highest) }));
}

function momentsOf({ name, values }: Part) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  const deviation = Math.sqrt(variance);
  return { name, mean, from: mean - deviation, to: mean + deviation };
}

export interface Histograms {
  readonly element: HTMLElement;
  draw(parts: readonly Part[], reach: number): void;
}

export function histograms(title: string): Histograms {
  let shown: Parameters<Histograms['draw']> = [[], 1];
  const { element, drawSoon } = plotFigure({
    title,
    height: 200,
    plot: (Plot) => {
      const [parts, reach] = shown;
      return {
        height: 56 * parts.length + 50,
        marginLeft: 8,
        marginRight: 96,
        marginBottom: MARGIN_BELOW,
        x: { ...below('value'), domain: [-reach, reach] },
        y: { axis: null, domain: [0, 1.12] },
        fy: { axis: 'right', label: null, padding: 0.12, domain: parts.map(({ name }) => name) },
        marks: [
          Plot.rectY(
            parts.flatMap((part) => binsOf(part, reach)),
            {
              x1: 'x1',
              x2: 'x2',
              y: 'height',
              fy: 'name',
              fill: 'var(--accent)',
              fillOpacity: 0.55,
              insetLeft: 0,
              insetRight: 0.5,
            },
          ),
          Plot.ruleY(parts, { y: 0, fy: 'name', strokeOpacity: 0.35 }),
          Plot.ruleX([0], { strokeOpacity: 0.35, strokeDasharray: '2 3' }),
          Plot.ruleY(parts.map(momentsOf), { x1: 'from', x2: 'to', y: 1.06, fy: 'name', strokeWidth: 2, clip: true }),
          Plot.dot(parts.map(momentsOf), { x: 'mean', y: 1.06, fy: 'name', r: 3.5, fill: 'currentColor', clip: true }),
        ],
      };
    },
  });
  return {
    element,
    draw(parts, reach) {
      shown = [parts, reach];
      drawSoon();
    },
  };
}
