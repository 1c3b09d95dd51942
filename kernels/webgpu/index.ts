/**
 * The kernels of TensorFlow.js's webgpu backend: compute shaders on its buffers. The backend is not imported. Importing this registers
 * them.
 *
 * @module tfjs-normalizations/kernels/webgpu
 */
import { engine } from '@tensorflow/tfjs-core';
import type { KernelSet } from '../core/contract.ts';
import { register } from '../core/registry.ts';
import { isKnown, type WebGPUPort, watchDevice } from './backend.ts';
import { Average, BlendGrad, Moments, ScaleShift, ScaleShiftGrad } from './blend.ts';
import { Normalize, NormalizeGrad } from './normalize.ts';
import { PowerIteration } from './spectral.ts';

/** The kernels of the `webgpu` backend; importing this registers them. */
export const webgpu: KernelSet<WebGPUPort> = {
  kernels: {
    Normalize,
    NormalizeGrad,
    Moments,
    ScaleShift,
    ScaleShiftGrad,
    BlendGrad,
    Average,
    PowerIteration,
  },
  supported: () => isKnown(engine().backend as unknown as WebGPUPort),
  start: watchDevice,
  castsInPlace: true,
};

register(webgpu, 'webgpu');
