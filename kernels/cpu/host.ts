/**
 * The memory in which the WebAssembly kernels work. The tensors of the cpu backend are outside it: the inputs of a kernel are
 * copied in, and its results out. Nothing is kept from one call to the next.
 */
import { backend_util } from '@tensorflow/tfjs-core';
import { instantiate, type SimdKernels } from '../simd/kernels.ts';

const PAGE = 65536; // bytes of a page, and also the largest number of pages
const ALIGNMENT = 64;
/** The kernels load 16 bytes at a time, so the last load may read up to 12 bytes past the last array: they are reserved. */
const BEHIND = 12;
/** Bytes that are kept between calls. WebAssembly memory cannot shrink: if it has grown beyond them, all of it is dropped. */
const KEPT = 64 * 2 ** 20;
/** The kernels compute with signed addresses. */
const MOST = 2 ** 31;

export class Host {
  readonly kernels: SimdKernels;
  readonly #memory: WebAssembly.Memory;
  #floats: Float32Array;
  #end = 0;

  /** @throws where WebAssembly, its SIMD or its compilation is refused */
  constructor() {
    this.#memory = new WebAssembly.Memory({ initial: 16, maximum: PAGE });
    this.kernels = instantiate(this.#memory);
    this.#floats = new Float32Array(this.#memory.buffer);
  }

  /** The size of the memory. */
  get bytes(): number {
    return this.#floats.length * 4;
  }

  /** Frees what was taken. Address 0 is never taken: to kernels it is "none". */
  clear(): void {
    this.#end = ALIGNMENT;
  }

  /** The address of space for `size` float32 values. */
  take(size: number): number {
    const address = this.#end;
    this.#end = address + Math.ceil((size * 4) / ALIGNMENT) * ALIGNMENT;
    if (this.#end + BEHIND > this.bytes) this.#grow(this.#end + BEHIND);
    // The kernels compute with the lanes past the end, too, and discard the results. Old values there may be subnormal, and slow.
    const behind = address / 4 + size;
    this.#floats[behind] = 0;
    this.#floats[behind + 1] = 0;
    this.#floats[behind + 2] = 0;
    return address;
  }

  #grow(bytes: number): void {
    const rule = `tfjs-normalizations: a kernel of the cpu backend needs ${bytes} bytes of WebAssembly memory`;
    const remedy = 'split the tensor, or use another backend';
    if (bytes > MOST) throw new Error(`${rule}, of which there are ${MOST} at most; ${remedy}`);
    try {
      this.#memory.grow(Math.ceil((bytes - this.bytes) / PAGE));
    } catch (cause) {
      throw new Error(`${rule}, which this machine does not give; ${remedy}`, { cause });
    }
    this.#floats = new Float32Array(this.#memory.buffer);
  }

  /** As `take`, with a copy of `values`. */
  copied(values: Float32Array): number {
    const address = this.take(values.length);
    this.load(address, values);
    return address;
  }

  fill(address: number, size: number, value: number): void {
    this.#floats.fill(value, address / 4, address / 4 + size);
  }

  /** Copies a part of `values` in. */
  load(address: number, values: Float32Array, from = 0, size = values.length): void {
    this.#floats.set(size === values.length ? values : values.subarray(from, from + size), address / 4);
  }

  /** Copies out, into a part of `values`. */
  store(address: number, values: Float32Array, from: number, size: number): void {
    values.set(this.#floats.subarray(address / 4, address / 4 + size), from);
  }

  /** Values as a new array. */
  read(address: number, size: number): Float32Array {
    return this.#floats.slice(address / 4, address / 4 + size);
  }

  /** A view of float64 values, valid until memory is taken again. */
  doubles(address: number, size: number): Float64Array {
    return new Float64Array(this.#memory.buffer, address, size);
  }
}

let instance: Host | 'not made' | 'refused' = 'not made';

/** The one host, made when first asked for; undefined where the kernels cannot run, which is said once. */
export function host(): Host | undefined {
  if (instance !== 'not made') return instance === 'refused' ? undefined : instance;
  try {
    instance = new Host();
  } catch (error) {
    instance = 'refused';
    backend_util.warn(
      `tfjs-normalizations: the WebAssembly kernels of the cpu backend cannot run here (${error}); ordinary TensorFlow.js ops ` +
        "take their place, more slowly. A content security policy must allow them by 'wasm-unsafe-eval' in script-src.",
    );
    return undefined;
  }
  return instance;
}

/** The host, with all its memory free. */
export function freshHost(): Host {
  const fresh = host();
  if (!fresh) throw new Error('tfjs-normalizations: WebAssembly with SIMD is not available here; use another backend');
  fresh.clear();
  return fresh;
}

/** Drops a host whose memory has grown beyond what is kept; the next call makes a new one. */
export function giveBack(): void {
  if (instance instanceof Host && instance.bytes > KEPT) instance = 'not made';
}
