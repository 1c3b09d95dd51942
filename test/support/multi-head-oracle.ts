/** Multi-head attention in float64 with loops: the inputs of a case, and what comes out. */
import { normals } from './random.ts';

export interface MultiHeadCase {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  /** Widths of query, value, key and output. */
  readonly widths: readonly [query: number, value: number, key: number, output: number];
  readonly heads: number;
  readonly keyValueHeads?: number;
  readonly keyDim: number;
  readonly valueDim: number;
  readonly useBias?: boolean;
  readonly causal?: boolean;
  readonly norm?: 'l2' | 'rms';
  /** 1 where a query may attend to a key, [batch, queries, keys]. */
  readonly mask?: readonly number[];
  /** 1 where a key counts, [batch, keys]. */
  readonly padding?: readonly number[];
}

type Values = Float64Array;

/** The shapes of all weights, in the order of the layer. */
export function weightShapes(args: MultiHeadCase): number[][] {
  const { heads, keyValueHeads = heads, keyDim, valueDim, norm, useBias = true } = args;
  const [query, value, key, output] = args.widths;
  const biased = (kernel: number[], bias: number[]) => (useBias ? [kernel, bias] : [kernel]);
  return [
    ...biased([query, heads, keyDim], [heads, keyDim]),
    ...biased([key, keyValueHeads, keyDim], [keyValueHeads, keyDim]),
    ...biased([value, keyValueHeads, valueDim], [keyValueHeads, valueDim]),
    ...(norm === 'l2' ? [[]] : norm === 'rms' ? [[keyDim], [keyDim]] : []),
    ...biased([heads, valueDim, output], [output]),
  ];
}

const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** The inputs, all weights, and the upstream gradient. */
export function multiHeadInputs(args: MultiHeadCase) {
  const { batch, queries, keys } = args;
  const [q, v, k, output] = args.widths;
  const shapes = [[batch, queries, q], [batch, keys, v], [batch, keys, k], ...weightShapes(args)];
  const tensors = shapes.map((shape, i) => ({
    shape,
    values: normals(10 + i, sizeOf(shape), i > 2 && shape.length < 2 ? 1 : 0, 0.7),
  }));
  return { tensors, dy: normals(9, batch * queries * output) };
}

/** y [batch, queries, output] of [query, value, key, ...weights]. */
export function multiHead(args: MultiHeadCase, [query, value, key, ...weights]: readonly Values[]): Values {
  const { batch, queries, keys, heads, keyValueHeads = heads, keyDim, valueDim, causal, norm, mask, padding } = args;
  const { useBias = true } = args;
  const [dq, dv, dk, output] = args.widths;
  const rest = [...weights];
  const projection = () => ({ kernel: rest.shift()!, bias: useBias ? rest.shift()! : undefined });
  const [ofQuery, ofKey, ofValue] = [projection(), projection(), projection()];
  const norms = norm === 'l2' ? [rest.shift()!] : norm === 'rms' ? [rest.shift()!, rest.shift()!] : [];
  const ofOutput = projection();
  const project = (
    x: Values,
    row: number,
    width: number,
    { kernel, bias }: ReturnType<typeof projection>,
    head: number,
    count: number,
    size: number,
  ) =>
    Float64Array.from({ length: size }, (_, e) => {
      let sum = bias ? bias[head * size + e]! : 0;
      for (let i = 0; i < width; i++) sum += x[row * width + i]! * kernel[(i * count + head) * size + e]!;
      return sum;
    });
  const normalized = (x: Values, which: 0 | 1): Values => {
    const squares = x.reduce((sum, value) => sum + value * value, 0);
    if (norm === 'l2')
      return x.map((value) => (value / Math.max(1e-12, Math.sqrt(squares))) * (which === 0 ? norms[0]![0]! : 1));
    if (norm === 'rms') return x.map((value, i) => (value / Math.sqrt(squares / x.length + 1e-6)) * norms[which]![i]!);
    return x;
  };
  const scale = norm === 'l2' ? 1 : keyDim ** -0.5;
  const y = new Float64Array(batch * queries * output);
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < queries; i++) {
      const row = b * queries + i;
      for (let o = 0; o < output; o++) y[row * output + o] = ofOutput.bias ? ofOutput.bias[o]! : 0;
      for (let h = 0; h < heads; h++) {
        const kv = Math.floor((h * keyValueHeads) / heads);
        const q = normalized(project(query!, row, dq, ofQuery, h, heads, keyDim), 0);
        const logits = Float64Array.from({ length: keys }, (_, j) => {
          const k = normalized(project(key!, b * keys + j, dk, ofKey, kv, keyValueHeads, keyDim), 1);
          const isAllowed =
            (!causal || i >= j) && (!mask || mask[row * keys + j]) && (!padding || padding[b * keys + j]);
          return isAllowed ? scale * q.reduce((sum, value, e) => sum + value * k[e]!, 0) : Number.NEGATIVE_INFINITY;
        });
        const most = logits.reduce((a, b) => Math.max(a, b));
        const exps = logits.map((logit) => (most === Number.NEGATIVE_INFINITY ? 1 : Math.exp(logit - most)));
        const total = exps.reduce((a, b) => a + b);
        for (let j = 0; j < keys; j++) {
          const v = project(value!, b * keys + j, dv, ofValue, kv, keyValueHeads, valueDim);
          for (let e = 0; e < valueDim; e++) {
            const share = (exps[j]! / total) * v[e]!;
            for (let o = 0; o < output; o++)
              y[row * output + o]! += share * ofOutput.kernel[(h * valueDim + e) * output + o]!;
          }
        }
      }
    }
  }
  return y;
}
