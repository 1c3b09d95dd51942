/** Starts TensorFlow.js's wasm backend in Node, from the files of its package, ready to train networks with convolutions. */
import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs';
import { useFastInputGradient } from 'tfjs-normalizations/kernels/wasm-training';

/** @throws where it does not start */
export async function startWasm() {
  const require = createRequire(import.meta.url);
  const { setThreadsCount, setWasmPaths } = require('@tensorflow/tfjs-backend-wasm');
  useFastInputGradient();
  setThreadsCount(1); // the threaded build does not start in Node
  setWasmPaths(require.resolve('@tensorflow/tfjs-backend-wasm').replace(/[^/\\]*$/, ''));
  if (!(await tf.setBackend('wasm'))) throw new Error("the backend 'wasm' does not start");
}
