/** Who races whom: normalizations at sizes, each as a layer and as a function, ours and TensorFlow.js's. */
import { type Named, shortNames } from '../shared/colors.ts';

/** By their names in the benchmark of the repository. */
export const classes = {
  layer: 'LayerNormalization',
  rms: 'RMSNormalization',
  batch: 'BatchNormalization',
  instance: 'InstanceNormalization',
  group: 'GroupNormalization',
} as const satisfies Record<string, Named>;
export type Name = keyof typeof classes;
export const names = Object.keys(classes) as Name[];

const rows = ['64x128', '512x768', '2048x256'] as const;
const images = ['2x16x16x32', '8x32x32x64'] as const;
export const sizes = [...rows, ...images];
export type Size = (typeof sizes)[number];

export interface Contest {
  readonly name: Name;
  readonly shape: readonly number[];
}

/** What was measured of one: microseconds, and draws where a GPU draws, by candidate. */
export interface Result extends Contest {
  readonly us: Readonly<Record<string, number>>;
  readonly draws?: Readonly<Record<string, number>>;
  /** By the clock of the GPU, where it has one: our function, forward, and a copy of x. */
  readonly gpuUs?: { readonly ours: number; readonly copy: number };
}

/** The chosen normalizations at those of the chosen sizes that they take: rows or images. */
export const contestsOf = (chosen: readonly Name[], at: readonly Size[]): Contest[] =>
  chosen.flatMap((name) => {
    const fitting: readonly string[] = name === 'layer' || name === 'rms' ? rows : images;
    return at.filter((size) => fitting.includes(size)).map((size) => ({ name, shape: size.split('x').map(Number) }));
  });

export const sizeText = (shape: readonly number[]): string => shape.join('×');
export const label = ({ name, shape }: Contest): string => `${shortNames[classes[name]]} ${sizeText(shape)}`;

/** Ours against theirs, in the names of the candidates. */
export const rivalries = [
  { kind: 'layer', ours: 'layer', theirs: 'builtIn', title: "TensorFlow.js's layer" },
  { kind: 'function', ours: 'ours', theirs: 'composed', title: 'the formula in ordinary ops' },
] as const;

export const ways = [
  { suffix: '', title: 'Forward' },
  { suffix: 'Gradient', title: 'Forward + gradient' },
] as const;

/** What a candidate is, in words. */
export function candidateText(candidate: string): string {
  const way = candidate.endsWith('Gradient') ? 'forward and gradient' : 'forward';
  const form = candidate.replace('Gradient', '');
  const texts: Record<string, string> = { ours: 'our function', layer: 'our layer', composed: 'ordinary ops' };
  return `${texts[form] ?? "TensorFlow.js's layer"}, ${way}`;
}

/** How many times as fast ours is; undefined where TensorFlow.js has nothing to compare. */
export function ratio(us: Result['us'], { ours, theirs }: (typeof rivalries)[number], suffix: string) {
  const value = us[theirs + suffix] / us[ours + suffix];
  return Number.isFinite(value) ? value : undefined;
}
