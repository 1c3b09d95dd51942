/** Where a file is written to, part by part: a path in Node, a download of a page, or memory. */
import { fail, show } from '../../kernels/core/errors.ts';
import { asPath, type FileSystem, fileSystem } from './source.ts';

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
async function fileSink(who: string, { promises: fs }: FileSystem, destination: string): Promise<Sink> {
  const path = asPath(destination) as string;
  const partial = `${path}.partial`;
  const refuse = (error: Error) => fail(who, `${error.message}; check the path`);
  const file = await fs.open(partial, 'w').catch(refuse);
  return {
    write: async (bytes) => {
      for (let at = 0; at < bytes.length; at += PART) await file.writeFile(bytes.subarray(at, at + PART));
    },
    finish: async () => {
      await file.close();
      await fs.rename(partial, path).catch(refuse);
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
