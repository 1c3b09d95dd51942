/**
 * MNIST digits in ten styles: five colours, strong or weak in contrast. Digit and style are drawn independently, so that each
 * says nothing about the other, and every picture can be asked for both.
 */
import { CLASSES, type Digits, SIZE } from '../shared/digits.ts';
import type { Random } from '../shared/random.ts';

export const CHANNELS = 3;

const COLORS = [
  ['red', [1, 0.2, 0.2]],
  ['yellow', [0.9, 0.8, 0.1]],
  ['green', [0.2, 0.9, 0.3]],
  ['blue', [0.2, 0.5, 1]],
  ['pink', [0.9, 0.3, 0.9]],
] as const;
const CONTRASTS = [
  ['', 1],
  ['weak ', 0.35],
] as const;
/** How much colour and contrast differ within a style. */
const SPREAD = 0.1;

export const styleNames = CONTRASTS.flatMap(([contrast]) => COLORS.map(([color]) => contrast + color));

/** What a picture can be asked for. */
export const questions = ['digit', 'style'] as const;
export type Question = (typeof questions)[number];

export interface Pictures {
  /** count x 28 x 28 x 3 bytes. */
  readonly pixels: Uint8Array;
  readonly labels: Readonly<Record<Question, Uint8Array>>;
}

/** @param styles of each picture; without them they are drawn */
export function paint(
  { pixels, labels }: Digits,
  indices: readonly number[],
  { uniform }: Random,
  styles: readonly number[] = indices.map(() => Math.floor(CLASSES * uniform())),
): Pictures {
  const length = SIZE * SIZE;
  const painted = new Uint8Array(indices.length * length * CHANNELS);
  indices.forEach((index, i) => {
    const [, color] = COLORS[styles[i] % COLORS.length];
    const [, contrast] = CONTRASTS[Math.floor(styles[i] / COLORS.length)];
    const spread = () => SPREAD * (uniform() - 0.5);
    const strength = contrast - SPREAD / 2 + spread();
    const ink = color.map((share) => strength * Math.min(1, Math.max(0, share + spread())));
    for (let at = 0; at < length; at++) {
      const grey = pixels[index * length + at];
      for (let channel = 0; channel < CHANNELS; channel++) {
        painted[(i * length + at) * CHANNELS + channel] = Math.round(ink[channel] * grey);
      }
    }
  });
  const digit = Uint8Array.from(indices, (index) => labels[index]);
  return { pixels: painted, labels: { digit, style: Uint8Array.from(styles) } };
}
