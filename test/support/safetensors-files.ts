/** Reads and writes safetensors files without the package's own code, also such as are broken. */

export interface Contents {
  readonly metadata: Readonly<Record<string, string>> | undefined;
  readonly tensors: Readonly<
    Record<string, { readonly dtype: string; readonly shape: number[]; readonly values: number[] }>
  >;
}

interface Entry {
  readonly dtype: string;
  readonly shape: number[];
  readonly data_offsets: [number, number];
}

const float16 = (half: number): number => {
  const [sign, exponent, fraction] = [half >> 15 ? -1 : 1, (half >> 10) & 31, half & 1023];
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
};
const READ: Readonly<Record<string, readonly [size: number, read: (view: DataView, at: number) => number]>> = {
  F32: [4, (view, at) => view.getFloat32(at, true)],
  F64: [8, (view, at) => view.getFloat64(at, true)],
  I32: [4, (view, at) => view.getInt32(at, true)],
  I64: [8, (view, at) => Number(view.getBigInt64(at, true))],
  F16: [2, (view, at) => float16(view.getUint16(at, true))],
  BF16: [2, (view, at) => new Float32Array(new Uint32Array([view.getUint16(at, true) << 16]).buffer)[0]!],
};

export function contentsOf(file: Uint8Array): Contents {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const start = 8 + Number(view.getBigUint64(0, true));
  const { __metadata__: metadata, ...entries } = JSON.parse(new TextDecoder().decode(file.subarray(8, start)));
  const tensors = Object.entries(entries as Record<string, Entry>).map(([name, { dtype, shape, data_offsets }]) => {
    const [size, read] = READ[dtype]!;
    const [begin, end] = data_offsets;
    const values = Array.from({ length: (end - begin) / size }, (_, i) => read(view, start + begin + i * size));
    return [name, { dtype, shape, values }] as const;
  });
  return { metadata, tensors: Object.fromEntries(tensors) };
}

/** A file with this header, which may be no JSON, and these bytes of values. */
export function fileWith(header: string | object, values: Uint8Array | number = 0, length?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const data = typeof values === 'number' ? new Uint8Array(values) : values;
  const file = new Uint8Array(8 + text.length + data.length);
  new DataView(file.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  file.set(text, 8);
  file.set(data, 8 + text.length);
  return file;
}
