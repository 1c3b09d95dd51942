/** The part of TensorFlow.js's wasm backend that is used by kernels that read and write values themselves. */
import type { TensorInfo } from '@tensorflow/tfjs-core';

export type Values = Float32Array | Int32Array | Uint8Array;

/** The part of `BackendWasm` that is used. */
export interface WasmPort {
  /** A new tensor, with uninitialized values. */
  makeOutput(shape: number[], dtype: 'float32'): TensorInfo;
  /** A view of the values of a tensor, valid until the memory grows: make outputs before views. */
  typedArrayFromHeap(tensor: TensorInfo): Values;
}

/** A new tensor of zeros. */
export function zeroOutput(backend: WasmPort, shape: number[]): TensorInfo {
  const output = backend.makeOutput(shape, 'float32');
  backend.typedArrayFromHeap(output).fill(0);
  return output;
}
