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
  readonly mask?: { readonly shape: readonly number[]; readonly values: readonly number[] };
  /** Index of a query vector that is all zeros. */
  readonly zeroQuery?: number;
}

export function attentionInputs({ leading, queries, keys, width, depth, zeroQuery }: AttentionCase) {
  const count = leading.reduce((a, b) => a * b, 1);
  const query = normals(1, count * queries * width);
  if (zeroQuery !== undefined) query.fill(0, zeroQuery * width, (zeroQuery + 1) * width);
  const [key, value] = [normals(2, count * keys * width), normals(3, count * keys * depth)];
  return { query, key, value, dy: normals(4, count * queries * depth), g: 1.5 };
}
