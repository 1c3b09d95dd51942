/** Tensors whose owner is the case: made from arrays, read back to arrays, and disposed of at the end. */
import { type Tensor, type TypedArray, tensor } from '@tensorflow/tfjs';

export type Data = TypedArray;

/** Reads a result and disposes of it. */
export async function take(result: Tensor): Promise<Data> {
  const data = await result.data();
  result.dispose();
  return data;
}

/** Reads and disposes of all results, by name; what is undefined stays so. */
export async function takeAll<K extends string>(
  results: Record<K, Tensor | undefined>,
): Promise<Record<K, Data | undefined>> {
  const entries: [string, Data | undefined][] = [];
  for (const [name, result] of Object.entries(results) as [K, Tensor | undefined][]) {
    entries.push([name, result && (await take(result))]);
  }
  return Object.fromEntries(entries) as Record<K, Data | undefined>;
}

/** Gives `body` a function that makes tensors, which live until `body` is done. */
export async function withTensors<T>(body: (make: MakeTensor) => Promise<T>): Promise<T> {
  const made: Tensor[] = [];
  const make: MakeTensor = (values, shape) => {
    const t = tensor(values, shape ?? [values.length], 'float32');
    made.push(t);
    return t;
  };
  try {
    return await body(make);
  } finally {
    for (const t of made) t.dispose();
  }
}
export type MakeTensor = (values: Float32Array, shape?: number[]) => Tensor;
