/** The part of TensorFlow.js's cpu backend that the kernels use: float32 data in, new tensors out. */
import type { DataId, TensorInfo } from '@tensorflow/tfjs-core';
import type { Kernel, Name } from '../core/contract.ts';

/** The part of `MathBackendCPU` that is used. */
export interface CpuPort {
  readonly data: { get(dataId: DataId): { readonly values?: ArrayLike<number> } };
  makeTensorInfo(shape: number[], dtype: 'float32', values: Float32Array): TensorInfo;
  disposeIntermediateTensorInfo(info: TensorInfo): void;
}

export type CpuKernel<K extends Name> = Kernel<K, CpuPort>;

/**
 * The values of a float32 tensor, read-only: the backend's own array, or a copy where a cast has left an array of integers, whose `map`
 * would give integers.
 */
export function valuesOf(backend: CpuPort, { dataId }: TensorInfo): Float32Array {
  const { values = [] } = backend.data.get(dataId);
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

/** A new tensor, which owns `values`. */
export function tensor(backend: CpuPort, shape: number[], values: Float32Array): TensorInfo {
  return backend.makeTensorInfo(shape, 'float32', values);
}
