/** The script of the page that suites/webgl.js opens: counts draws, and races candidates on the GPU. */
import * as tf from '@tensorflow/tfjs';
import { bothOfAll, bothOfLayer, kernelCalls, runners } from './candidates.js';
import { race } from './race.js';
import { attributes, normalizations, tensors } from './workloads.js';

// Before any backend starts, or TensorFlow.js refuses WebGL in software.
tf.env().set('SOFTWARE_WEBGL_ENABLED', true);

const context = () => tf.backend().gpgpu.gl;

/** Starts the backend, and returns the name of what draws. */
async function start() {
  if (!(await tf.setBackend('webgl'))) throw new Error("the backend 'webgl' does not start");
  const gl = context();
  return gl.getParameter(gl.getExtension('WEBGL_debug_renderer_info')?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER);
}

/** A candidate that makes calls and waits until all has been drawn. */
const drawnCalls = (call) => (times) => {
  const start = performance.now();
  for (let i = 0; i < times; i++) call();
  wait();
  return performance.now() - start;
};

/** What is read comes after all that was drawn before; `gl.finish()` does not wait in Chromium. */
function wait() {
  const gl = context();
  gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
}

function draws(call) {
  const gl = context();
  const methods = ['drawElements', 'drawArrays'];
  let count = 0;
  for (const method of methods) {
    gl[method] = (...args) => {
      count++;
      return Object.getPrototypeOf(gl)[method].apply(gl, args);
    };
  }
  call();
  for (const method of methods) delete gl[method];
  return count;
}

/**
 * The draws and the median times of all candidates, and the draws of the kernels alone.
 *
 * @param {string} name of a normalization
 * @param {number[]} shape
 * @param {string | undefined} rival another normalization, whose layer joins the race
 * @param {object} effort see `race`
 */
async function measure({ name, shape, rival, effort }) {
  const data = tensors(shape);
  const normalization = normalizations[name];
  const candidates = bothOfAll(normalization, data);
  if (rival) Object.assign(candidates, bothOfLayer('rival', normalizations[rival].layer(), [data.x], data.dy));
  const kernels = normalization.view && kernelCalls(attributes(normalization, shape), data);
  const counted = { ...candidates, ...kernels };
  for (const call of Object.values(counted)) call(); // uploads what it needs
  const counts = Object.fromEntries(Object.entries(counted).map(([name, call]) => [name, draws(call)]));
  wait(); // the first sample is not to pay for them
  const us = await race(runners(candidates, drawnCalls), effort);
  tf.dispose(Object.values(data));
  return { draws: counts, us };
}

globalThis.benchmark = { start, measure };
