/** Where a safetensors file may be: read part by part, so that a large one is never in memory as a whole unless it was before. */
import { fail, show } from '../../../kernels/core/errors.ts';
import type { Bytes } from './header.ts';

/** A URL, in Node a path, a `File` or `Blob`, or the bytes of a safetensors file. */
export type SafetensorsSource = string | URL | Blob | ArrayBuffer | Uint8Array;

/** Opened bytes; `close` gives back what they hold. */
export interface OpenBytes extends Bytes {
  close?(): Promise<void>;
}

/** The part of Node's `fs/promises` that is used here: no bundler sees an import of it. */
interface FileHandle {
  stat(): Promise<{ readonly size: number; isFile(): boolean }>;
  read(into: Uint8Array, at: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  /** Writes where the last one ended. */
  writeFile(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}
interface FileSystem {
  open(path: string | URL, flags: string): Promise<FileHandle>;
  rename(from: string, to: string): Promise<void>;
  rm(path: string, options: { readonly force: boolean }): Promise<void>;
}
interface NodeProcess {
  getBuiltinModule?(name: string): unknown;
}
const fileSystem = (): FileSystem | undefined =>
  (globalThis as { process?: NodeProcess }).process?.getBuiltinModule?.('node:fs/promises') as FileSystem | undefined;

export async function openBytes(who: string, source: SafetensorsSource): Promise<OpenBytes> {
  if (source instanceof Uint8Array) return ofArray(source);
  // A buffer that another realm, such as a test's, has made is no instance of this one's class.
  if (Object.prototype.toString.call(source) === '[object ArrayBuffer]')
    return ofArray(new Uint8Array(source as ArrayBuffer));
  if (typeof Blob !== 'undefined' && source instanceof Blob) return ofBlob(source);
  if (!(typeof source === 'string' || source instanceof URL)) {
    return fail(who, `the source must be a URL, a path, a File, a Blob or bytes; received ${show(source)}`);
  }
  const fs = fileSystem();
  if (fs && !/^(https?|data|blob):/.test(String(source))) return openFile(who, fs, source);
  const response = await fetch(source).catch((error: Error) =>
    fail(who, `'${source}' could not be fetched: ${error.message}`),
  );
  if (!response.ok)
    fail(who, `'${source}' could not be fetched: the server answered ${response.status}; check the URL`);
  return ofArray(new Uint8Array(await response.arrayBuffer()));
}

const ofArray = (bytes: Uint8Array): OpenBytes => ({
  size: bytes.length,
  read: async (offset, length) => bytes.subarray(offset, offset + length),
});

const ofBlob = (blob: Blob): OpenBytes => ({
  size: blob.size,
  read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
});

async function openFile(who: string, fs: FileSystem, path: string | URL): Promise<OpenBytes> {
  const file = await fs.open(asPath(path), 'r').catch((error: Error) => fail(who, `${error.message}; check the path`));
  const stat = await file.stat();
  if (!stat.isFile()) {
    await file.close();
    fail(who, `'${path}' is no file; give the path of the file itself`);
  }
  const read = async (offset: number, length: number) => {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const { bytesRead } = await file.read(bytes, at, length - at, offset + at);
      if (bytesRead === 0) fail(who, `'${path}' became shorter while it was read; read it again`);
      at += bytesRead;
    }
    return bytes;
  };
  return { size: stat.size, read, close: () => file.close() };
}

const asPath = (path: string | URL): string | URL => (/^file:/.test(String(path)) ? new URL(path) : path);

/** Takes the parts of a file one after the other. */
export interface Sink {
  write(bytes: Uint8Array): Promise<void>;
  /** All parts are there. */
  finish(): Promise<void>;
  /** They will not be: nothing is left. */
  abandon(): Promise<void>;
}

const DOWNLOADS = 'downloads://';

/** A place for a file of `size` bytes: a path in Node, or in a page a download, as by `downloads://name`. */
export async function openSink(who: string, destination: string, size: number): Promise<Sink> {
  const isDownload = destination.startsWith(DOWNLOADS);
  const fs = fileSystem();
  if (isDownload && typeof document !== 'undefined') return downloadSink(destination.slice(DOWNLOADS.length), size);
  if (isDownload) return fail(who, `${show(destination)} is for pages; give a path`);
  if (!fs) return fail(who, `there are no files in a page to write ${show(destination)} to; write '${DOWNLOADS}name'`);
  return fileSink(who, fs, destination);
}

/** A file that is at its path only when it is complete; one that was there before is replaced. */
async function fileSink(who: string, fs: FileSystem, path: string): Promise<Sink> {
  const partial = `${path}.partial`;
  const file = await fs.open(partial, 'w').catch((error: Error) => fail(who, `${error.message}; check the path`));
  return {
    write: async (bytes) => {
      for (let at = 0; at < bytes.length; at += PART) await file.writeFile(bytes.subarray(at, at + PART));
    },
    finish: async () => {
      await file.close();
      await fs.rename(partial, path);
    },
    abandon: async () => {
      await file.close();
      await fs.rm(partial, { force: true });
    },
  };
}
/** Node writes at most 2 GB at once. */
const PART = 2 ** 26;

/** Has the browser save the file, as if a link to it had been clicked. */
function downloadSink(name: string, size: number): Sink {
  const memory = memorySink(size);
  return {
    ...memory,
    finish: async () => {
      const url = URL.createObjectURL(new Blob([memory.bytes]));
      Object.assign(document.createElement('a'), { download: name, href: url }).click();
      URL.revokeObjectURL(url);
    },
  };
}

/** The bytes of a file of `size` bytes. */
export function memorySink(size: number): Sink & { readonly bytes: Uint8Array<ArrayBuffer> } {
  const bytes = new Uint8Array(size);
  let at = 0;
  return {
    bytes,
    write: async (part) => {
      bytes.set(part, at);
      at += part.length;
    },
    finish: async () => {},
    abandon: async () => {},
  };
}
