/** The kernels of the blended form on copies of the tensors: see kernels/simd/blend.ts. */
import * as blend from '../simd/blend.ts';
import * as normalize from '../simd/normalize.ts';
import { kernel } from './memory.ts';

export const Moments = kernel(normalize.moments);
export const ScaleShift = kernel(blend.scaleShift);
export const ScaleShiftGrad = kernel(blend.scaleShiftGrad);
export const BlendGrad = kernel(blend.blendGrad);
export const Average = kernel(blend.average);
