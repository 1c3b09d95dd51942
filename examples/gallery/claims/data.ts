/** Digits of 14 x 14 pixels, and what is done to them to put a normalization to the test. */
import { CLASSES, type Digits, SIZE } from '../shared/digits.ts';
import { type Random, random } from '../shared/random.ts';
import type { Run } from './claim.ts';

/** Pixels of a row. */
export const WIDTH = SIZE / 2;
export const PIXELS = WIDTH * WIDTH;

export interface Examples {
  /** count x PIXELS. */
  readonly images: Float32Array;
  /** From 0 to CLASSES - 1. */
  readonly labels: Uint8Array;
}

export interface Parts {
  readonly train: Examples;
  readonly validation: Examples;
  readonly test: Examples;
}

/** Changes an image in place, and may give it another label. */
type Change = (image: Float32Array, label: number, random: Random) => number | undefined;

const times = (image: Float32Array, factor: number): void =>
  void image.forEach((value, i) => {
    image[i] = factor * value;
  });
const plus = (image: Float32Array, offset: number): void =>
  void image.forEach((value, i) => {
    image[i] = value + offset;
  });

const unchanged: Change = () => undefined;
const contrast =
  (draw: (random: Random) => number): Change =>
  (image, _, random) =>
    void times(image, draw(random));
const LEVELS = [0.15, 0.3, 0.6, 1.2];

/** What is done to the digits, in training and where the network is tested. */
export const changes = {
  plain: [unchanged],
  /** Trained on the full contrast, tested on three tenths of it. */
  'weaker contrast': [unchanged, contrast(() => 0.3)],
  /** Each digit of another contrast. */
  'mixed contrast': [contrast(({ uniform }) => 0.15 * 8 ** uniform())],
  /** The contrast is heavy-tailed: one digit in fifty is eight times as strong as usual. */
  'heavy tails': [contrast(({ normal }) => Math.exp(normal()))],
  /** The label is one of four contrasts, whatever the digit. */
  'contrast as label': [
    (image, _, { uniform }) => {
      const level = Math.floor(LEVELS.length * uniform());
      times(image, LEVELS[level] * (0.9 + 0.2 * uniform()));
      return level;
    },
  ],
  /** All pixels are brighter by the same. */
  'offset 3': [(image) => void plus(image, 3)],
  'offset 30': [(image) => void plus(image, 30)],
  /** Each digit has an offset of its own. */
  drifting: [(image, _, { uniform }) => void plus(image, 4 * uniform() - 2)],
  /** Of each digit between half of the rows and all; the others are 0. */
  'varying length': [(image, _, { uniform }) => void image.fill(0, WIDTH * Math.ceil(WIDTH * (0.5 + 0.5 * uniform())))],
} satisfies Record<string, readonly [train: Change, test?: Change]>;
export type DataName = keyof typeof changes;

const VALIDATION = 300;
const TESTED = 500;

/** The same for the same seed. */
export function dataOf(name: DataName, { train, test, seed }: Run, count: number): Parts {
  const [onTrain, onTest = onTrain] = changes[name] as readonly [Change, Change?];
  const trained = train.labels.length - VALIDATION;
  if (count > trained) throw new Error(`there are ${trained} digits to train with; received ${count}`);
  // Each seed sees other digits.
  const start = (seed * 997) % (trained - count + 1);
  return {
    train: changed(train, start, count, onTrain, seed),
    validation: changed(train, trained, VALIDATION, onTest, seed + 1000),
    test: changed(test, 0, TESTED, onTest, seed + 2000),
  };
}

function changed(digits: Digits, start: number, count: number, change: Change, seed: number): Examples {
  const source = random(seed);
  const images = new Float32Array(count * PIXELS);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const image = images.subarray(i * PIXELS, (i + 1) * PIXELS);
    halve(digits.pixels.subarray((start + i) * SIZE * SIZE, (start + i + 1) * SIZE * SIZE), image);
    labels[i] = change(image, digits.labels[start + i], source) ?? digits.labels[start + i];
  }
  return { images, labels };
}

/** Each pixel is the mean of four, in [0, 1]. */
function halve(pixels: Uint8Array, image: Float32Array): void {
  for (let row = 0; row < WIDTH; row++) {
    for (let column = 0; column < WIDTH; column++) {
      const at = 2 * row * SIZE + 2 * column;
      image[row * WIDTH + column] =
        (pixels[at] + pixels[at + 1] + pixels[at + SIZE] + pixels[at + SIZE + 1]) / (4 * 255);
    }
  }
}

/** In which order the examples are trained with. */
export type Order = 'shuffled' | 'two labels in a batch';

export function orderOf(order: Order, { labels }: Examples, batch: number, seed: number): Uint32Array {
  const { uniform } = random(seed);
  const indices = Uint32Array.from(labels, (_, i) => i);
  for (let i = indices.length - 1; i > 0; i--) {
    const j = Math.floor(uniform() * (i + 1));
    [indices[i], indices[j]] = [indices[j], indices[i]];
  }
  if (order === 'shuffled') return indices;
  // Every batch is filled from two labels, which go round.
  const byLabel = Array.from({ length: CLASSES }, (_, label) => Array.from(indices).filter((i) => labels[i] === label));
  const taken = byLabel.map(() => 0);
  return indices.map((_, place) => {
    const step = Math.floor(place / batch);
    const label = (2 * step * 3 + (place % 2) * 5 + Math.floor(step / 5)) % CLASSES;
    return byLabel[label][taken[label]++ % byLabel[label].length];
  });
}
