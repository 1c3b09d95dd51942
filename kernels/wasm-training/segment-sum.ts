/** The gradient of gather, and of an embedding with it: rows that have the same index are added up. */
import type { KernelFunc, TensorInfo, UnsortedSegmentSumAttrs } from '@tensorflow/tfjs-core';
import { fail, show } from '../core/errors.ts';

type Values = Float32Array | Int32Array | Uint8Array;

/** The part of `BackendWasm` that is used. */
export interface WasmPort {
  makeOutput(shape: number[], dtype: 'float32'): TensorInfo;
  /** The values of a tensor where they lie; a view that ends when memory grows, so outputs are made before. */
  typedArrayFromHeap(tensor: TensorInfo): Values;
}

interface Call {
  readonly inputs: { readonly x: TensorInfo; readonly segmentIds: TensorInfo };
  readonly attrs: UnsortedSegmentSumAttrs;
  readonly backend: WasmPort;
}

/**
 * y[s, ...] = sum of x[i, ...] where segmentIds[i] = s; x [n, ...], segmentIds [n], y [numSegments, ...]. An id outside of y adds
 * to nothing.
 */
function segmentSum({ inputs: { x, segmentIds }, attrs: { numSegments }, backend }: Call): TensorInfo {
  if (segmentIds.shape.length !== 1 || segmentIds.shape[0] !== x.shape[0]) {
    fail(
      'UnsortedSegmentSum',
      `there must be one segment id for each row of x ${show(x.shape)}; received segmentIds ${show(segmentIds.shape)}; ` +
        'reshape both',
    );
  }
  const y = backend.makeOutput([numSegments, ...x.shape.slice(1)], 'float32');
  const [rows, ids, sums] = [x, segmentIds, y].map((tensor) => backend.typedArrayFromHeap(tensor)) as [
    Values,
    Values,
    Values,
  ];
  sums.fill(0);
  const length = rows.length / ids.length;
  for (let row = 0; row < ids.length; row++) {
    const id = ids[row] as number;
    if (id < 0 || id >= numSegments) continue;
    const [from, to] = [row * length, id * length];
    for (let i = 0; i < length; i++) (sums[to + i] as number) += rows[from + i] as number;
  }
  return y;
}

// TensorFlow.js calls a kernel with the backend under whose name it is registered: its type does not say so.
export const unsortedSegmentSum = segmentSum as unknown as KernelFunc;
