/** Between what the browser can draw, canvases, and the tensors of the network. */
import * as tf from '@tensorflow/tfjs';
import { download } from '../shared/dom.ts';

/** Something to paint from. */
export interface Source {
  readonly image: CanvasImageSource;
  readonly width: number;
  readonly height: number;
  /** As cameras that look at the reader do. */
  readonly mirrored?: boolean;
}

/** The network halves height and width twice, and pads by up to 4. */
const [MULTIPLE, SMALLEST] = [4, 32];

/** Draws the source into the canvas, `size` pixels on its longer side. */
export function drawSource(canvas: HTMLCanvasElement, { image, width, height, mirrored }: Source, size: number): void {
  const scale = size / Math.max(width, height);
  const fitted = (length: number) => Math.max(SMALLEST, Math.round((length * scale) / MULTIPLE) * MULTIPLE);
  canvas.width = fitted(width);
  canvas.height = fitted(height);
  const context = contextOf(canvas);
  context.imageSmoothingQuality = 'high';
  context.fillStyle = 'white'; // behind a picture with transparent parts
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (mirrored) context.setTransform(-1, 0, 0, 1, canvas.width, 0);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
}

/** [1, height, width, 3] in [0, 1]. */
export function tensorOf(canvas: HTMLCanvasElement): tf.Tensor4D {
  const pixels = contextOf(canvas).getImageData(0, 0, canvas.width, canvas.height);
  return tf.tidy(() => tf.div(tf.expandDims(tf.browser.fromPixels(pixels)), 255));
}

/** Draws an image [1, height, width, 3], and disposes it. */
export async function drawTensor(canvas: HTMLCanvasElement, image: tf.Tensor): Promise<void> {
  const picture = tf.tidy(() => tf.clipByValue(tf.squeeze<tf.Tensor3D>(image, [0]), 0, 1));
  image.dispose();
  try {
    const pixels = await tf.browser.toPixels(picture);
    const [height, width] = picture.shape;
    canvas.width = width;
    canvas.height = height;
    contextOf(canvas).putImageData(new ImageData(Uint8ClampedArray.from(pixels), width, height), 0, 0);
  } finally {
    picture.dispose();
  }
}

/** The canvases are read back for every frame, and drawn by the processor for that. */
const contextOf = (canvas: HTMLCanvasElement) =>
  canvas.getContext('2d', { willReadFrequently: true }) as CanvasRenderingContext2D;

/** Saves the picture as a file. */
export function save(canvas: HTMLCanvasElement, name: string, type: string, quality?: number): Promise<void> {
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => {
        if (!blob) return reject(new Error('this picture is too large to be saved'));
        download(blob, name);
        resolve();
      },
      type,
      quality,
    );
  });
}
