/** Where files are written, part by part: a large one need not be in memory as a whole. */
import { fail, show } from '../../kernels/core/errors.ts';
import { asPath, type FileSystem, fileSystem } from './source.ts';

/** Takes the parts of a file one after the other. */
interface Sink {
  write(bytes: Uint8Array): Promise<void>;
  /** All parts are there. */
  finish(): Promise<void>;
  /** They will not be: nothing is left. */
  abandon(): Promise<void>;
}

const DOWNLOADS = 'downloads://';

/** Node writes at most 2 GB at once. */
const PART = 2 ** 26;

/**
 * Has `writeParts` write a file of `size` bytes to a path in Node, or in a page to a download, as by `downloads://name`. The file is
 * there only when it is complete.
 */
export async function writeFile(
  who: string,
  destination: string,
  size: number,
  writeParts: (write: Sink['write']) => Promise<void>,
): Promise<void> {
  const sink = await openSink(who, destination, size);
  try {
    await writeParts(sink.write);
    await sink.finish();
  } catch (error) {
    await sink.abandon().catch(() => undefined); // the first error says more
    throw error;
  }
}

async function openSink(who: string, destination: string, size: number): Promise<Sink> {
  const isDownload = destination.startsWith(DOWNLOADS);
  const fs = fileSystem();
  if (isDownload && typeof document !== 'undefined') return downloadSink(destination.slice(DOWNLOADS.length), size);
  if (isDownload) return fail(who, `${show(destination)} is for pages; give a path, or nothing for the bytes`);
  if (!fs) return fail(who, `there are no files in a page to write ${show(destination)} to; write '${DOWNLOADS}name'`);
  return fileSink(who, fs, destination);
}

/** A file that was there before is replaced when the new one is complete. */
async function fileSink(who: string, { promises: fs }: FileSystem, destination: string): Promise<Sink> {
  const path = String(asPath(destination));
  const partial = `${path}.partial`;
  const refuse = (error: Error): never =>
    fail(who, `the file cannot be written (${error.message}); choose another place`);
  const file = await fs.open(partial, 'w').catch(refuse);
  return {
    write: async (bytes) => {
      for (let at = 0; at < bytes.length; at += PART) await file.writeFile(bytes.subarray(at, at + PART)).catch(refuse);
    },
    finish: async () => {
      // Some disks report only here that they are full.
      await file.close().catch(refuse);
      await fs.rename(partial, path).catch(refuse);
    },
    abandon: async () => {
      await file.close();
      await fs.rm(partial);
    },
  };
}

/** Has the browser save the file, as if a link to it had been clicked. */
function downloadSink(name: string, size: number): Sink {
  const { bytes, write } = bytesToFill(size);
  return {
    write,
    finish: async () => {
      const url = URL.createObjectURL(new Blob([bytes]));
      Object.assign(document.createElement('a'), { download: name, href: url }).click();
      URL.revokeObjectURL(url);
    },
    abandon: async () => {},
  };
}

/** The bytes of a file of `size` bytes, and what writes its parts there. */
export function bytesToFill(size: number): { readonly bytes: Uint8Array<ArrayBuffer>; readonly write: Sink['write'] } {
  const bytes = new Uint8Array(size);
  let at = 0;
  const write = async (part: Uint8Array) => {
    bytes.set(part, at);
    at += part.length;
  };
  return { bytes, write };
}
