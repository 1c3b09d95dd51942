/**
 * The kernels of TensorFlow.js's cpu backend: SIMD WebAssembly on a memory of its own. Importing this registers them.
 *
 * @module tfjs-normalizations/kernels/cpu
 */
import type { KernelSet } from '../core/contract.ts';
import { register } from '../core/registry.ts';
import type { CpuPort } from './backend.ts';
import { Average, BlendGrad, Moments, ScaleShift, ScaleShiftGrad } from './blend.ts';
import { host } from './host.ts';
import { Normalize, NormalizeGrad } from './normalize.ts';
import { PowerIteration } from './spectral.ts';
import { SwapAxes } from './swap.ts';

/** The kernels of the `cpu` backend; importing this registers them. */
export const cpu: KernelSet<CpuPort> = {
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
  supported: () => host() !== undefined,
};

register(cpu, 'cpu');
