/** HDF5 files, read by h5wasm. A file lies in its file system in memory while it is open, and is not copied. */
import type { Dataset, File, Group } from 'h5wasm';
import { fail } from '../../kernels/core/errors.ts';
import { brokenHeap } from './hdf5-heaps.ts';
import { callLibrary, type Library, loadHdf5, type Module, removeFile, type Stream } from './hdf5-library.ts';
import { fromBfloat16, fromFloat16 } from './numbers.ts';

type Values = Float32Array | Int32Array;

/** Classes of HDF5's types. A boolean is an enumeration of integers. */
const [INTEGER, FLOAT, OPAQUE, ENUM] = [0, 1, 5, 8];
/** The most bytes of a weight that pass through the library's memory at once: that memory never shrinks again. */
const BLOCK_BYTES = 2 ** 24;
/** Deflate makes of one byte at most 1032. */
const MOST_COMPRESSION = 1032;

/** The library's memory may grow to `MOST_BYTES` and `MOST_OF_FILE` times the size of the file. */
const MOST_BYTES = 2 ** 28;
const MOST_OF_FILE = 4;

let opened = 0;
/** Ends when all files are closed that were opened so far: one that is damaged does no harm to others. */
let closed: Promise<void> = Promise.resolve();

export class Hdf5File {
  readonly #who: string;
  readonly #module: Module;
  readonly #name: string;
  readonly #bytes: number;
  readonly #file: File;
  readonly #onClose: () => void;
  #hasFailed = false;

  /** Opens a file when others are closed. `bytes` must not change while it is open, and `close` must be called in the end. */
  static async open(who: string, bytes: Uint8Array): Promise<Hdf5File> {
    const broken = brokenHeap(bytes);
    if (broken) fail(who, `the HDF5 file is damaged (${broken}); get the file or save the model again`);
    const library = await loadHdf5(who);
    const others = closed;
    let onClose = () => {};
    closed = new Promise((resolve) => {
      onClose = resolve;
    });
    await others;
    return new Hdf5File(who, bytes, library, onClose);
  }

  private constructor(who: string, bytes: Uint8Array, { open, module }: Library, onClose: () => void) {
    this.#who = who;
    this.#module = module;
    this.#bytes = bytes.byteLength;
    this.#name = `/tfjs-normalizations-${opened++}.h5`;
    this.#onClose = onClose;
    try {
      module.FS.writeFile(this.#name, bytes, { canOwn: true });
      this.#file = this.#call('', () => {
        const file = open(this.#name, 'r') as File;
        if (file.file_id <= 0n) throw new Error('it cannot be opened');
        return file;
      });
    } catch (error) {
      this.#remove();
      throw error;
    }
  }

