/** The frame of a kernel that has something to free when it ends. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Attrs, Inputs, Kernel, Name, Outputs } from './contract.ts';

/** What a kernel makes on its way; `end` frees it, but for what was given away. */
interface Frame {
  end(): void;
}

/** Makes kernels of a backend, each of which gets a frame of its own for the time of one call. */
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
