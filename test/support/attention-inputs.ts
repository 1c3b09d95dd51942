/** The inputs of attention, the same for the case and for the oracle. */
import { normals } from './random.ts';

export interface AttentionCase {
  /** All but the last two axes: batch, or batch and heads. */
  readonly leading: readonly number[];
  readonly queries: number;
  readonly keys: number;
  readonly width: number;
  readonly depth: number;
  readonly causal?: boolean;
  /** 1 where a query may attend to a key. */
  readonly mask?: { readonly shape: readonly number[]; readonly values: readonly number[]; readonly dtype?: 'bool' };
  /** Index of a query vector that is all zeros. */
  readonly zeroQuery?: number;
  /** Mean and deviation of queries, keys and values. Default: 0 and 1. */
  readonly mean?: number;
  readonly std?: number;
  /** The scale of the logits. Default: 1.5. */
  readonly g?: number;
  /** Inputs are rounded to half floats. */
  readonly half?: boolean;
}

export function attentionInputs(args: AttentionCase) {
  const { leading, queries, keys, width, depth, zeroQuery, mean = 0, std = 1, g = 1.5, half = false } = args;
  const count = leading.reduce((a, b) => a * b, 1);
  const make = (seed: number, size: number, mean: number, std: number) => {
    const values = normals(seed, count * size, mean, std);
    return half ? values.map(nearestHalf) : values;
  };
  const query = make(1, queries * width, mean, std);
  if (zeroQuery !== undefined) query.fill(0, zeroQuery * width, (zeroQuery + 1) * width);
  const [key, value] = [make(2, keys * width, mean, std), make(3, keys * depth, mean, std)];
  return { query, key, value, dy: make(4, queries * depth, 0, 1), g };
}

/** The half float next to a value of ordinary size: ten bits after the first. */
export function nearestHalf(value: number): number {
  if (value === 0) return 0;
  const step = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(value)))) - 10);
  return Math.round(value / step) * step;
}
