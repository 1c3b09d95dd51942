/**
 * Registers kernel sets under backend names, and runs their kernels. A backend without a set, or whose set cannot run
 * here, is no error: the public functions then compose ordinary ops.
 */
import {
  engine,
  getKernel,
  type KernelBackend,
  type KernelFunc,
  type NamedAttrMap,
  type NamedTensorMap,
  registerKernel,
  type Tensor,
} from '@tensorflow/tfjs-core';
import type { Attrs, Inputs, KernelSet, Name, OptionalKernelName, Outputs } from './contract.ts';
import { fail, show } from './errors.ts';

/** The names under which kernels are registered, made once: making one costs as much as running a small kernel. */
const registered = new Map<string, string>();
/**
 * The version of the contract is part of the names under which kernels are registered with TensorFlow.js: two copies of the
 * package in one process, of different versions, then run their own kernels each. 0.1.0 had no version in its names.
 */
const PREFIX = 'tfjs-normalizations/2/';
const sets = new Map<string, KernelSet>();
let supported = new WeakMap<KernelBackend, boolean>();

/** Registers `set` for the backend `backendName`, which may appear later. Registering a set twice does nothing. */
export function register<Backend>(set: KernelSet<Backend>, backendName: string): void {
  if (sets.get(backendName) === set) return;
  sets.set(backendName, set);
  supported = new WeakMap();
  const start = set.start as ((backend: unknown) => void) | undefined;
  const onStart = start ? { setupFunc: start } : {};
  for (const [name, kernel] of Object.entries(set.kernels)) {
    const kernelName = PREFIX + name;
    registered.set(name, kernelName);
    if (getKernel(kernelName, backendName) !== undefined) continue;
    // KernelFunc knows neither the types of inputs and attributes, which `run` has checked, nor that of the backend.
    registerKernel({ kernelName, backendName, kernelFunc: kernel as unknown as KernelFunc, ...onStart });
  }
  const started = engine().registry[backendName];
  if (started) start?.(started as Backend);
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

/** What `normalizationKernels` says. */
export interface RunningKernels {
  /** The current backend. */
  readonly backend: string;
  /**
   * 'native': the compiled ones of the tensorflow backend; 'fused': those of this package for this backend; 'composed': ordinary ops of
   * TensorFlow.js, since there are no others, or they cannot run here.
   */
  readonly kernels: 'native' | 'fused' | 'composed';
  /** More, where there is more to say: the instruction set and the threads, or why native kernels do not run. */
  readonly details?: string;
}

/**
 * Which kernels compute normalizations on the current backend.
 *
 * @returns the backend, the kernels, and details where there are some
 * @example
 * ```js
 * await tf.setBackend('cpu');
 * normalizationKernels(); // { backend: 'cpu', kernels: 'fused' }
 * ```
 */
export function normalizationKernels(): RunningKernels {
  const { backend, backendName } = engine();
  if (!fused()) return { backend: backendName, kernels: 'composed' };
  const details = sets.get(backendName)?.describe?.(backend as never);
  if (details === undefined) return { backend: backendName, kernels: 'fused' };
  return { backend: backendName, kernels: details.startsWith('native') ? 'native' : 'fused', details };
}

/** Whether the current backend has fused kernels that run here. */
export function fused(): boolean {
  const { backend, backendName } = engine();
  const known = supported.get(backend);
  if (known !== undefined) return known;
  const answer = sets.get(backendName)?.supported() ?? false;
  supported.set(backend, answer);
  return answer;
}

/** Whether the current backend has this optional kernel. */
export const has = (name: OptionalKernelName): boolean =>
  fused() && sets.get(engine().backendName)?.kernels[name] !== undefined;

/** Whether the current backend has fused kernels, and tensors of 16-bit floats. */
export const isHalf = (): boolean => fused() && (sets.get(engine().backendName)?.isHalf?.() ?? false);

/** Whether tensors of the current backend may keep integers when they are cast to float32. */
export const castsInPlace = (): boolean => sets.get(engine().backendName)?.castsInPlace === true;

/** Runs one kernel of the current backend. */
export function run<K extends Name>(name: K, inputs: Inputs<K, Tensor>, attrs: Attrs<K>): Outputs<K, Tensor> {
  // The types of the engine allow any names of tensors and attributes, and any number of outputs.
  return engine().runKernel(
    registered.get(name) as string,
    inputs as unknown as NamedTensorMap,
    attrs as unknown as NamedAttrMap,
  ) as unknown as Outputs<K, Tensor>;
}
