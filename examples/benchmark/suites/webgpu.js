/**
 * The webgpu backend: dispatches. Those of the kernels are counted with the workgroups of a GPU, 256 invocations. All else is as this
 * browser runs it, in software with smaller workgroups, which need more dispatches where units are long.
 */
import { suiteOf } from './gpu.js';

export const title = 'Dispatches and speed in headless Chromium (webgpu backend)';

const image = [8, 32, 32, 64];
const workloads = [
  { label: 'LN', name: 'layer', shape: [512, 768], draws: [1, 3], builtIn: { atLeast: 50 } },
  { label: 'AdaLN', name: 'adaptive', shape: [4, 64, 256] },
  { label: 'RMS', name: 'rms', shape: [512, 768], draws: [1, 3] },
  { label: 'BN', name: 'batch', shape: image, draws: [1, 3], layerDraws: [5, 8] },
  { label: 'IN', name: 'instance', shape: image, draws: [1, 3] },
  { label: 'GN(8)', name: 'group', shape: image, draws: [1, 3] },
].map((workload) => ({ ...workload, label: `${workload.label} [${workload.shape}]` }));

export const run = suiteOf({ backend: 'webgpu', draw: 'Dispatches', workloads });
