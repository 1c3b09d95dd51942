/** The kernels composed of TensorFlow's own ops, which run wherever native ones cannot. */
import type { KernelSet } from '../core/contract.ts';
import type { NodePort } from './backend.ts';
import { Average, BlendGrad, Moments, ScaleShift, ScaleShiftGrad } from './blend.ts';
import { Normalize, NormalizeGrad } from './normalize.ts';
import { PowerIteration } from './spectral.ts';

export const tensorflowOps: KernelSet<NodePort> = {
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
  supported: () => true,
};
