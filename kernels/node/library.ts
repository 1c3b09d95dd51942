/**
 * Loads the native kernels, an optional shared object that registers ops of our own with TensorFlow; native/ has its sources. A crash
 * could not be caught: so the requirements are checked before it is loaded, as far as possible. If it cannot be used the reason is
 * returned, and printed to stderr if NODE_DEBUG lists tfjs-normalizations.
 */

/** The properties that the shared object exports. */
export interface Library {
  /** The prefix of the names of its ops. */
  readonly prefix: string;
  /** The instruction set that it uses on this processor. */
  readonly instructions: string;
  readonly threads: number;
}

/** The part of Node's `process` that is used: the package is compiled without the types of Node. */
interface Node {
  readonly platform: string;
  readonly arch: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  dlopen(module: { exports: object }, path: string): void;
  getBuiltinModule(name: 'fs'): {
    existsSync(path: URL | string): boolean;
    readFileSync(path: string, encoding: 'latin1'): string;
  };
  getBuiltinModule(name: 'util'): { debuglog(section: string): (message: string) => void };
  getBuiltinModule(name: 'url'): { fileURLToPath(url: URL): string };
}

/** The file in which Linux lists the libraries of this process. */
const MAPS = '/proc/self/maps';

/** The library, or why there is none. */
export function loadLibrary(): Library | string {
  const { process } = globalThis as unknown as { process?: Node };
  if (typeof process?.getBuiltinModule !== 'function') return 'this is not Node';
  const { env, platform, arch } = process;
  if (env.TFJS_NORMALIZATIONS_NATIVE === '0') return 'TFJS_NORMALIZATIONS_NATIVE is 0';
  if (platform !== 'linux') return `there are none for ${platform}`;
  try {
    const fs = process.getBuiltinModule('fs');
    const path =
      env.TFJS_NORMALIZATIONS_NATIVE || process.getBuiltinModule('url').fileURLToPath(builtFor(platform, arch));
    if (!fs.existsSync(path)) return `there is no ${path}; npx tfjs-normalizations build-native makes it`;
    const loaded = fs.readFileSync(MAPS, 'latin1');
    if (!/\/libc(-2\.\d+)?\.so/.test(loaded)) return 'the C library is not that of GNU';
    if (!/\/libtensorflow[\w.]*\.so/.test(loaded)) return 'libtensorflow is not loaded';
    const module: { exports: Partial<Library> & { problem?: string } } = { exports: {} };
    process.dlopen(module, path);
    const { prefix, instructions, threads, problem } = module.exports;
    if (prefix === undefined || instructions === undefined || threads === undefined)
      return problem ?? `${path} is another file`;
    return { prefix, instructions, threads };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * The URL of the shared object: in native/ beside the compiled form of this file, in dist/. Bundlers look for the file of each URL that is
 * relative to this one, so it is not written as one.
 */
function builtFor(platform: string, arch: string): URL {
  const compiled = import.meta.url.replace('/kernels/node/library.ts', '/dist/kernels/node/library.js');
  return new URL(`native/${platform}-${arch}.node`, compiled);
}

/** Prints a message to stderr if NODE_DEBUG lists tfjs-normalizations. */
export function debug(message: string): void {
  const { process } = globalThis as unknown as { process?: Node };
  process?.getBuiltinModule?.('util').debuglog('tfjs-normalizations')(message);
}
