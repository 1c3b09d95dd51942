/**
 * The plane of one network: the critic's values as a landscape, the data, the samples of the generator, and for some of them
 * where the critic's slope pushes them, how steep it is by the length.
 */
import { element } from '../shared/dom.ts';
import { GRID, gridPoints } from '../shared/grid.ts';
import { picture } from '../shared/scale.ts';
import { EXTENT } from './data.ts';

const SIZE = 520;
export const DATA_COLOR = '#ffffff';
export const SAMPLE_COLOR = '#14161b';
/** Samples with an arrow. */
const ARROWS = 36;
/** Pixels of an arrow for a slope of 1, and at most. */
const [ARROW, LONGEST] = [22, 64];

/** The places of the landscape. */
export const landscapePoints = gridPoints(EXTENT);
const WIDTH = (2 * EXTENT) / GRID;

/** The steepest slope between neighbours of the landscape: what the critic's Lipschitz constant is at least. */
export function steepestSlope(values: Float32Array): number {
  let steepest = 0;
  for (let i = 0; i < values.length; i++) {
    const right = (i + 1) % GRID === 0 ? 0 : values[i + 1] - values[i];
    const below = i + GRID < values.length ? values[i + GRID] - values[i] : 0;
    steepest = Math.max(steepest, Math.abs(right) / WIDTH, Math.abs(below) / WIDTH);
  }
  return steepest;
}

/** Of the landscape around a point, between its neighbours: to the right and up. */
function slopeAt(values: Float32Array, x: number, y: number): readonly [number, number] {
  const cell = (value: number) => Math.min(GRID - 2, Math.max(1, Math.floor((value + EXTENT) / WIDTH)));
  const at = cell(-y) * GRID + cell(x);
  return [(values[at + 1] - values[at - 1]) / (2 * WIDTH), (values[at - GRID] - values[at + GRID]) / (2 * WIDTH)];
}

/** The mean, which says nothing: the generator follows slopes alone. */
export const meanOf = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Logarithmic far from 0, so that one scale shows a steep critic and a flat one. */
const compressed = (value: number): number => Math.asinh(4 * value);

/** The largest distance from the mean. */
export const reachOf = (values: Float32Array): number => {
  const mean = meanOf(values);
  return values.reduce((most, value) => Math.max(most, Math.abs(value - mean)), 0);
};

export interface PlaneView {
  readonly landscape: Float32Array;
  readonly data: Float32Array;
  readonly samples: Float32Array;
  /** The value of the last colour, the same for all planes that are compared. */
  readonly reach: number;
}

export interface Plane {
  readonly element: HTMLCanvasElement;
  draw(view: PlaneView): void;
}

export function plane(label: string): Plane {
  const canvas = element('canvas', { width: SIZE, height: SIZE, role: 'img', 'aria-label': label });
  // Drawn by the processor: a thousand dots are not worth the start of a GPU.
  const context = canvas.getContext('2d', { willReadFrequently: true }) as CanvasRenderingContext2D;
  const toPixel = (value: number) => ((value / EXTENT + 1) / 2) * SIZE;
  const dots = (points: Float32Array, fill: string, line: string, radius: number) => {
    context.fillStyle = fill;
    context.strokeStyle = line;
    context.lineWidth = 1;
    context.beginPath();
    for (let i = 0; i < points.length; i += 2) {
      const [x, y] = [toPixel(points[i]), toPixel(-points[i + 1])];
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 2 * Math.PI);
    }
    context.stroke();
    context.fill();
  };
  function arrows(landscape: Float32Array, samples: Float32Array): void {
    const every = Math.max(1, Math.floor(samples.length / 2 / ARROWS));
    for (const [color, width] of [
      ['#ffffff', 4.5],
      [SAMPLE_COLOR, 2],
    ] as const) {
      context.strokeStyle = color;
      context.lineWidth = width;
      context.beginPath();
      for (let i = 0; i < samples.length; i += 2 * every) {
        const [right, up] = slopeAt(landscape, samples[i], samples[i + 1]);
        const slope = Math.hypot(right, up);
        const length = Math.min(LONGEST, ARROW * slope);
        if (length < 2) continue;
        const [x, y] = [toPixel(samples[i]), toPixel(-samples[i + 1])];
        const [dx, dy] = [(right / slope) * length, (-up / slope) * length];
        context.moveTo(x, y);
        context.lineTo(x + dx, y + dy);
        for (const turn of [2.6, -2.6]) {
          const angle = Math.atan2(dy, dx) + turn;
          const tip = Math.min(8, length / 2);
          context.moveTo(x + dx, y + dy);
          context.lineTo(x + dx + tip * Math.cos(angle), y + dy + tip * Math.sin(angle));
        }
      }
      context.stroke();
    }
  }
  return {
    element: canvas,
    draw({ landscape, data, samples, reach }) {
      const mean = meanOf(landscape);
      const shown = landscape.map((value) => compressed(value - mean));
      context.imageSmoothingEnabled = true;
      context.drawImage(picture(shown, GRID, compressed(reach)), 0, 0, SIZE, SIZE);
      dots(data, DATA_COLOR, '#70757f', 2.2);
      dots(samples, SAMPLE_COLOR, '#ffffff', 2.6);
      arrows(landscape, samples);
    },
  };
}
