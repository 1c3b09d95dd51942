/**
 * The port between the WebAssembly kernels and a backend: the memory in which they work, for the time of one call. The tensors of
 * the wasm backend lie in that memory. Those of the cpu backend lie outside: what a kernel needs is copied in, and its results
 * out. The order in which kernels are called is the same for both, and written once: see normalize.ts, blend.ts, spectral.ts.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Attrs, Inputs, Name, Outputs } from '../core/contract.ts';
import type { Address, Kernels } from './kernels.ts';

export interface Memory {
  readonly kernels: Kernels;
  /** The values of all inputs together that should be in a window at a time, where a sample is not larger. */
  readonly block: number;
  /** Room for `size` float32 values, in which anything may stand, until the call ends. */
  scratch(size: number): Address;
  /** Sets `size` values. */
  fill(address: Address, size: number, value: number): void;
  /** Copies `size` values, from `from` on, to an address. */
  write(address: Address, values: Float32Array, from: number, size: number): void;
  /** Float64 values, as they are until memory is taken again. */
  doubles(address: Address, size: number): Float64Array;

  /** The address of all values of a tensor. Kernels only read there. */
  address(tensor: TensorInfo): Address;
  /** The values of a tensor, which nobody may change. */
  values(tensor: TensorInfo): Float32Array;
  /** A new tensor of known values, which it takes over. */
  tensor(shape: number[], values: Float32Array): TensorInfo;
  /** A new tensor that kernels are to fill, all of it in their memory. */
  output(shape: number[]): Output;
  /**
   * A window on tensors that are too large to be in a small memory as a whole.
   *
   * @param length the values of the largest part
   * @param dy as large as x, if there is one
   * @param shape that of the new tensor that kernels are to fill, as large as x, if there is one
   * @param addend another input as large as x, which kernels add to something
   * @param sumShape that of a second new tensor, x plus the addend
   */
  window(
    length: number,
    x: TensorInfo,
    dy: TensorInfo | undefined,
    shape: number[] | undefined,
    addend?: TensorInfo,
    sumShape?: number[],
  ): Window;
}

export interface Output {
  readonly address: Address;
  /** The tensor, when the kernels have filled it. */
  tensor(): TensorInfo;
}

/** The part of tensors that kernels see, and where. */
export interface Window {
  readonly length: number;
  readonly x: Address;
  readonly dy: Address;
  readonly addend: Address;
  /** Where kernels put x plus the addend, if that is wanted; it may be the place of x. */
  readonly sum: Address;
  /** Where kernels put their output; 0, which is "nowhere" to them, if none is wanted. */
  readonly out: Address;
  /** Moves to the values from `from` on. */
  load(from: number, size: number): void;
  /** Has the outputs of these values, to which the window was moved, taken over. */
  store(from: number, size: number): void;
  /** The output, when all of it is there. */
  tensor(): TensorInfo;
  /** x plus the addend, when all of it is there. */
  sumTensor(): TensorInfo;
}

/** A kernel, written for any such memory. */
export type SimdKernel<K extends Name> = (
  memory: Memory,
  inputs: Inputs<K, TensorInfo>,
  attrs: Attrs<K>,
) => Outputs<K, TensorInfo>;
