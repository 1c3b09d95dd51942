/**
 * The kernels of TensorFlow.js's cpu backend: SIMD WebAssembly on a memory of its own. Importing this registers them.
 *
 * @module tfjs-normalizations/kernels/cpu
 */
import type { KernelSet } from '../core/contract.ts';
import { register } from '../core/registry.ts';
import { average, blendGrad, scaleShift, scaleShiftGrad } from '../simd/blend.ts';
import { moments } from '../simd/normalize.ts';
import { powerIteration } from '../simd/spectral.ts';
import type { CpuPort } from './backend.ts';
import { host } from './host.ts';
import { kernel } from './memory.ts';
import { normalize, normalizeGrad } from './normalize.ts';
import { swapAxes } from './swap.ts';

/** The kernels of the `cpu` backend; importing this registers them. */
export const cpu: KernelSet<CpuPort> = {
  kernels: {
    Normalize: normalize,
    NormalizeGrad: normalizeGrad,
    Moments: kernel(moments),
    ScaleShift: kernel(scaleShift),
    ScaleShiftGrad: kernel(scaleShiftGrad),
    BlendGrad: kernel(blendGrad),
    Average: kernel(average),
    PowerIteration: kernel(powerIteration),
    SwapAxes: swapAxes,
  },
  supported: () => host() !== undefined,
};

register(cpu, 'cpu');
