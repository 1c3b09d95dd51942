/**
 * Values as colours, the same on every page: blue below 0, red above, pale at 0. Neither end is the colour of a normalization's
 * line, since nothing else on a page is drawn in these. A legend belongs to every picture.
 */
import { element } from './dom.ts';

export type Rgb = readonly [red: number, green: number, blue: number];

const STOPS: readonly Rgb[] = [
  [22, 74, 142],
  [94, 160, 208],
  [246, 244, 242],
  [240, 148, 92],
  [172, 28, 44],
];

/** @param share from -1 to 1 */
export function colorOf(share: number): Rgb {
  const at = ((Math.min(Math.max(share, -1), 1) + 1) / 2) * (STOPS.length - 1);
  const low = Math.min(Math.floor(at), STOPS.length - 2);
  return mix(STOPS[low], STOPS[low + 1], at - low);
}

export const mix = (a: Rgb, b: Rgb, share: number): Rgb => [
  a[0] + (b[0] - a[0]) * share,
  a[1] + (b[1] - a[1]) * share,
  a[2] + (b[2] - a[2]) * share,
];

/** The end of a colour scale for these values: few lie beyond it. */
export function reachOf(values: Float32Array): number {
  const sorted = values.map(Math.abs).sort();
  return rounded(sorted[Math.floor(0.99 * (sorted.length - 1))] || 1);
}

/** Up to the next number of one digit, or a half. */
export function rounded(reach: number): number {
  const unit = 10 ** Math.floor(Math.log10(reach));
  return Number(((Math.ceil((2 * reach) / unit) / 2) * unit).toPrecision(3));
}

/** Values as a picture of one pixel each, to be drawn larger. */
export function picture(values: Float32Array, columns: number, reach: number): OffscreenCanvas {
  const canvas = new OffscreenCanvas(columns, values.length / columns);
  const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
  const image = context.createImageData(canvas.width, canvas.height);
  values.forEach((value, i) => {
    image.data.set([...colorOf(value / reach), 255], 4 * i);
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

export interface ScaleLegend {
  readonly element: HTMLElement;
  /** Writes the ends: -reach and reach. */
  show(reach: number): void;
}

/** @param what the values are */
export function scaleLegend(what: string): ScaleLegend {
  const [low, high] = [element('span', {}, '−1'), element('span', {}, '1')];
  const bar = element('i', { className: 'scale' });
  return {
    element: element('div', { className: 'scale-legend' }, element('span', {}, what), low, bar, high),
    show(reach) {
      const text = reach >= 100 ? reach.toFixed(0) : String(Number(reach.toPrecision(2)));
      low.textContent = `−${text}`;
      high.textContent = text;
    },
  };
}
