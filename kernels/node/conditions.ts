/** Conditional normalization of kernels of this backend. */
import { Tensor } from '@tensorflow/tfjs-core';
import { byCondition } from '../core/by-condition.ts';
import type { KernelSet } from '../core/contract.ts';
import type { NodePort } from './backend.ts';

type Kernels = KernelSet<NodePort>['kernels'];

export const withConditions = (
  kernels: Pick<Kernels, 'Normalize' | 'NormalizeGrad' | 'ScaleShift' | 'ScaleShiftGrad'>,
): Pick<Kernels, 'Normalize' | 'NormalizeGrad'> =>
  byCondition<NodePort>({
    ...kernels,
    zeros: (backend, size) => ({
      dataId: backend.write(new Float32Array(size), [size], 'float32'),
      shape: [size],
      dtype: 'float32',
    }),
    // What a kernel gives is a tensor of TensorFlow.js's already, which has to hear of it.
    dispose: (backend, info) => (info instanceof Tensor ? info.dispose() : backend.disposeData(info.dataId)),
  });
