/** The kernels of the blended forms on the heap: see kernels/simd/blend.ts. */
import * as blend from '../simd/blend.ts';
import * as normalize from '../simd/normalize.ts';
import { kernel } from './memory.ts';

export const moments = kernel(normalize.moments);
export const scaleShift = kernel(blend.scaleShift);
export const scaleShiftGrad = kernel(blend.scaleShiftGrad);
export const blendGrad = kernel(blend.blendGrad);
export const average = kernel(blend.average);
