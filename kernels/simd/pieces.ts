/**
 * In which parts a tensor goes through the kernels: as much at a time as stays in the cache between two passes. A sample that is
 * larger goes twice, in pieces: to be summed, and to be transformed.
 */
import type { View } from '../core/view.ts';
import type { Window } from './memory.ts';

/** Values that are worked on at a time, of all inputs together: 128 KB. */
export const BLOCK = 32768;
/** Values of the largest sample that is worked on whole, though it is read twice, of all inputs together: 512 KB. */
const WHOLE = 131072;
/** Rows from which sums per column are worth their overhead, however long the rows are. */
const ROWS = 32;

/**
 * How many samples go through a window at a time; 0 if one is too large to be worked on whole.
 *
 * @param block the values that there should be in the window, of all inputs together
 */
export function samplesTogether({ n, s, c }: View, inputs: number, block: number): number {
  const size = s * c;
  if (s > 1 && size * inputs > WHOLE) return 0;
  return Math.min(n, Math.max(1, Math.floor(block / inputs / size)));
}

/** The size of the pieces in which a sample goes through: rows of `wide` values, at most the sample itself. */
export function pieceOf(size: number, wide: number, inputs: number): number {
  return Math.min(size, Math.max(ROWS, Math.floor(BLOCK / inputs / wide)) * wide);
}

/** Visits the pieces of a sample, each with the number of values above it. */
export function read(window: Window, start: number, size: number, visit: (size: number, above: number) => void): void {
  for (let above = 0; above < size; above += window.length) {
    const length = Math.min(window.length, size - above);
    window.load(start + above, length);
    visit(length, above);
  }
}

/** Visits the pieces of a sample, and stores them; backwards, because after `read` the last ones are still in the cache. */
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
