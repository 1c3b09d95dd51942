/** Where a safetensors file may be: read part by part, so that a large one need not be in memory as a whole. */
import { fail } from '../../../kernels/core/errors.ts';
import {
  asPath,
  bytesOfBlob,
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
  if (source instanceof Blob) return ofBlob(who, source);
  const fs = fileSystem();
  if (fs && (typeof source === 'string' || source instanceof URL) && isPath(String(source))) {
    return openFile(who, fs, source);
  }
  const bytes = await readSource(who, source, options);
  return { size: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) };
}

const ofBlob = (who: string, blob: Blob): OpenBytes => ({
  size: blob.size,
  read: (offset, length) => bytesOfBlob(who, blob, offset, offset + length),
});

async function openFile(who: string, { promises: fs }: FileSystem, path: string | URL): Promise<OpenBytes> {
  const file = await fs
    .open(asPath(path), 'r')
    .catch((error: Error) => fail(who, `${error.message}; check the path`, error));
  const stat = await file.stat();
  if (!stat.isFile()) {
    await file.close();
    fail(who, `'${path}' is no file; give the path of the file itself`);
  }
  const refuse = (error: Error): never =>
    fail(who, `'${path}' could not be read (${error.message}); copy it to another disk`);
  const read = async (offset: number, length: number) => {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const { bytesRead } = await file.read(bytes, at, length - at, offset + at).catch(refuse);
      if (bytesRead === 0) fail(who, `'${path}' became shorter while it was read; read it again`);
      at += bytesRead;
    }
    return bytes;
  };
  return { size: stat.size, read, close: () => file.close() };
}
