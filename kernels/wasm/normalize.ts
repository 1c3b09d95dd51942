/** `Normalize` and its gradient on the heap: see kernels/simd/normalize.ts. */
import * as simd from '../simd/normalize.ts';
import { kernel } from './memory.ts';

export const normalize = kernel(simd.normalize);
export const normalizeGrad = kernel(simd.normalizeGrad);
