/**
 * Kernels for the backend 'tensorflow' of @tensorflow/tfjs-node, composed of TensorFlow ops. That package is not imported:
 * kernels are registered under the backend's name, whether it has been loaded or is yet to come.
 *
 * @module tfjs-normalizations/kernels/node
 */
import type { KernelSet } from '../core/contract.ts';
import { register } from '../core/registry.ts';
import type { NodePort } from './backend.ts';
import { average, blendGrad, moments, scaleShift, scaleShiftGrad } from './blend.ts';
import { normalize, normalizeGrad } from './normalize.ts';
import { powerIteration } from './spectral.ts';

/** The kernels of the `tensorflow` backend of tfjs-node; importing this registers them. */
export const node: KernelSet<NodePort> = {
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
  supported: () => true,
};

register(node, 'tensorflow');
