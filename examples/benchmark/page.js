/** The script of the page that browser.js opens for the suites: starts the backend, and measures on it. */
import * as tf from '@tensorflow/tfjs';
import { kernelCalls } from './candidates.js';
import { countDraws, renderer } from './gpu.ts';
import { measure } from './measure.js';
import { stepTimes } from './training.js';
import { attributes, normalizations, tensors } from './workloads.js';

// Before any backend starts, or TensorFlow.js refuses WebGL in software.
tf.env().set('SOFTWARE_WEBGL_ENABLED', true);

/** Starts the backend, and returns the name of what draws. */
async function start() {
  if (!(await tf.setBackend('webgl'))) throw new Error("the backend 'webgl' does not start");
  return renderer();
}

/** Draws of the kernels of forward and gradient by themselves. */
function kernelDraws({ name, shape }) {
  const data = tensors(shape);
  const counts = {};
  for (const [kernel, call] of Object.entries(kernelCalls(attributes(normalizations[name], shape), data))) {
    call();
    counts[kernel] = countDraws(call);
  }
  tf.dispose(Object.values(data));
  return counts;
}

globalThis.benchmark = { start, measure, kernelDraws, stepTimes };
