/**
 * The parts in which a tensor goes through the kernels: as much at a time as stays in the cache between two passes. A larger
 * sample goes through twice, in pieces: once to be summed, once to be transformed.
 */
import type { View } from '../core/view.ts';
import type { Window } from './memory.ts';

/** Values of all inputs together that are worked on at a time: 128 KB. */
export const BLOCK = 32768;
/** Values of all inputs together in the largest sample that is worked on as a whole: 512 KB. */
const WHOLE = 131072;
/** The least rows of a piece, however long they are: with fewer, the overhead of summing columns is too large. */
const ROWS = 32;

/**
 * How many samples go through a window at a time; 0 if a single one is too large to be worked on as a whole.
 *
 * @param block how many values of all inputs together should be in the window
 */
export function samplesTogether({ n, s, c }: View, inputs: number, block: number): number {
  const size = s * c;
  if (s > 1 && size * inputs > WHOLE) return 0;
  return Math.min(n, Math.max(1, Math.floor(block / inputs / size)));
}

/** The size of the pieces of a sample: whole rows of `wide` values, at most the sample itself. */
export function pieceOf(size: number, wide: number, inputs: number): number {
  return Math.min(size, Math.max(ROWS, Math.floor(BLOCK / inputs / wide)) * wide);
}

/** Loads the pieces of a sample one after the other, and visits each with its size and the number of values above it. */
export function read(window: Window, start: number, size: number, visit: (size: number, above: number) => void): void {
  for (let above = 0; above < size; above += window.length) {
    const length = Math.min(window.length, size - above);
    window.load(start + above, length);
    visit(length, above);
  }
}

/** As `read`, and stores each piece. From the last to the first, since the last ones are still in the cache after `read`. */
export function rewrite(
  window: Window,
  start: number,
  size: number,
  visit: (size: number, above: number) => void,
): void {
  for (let above = Math.floor((size - 1) / window.length) * window.length; above >= 0; above -= window.length) {
    const length = Math.min(window.length, size - above);
    window.load(start + above, length);
    visit(length, above);
    window.store(start + above, length);
  }
}
