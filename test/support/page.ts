/** The entry of the bundle that the test page loads: the cases, on the backend that the test chooses. */
import { backend, env, ready, setBackend } from '@tensorflow/tfjs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import '@tensorflow/tfjs-backend-webgpu';
import { setWorkgroupSize } from '../../kernels/webgpu/backend.ts';
import { runCase } from '../cases/index.ts';

// Before any backend starts, or TensorFlow.js refuses WebGL in software.
env().set('SOFTWARE_WEBGL_ENABLED', true);
env().set('WEBGL_USE_SHAPES_UNIFORMS', true); // see one-program.ts
// TensorFlow.js asks every 4 ms whether the GPU is ready to be read. Where it cannot ask it waits, most often for a tenth of that.
env().set('WEBGL_FENCE_API_ENABLED', false);
env().set('WEBGL_DISJOINT_QUERY_TIMER_EXTENSION_VERSION', 0);
setWasmPaths('/wasm/');
// WebGPU in software lets the invocations of a workgroup wait for each other at great cost: TensorFlow.js's products of small matrices, of
// 256 invocations for each value, took half of webgpu's time. This is the number of its program that has a workgroup for 16 x 8 values.
env().set('WEBGPU_MATMUL_PROGRAM_TYPE', 2);
setWorkgroupSize(16); // our own kernels are faster in small workgroups there, too

async function useBackend(name: string, flags: Record<string, number | boolean>): Promise<void> {
  for (const [flag, value] of Object.entries(flags)) env().set(flag, value);
  if (!(await setBackend(name))) throw new Error(`the backend '${name}' does not start`);
  await ready();
  if (name === 'webgpu') throwErrorsOf((backend() as WebGPUBackend).device);
}

/** A program that does not compile, or is given what it does not take, does not throw by itself. */
function throwErrorsOf(device: GPUDevice): void {
  device.addEventListener('uncapturederror', ({ error }) => {
    setTimeout(() => {
      throw new Error(error.message); // of the page, which collects them
    });
  });
}

Object.assign(globalThis, { testPage: { runCase, useBackend } });

declare global {
  var testPage: { runCase: typeof runCase; useBackend: typeof useBackend };
}
