/** The package entry in bundles for browsers and React Native: the same as index.ts without the kernels for Node, which cannot run there. */
import '../kernels/cpu/index.ts';
import '../kernels/wasm/index.ts';
import '../kernels/webgl/index.ts';
import '../kernels/webgpu/index.ts';

export * from './exports.ts';
