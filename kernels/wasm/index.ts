/**
 * The kernels of TensorFlow.js's wasm backend: SIMD WebAssembly on the memory of that backend, which is not imported. Importing
 * this registers them.
 *
 * @module tfjs-normalizations/kernels/wasm
 */
import { engine } from '@tensorflow/tfjs-core';
import type { KernelSet } from '../core/contract.ts';
import { register } from '../core/registry.ts';
import { heapOf, type WasmPort } from './backend.ts';
import { Average, BlendGrad, Moments, ScaleShift, ScaleShiftGrad } from './blend.ts';
import { Normalize, NormalizeGrad } from './normalize.ts';
import { PowerIteration } from './spectral.ts';
import { SwapAxes } from './swap.ts';

/** The kernels of the `wasm` backend; importing this registers them. */
export const wasm: KernelSet<WasmPort> = {
  kernels: {
    Normalize,
    NormalizeGrad,
    Moments,
    ScaleShift,
    ScaleShiftGrad,
    BlendGrad,
    Average,
    PowerIteration,
    SwapAxes,
  },
  // `supported` is called for the current backend.
  supported: () => heapOf(engine().backend as unknown as WasmPort) !== undefined,
};

register(wasm, 'wasm');
