/** Values as colours: blue below 0, red above, the rest of the block in grey. */

type Rgb = readonly [number, number, number];

const STOPS: readonly Rgb[] = [
  [22, 74, 142],
  [94, 160, 208],
  [246, 244, 242],
  [240, 148, 92],
  [172, 28, 44],
];

/** @param share from -1 to 1 */
export function colourOf(share: number): Rgb {
  const at = ((Math.min(Math.max(share, -1), 1) + 1) / 2) * (STOPS.length - 1);
  const low = Math.min(Math.floor(at), STOPS.length - 2);
  return mix(STOPS[low], STOPS[low + 1], at - low);
}

/** Greys of little contrast, that leave the eye to the colours. */
export function greyOf(share: number, dark: boolean): Rgb {
  const [from, to] = dark ? [38, 92] : [176, 236];
  const grey = from + ((Math.min(Math.max(share, -1), 1) + 1) / 2) * (to - from);
  return [grey, grey, grey + 3];
}

export const mix = (a: Rgb, b: Rgb, share: number): Rgb => [
  a[0] + (b[0] - a[0]) * share,
  a[1] + (b[1] - a[1]) * share,
  a[2] + (b[2] - a[2]) * share,
];

export const isDark = (): boolean => matchMedia('(prefers-color-scheme: dark)').matches;

const reaches = new WeakMap<Float32Array, number>();

/** The end of a colour scale for these values: few lie beyond it. */
export function reachOf(values: Float32Array): number {
  const known = reaches.get(values);
  if (known) return known;
  const sorted = values.map(Math.abs).sort();
  const reach = sorted[Math.floor(0.99 * (sorted.length - 1))] || 1;
  const unit = 10 ** Math.floor(Math.log10(reach));
  const end = Number(((Math.ceil((2 * reach) / unit) / 2) * unit).toPrecision(3));
  reaches.set(values, end);
  return end;
}
