/**
 * The kernels of TensorFlow.js's wasm backend: SIMD WebAssembly on the memory of that backend, which is not imported. Importing
 * this registers them.
 *
 * @module tfjs-normalizations/kernels/wasm
 */
import type { KernelSet } from '../core/contract.ts';
import { register } from '../core/registry.ts';
import { average, blendGrad, scaleShift, scaleShiftGrad } from '../simd/blend.ts';
import { moments, normalize, normalizeGrad } from '../simd/normalize.ts';
import { powerIteration } from '../simd/spectral.ts';
import { heapOf, type WasmPort } from './backend.ts';
import { kernel } from './memory.ts';

/** The kernels of the `wasm` backend; importing this registers them. */
export const wasm: KernelSet<WasmPort> = {
  kernels: {
    Normalize: kernel(normalize),
    NormalizeGrad: kernel(normalizeGrad),
    Moments: kernel(moments),
    ScaleShift: kernel(scaleShift),
    ScaleShiftGrad: kernel(scaleShiftGrad),
    BlendGrad: kernel(blendGrad),
    Average: kernel(average),
    PowerIteration: kernel(powerIteration),
  },
  supported: (backend) => heapOf(backend) !== undefined,
};

register(wasm, 'wasm');
