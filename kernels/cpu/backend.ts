/** The part of TensorFlow.js's cpu backend that the kernels use: float32 data in, new tensors out. */
import type { DataId, TensorInfo } from '@tensorflow/tfjs-core';

export interface CpuBackend {
  readonly data: { get(dataId: DataId): { readonly values?: unknown } };
  makeTensorInfo(shape: number[], dtype: 'float32', values: Float32Array): TensorInfo;
}

/** The values of a float32 tensor, not to be written: the backend's own, but integers where it has been cast from such. */
export function valuesOf(backend: unknown, { dataId }: TensorInfo): Float32Array {
  const values = (backend as CpuBackend).data.get(dataId).values as ArrayLike<number>;
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

/** A new tensor, which takes `values` over. */
export function tensor(backend: unknown, shape: number[], values: Float32Array): TensorInfo {
  return (backend as CpuBackend).makeTensorInfo(shape, 'float32', values);
}
