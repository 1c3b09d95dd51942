/** Greys of little contrast, for cells that have no part in what is shown: they leave the eye to the colours. */
import type { Rgb } from '../shared/scale.ts';

/** @param share from -1 to 1 */
export function greyOf(share: number, dark: boolean): Rgb {
  const [from, to] = dark ? [38, 92] : [176, 236];
  const grey = from + ((Math.min(Math.max(share, -1), 1) + 1) / 2) * (to - from);
  return [grey, grey, grey + 3];
}

export const isDark = (): boolean => matchMedia('(prefers-color-scheme: dark)').matches;
