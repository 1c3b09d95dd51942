/** The gradient of gather, and of an embedding with it: rows that have the same index are added up. */
import type { KernelFunc, TensorInfo, UnsortedSegmentSumAttrs } from '@tensorflow/tfjs-core';
import { fail, show } from '../core/errors.ts';
import { type Values, type WasmPort, zeroOutput } from './backend.ts';

interface Call {
  readonly inputs: { readonly x: TensorInfo; readonly segmentIds: TensorInfo };
  readonly attrs: UnsortedSegmentSumAttrs;
  readonly backend: WasmPort;
}

/**
 * y[s, ...] = sum of x[i, ...] where segmentIds[i] = s; x [n, ...], segmentIds [n], y [numSegments, ...]. Rows with ids out of range
 * are left out.
 */
function segmentSum({ inputs: { x, segmentIds }, attrs: { numSegments }, backend }: Call): TensorInfo {
  if (segmentIds.shape.length !== 1 || segmentIds.shape[0] !== x.shape[0]) {
    fail(
      'UnsortedSegmentSum',
      `there must be one segment id for each row of x ${show(x.shape)}; received segmentIds ${show(segmentIds.shape)}; ` +
        'reshape both',
    );
  }
  const y = zeroOutput(backend, [numSegments, ...x.shape.slice(1)]);
  const [rows, ids, sums] = [x, segmentIds, y].map((t) => backend.typedArrayFromHeap(t)) as [Values, Values, Values];
  const length = rows.length / ids.length;
  for (let row = 0; row < ids.length; row++) {
    const id = ids[row] as number;
    if (id < 0 || id >= numSegments) continue;
    const [from, to] = [row * length, id * length];
    for (let i = 0; i < length; i++) (sums[to + i] as number) += rows[from + i] as number;
  }
  return y;
}

// KernelFunc does not know the type of the backend.
export const unsortedSegmentSum = segmentSum as unknown as KernelFunc;
