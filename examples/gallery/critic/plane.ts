/** The plane of one network: the critic's values as a landscape, the data, and the samples of the generator. */
import { element } from '../shared/dom.ts';
import { GRID, gridPoints } from '../shared/grid.ts';
import { BLUE, shades } from '../shared/shades.ts';
import { EXTENT } from './data.ts';

const SIZE = 520;
const DATA_COLOR = '#8a8f98';
const SAMPLE_COLOR = '#e4572e';

/** The places of the landscape. */
export const landscapePoints = gridPoints(EXTENT);

/** The steepest slope between neighbours of the landscape: what the critic's Lipschitz constant is at least. */
export function steepestSlope(values: Float32Array): number {
  const width = (2 * EXTENT) / GRID;
  let steepest = 0;
  for (let i = 0; i < values.length; i++) {
    const right = (i + 1) % GRID === 0 ? 0 : values[i + 1] - values[i];
    const below = i + GRID < values.length ? values[i + GRID] - values[i] : 0;
    steepest = Math.max(steepest, Math.abs(right) / width, Math.abs(below) / width);
  }
  return steepest;
}

export interface Plane {
  readonly element: HTMLCanvasElement;
  draw(landscape: Float32Array, data: Float32Array, samples: Float32Array): void;
}

export function plane(label: string): Plane {
  const canvas = element('canvas', { width: SIZE, height: SIZE, role: 'img', 'aria-label': label });
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  const toPixel = (value: number) => ((value / EXTENT + 1) / 2) * SIZE;
  const dots = (points: Float32Array, color: string, radius: number) => {
    context.fillStyle = color;
    context.beginPath();
    for (let i = 0; i < points.length; i += 2) {
      const [x, y] = [toPixel(points[i]), toPixel(-points[i + 1])];
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 2 * Math.PI);
    }
    context.fill();
  };
  return {
    element: canvas,
    draw(landscape, data, samples) {
      context.clearRect(0, 0, SIZE, SIZE);
      context.drawImage(landscapeOf(landscape), 0, 0, SIZE, SIZE);
      dots(data, DATA_COLOR, 2);
      dots(samples, SAMPLE_COLOR, 3);
    },
  };
}

/** From the lowest value, which is clear, to the highest. */
function landscapeOf(values: Float32Array): OffscreenCanvas {
  const lowest = values.reduce((a, b) => Math.min(a, b));
  const range = values.reduce((a, b) => Math.max(a, b)) - lowest;
  return shades(values, GRID, (value) => [BLUE, (0.8 * (value - lowest)) / (range || 1)]);
}
