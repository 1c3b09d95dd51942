/** `PowerIteration` on the heap: see kernels/simd/spectral.ts. */
import * as spectral from '../simd/spectral.ts';
import { kernel } from './memory.ts';

export const PowerIteration = kernel(spectral.powerIteration);
