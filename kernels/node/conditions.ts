/** Conditional normalization composed of other kernels of this backend. */
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
    // A kernel of tfjs-node returns a Tensor, which the engine tracks: it has to be disposed of as such.
    dispose: (backend, info) => (info instanceof Tensor ? info.dispose() : backend.disposeData(info.dataId)),
  });
