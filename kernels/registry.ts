/**
 * Registers kernel sets under backend names, and runs their kernels. A backend without a set, or whose set cannot run
 * here, is no error: the public functions then compose ordinary ops.
 */
import {
  engine,
  getKernel,
  type KernelBackend,
  type NamedAttrMap,
  type NamedTensorMap,
  registerKernel,
  type Tensor,
} from '@tensorflow/tfjs-core';
import { fail, show } from './checks.ts';
import type { KernelName, KernelSet, OptionalKernelName } from './contract.ts';

/** The names under which kernels are registered, made once: making one costs as much as running a small kernel. */
const registered = new Map<string, string>();
const sets = new Map<string, KernelSet>();
let supported = new WeakMap<KernelBackend, boolean>();

/** Registers `set` for the backend `backendName`, which may appear later. Registering a set twice does nothing. */
export function register(set: KernelSet, backendName: string): void {
  if (sets.get(backendName) === set) return;
  sets.set(backendName, set);
  supported = new WeakMap();
  for (const [name, kernelFunc] of Object.entries(set.kernels)) {
    const kernelName = `tfjs-normalizations/${name}`;
    registered.set(name, kernelName);
    if (getKernel(kernelName, backendName) === undefined) registerKernel({ kernelName, backendName, kernelFunc });
  }
}

/**
 * Registers kernels for a backend of another name, such as 'rn-webgl' or one of your own made from TensorFlow.js's classes.
 *
 * @param backendName the name under which the backend is or will be registered with TensorFlow.js
 * @param like the backend whose kernels run on it. Default: the one of the same name
 * @throws if there are no kernels of that name, or what is given is no name
 * @example
 * ```js
 * registerKernels('rn-webgl', 'webgl');
 * tf.getKernelsForBackend('rn-webgl').length > 0; // true
 * ```
 */
export function registerKernels(backendName: string, like?: string): void;
export function registerKernels(backendName: string, like: string = backendName, ...more: unknown[]): void {
  const given: unknown[] = [backendName, like, ...more];
  const wrong = given.findIndex((name, i) => i > 1 || typeof name !== 'string');
  if (wrong !== -1) {
    const received = show(given[wrong]);
    fail(
      'registerKernels',
      `it takes the names of two backends; received ${received}; write registerKernels(name, like)`,
    );
  }
  const set = sets.get(like);
  if (!set) {
    const names = [...sets.keys()].join(', ');
    fail('registerKernels', `there are kernels for ${names}; received '${like}'; name one of them as like`);
  }
  register(set, backendName);
}

/** Whether the current backend has fused kernels that run here. */
export function fused(): boolean {
  const { backend, backendName } = engine();
  let answer = supported.get(backend);
  if (answer === undefined) {
    answer = sets.get(backendName)?.supported() ?? false;
    supported.set(backend, answer);
  }
  return answer;
}

/** Whether the current backend has a fused kernel that not all have. */
export const has = (name: OptionalKernelName): boolean =>
  fused() && sets.get(engine().backendName)?.kernels[name] !== undefined;

/** Runs one kernel of the current backend; entries of `inputs` may be undefined. */
export function run(
  name: KernelName | OptionalKernelName,
  inputs: Record<string, Tensor | undefined>,
  attrs: object,
): Tensor[] {
  const out = engine().runKernel<Tensor | Tensor[]>(
    registered.get(name) as string,
    inputs as NamedTensorMap,
    attrs as NamedAttrMap,
  );
  return Array.isArray(out) ? out : [out];
}
