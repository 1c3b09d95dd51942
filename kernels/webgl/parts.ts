/** How long work is divided: over fragments, which run side by side, and over draws. */
import type { Lines } from './layout.ts';

/** No fragment visits many more texels than this. */
export const LONGEST = 1024;
/** Parts are made shorter, down to `SHORTEST` texels, until there are about this many fragments. */
const FRAGMENTS = 1024;
const SHORTEST = 32;
/** What a fragment that merges may visit: few fragments do. */
export const MERGED = 256;

/** Into how many parts of how many texels lines are cut. Rows that are short enough are left whole: a draw less. */
export function cut({ alongRows, count, across, length }: Lines): { parts: number; chunk: number } {
  const wanted = Math.min(Math.ceil(length / SHORTEST), Math.ceil(FRAGMENTS / (count * across)));
  const needed = Math.ceil(length / LONGEST);
  const chunk = Math.ceil(length / (alongRows && needed === 1 ? 1 : Math.max(needed, wanted)));
  return { parts: Math.ceil(length / chunk), chunk };
}

/** How many of `parts` to merge at once so that few draws are needed and none loops for long. */
export const atOnce = (parts: number): number => (parts <= MERGED ? parts : Math.ceil(Math.sqrt(parts)));

/** The largest divisor of `size` up to `MERGED`: how many channels to merge at once. */
export function divisorOf(size: number): number {
  let d = Math.min(size, MERGED);
  while (size % d !== 0) d--;
  return d;
}
