/** Gives kernels the addresses of tensors on the heap of the wasm backend, without copies. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Name } from '../core/contract.ts';
import { fail } from '../core/errors.ts';
import { product } from '../core/view.ts';
import type { Address, SimdKernels } from '../simd/kernels.ts';
import type { Memory, Output, SimdKernel, Window } from '../simd/memory.ts';
import { type Heap, heapOf, type WasmKernel, type WasmPort } from './backend.ts';

const NAME = 'tfjs-normalizations';
/** The size of the address space, in bytes. */
const MOST = 2 ** 32;

/** A kernel of this backend, from its steps on a port of memory. It leaves its outputs on the heap, or nothing if it fails. */
export function kernel<K extends Name>(body: SimdKernel<K>): WasmKernel<K> {
  return ({ inputs, attrs, backend }) => {
    const heap = heapOf(backend);
    if (heap === undefined) fail(NAME, 'the kernels of the wasm backend cannot run here');
    const memory = new HeapMemory(backend, heap);
    try {
      return body(memory, inputs, attrs);
    } catch (error) {
      memory.disposeOutputs();
      throw error;
    } finally {
      memory.free();
    }
  };
}

/** The heap, for the time of one call. Views of it are made when they are used: each allocation may move it. */
class HeapMemory implements Memory {
  readonly kernels: SimdKernels;
  readonly block = Number.POSITIVE_INFINITY; // nothing is copied
  readonly #backend: WasmPort;
  readonly #memory: WebAssembly.Memory;
  readonly #scratch: Address[] = [];
  readonly #outputs: TensorInfo[] = [];

  constructor(backend: WasmPort, { kernels, memory }: Heap) {
    this.kernels = kernels;
    this.#backend = backend;
    this.#memory = memory;
  }

  scratch(size: number): Address {
    const bytes = 4 * size;
    // `_malloc` takes the lower 32 bits of a larger number, and would allocate too little.
    const address = bytes < MOST ? this.#backend.wasm._malloc(bytes) >>> 0 : 0;
    if (address === 0) refuse(bytes);
    this.#scratch.push(address);
    return address;
  }

  free(): void {
    for (const address of this.#scratch) this.#backend.wasm._free(address);
  }

  disposeOutputs(): void {
    for (const { dataId } of this.#outputs) this.#backend.disposeData(dataId, true);
  }

  fill(address: Address, size: number, value: number): void {
    new Float32Array(this.#memory.buffer, address, size).fill(value);
  }

  write(address: Address, values: Float32Array, from: number, size: number): void {
    new Float32Array(this.#memory.buffer, address, size).set(values.subarray(from, from + size));
  }

  doubles(address: Address, size: number): Float64Array {
    return new Float64Array(this.#memory.buffer, address, size);
  }

  /** `dataIdMap.get` moves the tensor to this backend, if it is on another one. */
  address({ dataId, dtype }: TensorInfo): Address {
    if (dtype !== 'float32') fail(NAME, `kernels take float32 tensors; received one of ${dtype}; cast it`);
    let data: { readonly memoryOffset: number } | undefined;
    try {
      data = this.#backend.dataIdMap.get(dataId);
    } catch (cause) {
      // TensorFlow.js has no backend for a tensor that was disposed of.
      throw new Error(`${NAME}: a tensor has no values any more; it was disposed of too early`, { cause });
    }
    return data.memoryOffset;
  }

  /** A copy, of small tensors only: those from which coefficients are prepared. */
  values(info: TensorInfo): Float32Array {
    const address = this.address(info);
    return new Float32Array(this.#memory.buffer, address, sizeOf(info.shape)).slice();
  }

  tensor(shape: number[], values: Float32Array): TensorInfo {
    const output = this.#make(shape);
    this.write(output.address, values, 0, values.length);
    return output.tensor();
  }

  output(shape: number[]): Output {
    return this.#make(shape);
  }

  window(
    length: number,
    x: TensorInfo,
    dy: TensorInfo | undefined,
    shape: number[] | undefined,
    addend?: TensorInfo,
    sumShape?: number[],
  ): Window {
    const [xAt, dyAt, addendAt] = [x, dy, addend].map((t) => (t ? this.address(t) : 0)) as [Address, Address, Address];
    return new HeapWindow(length, xAt, dyAt, addendAt, shape && this.#make(shape), sumShape && this.#make(sumShape));
  }

  #make(shape: number[]): Output {
    const info = this.#backend.makeOutput(shape, 'float32');
    this.#outputs.push(info);
    const address = this.address(info);
    // If its memory is full the backend allocates at address 0, and would write there.
    if (address === 0 && !shape.includes(0)) refuse(4 * sizeOf(shape));
    return { address, tensor: () => info };
  }
}

const sizeOf = (shape: readonly number[]) => product(shape, 0, shape.length);

function refuse(bytes: number): never {
  fail(
    NAME,
    `a kernel of the wasm backend needs ${bytes} bytes more of its memory, which is full; ` +
      'dispose of tensors, split this one, or use another backend',
  );
}

/** A part of tensors on the heap. */
class HeapWindow implements Window {
  readonly length: number;
  x: Address;
  dy: Address;
  addend: Address;
  out: Address;
  sum: Address;
  readonly #x: Address;
  readonly #dy: Address;
  readonly #addend: Address;
  readonly #output: Output | undefined;
  readonly #sum: Output | undefined;

  constructor(
    length: number,
    x: Address,
    dy: Address,
    addend: Address,
    output: Output | undefined,
    sum: Output | undefined,
  ) {
    this.length = length;
    this.#x = x;
    this.#dy = dy;
    this.#addend = addend;
    this.#output = output;
    this.#sum = sum;
    this.x = x;
    this.dy = dy;
    this.addend = addend;
    this.out = output?.address ?? 0;
    this.sum = sum?.address ?? 0;
  }

  load(from: number): void {
    const bytes = 4 * from;
    this.x = this.#x + bytes;
    this.dy = this.#dy + bytes;
    this.addend = this.#addend + bytes;
    if (this.#output) this.out = this.#output.address + bytes;
    if (this.#sum) this.sum = this.#sum.address + bytes;
  }

  store(): void {} // the kernels have written to the outputs themselves

  tensor(): TensorInfo {
    return (this.#output as Output).tensor();
  }

  sumTensor(): TensorInfo {
    return (this.#sum as Output).tensor();
  }
}
