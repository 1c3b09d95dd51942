/**
 * Runs once before all tests: finds out which backends are here, starts browsers and serves them the cases.
 * Workers learn the results through environment variables, the teardown through a global.
 */
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { bundle } from './bundle.ts';
import { checkChoice, leftOut } from './chosen-backends.ts';
import { launchChromium } from './chromium.ts';
import { oneProgramForAllShapes } from './one-program.ts';
import { serve } from './server.ts';
import { sharePages } from './shared-pages.ts';

/** A page that is served with these may share memory between threads. */
const ISOLATION = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

const IN_PAGES = ['browser-cpu', 'browser-wasm', 'threaded-wasm', 'webgl', 'webgpu'] as const;

/** Two, with webgl and with webgpu. The first by itself: it unpacks the program. Tests that look at pages start their own. */
async function startBrowsers(workers: number): Promise<() => Promise<void>> {
  const forWebGL = await launchChromium('compute');
  const forWebGPU = workers > 1 ? await launchChromium('compute') : forWebGL;
  const files = {
    '/': '<!doctype html><meta charset="utf-8"><title>tests</title><script src="/cases.js"></script>',
    '/cases.js': await bundle(join(__dirname, 'page.ts'), {
      sourcemap: 'inline',
      plugins: [oneProgramForAllShapes],
    }),
  };
  const folders = { '/wasm/': dirname(require.resolve('@tensorflow/tfjs-backend-wasm')) };
  const usual = await serve(files, folders);
  const isolated = await serve(files, folders, ISOLATION);
  const cases = await sharePages({ forWebGL, forWebGPU }, { usual: usual.url, isolated: isolated.url });
  process.env.TEST_CASES = cases.url;
  return async () => {
    cases.close();
    for (const browser of new Set([forWebGL, forWebGPU])) await browser.close();
    usual.server.close();
    isolated.server.close();
  };
}

export default async function setup({ maxWorkers }: { maxWorkers: number }): Promise<void> {
  checkChoice();
  const attempt = async <T>(variable: string, unwanted: string | undefined, start: () => Promise<T>) => {
    if (unwanted) {
      process.env[variable] = unwanted;
      return undefined;
    }
    delete process.env[variable];
    try {
      return await start();
    } catch (error) {
      if (process.env.REQUIRE_BACKENDS) throw error;
      process.env[variable] = `${error instanceof Error ? error.message : error}`.split('\n')[0]!;
      return undefined;
    }
  };
  // Side by side: what is missing on a new machine is downloaded and compiled here.
  [globalThis.stopBrowsers] = await Promise.all([
    attempt('TEST_NO_BROWSER', leftOut(...IN_PAGES), () => startBrowsers(maxWorkers)),
    attempt('TEST_NO_TENSORFLOW', leftOut('tensorflow', 'tensorflow-ops'), findTensorFlow),
    attempt('TEST_NO_NATIVE', leftOut('tensorflow'), findNative),
  ]);
}

/**
 * The native backend: the one that TEST_TFJS_NODE names, as one with another libtensorflow, or the installed one, or one that is built
 * here once, if the machine has what that needs.
 */
async function findTensorFlow(): Promise<void> {
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  process.env.TEST_TFJS_NODE ??= await printedBy('setup-tfjs-node.mjs');
}

/** What a script beside this one prints, while this process goes on. */
async function printedBy(script: string): Promise<string> {
  const running = promisify(execFile)(process.execPath, [join(__dirname, script)]);
  running.child.stderr?.pipe(process.stderr);
  const { stdout } = await running.catch((error: Error & { stdout: string }) => {
    throw new Error(error.stdout.trim() || error.message);
  });
  return stdout.trim();
}

/** The native kernels, compiled from the sources as they are now. */
async function findNative(): Promise<void> {
  const { compiledNative } = await import('./native/compiled.ts');
  process.env.TFJS_NORMALIZATIONS_NATIVE = await compiledNative();
}

declare global {
  var stopBrowsers: (() => Promise<void>) | undefined;
}
