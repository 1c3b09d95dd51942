/** Copies tensors of the cpu backend into the kernels' memory and back, large tensors a part at a time. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Name } from '../core/contract.ts';
import { product } from '../core/view.ts';
import type { Address, SimdKernels } from '../simd/kernels.ts';
import type { Memory, Output, SimdKernel, Window } from '../simd/memory.ts';
import { BLOCK } from '../simd/pieces.ts';
import { type CpuKernel, type CpuPort, tensor, valuesOf } from './backend.ts';
import { freshHost, giveBack, type Host } from './host.ts';

/** A kernel of this backend, from its steps on a port of memory. */
export function kernel<K extends Name>(body: SimdKernel<K>): CpuKernel<K> {
  return ({ inputs, attrs, backend }) => {
    try {
      return body(new CopyMemory(backend, freshHost()), inputs, attrs);
    } finally {
      giveBack();
    }
  };
}

/** The host's memory, with copies of the tensors. */
class CopyMemory implements Memory {
  readonly kernels: SimdKernels;
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

  window(
    length: number,
    x: TensorInfo,
    dy: TensorInfo | undefined,
    shape: number[] | undefined,
    addend?: TensorInfo,
    sumShape?: number[],
  ): Window {
    const inputs = { x: this.values(x), dy: dy && this.values(dy), addend: addend && this.values(addend) };
    return new CopyWindow(this.#backend, this.#host, length, inputs, shape, sumShape);
  }
}

/** Values of padding between two inputs: half a page and a cache line, so that equal indices do not share lines of the cache. */
const STAGGER = 528;

interface WindowInputs {
  readonly x: Float32Array;
  readonly dy: Float32Array | undefined;
  readonly addend: Float32Array | undefined;
}

/**
 * A part of x, and of dy and the addend if they are given, in the host's memory. The output overwrites dy, or else the addend, or
 * else x; the sum overwrites x.
 */
class CopyWindow implements Window {
  readonly length: number;
  readonly x: Address;
  readonly dy: Address;
  readonly addend: Address;
  readonly out: Address;
  readonly sum: Address;
  readonly #backend: CpuPort;
  readonly #host: Host;
  readonly #inputs: WindowInputs;
  readonly #shape: number[] | undefined;
  readonly #sumShape: number[] | undefined;
  readonly #output: Float32Array | undefined;
  readonly #sums: Float32Array | undefined;
  /** The first index of the part that is loaded; -1: none. */
  #held = -1;

  constructor(
    backend: CpuPort,
    host: Host,
    length: number,
    inputs: WindowInputs,
    shape: number[] | undefined,
    sumShape: number[] | undefined,
  ) {
    const { x, dy, addend } = inputs;
    this.#backend = backend;
    this.#host = host;
    this.length = length;
    this.#inputs = inputs;
    this.#shape = shape;
    this.#sumShape = sumShape;
    this.#output = shape && new Float32Array(x.length);
    this.#sums = sumShape && new Float32Array(x.length);
    this.x = host.take(length + STAGGER);
    this.addend = addend ? host.take(length + STAGGER) : this.x;
    this.dy = dy ? host.take(length) : this.addend;
    this.out = shape ? this.dy : 0;
    this.sum = sumShape ? this.x : 0;
  }

  /** Copies the part in, unless it is loaded. */
  load(from: number, size: number): void {
    if (from === this.#held) return;
    const { x, dy, addend } = this.#inputs;
    this.#host.load(this.x, x, from, size);
    if (dy) this.#host.load(this.dy, dy, from, size);
    if (addend) this.#host.load(this.addend, addend, from, size);
    this.#held = from;
  }

  store(from: number, size: number): void {
    if (this.#output === undefined) return;
    this.#host.store(this.out, this.#output, from, size);
    if (this.#sums) this.#host.store(this.sum, this.#sums, from, size);
    this.#held = -1;
  }

  tensor(): TensorInfo {
    return tensor(this.#backend, this.#shape as number[], this.#output as Float32Array);
  }

  sumTensor(): TensorInfo {
    return tensor(this.#backend, this.#sumShape as number[], this.#sums as Float32Array);
  }
}
