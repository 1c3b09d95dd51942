/** Kernels that free their intermediate results when they end. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Attrs, Inputs, Kernel, Name, Outputs } from './contract.ts';

/** The intermediate results of one call; `end` frees those that the kernel does not return. */
interface Frame {
  end(): void;
}

/** A function that makes kernels of one backend, which begin a frame for each call and end it. */
export const kernelsIn =
  <Port, F extends Frame>(begin: (backend: Port) => F) =>
  <K extends Name>(
    compute: (frame: F, inputs: Inputs<K, TensorInfo>, attrs: Attrs<K>) => Outputs<K, TensorInfo>,
  ): Kernel<K, Port> =>
  ({ inputs, attrs, backend }) => {
    const frame = begin(backend);
    try {
      return compute(frame, inputs, attrs);
    } finally {
      frame.end();
    }
  };
