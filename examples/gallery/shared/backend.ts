/** Which backend a page runs on: `?backend=` chooses, as the switch in the header does. */
import * as tf from '@tensorflow/tfjs';
import { renderer } from '../../benchmark/gpu.ts';
import { given } from './address.ts';

export const BACKENDS = ['webgl', 'cpu'] as const;
export const backendWanted = (): string => given('backend') ?? BACKENDS[0];

/** Starts it, or the next one that this browser has. Returns the name of what runs, and of the GPU. */
export async function startBackend(): Promise<{ name: string; device: string; missing?: string }> {
  // Before any backend starts: TensorFlow.js else refuses a WebGL that is drawn in software.
  tf.env().set('SOFTWARE_WEBGL_ENABLED', true);
  const wanted = backendWanted();
  const known = BACKENDS.find((name) => name === wanted);
  const started = known !== undefined && (await tf.setBackend(known).catch(() => false));
  if (!started) await tf.setBackend('cpu');
  await tf.ready();
  const name = tf.getBackend();
  const device = name === 'webgl' ? renderer() : 'WebAssembly SIMD, one core';
  return { name, device, ...(!started && { missing: wanted }) };
}

/** Another backend means a fresh page: no tensor is left behind on the old one. */
export function switchBackend(name: string): void {
  const url = new URL(location.href);
  url.searchParams.set('backend', name);
  location.assign(url);
}
