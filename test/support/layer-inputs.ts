/** The inputs and weights of layer cases, made from a short description in the same way for the case and for the oracle. */
import { normals } from './random.ts';

/** One layer on one input: everything travels to the page as JSON. */
export interface LayerCase {
  readonly className: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Of the input, the batch first. */
  readonly shape: readonly number[];
  readonly training: boolean;
  /** Of the input. Default: 'float32'. */
  readonly dtype?: 'float32' | 'int32';
  /** Where the mask, of the shape of the input without channels, is true. Default: no mask. */
  readonly mask?: readonly boolean[];
  /** What the first element of the input is instead of its value. */
  readonly first?: number;
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** The input and the gradient that arrives at the output. */
export function layerInputs({ shape, dtype, first }: Pick<LayerCase, 'shape' | 'dtype' | 'first'>) {
  const values = normals(21, sizeOf(shape), 0.5);
  const x = dtype === 'int32' ? values.map((v) => Math.round(4 * v)) : values;
  if (first !== undefined) x[0] = first;
  return { x, dy: normals(22, sizeOf(shape)) };
}

/** Values of a weight, by the last part of its name; what stands under a root is positive. */
export function weightValues(name: string, size: number): Float32Array {
  const seed = [...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7);
  const values = normals(seed, size, /gamma|^scale/.test(name) ? 1 : 0, 0.5);
  return /variance|stddev/.test(name) ? values.map((v) => v * v + 0.5) : values;
}
