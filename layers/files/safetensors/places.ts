/** Where a safetensors file may be: read and written part by part, so that a large one need not be in memory as a whole. */
import { fail, show } from '../../../kernels/core/errors.ts';
import {
  asPath,
  type FileSource,
  type FileSystem,
  fileSystem,
  isPath,
  type ReadOptions,
  readSource,
} from '../source.ts';
import type { Bytes } from './header.ts';

/** Opened bytes; `close` gives back what they hold. */
export interface OpenBytes extends Bytes {
  close?(): Promise<void>;
}

/** `options.onProgress` is told the share of a download that has arrived. */
export async function openBytes(who: string, source: FileSource, options: ReadOptions = {}): Promise<OpenBytes> {
  if (source instanceof Blob) return ofBlob(source);
  const fs = fileSystem();
  if (fs && (typeof source === 'string' || source instanceof URL) && isPath(String(source))) {
    return openFile(who, fs, source);
  }
  const { bytes } = await readSource(who, source, options);
  return { size: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) };
}

const ofBlob = (blob: Blob): OpenBytes => ({
  size: blob.size,
  read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
});

async function openFile(who: string, { promises: fs }: FileSystem, path: string | URL): Promise<OpenBytes> {
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
async function fileSink(who: string, { promises: fs }: FileSystem, path: string): Promise<Sink> {
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
