/**
 * Which backend a page runs on: `?backend=` chooses, as the switch in the header does. Without a choice it is webgl, or wasm where
 * webgl is drawn by software, which is slower.
 */
import * as tf from '@tensorflow/tfjs';
import { gpuOf, renderer } from '../../benchmark/gpu.ts';
import { given, refuse, writeChanges } from './address.ts';

const BACKENDS = ['webgl', 'webgpu', 'wasm', 'cpu'] as const;
type BackendName = (typeof BACKENDS)[number];

interface WithGpu {
  readonly gpu?: { requestAdapter(): Promise<unknown> };
}

/** The backends to choose from: WebGPU where there is an adapter. */
export async function backendsHere(): Promise<readonly BackendName[]> {
  const adapter = await (navigator as WithGpu).gpu?.requestAdapter().catch(() => null);
  return BACKENDS.filter((name) => name !== 'webgpu' || adapter);
}

/** Renderers that are no hardware. */
const SOFTWARE = /swiftshader|llvmpipe|software|basic render/i;

interface Started {
  readonly name: string;
  /** What it runs on. */
  readonly device: string;
  /** What was asked for and is not here. */
  readonly missing?: string;
}

/** Starts the backend that is wanted, or the next one that this browser has. */
export async function startBackend(): Promise<Started> {
  // Before any backend starts: TensorFlow.js else refuses a WebGL that is drawn in software.
  tf.env().set('SOFTWARE_WEBGL_ENABLED', true);
  const wanted = given('backend');
  const started = wanted === null ? await startFastest() : isKnown(wanted) && (await start(wanted));
  if (!started) await start('cpu');
  const name = tf.getBackend();
  if (wanted !== null && !isKnown(wanted)) refuse('backend', `a backend is one of ${BACKENDS.join(', ')}`, name);
  return { name, device: await deviceOf(name), ...(wanted !== null && !started && { missing: wanted }) };
}

const isKnown = (name: string): name is BackendName => (BACKENDS as readonly string[]).includes(name);

async function startFastest(): Promise<boolean> {
  if ((await start('webgl')) && !SOFTWARE.test(renderer())) return true;
  return (await start('wasm')) || start('webgl');
}

async function start(name: BackendName): Promise<boolean> {
  if (name === 'wasm') (await import('./wasm.ts')).prepare();
  if (name === 'webgpu') await import('@tensorflow/tfjs-backend-webgpu'); // large: only where it is chosen
  const started = await tf.setBackend(name).catch(() => false);
  await tf.ready();
  return started;
}

async function deviceOf(name: string): Promise<string> {
  const gpu = gpuOf(name);
  if (gpu) return gpu.renderer();
  const threads = name === 'wasm' ? (await import('./wasm.ts')).threads() : 1;
  return `WebAssembly SIMD, ${threads === 1 ? 'one core' : `${threads} threads`}`;
}

/** Another backend means a fresh page: no tensor is left behind on the old one. */
export function switchBackend(name: string): void {
  writeChanges();
  const url = new URL(location.href);
  url.searchParams.set('backend', name);
  location.assign(url);
}
