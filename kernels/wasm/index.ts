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
import { average, blendGrad, moments, scaleShift, scaleShiftGrad } from './blend.ts';
import { normalize, normalizeGrad } from './normalize.ts';
import { powerIteration } from './spectral.ts';

/** The kernels of the `wasm` backend; importing this registers them. */
export const wasm: KernelSet<WasmPort> = {
  kernels: {
    Normalize: normalize,
    NormalizeGrad: normalizeGrad,
    Moments: moments,
    ScaleShift: scaleShift,
    ScaleShiftGrad: scaleShiftGrad,
    BlendGrad: blendGrad,
    Average: average,
    PowerIteration: powerIteration,
  },
  // Asked of the current backend, whose tensors kernels are about to be given.
  supported: () => heapOf(engine().backend as unknown as WasmPort) !== undefined,
};

register(wasm, 'wasm');
