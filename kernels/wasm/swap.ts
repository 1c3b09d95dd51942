/** `SwapAxes` on the heap: see kernels/simd/swap.ts. */
import * as simd from '../simd/swap.ts';
import { kernel } from './memory.ts';

export const SwapAxes = kernel(simd.swapAxes);
