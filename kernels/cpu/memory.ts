/** Tensors of the cpu backend on their way into the kernels' memory and back: by copies, of large tensors a part at a time. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Name } from '../core/contract.ts';
import { product } from '../core/view.ts';
import type { Address, Kernels } from '../simd/kernels.ts';
import type { Memory, Output, SimdKernel, Window } from '../simd/memory.ts';
import { BLOCK } from '../simd/pieces.ts';
import { type CpuKernel, type CpuPort, tensor, valuesOf } from './backend.ts';
import { freshHost, giveBack, type Host } from './host.ts';

/** The kernel on this backend; it does not keep more memory than usual. */
export function kernel<K extends Name>(body: SimdKernel<K>): CpuKernel<K> {
  return ({ inputs, attrs, backend }) => {
    try {
      return body(new CopyMemory(backend, freshHost()), inputs, attrs);
    } finally {
      giveBack();
    }
  };
}

/** The host's memory, in which there are copies of the tensors. */
class CopyMemory implements Memory {
  readonly kernels: Kernels;
  readonly block = BLOCK;
  readonly #backend: CpuPort;
  readonly #host: Host;

  constructor(backend: CpuPort, host: Host) {
    this.kernels = host.kernels;
    this.#backend = backend;
    this.#host = host;
  }

  scratch(size: number): Address {
    return this.#host.take(size);
  }

  fill(address: Address, size: number, value: number): void {
    this.#host.fill(address, size, value);
  }

  write(address: Address, values: Float32Array, from: number, size: number): void {
    this.#host.load(address, values, from, size);
  }

  doubles(address: Address, size: number): Float64Array {
    return this.#host.doubles(address, size);
  }

  address(info: TensorInfo): Address {
    return this.#host.copied(this.values(info));
  }

  values(info: TensorInfo): Float32Array {
    return valuesOf(this.#backend, info);
  }

  tensor(shape: number[], values: Float32Array): TensorInfo {
    return tensor(this.#backend, shape, values);
  }

  output(shape: number[]): Output {
    const size = product(shape, 0, shape.length);
    const address = this.#host.take(size);
    return { address, tensor: () => this.tensor(shape, this.#host.read(address, size)) };
  }

  window(length: number, x: TensorInfo, dy: TensorInfo | undefined, shape: number[] | undefined): Window {
    return new CopyWindow(this.#backend, this.#host, length, this.values(x), dy && this.values(dy), shape);
  }
}

/** Values between two inputs: half a page and a line, lest the same places of both compete for the same lines of the cache. */
const STAGGER = 528;

/** A part of x, and of dy where there is one, in the host's memory. The output takes the place of the last of them. */
class CopyWindow implements Window {
  readonly length: number;
  readonly x: Address;
  readonly dy: Address;
  readonly out: Address;
  readonly #backend: CpuPort;
  readonly #host: Host;
  readonly #xValues: Float32Array;
  readonly #dyValues: Float32Array | undefined;
  readonly #shape: number[] | undefined;
  readonly #output: Float32Array | undefined;
  /** Where the part begins that is there; -1: none. */
  #held = -1;

  constructor(
    backend: CpuPort,
    host: Host,
    length: number,
    x: Float32Array,
    dy: Float32Array | undefined,
    shape: number[] | undefined,
  ) {
    this.#backend = backend;
    this.#host = host;
    this.length = length;
    this.#xValues = x;
    this.#dyValues = dy;
    this.#shape = shape;
    this.#output = shape && new Float32Array(x.length);
    this.x = host.take(length + STAGGER);
    this.dy = dy ? host.take(length) : this.x;
    this.out = shape ? this.dy : 0;
  }

  /** Brings the values in, unless they are there. */
  load(from: number, size: number): void {
    if (from === this.#held) return;
    this.#host.load(this.x, this.#xValues, from, size);
    if (this.#dyValues) this.#host.load(this.dy, this.#dyValues, from, size);
    this.#held = from;
  }

  store(from: number, size: number): void {
    if (this.#output === undefined) return;
    this.#host.store(this.out, this.#output, from, size);
    this.#held = -1;
  }

  tensor(): TensorInfo {
    return tensor(this.#backend, this.#shape as number[], this.#output as Float32Array);
  }
}
