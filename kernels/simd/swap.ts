/** `SwapAxes` in WebAssembly. The cpu backend does not use it: the copies into its memory and out would take longer. */
import type { SimdKernel } from './memory.ts';

export const swapAxes: SimdKernel<'SwapAxes'> = (memory, { x }, { n, a, b }) => {
  const y = memory.output([n, b, a]);
  memory.kernels.swapAxes(memory.address(x), y.address, n, a, b);
  return [y.tensor()];
};
