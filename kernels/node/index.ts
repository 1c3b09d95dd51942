/**
 * Kernels for the backend 'tensorflow' of @tensorflow/tfjs-node, composed of TensorFlow ops. That package is not imported:
 * kernels are registered under the backend's name, whether it has been loaded or is yet to come.
 *
 * @module tfjs-normalizations/kernels/node
 */
import type { KernelSet } from '../core/contract.ts';
import { register } from '../core/registry.ts';
import type { NodePort } from './backend.ts';
import { Average, BlendGrad, Moments, ScaleShift, ScaleShiftGrad } from './blend.ts';
import { Normalize, NormalizeGrad } from './normalize.ts';
import { PowerIteration } from './spectral.ts';

/** The kernels of the `tensorflow` backend of tfjs-node; importing this registers them. */
export const node: KernelSet<NodePort> = {
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

register(node, 'tensorflow');