  close(): void {
    try {
      // A library that failed may go on forever with what it has in its memory.
      if (!this.#hasFailed) this.#call('', () => this.#file.close());
    } catch {
      // What was read was checked; a damaged file may also fail when it is closed.
    }
    this.#remove();
  }

  #remove(): void {
    removeFile(this.#module, this.#name);
    this.#onClose();
  }

  /** The names in a group; none if there is no such group. */
  keys(path: string): string[] {
    return this.#call(path, () => {
      const group = this.#get(path) as Group | null;
      return group?.type === 'Group' ? group.keys() : [];
    });
  }

  /** The shape of a dataset; undefined if there is none. */
  shape(path: string): readonly number[] | undefined {
    return this.#call(path, () => this.#dataset(path)?.metadata.shape ?? undefined);
  }

  /** An attribute of a group or dataset: a text, a list of texts, or numbers; undefined if there is none. */
  attribute(path: string, name: string): unknown {
    return this.#call(path, () => {
      const attribute = (this.#get(path) as Group | null)?.attrs?.[name];
      if (!attribute) return undefined;
      const { size, total_size: count } = attribute.metadata;
      if (size * count > this.#bytes) throw new Error(`the attribute '${name}' is larger than the file`);
      return attribute.value;
    });
  }

  /**
   * The values of a dataset that is there, as float32 or int32, whatever numbers the file has. `onProgress` is told the share that
   * has been read.
   */
  read(path: string, dtype: 'float32' | 'int32', onProgress: (share: number) => void): Values {
    const isBfloat16 = this.attribute(path, 'dtype') === 'bfloat16';
    return this.#call(path, () => {
      const { metadata } = this.#dataset(path) as Dataset;
      const bytes = this.#readBytes(path, metadata, onProgress);
      const { type, size, signed } = metadata;
      const values =
        isBfloat16 && size === 2 ? fromBfloat16(new Uint16Array(bytes)) : numbersOf(bytes, type, size, signed);
      return dtype === 'float32' ? asFloats(values) : asIntegers(values);
    });
  }

  /** The bytes of a dataset, little-endian whatever the file has. Blocks of rows are read one after another. */
  #readBytes(path: string, metadata: Dataset['metadata'], onProgress: (share: number) => void): ArrayBuffer {
    const { size, chunks } = metadata;
    const shape = metadata.shape ?? [];
    const total = shape.reduce((product, length) => product * length, size);
    if (total > this.#bytes * MOST_COMPRESSION) throw new Error(`it claims to hold ${total} bytes`);
    const all = new Uint8Array(total);
    if (total === 0) return all.buffer;
    const [rows = 1] = shape;
    const rowBytes = total / rows;
    // Whole chunks, each of which is decompressed once.
    const step = chunks?.[0] ?? 1;
    const blockRows = Math.min(rows, Math.max(1, Math.floor(BLOCK_BYTES / rowBytes / step)) * step);
    const pointer = this.#module._malloc(blockRows * rowBytes);
    if (pointer === 0) throw new Error(`there is no memory for ${blockRows * rowBytes} bytes of it`);
    try {
      for (let row = 0; row < rows; row += blockRows) {
        const count = Math.min(blockRows, rows - row);
        const [counts, offsets, strides] = [
          shape.map((length, axis) => BigInt(axis === 0 ? count : length)),
          shape.map((_, axis) => BigInt(axis === 0 ? row : 0)),
          shape.map(() => 1n),
        ];
        const { file_id } = this.#file;
        const status =
          shape.length === 0
            ? this.#module.get_dataset_data(file_id, `/${path}`, null, null, null, BigInt(pointer))
            : this.#module.get_dataset_data(file_id, `/${path}`, counts, offsets, strides, BigInt(pointer));
        if (status < 0) throw new Error('its values cannot be read');
        // Looked up anew each time: the memory may have grown, and is then another buffer.
        all.set(this.#module.HEAPU8.subarray(pointer, pointer + count * rowBytes), row * rowBytes);
        onProgress((row + count) / rows);
      }
    } finally {
      this.#module._free(pointer);
    }
    return all.buffer;
  }

  #get(path: string) {
    return this.#file.get(`/${path}`);
  }

  #dataset(path: string): Dataset | undefined {
    const object = this.#get(path) as Dataset | null;
    return object?.type === 'Dataset' ? object : undefined;
  }

  /**
   * Calls the library. Its failures become errors that say at which place of the file, and with what HDF5 itself has to say, which
   * the library would print to the console. A trap of WebAssembly is such a failure, too.
   */
  #call<T>(path: string, f: () => T): T {
    const output = this.#module.FS.streams[2] as Stream;
    const { stream_ops: operations } = output;
    let printed = '';
    const write: Stream['stream_ops']['write'] = (_, memory, offset, length) => {
      printed += String.fromCharCode(...memory.subarray(offset, offset + length));
      return length;
    };
    output.stream_ops = { ...operations, write };
    try {
      const result = callLibrary(this.#module, MOST_BYTES + MOST_OF_FILE * this.#bytes, f);
      // h5wasm does not look at what some functions of HDF5 return: what it hands out is then any memory.
      if (printed) throw new Error('it cannot be read');
      return result;
    } catch (error) {
      this.#hasFailed = true;
      const { message } = error as Error;
      if (message.startsWith(`${this.#who}: `)) throw error;
      // The last line is the innermost reason: '#014: H5Oint.c line 1101 in H5O__prefix_deserialize(): bad version number'.
      const innermost = [...printed.matchAll(/\(\): (.+)/g)].at(-1)?.[1];
      const reason = printed.includes('plugin') ? 'compressed otherwise than by gzip' : (innermost ?? message);
      const place = path ? ` at '${path}'` : '';
      return fail(
        this.#who,
        `the HDF5 file is damaged or has what cannot be read${place} (${reason}); get the file or save the model again`,
      );
    } finally {
      output.stream_ops = operations;
    }
  }
}

type Numbers = Values | Float64Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Uint32Array;

function numbersOf(bytes: ArrayBuffer, type: number, size: number, signed: boolean): Numbers {
  if (type === FLOAT && size === 4) return new Float32Array(bytes);
  if (type === FLOAT && size === 8) return new Float64Array(bytes);
  // h5wasm has no 16-bit floats and hands out their bits.
  if (type === FLOAT && size === 2) return fromFloat16(new Uint16Array(bytes));
  if (type === INTEGER || type === ENUM) {
    if (size === 1) return signed ? new Int8Array(bytes) : new Uint8Array(bytes);
    if (size === 2) return signed ? new Int16Array(bytes) : new Uint16Array(bytes);
    if (size === 4) return signed ? new Int32Array(bytes) : new Uint32Array(bytes);
    if (size === 8) return Float64Array.from(signed ? new BigInt64Array(bytes) : new BigUint64Array(bytes), Number);
  }
  const kind = type === OPAQUE ? 'bytes without a type' : `a type of HDF5's class ${type} and ${size} bytes`;
  throw new Error(`it holds ${kind}, not numbers`);
}

const asFloats = (values: Numbers): Float32Array =>
  values instanceof Float32Array ? values : new Float32Array(values);

function asIntegers(values: Numbers): Int32Array {
  if (values instanceof Int32Array) return values;
  const integers = new Int32Array(values);
  const changed = integers.findIndex((integer, i) => integer !== values[i]);
  if (changed === -1) return integers;
  throw new Error(`it holds ${values[changed]}, which is no integer of 32 bits`);
}
