/** What only the webgl backend has: draws to count, and a GPU to wait for. For pages: they bundle TypeScript, Node does not read it. */
import * as tf from '@tensorflow/tfjs';

const context = () => (tf.backend() as unknown as { gpgpu: { gl: WebGL2RenderingContext } }).gpgpu.gl;

/** The name of what draws. */
export function renderer(): string {
  const gl = context();
  return String(gl.getParameter(gl.getExtension('WEBGL_debug_renderer_info')?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER));
}

/** Draws while `call` runs. */
export function countDraws(call: () => void): number {
  const gl = context() as unknown as Record<string, (...args: unknown[]) => unknown>;
  const methods = ['drawElements', 'drawArrays'];
  let count = 0;
  for (const method of methods) {
    gl[method] = (...args) => {
      count++;
      return Object.getPrototypeOf(gl)[method].apply(gl, args);
    };
  }
  try {
    call();
    return count;
  } finally {
    for (const method of methods) delete gl[method];
  }
}

/** What is read comes after all that was drawn before; `gl.finish()` does not wait in Chromium. */
export function wait(): void {
  const gl = context();
  gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
}

/** A candidate of a race that makes calls and waits until all has been drawn. */
export const drawnCalls = (call: () => void) => (times: number) => {
  const start = performance.now();
  for (let i = 0; i < times; i++) call();
  wait();
  return performance.now() - start;
};
