/**
 * The part of TensorFlow.js's wasm backend that the kernels use, and its memory, the *heap*, in which its tensors lie. Memory is
 * allocated by the backend's own `_malloc` only, which alone may grow the heap.
 */
import { backend_util, type DataId, type TensorInfo } from '@tensorflow/tfjs-core';
import type { Kernel, Name } from '../core/contract.ts';
import { instantiate, type SimdKernels } from '../simd/kernels.ts';

/** The part of `BackendWasm` that is used. */
export interface WasmPort {
  readonly wasm: {
    /** The memory, in the build with threads. */
    readonly wasmMemory?: WebAssembly.Memory;
    /** The memory, in the other builds. */
    readonly asm?: { readonly memory?: WebAssembly.Memory };
    readonly HEAPU8: Uint8Array;
    _malloc(bytes: number): number;
    _free(address: number): void;
  };
  readonly dataIdMap: { get(dataId: DataId): { readonly memoryOffset: number } };
  makeOutput(shape: number[], dtype: 'float32'): TensorInfo;
  disposeData(dataId: DataId, force?: boolean): boolean;
}

export type WasmKernel<K extends Name> = Kernel<K, WasmPort>;

/** The heap, and the kernels that work on it. */
export interface Heap {
  readonly memory: WebAssembly.Memory;
  readonly kernels: SimdKernels;
}

/** The heap of each backend object; undefined where the kernels cannot run. */
const heaps = new WeakMap<WasmPort, Heap | undefined>();

/** The heap of a backend; undefined where the kernels cannot run, which is said once. */
export function heapOf(backend: WasmPort): Heap | undefined {
  const known = heaps.get(backend);
  if (known !== undefined || heaps.has(backend)) return known;
  let heap: Heap | undefined;
  try {
    const memory = memoryOf(backend);
    heap = { memory, kernels: instantiate(memory) };
  } catch (error) {
    backend_util.warn(
      `tfjs-normalizations: the kernels of the wasm backend cannot run here (${error}); ordinary TensorFlow.js ops take their ` +
        'place, more slowly.',
    );
  }
  heaps.set(backend, heap);
  return heap;
}

/** The memory of a backend. Throws if it lacks members that are used here, as one of another version may. */
function memoryOf(backend: WasmPort): WebAssembly.Memory {
  const { wasm, dataIdMap } = backend;
  const isKnown =
    [wasm?._malloc, wasm?._free, dataIdMap?.get, backend.makeOutput, backend.disposeData].every(
      (member) => typeof member === 'function',
    ) && wasm.HEAPU8 !== undefined;
  if (!isKnown) throw new Error('it lacks members of the backend of TensorFlow.js 4.22');
  const memory = wasm.wasmMemory ?? wasm.asm?.memory;
  if (memory?.buffer !== wasm.HEAPU8.buffer) throw new Error('its memory was not found');
  return memory as WebAssembly.Memory;
}
