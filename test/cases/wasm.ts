/** What only the wasm backend has: builds, and a heap. */
import { engine, type KernelBackend } from '@tensorflow/tfjs';
import { fused, run } from '../../kernels/core/registry.ts';
import { take, withTensors } from './tensors.ts';

type WasmBackend = KernelBackend & { readonly wasm: { readonly HEAPU8: Uint8Array; readonly PThread?: object } };

/** Which build of the backend runs here, and whether our kernels run on it. */
export const wasmBuild = async (_: Record<string, never>) => {
  const { wasm } = engine().backend as WasmBackend;
  return {
    isThreaded: wasm.PThread !== undefined,
    isShared: Object.prototype.toString.call(wasm.HEAPU8.buffer) === '[object SharedArrayBuffer]',
    fused: fused(),
  };
};

/** 0, 1, 2, ... as [n, a, b], with its last axes swapped by our kernel. */
export const swapAxes = ({ n, a, b }: { readonly n: number; readonly a: number; readonly b: number }) =>
  withTensors(async (make) => {
    const x = make(
      Float32Array.from({ length: n * a * b }, (_, i) => i),
      [n, a, b],
    );
    return take(run('SwapAxes', { x }, { n, a, b })[0]);
  });
