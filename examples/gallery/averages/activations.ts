/** Activations of real images: what a convolution with six fixed filters makes of photos or of digits. */
import * as tf from '@tensorflow/tfjs';
import { loadTestDigits, SIZE } from '../shared/digits.ts';
import { element } from '../shared/dom.ts';
import { loadImage, photos } from '../shared/photos.ts';

export { SIZE };

/** One more on each side, which the convolution takes away. */
const PADDED = SIZE + 2;
export const MOST_EXAMPLES = 4;
export const CHANNELS = 6;

export type Kind = 'photos' | 'digits';

export interface Examples {
  readonly names: readonly string[];
  /** [4, 30, 30, colours], in [0, 1]. */
  readonly pixels: Float32Array;
  readonly colours: 1 | 3;
  readonly filters: readonly Filter[];
}

/** A filter of 3 x 3 positions, and how much of each colour it takes. */
interface Filter {
  readonly name: string;
  readonly positions: readonly number[];
  readonly colours: readonly number[];
}

const BLUR = [1, 2, 1, 2, 4, 2, 1, 2, 1].map((one) => one / 16);
const LINES = [-1, -2, -1, 0, 0, 0, 1, 2, 1].map((one) => one / 2);
const COLUMNS = [-1, 0, 1, -2, 0, 2, -1, 0, 1].map((one) => one / 2);
const FALLING = [0, 1, 2, -1, 0, 1, -2, -1, 0].map((one) => one / 2);
const RISING = [2, 1, 0, 1, 0, -1, 0, -1, -2].map((one) => one / 2);
const SPOTS = [-1, -1, -1, -1, 8, -1, -1, -1, -1].map((one) => one / 4);
const LIGHT = [0.3, 0.59, 0.11];

const photoFilters: readonly Filter[] = [
  { name: 'light', positions: BLUR, colours: LIGHT },
  { name: 'red to green', positions: BLUR, colours: [1.5, -1.5, 0] },
  { name: 'blue to yellow', positions: BLUR, colours: [-0.75, -0.75, 1.5] },
  { name: 'edges across', positions: LINES, colours: LIGHT },
  { name: 'edges upright', positions: COLUMNS, colours: LIGHT },
  { name: 'spots', positions: SPOTS, colours: LIGHT },
];
const digitFilters: readonly Filter[] = [
  { name: 'light', positions: BLUR, colours: [1] },
  { name: 'edges across', positions: LINES, colours: [1] },
  { name: 'edges upright', positions: COLUMNS, colours: [1] },
  { name: 'edges falling', positions: FALLING, colours: [1] },
  { name: 'edges rising', positions: RISING, colours: [1] },
  { name: 'spots', positions: SPOTS, colours: [1] },
];

/** Squares cut out of the photos, of 256 x 256. */
const CUTS = [
  { name: 'astronaut', address: photos.astronaut, x: 58, y: 0, size: 140 },
  { name: 'cat', address: photos.chelsea, x: 20, y: 20, size: 200 },
  { name: 'coffee', address: photos.coffee, x: 20, y: 20, size: 216 },
  { name: 'eyes', address: photos.chelsea, x: 48, y: 64, size: 110 },
];

async function loadPhotos(): Promise<Examples> {
  const canvas = new OffscreenCanvas(PADDED, PADDED);
  const context = canvas.getContext('2d', { willReadFrequently: true }) as OffscreenCanvasRenderingContext2D;
  context.imageSmoothingQuality = 'high';
  const pixels: number[] = [];
  for (const { address, x, y, size } of CUTS) {
    context.drawImage(await loadImage(address), x, y, size, size, 0, 0, PADDED, PADDED);
    const { data } = context.getImageData(0, 0, PADDED, PADDED);
    pixels.push(...data.filter((_, i) => i % 4 < 3));
  }
  return {
    names: CUTS.map(({ name }) => name),
    pixels: Float32Array.from(pixels, (byte) => byte / 255),
    colours: 3,
    filters: photoFilters,
  };
}

async function loadFourDigits(): Promise<Examples> {
  const test = await loadTestDigits();
  const chosen = [3, 0, 7, 8].map((label) => test.labels.indexOf(label));
  const pixels = new Float32Array(MOST_EXAMPLES * PADDED * PADDED);
  chosen.forEach((at, example) => {
    for (let row = 0; row < SIZE; row++) {
      for (let column = 0; column < SIZE; column++) {
        const byte = test.pixels[(at * SIZE + row) * SIZE + column];
        pixels[(example * PADDED + row + 1) * PADDED + column + 1] = byte / 255;
      }
    }
  });
  return { names: chosen.map((at) => `a ${test.labels[at]}`), pixels, colours: 1, filters: digitFilters };
}

const loaded = new Map<Kind, Promise<Examples>>();

export function loadExamples(kind: Kind): Promise<Examples> {
  const examples = loaded.get(kind) ?? (kind === 'photos' ? loadPhotos() : loadFourDigits());
  loaded.set(kind, examples);
  return examples;
}

/** One image as it is, but for its light. */
export function thumbnail({ names, pixels, colours }: Examples, example: number, light: number): HTMLCanvasElement {
  const canvas = element('canvas', { width: PADDED, height: PADDED, role: 'img', 'aria-label': names[example] });
  const size = PADDED * PADDED;
  const image = new ImageData(PADDED, PADDED);
  for (let i = 0; i < size; i++) {
    const at = (example * size + i) * colours;
    const rgb = [0, 1, 2].map((colour) => 255 * light * pixels[at + Math.min(colour, colours - 1)]);
    image.data.set([...rgb, 255], 4 * i);
  }
  canvas.getContext('2d')?.putImageData(image, 0, 0);
  return canvas;
}

/** Of the first `count` examples, the first of which gets but a part of its light. [count, 28, 28, 6] */
export function activationsOf({ pixels, colours, filters }: Examples, count: number, light: number): tf.Tensor4D {
  return tf.tidy(() => {
    const images = tf.tensor4d(pixels, [MOST_EXAMPLES, PADDED, PADDED, colours]);
    const lights = tf.tensor4d(
      Array.from({ length: MOST_EXAMPLES }, (_, i) => (i === 0 ? light : 1)),
      [MOST_EXAMPLES, 1, 1, 1],
    );
    const lit = tf.slice(tf.mul(images, lights), 0, count) as tf.Tensor4D;
    return tf.conv2d(lit, kernelOf(filters), 1, 'valid');
  });
}

/** [3, 3, colours, filters] */
const kernelOf = (filters: readonly Filter[]): tf.Tensor4D =>
  tf.tensor4d(
    [0, 1, 2].map((row) =>
      [0, 1, 2].map((column) =>
        filters[0].colours.map((_, colour) =>
          filters.map(({ positions, colours }) => positions[3 * row + column] * colours[colour]),
        ),
      ),
    ),
  );
