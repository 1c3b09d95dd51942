/** Where a file comes from: a URL, a path in Node, a File or Blob, or bytes. Nothing here knows what is in it. */
import { env, type io } from '@tensorflow/tfjs-core';
import { fail, show } from '../../kernels/core/errors.ts';

/** A file: a URL, a path in Node, a `File` or `Blob`, or its bytes. */
export type FileSource = string | URL | Blob | ArrayBuffer | Uint8Array;

/** Options of reading a file, as of `tf.loadLayersModel`. */
export type ReadOptions = Pick<io.LoadOptions, 'requestInit' | 'fetchFunc' | 'onProgress'>;

export const isFileSource = (source: unknown): source is FileSource =>
  typeof source === 'string' ||
  source instanceof URL ||
  source instanceof Blob ||
  source instanceof Uint8Array ||
  // Not by instanceof: a buffer may come from another frame, or from the other side of a test runner.
  Object.prototype.toString.call(source) === '[object ArrayBuffer]';

/** The bytes of a file. `onProgress` is told the share of a download that has arrived. */
export async function readSource(who: string, source: FileSource, options: ReadOptions): Promise<Uint8Array> {
  if (!isFileSource(source)) {
    fail(who, `the file must be a URL, a path, a File, a Blob or bytes; received ${show(source)}`);
  }
  if (source instanceof Uint8Array) return source;
  if (source instanceof Blob) return bytesOfBlob(who, source);
  if (!(typeof source === 'string' || source instanceof URL)) return new Uint8Array(source);
  const place = String(source);
  const files = fileSystem();
  return files && isPath(place) ? bytesOfPath(who, files, source) : download(who, place, options);
}

/** What is in a `File`, which may have changed since it was chosen, or in another Blob, from byte `start` to `end`. */
export async function bytesOfBlob(who: string, blob: Blob, start = 0, end = blob.size): Promise<Uint8Array> {
  try {
    return new Uint8Array(await blob.slice(start, end).arrayBuffer());
  } catch (error) {
    const name = nameOf(blob);
    const rule = `the ${name ? `file '${name}'` : 'Blob'} must stay as it was when it was chosen`;
    return fail(who, `${rule}; it could not be read (${(error as Error).message}); choose it again`, error);
  }
}
const nameOf = (blob: Blob): string => (blob as Partial<File>).name ?? '';

/** What is used of Node's file system. */
export interface FileSystem {
  readonly promises: {
    readFile(path: string | URL): Promise<Uint8Array>;
    open(path: string | URL, flags: 'r' | 'w'): Promise<FileHandle>;
    rename(from: string, to: string): Promise<void>;
    rm(path: string): Promise<void>;
  };
}
interface FileHandle {
  stat(): Promise<{ readonly size: number; isFile(): boolean }>;
  read(into: Uint8Array, at: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  /** Writes where the last part ended. */
  writeFile(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Node's file system, without an import that bundlers for browsers would stumble over; undefined in a page or Worker. */
export function fileSystem(): FileSystem | undefined {
  const { process, location } = globalThis as { process?: NodeProcess; location?: unknown };
  return location ? undefined : (process?.getBuiltinModule?.('node:fs') as FileSystem | undefined);
}
interface NodeProcess {
  getBuiltinModule?(name: string): unknown;
}

/** Whether it is no URL, or one of a file. A scheme of one letter is a drive. */
export const isPath = (place: string) => !/^(?!file:)[a-z][a-z\d+.-]+:/i.test(place);

/** A path as Node takes it. */
export const asPath = (source: string | URL) =>
  typeof source === 'string' ? source.replace(/^file:\/\//, '') : source;

async function bytesOfPath(who: string, files: FileSystem, source: string | URL): Promise<Uint8Array> {
  try {
    return await files.promises.readFile(asPath(source));
  } catch (error) {
    return fail(
      who,
      `the file '${source}' could not be read (${(error as Error).message}); give the path of a file`,
      error,
    );
  }
}

async function download(who: string, url: string, options: ReadOptions): Promise<Uint8Array> {
  const { fetchFunc = env().platform.fetch, requestInit, onProgress } = options;
  const refuse = (why: string, error?: unknown) =>
    fail(who, `'${url}' could not be loaded (${why}); open it in a browser to see why`, error);
  let response: Response;
  try {
    response = await fetchFunc(url, requestInit);
  } catch (error) {
    return refuse((error as Error).message, error);
  }
  if (!response.ok) return refuse(`status ${response.status}`);
  try {
    const body = onProgress ? withProgress(response, onProgress) : response;
    return new Uint8Array(await body.arrayBuffer());
  } catch (error) {
    return refuse((error as Error).message, error);
  }
}

/** The same response, of which `onProgress` is told how much has arrived, if its length is known. */
function withProgress(response: Response, onProgress: (share: number) => void): Response {
  const total = Number(response.headers?.get('content-length'));
  if (!(total > 0) || !response.body?.pipeThrough) return response;
  let arrived = 0;
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      arrived += chunk.byteLength;
      // The length is that of the compressed file where the server compresses.
      onProgress(Math.min(1, arrived / total));
      controller.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(counter));
}
