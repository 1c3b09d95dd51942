/**
 * What only the backends on a GPU have: draws to count, or dispatches, and something to wait for. For pages: they bundle TypeScript,
 * Node does not read it.
 */
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
function wait(): void {
  const gl = context();
  gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
}

/** The part of the webgpu backend that is used. */
interface WebGPU {
  readonly device: {
    readonly adapterInfo?: { readonly vendor: string; readonly architecture: string; readonly description: string };
    readonly queue: { onSubmittedWorkDone(): Promise<undefined> };
  };
  readonly commandEncoder: unknown;
  readonly supportTimestampQuery: boolean;
  runWebGPUProgram(...args: unknown[]): unknown;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

const webgpu = () => tf.backend() as unknown as WebGPU;

/** Dispatches while `call` runs. */
function countDispatches(call: () => void): number {
  const backend = webgpu();
  let count = 0;
  backend.runWebGPUProgram = (...args) => {
    count++;
    return Object.getPrototypeOf(backend).runWebGPUProgram.apply(backend, args);
  };
  try {
    call();
    return count;
  } finally {
    delete (backend as Partial<WebGPU>).runWebGPUProgram;
  }
}

interface Gpu {
  /** The name of what draws. */
  renderer(): string;
  /** Draws, or dispatches, while `call` runs. */
  countDraws(call: () => void): number;
  /** Until all is done that was asked for. */
  wait(): void | Promise<void>;
  /** Microseconds that a call takes by the clock of the GPU, where that has one to ask. */
  time?(call: () => void): Promise<number | undefined>;
}

const GPUS: Readonly<Record<string, Gpu>> = {
  webgl: { renderer, countDraws, wait },
  webgpu: {
    renderer() {
      const { description, vendor, architecture } = webgpu().device.adapterInfo ?? {};
      return description || [vendor, architecture].filter(Boolean).join(' ') || 'an unnamed adapter';
    },
    countDraws: countDispatches,
    async wait() {
      const backend = webgpu();
      if (backend.commandEncoder) {
        backend.endComputePassEncoder();
        backend.submitQueue();
      }
      await backend.device.queue.onSubmittedWorkDone();
    },
    async time(call) {
      if (!webgpu().supportTimestampQuery) return undefined;
      const { kernelMs } = await tf.time(call);
      return 1000 * (kernelMs as number);
    },
  },
};

/** The GPU of a backend, if it has one. */
export const gpuOf = (backend: string): Gpu | undefined => GPUS[backend];

/** A candidate of a race that makes calls and waits until all has been drawn. */
export const drawnCalls = (gpu: Gpu) => (call: () => void) => async (times: number) => {
  const start = performance.now();
  for (let i = 0; i < times; i++) call();
  await gpu.wait();
  return performance.now() - start;
};
