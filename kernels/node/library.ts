/**
 * Loads the native kernels, a shared object that gives TensorFlow ops of our own: native/ has its sources. It is optional. Whatever
 * speaks against it is found out before it is loaded, as far as can be, since nobody catches a crash; then the reason is returned,
 * and said on stderr if NODE_DEBUG lists tfjs-normalizations.
 */

/** What the shared object says of itself. */
export interface Library {
  /** What the names of its ops begin with. */
  readonly prefix: string;
  /** The instruction set that it uses, of those that the processor has. */
  readonly instructions: string;
  readonly threads: number;
}

/** What is used of Node, which this package's kernels know as little as they know browsers. */
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

/** The libraries of this process. */
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

/** Where the file is: beside this one as it is compiled, in dist/. Bundlers look for the file of each URL that is relative to this one. */
function builtFor(platform: string, arch: string): URL {
  const compiled = import.meta.url.replace('/kernels/node/library.ts', '/dist/kernels/node/library.js');
  return new URL(`native/${platform}-${arch}.node`, compiled);
}

/** Says once why the kernels of ordinary TensorFlow ops run, or what runs in their place. */
export function debug(message: string): void {
  const { process } = globalThis as unknown as { process?: Node };
  process?.getBuiltinModule?.('util').debuglog('tfjs-normalizations')(message);
}
