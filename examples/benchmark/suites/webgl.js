/** The webgl backend: draws. */
import { suiteOf } from './gpu.js';

export const title = 'Draws and speed in headless Chromium (webgl backend)';

const image = [8, 32, 32, 64];
const large = { atLeast: 20 };
const workloads = [
  {
    label: 'LN',
    name: 'layer',
    shape: [512, 768],
    draws: [2, 7],
    builtIn: { atLeast: 30 },
    composed: { atLeast: 6, aim: 10 },
  },
  {
    label: 'LN',
    name: 'layer',
    shape: [2048, 256],
    draws: [2, 7],
    builtIn: { atLeast: 30 },
    composed: { atLeast: 6, aim: 10 },
  },
  { label: 'AdaLN', name: 'adaptive', shape: [4, 64, 256] },
  { label: 'RMS', name: 'rms', shape: [512, 768], draws: [2, 7] },
  { label: 'BN', name: 'batch', shape: image, draws: [3, 7], layerDraws: [5, 9], composed: large },
  { label: 'IN', name: 'instance', shape: image, draws: [3, 8], composed: large },
  { label: 'GN(8)', name: 'group', shape: image, draws: [3, 8], composed: large },
  { label: 'Renorm', name: 'renorm', shape: image, rival: 'batch' },
].map((workload) => ({ ...workload, label: `${workload.label} [${workload.shape}]` }));

export const run = suiteOf({ backend: 'webgl', draw: 'Draws', workloads });
