/** The digits of one client among all. */
import { type Digits, SIZE } from '../shared/digits.ts';

const LENGTH = SIZE * SIZE;

/** Those that have one of these labels, in the same order. */
export function ownDigits({ labels, pixels }: Digits, wanted: readonly number[]): Digits {
  const places = [...labels.keys()].filter((at) => wanted.includes(labels[at]));
  const own = new Uint8Array(places.length * LENGTH);
  places.forEach((at, i) => {
    own.set(pixels.subarray(at * LENGTH, (at + 1) * LENGTH), i * LENGTH);
  });
  return { labels: Uint8Array.from(places, (at) => labels[at]), pixels: own };
}
