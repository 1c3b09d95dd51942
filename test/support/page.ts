/** The entry of the bundle that the test page loads: the cases, on the backend that the test chooses. */
import { env, ready, setBackend } from '@tensorflow/tfjs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { runCase } from '../cases/index.ts';

// Before any backend starts, or TensorFlow.js refuses WebGL in software.
env().set('SOFTWARE_WEBGL_ENABLED', true);
setWasmPaths('/wasm/');

async function useBackend(name: string, flags: Record<string, number | boolean>): Promise<void> {
  for (const [flag, value] of Object.entries(flags)) env().set(flag, value);
  if (!(await setBackend(name))) throw new Error(`the backend '${name}' does not start`);
  await ready();
}

Object.assign(globalThis, { testPage: { runCase, useBackend } });

declare global {
  var testPage: { runCase: typeof runCase; useBackend: typeof useBackend };
}
