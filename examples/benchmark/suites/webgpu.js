/**
 * The webgpu backend: dispatches. This browser draws in software, with workgroups of 32 invocations; a GPU has 256, and needs fewer
 * dispatches where units are long: see test/backends/webgpu.test.ts.
 */
import { suiteOf } from './gpu.js';

export const title = 'Dispatches and speed in headless Chromium (webgpu backend)';

const image = [8, 32, 32, 64];
const workloads = [
  { label: 'LN', name: 'layer', shape: [512, 768], draws: [2, 5], builtIn: { aim: 50, atLeast: 10 } },
  { label: 'RMS', name: 'rms', shape: [512, 768], draws: [2, 5] },
  { label: 'BN', name: 'batch', shape: image, draws: [3, 7], layerDraws: [5, 9] },
  { label: 'IN', name: 'instance', shape: image, draws: [2, 6] },
  { label: 'GN(8)', name: 'group', shape: image, draws: [2, 6] },
].map((workload) => ({ ...workload, label: `${workload.label} [${workload.shape}]` }));

export const run = suiteOf({ backend: 'webgpu', draw: 'Dispatches', workloads });
