/** The surface from above, in the colours of all signed values, on one scale for all pictures. */
import { element } from '../shared/dom.ts';
import { GRID, gridPoints } from '../shared/grid.ts';
import { picture as coloured } from '../shared/scale.ts';
import { RANGE } from './regression.ts';

const SIZE = 320;
/** The surface lies between -1 and 1. */
export const REACH = 1;

/** Where the networks are asked for the surface. */
export const surfacePoints = gridPoints(RANGE);

export function picture(label: string) {
  const canvas = element('canvas', { width: SIZE, height: SIZE, role: 'img', 'aria-label': `From above: ${label}` });
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  const toPixel = (value: number) => ((value / RANGE + 1) / 2) * SIZE;
  return {
    element: canvas,
    draw(heights: Float32Array, points?: Float32Array) {
      context.drawImage(coloured(heights, GRID, REACH), 0, 0, SIZE, SIZE);
      if (!points) return;
      context.fillStyle = '#16181d';
      for (let i = 0; i < points.length; i += 2) context.fillRect(toPixel(points[i]), toPixel(-points[i + 1]), 2, 2);
    },
  };
}
