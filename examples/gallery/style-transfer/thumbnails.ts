/**
 * thumbnails.jpg: what the network makes of one photo in each style. `await gallery.makeThumbnails()` in the console of the
 * page paints it anew, and downloads it.
 */
import type * as tf from '@tensorflow/tfjs';
import { element } from '../shared/dom.ts';
import { STYLES, setStyle, styleNetwork, type Weights } from './model.ts';
import { drawSource, drawTensor, save, tensorOf } from './picture.ts';
import { predictInSteps } from './predict.ts';
import { loadPhoto } from './sources.ts';
import url from './thumbnails.jpg?url';

export const thumbnailsUrl = url;
export const [COLUMNS, ROWS, SIZE] = [13, 2, 128];

export async function makeThumbnails(weights: Weights): Promise<void> {
  const model = styleNetwork(weights);
  const sheet = element('canvas', { width: COLUMNS * SIZE, height: ROWS * SIZE });
  for (let style = 0; style < STYLES; style++) {
    const place = [(style % COLUMNS) * SIZE, Math.floor(style / COLUMNS) * SIZE] as const;
    sheet.getContext('2d')?.drawImage(await paintThumbnail(model, weights, style), ...place);
  }
  model.dispose();
  await save(sheet, 'thumbnails.jpg', 'image/jpeg', 0.86);
}

/** One of them. */
export async function paintThumbnail(
  model: tf.LayersModel,
  weights: Weights,
  style: number,
): Promise<HTMLCanvasElement> {
  const canvas = element('canvas');
  drawSource(canvas, await loadPhoto('chelsea'), SIZE);
  setStyle(
    model,
    weights,
    Array.from({ length: STYLES }, (_, i) => (i === style ? 1 : 0)),
  );
  const photo = tensorOf(canvas);
  await drawTensor(canvas, await predictInSteps(model, photo));
  photo.dispose();
  return canvas;
}
