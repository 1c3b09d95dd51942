/** What only the wasm backend has: builds, and a heap. */
import { engine, type KernelBackend } from '@tensorflow/tfjs';
import { fused } from '../../kernels/core/registry.ts';

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
