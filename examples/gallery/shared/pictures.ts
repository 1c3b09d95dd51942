/** Digits side by side on one canvas, grey or in colours. */
import { SIZE } from './digits.ts';

const GAP = 2;

/**
 * @param pixels count x 28 x 28 x channels bytes
 * @param channels 1 or 3
 */
export function drawPictures(canvas: HTMLCanvasElement, pixels: Uint8Array, channels: number, columns: number): void {
  const length = SIZE * SIZE * channels;
  const count = pixels.length / length;
  canvas.width = columns * (SIZE + GAP) - GAP;
  canvas.height = Math.ceil(count / columns) * (SIZE + GAP) - GAP;
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  const image = new ImageData(SIZE, SIZE);
  for (let picture = 0; picture < count; picture++) {
    for (let i = 0; i < SIZE * SIZE; i++) {
      const at = picture * length + i * channels;
      const [red, green, blue] = channels === 3 ? pixels.subarray(at, at + 3) : Array(3).fill(pixels[at]);
      image.data.set([red, green, blue, 255], 4 * i);
    }
    context.putImageData(image, (picture % columns) * (SIZE + GAP), Math.floor(picture / columns) * (SIZE + GAP));
  }
}
