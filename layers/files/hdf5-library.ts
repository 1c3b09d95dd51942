/**
 * h5wasm, the C library of HDF5 in WebAssembly, loaded when it is first needed. There is one instance, which cannot be made anew.
 * In a damaged file it may stop in the middle of a call, or overwrite its own data, and would then misread good files. So its
 * memory becomes what it was at the start whenever no file is open.
 */
import { fail } from '../../kernels/core/errors.ts';
import { refuseWithout } from '../base/peers.ts';

/** What is used of h5wasm, of its classes and of what Emscripten makes of the C library, so that declarations do not need the package. */
export interface Library {
  /** Opens a file of the library's file system: a `File` of h5wasm. */
  readonly open: (path: string, mode: 'r' | 'w') => unknown;
  readonly module: Module;
}
export interface Module {
  readonly HEAPU8: Uint8Array;
  readonly FS: FileSystem;
  /** Calls `_${name}`. The texts among its arguments are put on the stack of the library, which is as before afterwards. */
  ccall(name: string, result: null, types: ['string'], texts: [string]): void;
  _callOfNormalizations?: () => void;
  _malloc(size: number): number;
  _free(pointer: number): void;
  get_dataset_data(
    file: bigint,
    path: string,
    counts: bigint[] | null,
    offsets: bigint[] | null,
    strides: bigint[] | null,
    pointer: bigint,
  ): number;
}
export interface FileSystem {
  /** By descriptor; the first three are those of the input, the output and the errors. */
  readonly streams: readonly (Stream | null | undefined)[];
  analyzePath(path: string): { readonly exists: boolean };
  readFile(path: string): Uint8Array;
  /** `canOwn`: the file is `data` itself, not a copy. */
  writeFile(path: string, data: Uint8Array, options: { readonly canOwn: boolean }): void;
  close(stream: Stream): void;
  unlink(path: string): void;
}
export interface Stream {
  readonly path: string;
  stream_ops: { write(stream: unknown, memory: Int8Array, offset: number, length: number): number };
}

const PAGE_BYTES = 2 ** 16;

/** The memory before the first file: its size, and the pages of it that are not zeros. */
interface Start {
  readonly bytes: number;
  readonly pages: readonly (readonly [at: number, values: Uint8Array])[];
}
let start: Start | undefined;

export async function loadHdf5(who: string): Promise<Library> {
  let h5wasm: typeof import('h5wasm');
  try {
    h5wasm = await import('h5wasm');
  } catch (error) {
    refuseWithout('h5wasm', who, error);
  }
  const module = (await h5wasm.ready) as unknown as Module;
  start ??= startOf(module);
  return { open: (path, mode) => new h5wasm.File(path, mode), module };
}

function startOf({ HEAPU8: memory }: Module): Start {
  const offsets = Array.from({ length: memory.length / PAGE_BYTES }, (_, i) => i * PAGE_BYTES);
  const pages = offsets.map((at) => [at, memory.subarray(at, at + PAGE_BYTES)] as const);
  const used = pages.filter(([, values]) => values.some((value) => value !== 0));
  return { bytes: memory.length, pages: used.map(([at, values]) => [at, values.slice()]) };
}

/**
 * Calls the library, and gives back what the call takes of its stack. An exception that leaves WebAssembly would leave it taken: 2 MB
 * are used up by some ten thousand of them, and then its data are overwritten.
 *
 * @param mostBytes what its memory, which never shrinks again, may grow to: some damaged files claim to hold gigabytes. Beyond
 *   that the library finds no memory, and says so
 */
export function callLibrary<T>(module: Module, mostBytes: number, f: () => T): T {
  let finish = (): T => fail('h5wasm', 'the call was not made; load the package anew');
  module._callOfNormalizations = () => {
    try {
      const value = f();
      finish = () => value;
    } catch (error) {
      finish = () => {
        throw error;
      };
    }
  };
  const memories = WebAssembly.Memory.prototype;
  const { grow } = memories;
  memories.grow = function (pages) {
    if (this.buffer.byteLength + pages * PAGE_BYTES > mostBytes) throw new RangeError(`more than ${mostBytes} bytes`);
    return grow.call(this, pages);
  };
  try {
    module.ccall('callOfNormalizations', null, ['string'], ['']);
  } finally {
    memories.grow = grow;
  }
  return finish();
}

/** Removes a file, which is closed even where the library did not. With the last one all that the library did is forgotten. */
export function removeFile(module: Module, path: string): void {
  const { FS: files } = module;
  for (const stream of files.streams) if (stream?.path === path) files.close(stream);
  if (files.analyzePath(path).exists) files.unlink(path);
  const isOpen = files.streams.slice(3).some(Boolean);
  if (isOpen || !start) return;
  const { HEAPU8: memory } = module;
  memory.fill(0, 0, start.bytes);
  for (const [at, values] of start.pages) memory.set(values, at);
}
