/**
 * Layers, functions and models: all that is public in exports.ts, with the kernels of every backend. Bundlers for browsers take
 * browser.ts, which is without those for Node.
 *
 * @module tfjs-normalizations
 */
import '../kernels/cpu/index.ts';
import '../kernels/node/index.ts';
import '../kernels/wasm/index.ts';
import '../kernels/webgl/index.ts';
import '../kernels/webgpu/index.ts';

export * from './exports.ts';
