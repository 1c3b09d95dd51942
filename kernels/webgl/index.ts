/**
 * The kernels of TensorFlow.js's webgl backend: fragment shaders on its packed textures. Importing this registers them.
 *
 * @module tfjs-normalizations/kernels/webgl
 */
import { env } from '@tensorflow/tfjs-core';
import type { KernelSet } from '../core/contract.ts';
import { register } from '../core/registry.ts';
import { isHalfPrecision, type WebGLPort } from './backend.ts';
import { average, blendGrad, moments, scaleShift, scaleShiftGrad } from './blend.ts';
import { normalizeGrad } from './gradient.ts';
import { spread, standardize, standardizeGrad, standardizeSums } from './half.ts';
import { normalize } from './normalize.ts';
import { powerIteration } from './spectral.ts';

/** The kernels of the `webgl` backend; importing this registers them. */
export const webgl: KernelSet<WebGLPort> = {
  kernels: {
    Normalize: normalize,
    NormalizeGrad: normalizeGrad,
    Moments: moments,
    ScaleShift: scaleShift,
    ScaleShiftGrad: scaleShiftGrad,
    BlendGrad: blendGrad,
    Average: average,
    PowerIteration: powerIteration,
    Spread: spread,
    Standardize: standardize,
    StandardizeSums: standardizeSums,
    StandardizeGrad: standardizeGrad,
  },
  // The shaders are written in the language of WebGL 2.
  supported: () => env().getNumber('WEBGL_VERSION') === 2,
  isHalf: isHalfPrecision,
};

register(webgl, 'webgl');
