/** `Normalize` and its gradient on the heap: see kernels/simd/normalize.ts. */
import * as simd from '../simd/normalize.ts';
import { kernel } from './memory.ts';

export const Normalize = kernel(simd.normalize);
export const NormalizeGrad = kernel(simd.normalizeGrad);
