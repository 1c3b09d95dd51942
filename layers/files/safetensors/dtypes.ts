/** The types of numbers in safetensors files: how wide they are, and how they become the numbers of TensorFlow.js. */
import { fromBfloat16, fromFloat16 } from '../numbers.ts';

/** Bits of one value. Those without a reader here are known, so that the file can be checked as a whole. */
const BITS = {
  BOOL: 8,
  U8: 8,
  I8: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  I64: 64,
  U64: 64,
  F64: 64,
  C64: 64,
} as const;

export type Dtype = keyof typeof BITS;
export const isDtype = (value: unknown): value is Dtype => typeof value === 'string' && Object.hasOwn(BITS, value);
export const bitsOf = (dtype: Dtype): number => BITS[dtype];

type Read = (view: DataView, at: number) => number;

const READERS: Partial<Record<Dtype, Read>> = {
  BOOL: (view, at) => view.getUint8(at),
  U8: (view, at) => view.getUint8(at),
  I8: (view, at) => view.getInt8(at),
  U16: (view, at) => view.getUint16(at, true),
  I16: (view, at) => view.getInt16(at, true),
  U32: (view, at) => view.getUint32(at, true),
  I32: (view, at) => view.getInt32(at, true),
  F64: (view, at) => view.getFloat64(at, true),
  // Both are exact: what a double cannot hold, a weight cannot hold either, and the caller compares.
  U64: (view, at) => Number(view.getBigUint64(at, true)),
  I64: (view, at) => Number(view.getBigInt64(at, true)),
};

/** The types that can be read. */
export const READABLE: readonly Dtype[] = [...(Object.keys(READERS) as Dtype[]), 'F32', 'F16', 'BF16'];

/** The values of a type that is readable, as doubles or floats. They may lie in `bytes` itself. */
export function valuesOf(dtype: Dtype, bytes: Uint8Array): Float32Array | Float64Array {
  const size = (bytes.length * 8) / bitsOf(dtype);
  if (dtype === 'BF16') return fromBfloat16(halvesOf(bytes));
  if (dtype === 'F16') return fromFloat16(halvesOf(bytes));
  if (dtype === 'F32') {
    // Little-endian, as every machine that runs TensorFlow.js. A copy by the constructor: `slice` of Node's Buffer makes none.
    const { buffer, byteOffset } = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
    return new Float32Array(buffer, byteOffset, size);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [read, step] = [READERS[dtype] as Read, bitsOf(dtype) / 8];
  const values = new Float64Array(size);
  for (let i = 0; i < size; i++) values[i] = read(view, i * step);
  return values;
}

const halvesOf = (bytes: Uint8Array): Uint16Array =>
  Uint16Array.from(
    { length: bytes.length / 2 },
    (_, i) => (bytes[2 * i] as number) | ((bytes[2 * i + 1] as number) << 8),
  );
