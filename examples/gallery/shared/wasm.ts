/** TensorFlow.js's wasm backend, with its binaries, and the gradients that it lacks. Only pages that run on it load this. */
import { getThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import plain from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import simd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import threaded from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url';
import 'tfjs-normalizations/kernels/wasm-training';

/** To be called before the backend starts. */
export function prepare(): void {
  setWasmPaths({
    'tfjs-backend-wasm.wasm': plain,
    'tfjs-backend-wasm-simd.wasm': simd,
    'tfjs-backend-wasm-threaded-simd.wasm': threaded,
  });
}

/** 1 where the page may not share memory between threads. */
export const threads = (): number => (globalThis.crossOriginIsolated ? getThreadsCount() : 1);
