/** The part of TensorFlow.js's wasm backend that kernels use which do not only compose ops. */
import type { TensorInfo } from '@tensorflow/tfjs-core';

export type Values = Float32Array | Int32Array | Uint8Array;

/** The part of `BackendWasm` that is used. */
export interface WasmPort {
  /** A new tensor, whose values are whatever the memory held before. */
  makeOutput(shape: number[], dtype: 'float32'): TensorInfo;
  /** The values of a tensor where they lie. The view ends when the memory grows, so outputs are made before views. */
  typedArrayFromHeap(tensor: TensorInfo): Values;
}

/** A new tensor of zeros. */
export function zeroOutput(backend: WasmPort, shape: number[]): TensorInfo {
  const output = backend.makeOutput(shape, 'float32');
  backend.typedArrayFromHeap(output).fill(0);
  return output;
}
