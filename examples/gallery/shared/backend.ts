/** Which backend a page runs on: `?backend=` chooses, as the switch in the header does. */
import * as tf from '@tensorflow/tfjs';

export const BACKENDS = ['webgl', 'cpu'] as const;

/** Starts it, or the next one that this browser has. Returns the name of what runs, and of the GPU. */
export async function startBackend(): Promise<{ name: string; device: string; missing?: string }> {
  // Before any backend starts: TensorFlow.js else refuses a WebGL that is drawn in software.
  tf.env().set('SOFTWARE_WEBGL_ENABLED', true);
  const wanted = new URLSearchParams(location.search).get('backend') ?? BACKENDS[0];
  const known = BACKENDS.find((name) => name === wanted);
  const started = known !== undefined && (await tf.setBackend(known).catch(() => false));
  if (!started) await tf.setBackend('cpu');
  await tf.ready();
  const name = tf.getBackend();
  return { name, device: deviceOf(name), ...(!started && { missing: wanted }) };
}

/** Another backend means a fresh page: no tensor is left behind on the old one. */
export function switchBackend(name: string): void {
  const url = new URL(location.href);
  url.searchParams.set('backend', name);
  location.assign(url);
}

function deviceOf(name: string): string {
  if (name !== 'webgl') return 'WebAssembly SIMD, one core';
  const { gl } = (tf.backend() as unknown as { gpgpu: { gl: WebGL2RenderingContext } }).gpgpu;
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  return String(gl.getParameter(info?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER));
}
