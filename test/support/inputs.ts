/** The inputs of kernel cases, made from a short description in the same way for the case and for the oracle. */
import type { EpsilonPlacement } from '../../kernels/core/contract.ts';
import { conditionsOf, type View } from '../../kernels/core/view.ts';
import { normals } from './random.ts';

export interface Inputs {
  readonly view: View;
  /** The shape of x; default: [n, s, c] without the axes of size 1 in front of the channels. */
  readonly shape?: readonly number[];
  readonly mean?: number;
  readonly std?: number;
  /**
   * 'constant': x is `mean` everywhere; 'nan', 'infinity': the first element of x is; 'zero dy': in the first group; 'apart': the
   * mean of sample i is 1e4 i; 'signs': x is 1 or -1.
   */
  readonly special?: 'constant' | 'nan' | 'infinity' | 'zero dy' | 'apart' | 'signs';
}

export interface NormalizeInputs extends Inputs {
  readonly epsilon: number;
  readonly epsilonPlacement: EpsilonPlacement;
  readonly center: boolean;
  readonly rescale: boolean;
  readonly gamma: boolean;
  readonly beta: boolean;
  /** Whether a residual is added to x, and the sum is wanted, too. */
  readonly residual?: boolean;
  /** The columns after the moments in the statistics that the gradient is given, as of another backend. Default: the backend's own. */
  readonly further?: number;
}

export const shapeOf = ({ view: { n, s, c }, shape }: Inputs): number[] =>
  shape ? [...shape] : [...[n, s].filter((size, i) => size > 1 || (i === 0 && s === 1)), c];

/** Whether element `i` belongs to the first group. */
export const inFirstGroup = ({ s, c, groups }: View, i: number) => i < s * c && i % c < c / groups;

export function activations({ view, mean = 0, std = 1, special }: Inputs) {
  const size = view.n * view.s * view.c;
  const x = special === 'constant' ? new Float32Array(size).fill(mean) : normals(1, size, mean, std);
  if (special === 'signs')
    x.forEach((value, i) => {
      x[i] = Math.sign(value);
    });
  if (special === 'nan') x[0] = Number.NaN;
  if (special === 'infinity') x[0] = Number.POSITIVE_INFINITY;
  if (special === 'apart') for (let i = 0; i < size; i++) x[i]! += 1e4 * Math.floor(i / (view.s * view.c));
  const dy = normals(2, size);
  return { x, dy: special === 'zero dy' ? dy.map((v, i) => (inFirstGroup(view, i) ? 0 : v)) : dy };
}

export function normalizeInputs(inputs: NormalizeInputs) {
  const { n, s, c } = inputs.view;
  const size = c * conditionsOf(inputs.view);
  return {
    ...activations(inputs),
    gamma: inputs.gamma ? normals(3, size, 1, 0.5) : undefined,
    beta: inputs.beta ? normals(4, size) : undefined,
    residual: inputs.residual ? normals(13, n * s * c) : undefined,
    dsum: inputs.residual ? normals(14, n * s * c) : undefined,
  };
}

export interface AffineInputs extends Inputs {
  readonly epsilon: number;
  readonly with: readonly ('mean' | 'variance' | 'scale' | 'shift')[];
}

/** n * c values of each named parameter. */
export function affineInputs(inputs: AffineInputs) {
  const { n, c } = inputs.view;
  const values = {
    mean: normals(5, n * c, inputs.mean),
    variance: normals(6, n * c).map((v) => v * v + 0.5),
    scale: normals(7, n * c, 1, 0.5),
    shift: normals(8, n * c),
  };
  const chosen = inputs.with.map((name) => [name, values[name]]);
  return { ...activations(inputs), affine: Object.fromEntries(chosen) as Partial<typeof values> };
}

export function blendInputs(inputs: Inputs) {
  const { n, c } = inputs.view;
  return {
    ...activations(inputs),
    mean: normals(5, n * c, inputs.mean),
    scale: normals(7, n * c, 1, 0.5),
    a: normals(9, n * c),
    b: normals(10, n * c),
  };
}

export interface AverageInputs {
  readonly size: number;
  /** The columns of statistics after the moments. Default: none. */
  readonly further?: number;
  readonly row: 0 | 1;
  readonly momentum: number;
}

export const averageInputs = ({ size, further = 0 }: AverageInputs) => ({
  old: normals(11, size),
  statistics: normals(12, 2 * (size + further)),
});
