/**
 * The kernels of TensorFlow.js's webgl backend: fragment shaders on its packed textures. Importing this registers them.
 *
 * @module tfjs-normalizations/kernels/webgl
 */
import { env } from '@tensorflow/tfjs-core';
import type { KernelSet } from '../core/contract.ts';
import { register } from '../core/registry.ts';
import { isHalfPrecision, type WebGLPort } from './backend.ts';
import { Average, BlendGrad, Moments, ScaleShift, ScaleShiftGrad } from './blend.ts';
import { Spread, Standardize, StandardizeGrad, StandardizeSums } from './half.ts';
import { Normalize, NormalizeGrad } from './normalize.ts';
import { PowerIteration } from './spectral.ts';

/** The kernels of the `webgl` backend; importing this registers them. */
export const webgl: KernelSet<WebGLPort> = {
  kernels: {
    Normalize,
    NormalizeGrad,
    Moments,
    ScaleShift,
    ScaleShiftGrad,
    BlendGrad,
    Average,
    PowerIteration,
    Spread,
    Standardize,
    StandardizeSums,
    StandardizeGrad,
  },
  // The shaders are written in the language of WebGL 2.
  supported: () => env().getNumber('WEBGL_VERSION') === 2,
  isHalf: isHalfPrecision,
};

register(webgl, 'webgl');
