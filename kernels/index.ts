/** The kernels of every backend, registered under the names that TensorFlow.js gives the backends. */
import { fail } from './checks.ts';
import type { KernelSet } from './contract.ts';
import { cpu } from './cpu/index.ts';
import { node } from './node/index.ts';
import { register } from './registry.ts';
import { webgl } from './webgl/index.ts';

const sets: Readonly<Record<string, KernelSet>> = { cpu, webgl, tensorflow: node };

/**
 * Registers kernels for a backend of another name, such as 'rn-webgl' or one of your own made from TensorFlow.js's classes.
 *
 * @param backendName the name under which the backend is or will be registered with TensorFlow.js
 * @param like the backend whose kernels run on it. Default: the one of the same name
 * @throws if there are no kernels of that name
 */
export function registerKernels(backendName: string, like: string = backendName): void {
  const set = sets[like];
  if (!set) {
    fail(
      'registerKernels',
      `there are kernels for ${Object.keys(sets).join(', ')}; received '${like}'; name one of them as like`,
    );
  }
  register(set, backendName);
}
