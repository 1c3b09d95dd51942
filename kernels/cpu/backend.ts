/** The part of TensorFlow.js's cpu backend that the kernels use: float32 data in, new tensors out. */
import type { DataId, TensorInfo } from '@tensorflow/tfjs-core';

export interface CpuBackend {
  readonly data: { get(dataId: DataId): { readonly values?: unknown } };
  makeTensorInfo(shape: number[], dtype: 'float32', values: Float32Array): TensorInfo;
}

/** The values of a float32 tensor: the backend's own, not to be written. */
export function valuesOf(backend: unknown, { dataId }: TensorInfo): Float32Array {
  return (backend as CpuBackend).data.get(dataId).values as Float32Array;
}

/** A new tensor, which takes `values` over. */
export function tensor(backend: unknown, shape: number[], values: Float32Array): TensorInfo {
  return (backend as CpuBackend).makeTensorInfo(shape, 'float32', values);
}
