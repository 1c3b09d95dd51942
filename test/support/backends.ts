/**
 * The table of backends and how to run a case on each: in this process, or in a page of a browser.
 * Nothing here knows what a case does.
 */
import { randomUUID } from 'node:crypto';
import { describe } from '@jest/globals';
import {
  findBackendFactory,
  getKernelsForBackend,
  ready,
  registerBackend,
  registerKernel,
  setBackend,
} from '@tensorflow/tfjs';
import { register } from '../../kernels/core/registry.ts';
import { tensorflowOps } from '../../kernels/node/tensorflow-ops.ts';
import { type CaseArguments, type CaseName, type CaseResult, runCase } from '../cases/index.ts';
import { BACKEND_NAMES, type BackendName, leftOut } from './chosen-backends.ts';
import { runInPage } from './shared-pages.ts';

export type { BackendName };

/** Whether it is TensorFlow.js's wasm backend, wherever it runs. */
export const isWasm = (name: BackendName): boolean => BACKENDS[name].tfjs === 'wasm';

interface Description {
  /** TensorFlow.js's name of it. */
  readonly tfjs: string;
  /** 'isolated page': one whose threads may share memory. */
  readonly where: 'process' | 'page' | 'isolated page';
  /** Makes the backend known to TensorFlow.js in this process. */
  readonly load?: () => void;
  /** Why it cannot be tested here. */
  readonly absent?: string | undefined;
  /** Only for tests that name it. */
  readonly onRequest?: boolean;
}

const noBrowser = process.env.TEST_NO_BROWSER;

const BACKENDS: Record<BackendName, Description> = {
  cpu: { tfjs: 'cpu', where: 'process' },
  wasm: { tfjs: 'wasm', where: 'process', load: loadWasm },
  tensorflow: {
    tfjs: 'tensorflow',
    where: 'process',
    load: () => require(process.env.TEST_TFJS_NODE!),
    absent: process.env.TEST_NO_TENSORFLOW ?? process.env.TEST_NO_NATIVE,
  },
  /** The same without native kernels. */
  'tensorflow-ops': {
    tfjs: 'tensorflow-ops',
    where: 'process',
    load: loadTensorflowOps,
    absent: process.env.TEST_NO_TENSORFLOW,
    onRequest: true,
  },
  'browser-cpu': { tfjs: 'cpu', where: 'page', absent: noBrowser, onRequest: true },
  'browser-wasm': { tfjs: 'wasm', where: 'page', absent: noBrowser, onRequest: true },
  'threaded-wasm': { tfjs: 'wasm', where: 'isolated page', absent: noBrowser, onRequest: true },
  webgl: { tfjs: 'webgl', where: 'page', absent: noBrowser },
  webgpu: { tfjs: 'webgpu', where: 'page', absent: noBrowser },
};

const USUAL = BACKEND_NAMES.filter((name) => !BACKENDS[name].onRequest);

/** Kernels are registered by the name of a backend: so the one backend gets two, and each name its kernels of ours. */
function loadTensorflowOps(): void {
  require(process.env.TEST_TFJS_NODE!);
  if (findBackendFactory('tensorflow-ops')) return;
  registerBackend('tensorflow-ops', findBackendFactory('tensorflow'));
  for (const { kernelName, kernelFunc } of getKernelsForBackend('tensorflow')) {
    if (kernelName.startsWith('tfjs-normalizations/')) continue;
    registerKernel({ kernelName, kernelFunc, backendName: 'tensorflow-ops' });
  }
  register(tensorflowOps, 'tensorflow-ops');
}

function loadWasm(): void {
  const { setThreadsCount, setWasmPaths } = require('@tensorflow/tfjs-backend-wasm') as WasmBackend;
  setThreadsCount(1); // the threaded build does not start in Node
  setWasmPaths(require.resolve('@tensorflow/tfjs-backend-wasm').replace(/[^/\\]*$/, ''));
}
type WasmBackend = typeof import('@tensorflow/tfjs-backend-wasm');

export interface Backend {
  readonly name: BackendName;
  run<N extends CaseName>(name: N, args: CaseArguments<N>): Promise<CaseResult<N>>;
}

interface DescribeOptions {
  readonly only?: readonly BackendName[];
  /** Of TensorFlow.js, for a page. */
  readonly flags?: Record<string, number | boolean>;
  /** A page that no other tests share: for those that lose the GPU, or count what is compiled. */
  readonly ownPage?: boolean;
}

/** `describe` for each usual backend, or for those that are named; one that is absent, or left out, is skipped under a title that says why. */
export function describeBackends(
  title: string,
  body: (backend: Backend) => void,
  { only = USUAL, flags = {}, ownPage = false }: DescribeOptions = {},
): void {
  for (const name of only) {
    const { where } = BACKENDS[name];
    const absent = leftOut(name) ?? BACKENDS[name].absent;
    if (absent) {
      describe.skip(`${title} on ${name} (absent: ${absent})`, () => body({ name, run: () => Promise.reject(absent) }));
    } else {
      describe(`${title} on ${name}`, () => body(where === 'process' ? inProcess(name) : inPage(name, flags, ownPage)));
    }
  }
}

/** For tests of kernels: Node's backend has a second set of them, and what is built on kernels sees no difference. */
export const describeKernels = (title: string, body: (backend: Backend) => void): void =>
  describeBackends(title, body, { only: [...USUAL, 'tensorflow-ops'] });

/** For tests of what could depend on where a program runs: the kernels of cpu and wasm are the same in a page and in Node. */
export const describeEverywhere = (title: string, body: (backend: Backend) => void): void =>
  describeBackends(title, body, { only: [...USUAL, 'tensorflow-ops', 'browser-cpu', 'browser-wasm'] });

function inProcess(name: BackendName): Backend {
  const { tfjs, load } = BACKENDS[name];
  let loaded = false;
  return {
    name,
    run: async (caseName, args) => {
      if (!loaded) load?.();
      loaded = true;
      if (!(await setBackend(tfjs))) throw new Error(`the backend '${tfjs}' does not start`);
      await ready();
      return runCase(caseName, args);
    },
  };
}

function inPage(name: BackendName, flags: Record<string, number | boolean>, ownPage: boolean): Backend {
  const { tfjs, where } = BACKENDS[name];
  const page = { backend: tfjs, flags, isolated: where === 'isolated page', own: ownPage ? randomUUID() : undefined };
  return { name, run: (caseName, args) => runInPage(page, caseName, args) as Promise<never> };
}
