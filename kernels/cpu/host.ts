/**
 * The memory in which the WebAssembly kernels work. The tensors of the cpu backend lie outside of it: what a kernel needs
 * is copied in, and its results out. Nothing stays from one use to the next.
 */
import { instantiate, type Kernels } from '../simd/kernels.ts';

const PAGE = 65536; // bytes; and pages, at most
const ALIGNMENT = 64;

export class Host {
  readonly kernels: Kernels;
  private readonly memory: WebAssembly.Memory;
  private floats: Float32Array;
  private end = 0;

  private constructor(memory: WebAssembly.Memory, kernels: Kernels) {
    this.memory = memory;
    this.kernels = kernels;
    this.floats = new Float32Array(memory.buffer);
  }

  /** Undefined where the kernels cannot run. */
  static create(): Host | undefined {
    try {
      const memory = new WebAssembly.Memory({ initial: 16, maximum: PAGE });
      const kernels = instantiate(memory);
      return kernels && new Host(memory, kernels);
    } catch {
      return undefined;
    }
  }

  /** Gives all memory back. Address 0 is never taken: to kernels it is "none". */
  clear(): void {
    this.end = ALIGNMENT;
  }

  /** The address of space for `size` float32 values. */
  take(size: number): number {
    const address = this.end;
    this.end = address + Math.ceil((size * 4) / ALIGNMENT) * ALIGNMENT;
    const missing = this.end - this.floats.length * 4;
    if (missing > 0) {
      this.memory.grow(Math.ceil(missing / PAGE));
      this.floats = new Float32Array(this.memory.buffer);
    }
    return address;
  }

  /** As `take`, with `value` everywhere. */
  filled(size: number, value: number): number {
    const address = this.take(size);
    this.fill(address, size, value);
    return address;
  }

  /** As `take`, with a copy of `values`. */
  copied(values: Float32Array): number {
    const address = this.take(values.length);
    this.load(address, values);
    return address;
  }

  fill(address: number, size: number, value: number): void {
    this.floats.fill(value, address / 4, address / 4 + size);
  }

  /** Copies a part of `values` in. */
  load(address: number, values: Float32Array, from = 0, size = values.length): void {
    this.floats.set(size === values.length ? values : values.subarray(from, from + size), address / 4);
  }

  /** Copies out, into a part of `values`. */
  store(address: number, values: Float32Array, from: number, size: number): void {
    values.set(this.floats.subarray(address / 4, address / 4 + size), from);
  }

  /** Values as a new array. */
  read(address: number, size: number): Float32Array {
    return this.floats.slice(address / 4, address / 4 + size);
  }

  /** Float64 values, as they are until memory is taken again. */
  doubles(address: number, size: number): Float64Array {
    return new Float64Array(this.memory.buffer, address, size);
  }
}

let instance: Host | undefined;

/** The one host, made when first asked for; undefined where the kernels cannot run. */
export function host(): Host | undefined {
  instance ??= Host.create();
  return instance;
}

/** The host, with all its memory free. */
export function freshHost(): Host {
  const fresh = host();
  if (fresh === undefined) throw new Error('tfjs-normalizations: WebAssembly with SIMD is not available here');
  fresh.clear();
  return fresh;
}
