/**
 * The kernels of TensorFlow.js's cpu backend: SIMD WebAssembly on a memory of its own. Importing this registers them.
 *
 * @module tfjs-normalizations/kernels/cpu
 */
import type { KernelSet } from '../core/contract.ts';
import { register } from '../core/registry.ts';
import type { CpuPort } from './backend.ts';
import { average, blendGrad, moments, scaleShift, scaleShiftGrad } from './blend.ts';
import { host } from './host.ts';
import { normalize, normalizeGrad } from './normalize.ts';
import { powerIteration } from './spectral.ts';
import { swapAxes } from './swap.ts';

/** The kernels of the `cpu` backend; importing this registers them. */
export const cpu: KernelSet<CpuPort> = {
  kernels: {
    Normalize: normalize,
    NormalizeGrad: normalizeGrad,
    Moments: moments,
    ScaleShift: scaleShift,
    ScaleShiftGrad: scaleShiftGrad,
    BlendGrad: blendGrad,
    Average: average,
    PowerIteration: powerIteration,
    SwapAxes: swapAxes,
  },
  supported: () => host() !== undefined,
};

register(cpu, 'cpu');
