/** How long loops are divided over fragments, which run side by side, and over draws. */
import type { Lines } from './layout.ts';

/** About the most texels that a fragment reads. */
export const LONGEST = 1024;
/** Parts are made shorter, down to `SHORTEST` texels, until there are about this many fragments. */
const FRAGMENTS = 1024;
const SHORTEST = 32;
/** The most texels that a merging fragment reads: less, since few fragments run side by side then. */
export const MERGED = 256;

/** The parts into which lines are cut, and their length in texels. Rows of up to `LONGEST` are left whole, which saves a draw. */
export function cut({ alongRows, count, across, length }: Lines): { parts: number; chunk: number } {
  const wanted = Math.min(Math.ceil(length / SHORTEST), Math.ceil(FRAGMENTS / (count * across)));
  const needed = Math.ceil(length / LONGEST);
  const chunk = Math.ceil(length / (alongRows && needed === 1 ? 1 : Math.max(needed, wanted)));
  return { parts: Math.ceil(length / chunk), chunk };
}

/** How many of `parts` to merge at once, so that there are few draws, and none with long loops. */
export const atOnce = (parts: number): number => (parts <= MERGED ? parts : Math.ceil(Math.sqrt(parts)));

/** The largest divisor of `size` up to `MERGED`: how many channels to merge at once. */
export function divisorOf(size: number): number {
  let d = Math.min(size, MERGED);
  while (size % d !== 0) d--;
  return d;
}
