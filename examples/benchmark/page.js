/** The script of the page that browser.js opens for the suites: starts the backend, and measures on it. */
import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-webgpu';
import { setWorkgroupSize, workgroupSize } from '../../dist/kernels/webgpu/backend.js';
import { kernelCalls } from './candidates.js';
import { softwareNote } from './format.js';
import { gpuOf } from './gpu.ts';
import { measure } from './measure.js';
import { stepTimes } from './training.js';
import { attributes, normalizations, tensors } from './workloads.js';

// Before any backend starts, or TensorFlow.js refuses WebGL in software.
tf.env().set('SOFTWARE_WEBGL_ENABLED', true);

/** Invocations in a workgroup: in software four of them run at a time, as one vector, and others take turns at every barrier. */
const IN_SOFTWARE = 4;

/** Starts the backend, and returns the name of what draws. */
async function start(name = 'webgl') {
  if (!(await tf.setBackend(name))) throw new Error(`the backend '${name}' does not start`);
  const renderer = gpuOf(name).renderer();
  if (softwareNote(renderer)) setWorkgroupSize(IN_SOFTWARE);
  return renderer;
}

/** Draws of the kernels of forward and gradient by themselves, with the workgroups of a GPU. */
function kernelDraws({ name, shape }) {
  const size = workgroupSize;
  setWorkgroupSize(256);
  const data = tensors(shape);
  const counts = {};
  for (const [kernel, call] of Object.entries(kernelCalls(attributes(normalizations[name], shape), data))) {
    call();
    counts[kernel] = gpuOf(tf.getBackend()).countDraws(call);
  }
  tf.dispose(Object.values(data));
  setWorkgroupSize(size);
  return counts;
}

globalThis.benchmark = { start, measure, kernelDraws, stepTimes };
