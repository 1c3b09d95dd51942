/**
 * Zip archives, as .keras files are. The directory is read here, since fflate, which inflates, copies entries that are only stored,
 * checks no checksums, and of two entries of one name takes the last.
 */
import { fail } from '../../kernels/core/errors.ts';
import { refuseWithout } from '../base/peers.ts';

/** Records of a zip file: how they begin, and their sizes without names. */
const END = { signature: 0x06054b50, size: 22 };
const ENTRY = { signature: 0x02014b50, size: 46 };
const LOCAL = { signature: 0x04034b50, size: 30 };
/** The end record may be followed by a comment of this length. */
const MOST_AFTER_END = 0xffff;
/** Stands where a number does not fit into 32 bits. */
const IN_ZIP64 = 0xffffffff;
const [STORED, DEFLATED] = [0, 8];
/** Deflate makes of one byte at most 1032. */
const MOST_COMPRESSION = 1032;

/** A file within an archive. */
interface Entry {
  readonly method: number;
  readonly checksum: number;
  readonly size: number;
  /** A view of the archive. */
  readonly packed: Uint8Array;
}

export class Archive {
  readonly #who: string;
  readonly #entries = new Map<string, Entry>();

  /** Reads the directory; `bytes` must not change afterwards. */
  constructor(who: string, bytes: Uint8Array) {
    this.#who = who;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const has = ({ signature, size }: typeof END, at: number) =>
      at + size <= bytes.length && view.getUint32(at, true) === signature;
    let end = bytes.length - END.size;
    const first = Math.max(0, end - MOST_AFTER_END);
    while (end >= first && !has(END, end)) end--;
    if (end < first) this.#refuse('its end is missing');
    const count = view.getUint16(end + 10, true);
    let at = view.getUint32(end + 16, true);
    for (let i = 0; i < count; i++) {
      if (!has(ENTRY, at)) this.#refuse(`entry ${i} of ${count} is missing`);
      const number16 = (offset: number) => view.getUint16(at + offset, true);
      const number32 = (offset: number) => view.getUint32(at + offset, true);
      const nameEnd = at + ENTRY.size + number16(28);
      const name = new TextDecoder().decode(bytes.subarray(at + ENTRY.size, nameEnd));
      const [method, checksum, packedSize, size, local] = [
        number16(10),
        number32(16),
        number32(20),
        number32(24),
        number32(42),
      ];
      if (packedSize === IN_ZIP64 || size === IN_ZIP64 || local === IN_ZIP64) this.#refuse('it has more than 4 GB');
      if (this.#entries.has(name)) this.#refuse(`it has two entries '${name}'`);
      if (name.split(/[/\\]/).includes('..')) this.#refuse(`it has an entry '${name}'`);
      if (!has(LOCAL, local)) this.#refuse(`the entry '${name}' is missing`);
      const start = local + LOCAL.size + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      if (start + packedSize > bytes.length) this.#refuse(`the entry '${name}' is cut off`);
      const packed = bytes.subarray(start, start + packedSize);
      this.#entries.set(name, { method, checksum, size, packed });
      at = nameEnd + number16(30) + number16(32);
    }
  }

  get names(): string[] {
    return [...this.#entries.keys()];
  }

  /** The bytes of an entry, a view of the archive where they are only stored; undefined if there is none. */
  async read(name: string): Promise<Uint8Array | undefined> {
    const entry = this.#entries.get(name);
    if (!entry) return undefined;
    const { method, checksum, size, packed } = entry;
    // Before anything is inflated: a small file may claim to become a huge one.
    const most = method === STORED ? packed.length : packed.length * MOST_COMPRESSION;
    if (size > most) this.#refuse(`the entry '${name}' of ${packed.length} bytes claims to hold ${size}`);
    if (method !== STORED && method !== DEFLATED) this.#refuse(`the entry '${name}' is compressed by method ${method}`);
    const bytes = method === STORED ? packed : await this.#inflated(name, packed, size);
    if (bytes.length !== size || crc32(bytes) !== checksum) this.#refuse(`the entry '${name}' has changed`);
    return bytes;
  }

  async #inflated(name: string, packed: Uint8Array, size: number): Promise<Uint8Array> {
    let inflateSync: typeof import('fflate').inflateSync;
    try {
      ({ inflateSync } = await import('fflate'));
    } catch (error) {
      refuseWithout('fflate', this.#who, error);
    }
    try {
      return inflateSync(packed, { out: new Uint8Array(size) });
    } catch (error) {
      return this.#refuse(`the entry '${name}' cannot be inflated: ${(error as Error).message}`);
    }
  }

  #refuse(message: string): never {
    return fail(this.#who, `the archive is damaged, ${message}; get the file or save the model again`);
  }
}

/** CRC-32, the checksum of zip files. `EFFECTS[k]` is that of a byte with k bytes after it: four bytes are taken at once. */
const EFFECTS = effectsOfBytes(4);

function effectsOfBytes(count: number): Int32Array[] {
  const tables = Array.from({ length: count }, () => new Int32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte;
    for (const table of tables) {
      for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0xedb88320 : 0);
      table[byte] = remainder;
    }
  }
  return tables;
}

function crc32(bytes: Uint8Array): number {
  const [last, third, second, first] = EFFECTS as [Int32Array, Int32Array, Int32Array, Int32Array];
  let crc = -1;
  let i = 0;
  for (; i + 4 <= bytes.length; i += 4) {
    crc ^=
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24);
    crc =
      (first[crc & 255] as number) ^
      (second[(crc >>> 8) & 255] as number) ^
      (third[(crc >>> 16) & 255] as number) ^
      (last[crc >>> 24] as number);
  }
  for (; i < bytes.length; i++) crc = (last[(crc ^ (bytes[i] as number)) & 255] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}
