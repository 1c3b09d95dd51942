/**
 * The port between the WebAssembly kernels and a backend: the memory in which they work, for the time of one call. It holds the
 * tensors of the wasm backend; those of the cpu backend are outside it, so that inputs are copied in and results out. Both call the
 * kernels in the same order, which is written once: see normalize.ts, blend.ts, spectral.ts.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Attrs, Inputs, Name, Outputs } from '../core/contract.ts';
import type { Address, SimdKernels } from './kernels.ts';

export interface Memory {
  readonly kernels: SimdKernels;
  /** How many values of all inputs together should be in a window at a time. One sample may have more. */
  readonly block: number;
  /** Room for `size` float32 values, uninitialized, until the call ends. */
  scratch(size: number): Address;
  /** Sets `size` values. */
  fill(address: Address, size: number, value: number): void;
  /** Copies `size` values, from `from` on, to an address. */
  write(address: Address, values: Float32Array, from: number, size: number): void;
  /** A view of float64 values, valid until memory is taken again. */
  doubles(address: Address, size: number): Float64Array;

  /** The address of all values of a tensor. Kernels only read there. */
  address(tensor: TensorInfo): Address;
  /** The values of a tensor, read-only. */
  values(tensor: TensorInfo): Float32Array;
  /** A new tensor, which owns `values`. */
  tensor(shape: number[], values: Float32Array): TensorInfo;
  /** A new tensor for kernels to fill, in their memory as a whole. */
  output(shape: number[]): Output;
  /**
   * A window on tensors of one size, which may be too large to be in the memory as a whole.
   *
   * @param length the size of the largest part, in values
   * @param dy a second input
   * @param shape the shape of a new tensor for kernels to fill; absent: there is none
   * @param addend a third input, which kernels add to x or to their output
   * @param sumShape the shape of a second new tensor, for x plus the addend; absent: there is none
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

/** The part of tensors that kernels work on, and its addresses. */
export interface Window {
  readonly length: number;
  readonly x: Address;
  readonly dy: Address;
  readonly addend: Address;
  /** Where kernels write x plus the addend; may be x. 0: nowhere. */
  readonly sum: Address;
  /** Where kernels write their output. 0: nowhere. */
  readonly out: Address;
  /** Moves the window to `size` values from `from` on. */
  load(from: number, size: number): void;
  /** Keeps the outputs of these values, to which the window was moved. */
  store(from: number, size: number): void;
  /** The output, after all parts are stored. */
  tensor(): TensorInfo;
  /** x plus the addend, after all parts are stored. */
  sumTensor(): TensorInfo;
}

/** A kernel on any such memory. */
export type SimdKernel<K extends Name> = (
  memory: Memory,
  inputs: Inputs<K, TensorInfo>,
  attrs: Attrs<K>,
) => Outputs<K, TensorInfo>;
