/**
 * The header of a safetensors file: 8 bytes that say how long it is (little-endian), then JSON, which gives each tensor's type,
 * shape and place; after it nothing but the values. What is not exactly so is refused, as in the format's own library.
 *
 * @see https://github.com/huggingface/safetensors#format
 */
import { fail, show } from '../../../kernels/core/errors.ts';
import { bitsOf, type Dtype, isDtype } from './dtypes.ts';

/** A tensor in a file. */
export interface StoredTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** The first byte of its values, counted from the beginning of the file, and how many there are. */
  readonly offset: number;
  readonly byteLength: number;
}

export interface Header {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Texts about the file, such as `{format: 'pt'}`. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** The bytes of a file, wherever they are. */
export interface Bytes {
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** The longest header that the format allows, so that a wrong length does not ask for all memory. */
const LONGEST_HEADER = 100_000_000;
const REMEDY = 'get or write the file again';

/** Reads the header, and checks that the tensors fill the rest of the file without gaps and without overlapping. */
export async function readHeader(who: string, bytes: Bytes): Promise<Header> {
  const wrong = (message: string): never => fail(who, `${message}; ${REMEDY}`);
  if (bytes.size < 8) {
    wrong(`a safetensors file begins with the length of its header in 8 bytes; the file has ${bytes.size}`);
  }
  const [low, high] = lengthIn(await bytes.read(0, 8));
  const length = low + high * 2 ** 32;
  if (length > LONGEST_HEADER || length + 8 > bytes.size) {
    const seems = await describeStart(bytes);
    wrong(
      `the file says that its header has ${length} bytes, and has ${bytes.size} itself (a header has at most ` +
        `${LONGEST_HEADER}): the file is incomplete, or no safetensors file${seems}`,
    );
  }
  const text = decoded(who, await bytes.read(8, length));
  return { ...parsedHeader(text, wrong, bytes.size, length + 8) };
}

function lengthIn(bytes: Uint8Array): [low: number, high: number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return [view.getUint32(0, true), view.getUint32(4, true)];
}

/** What a file seems to be that is none of ours. */
async function describeStart(bytes: Bytes): Promise<string> {
  const start = new TextDecoder('latin1').decode(await bytes.read(0, 8));
  const kinds: readonly (readonly [start: RegExp, kind: string])[] = [
    [/^PK/, 'a zip archive, as .keras and PyTorch .pt files are'],
    [/^.HDF/, 'an HDF5 file'],
    [/^\s*</, 'an HTML page'],
    [/^\s*[{[]/, 'JSON'],
    [/^version /, 'a pointer of Git LFS'],
  ];
  const kind = kinds.find(([pattern]) => pattern.test(start))?.[1];
  return kind ? `, but seems to be ${kind}` : '';
}

function decoded(who: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail(who, `the header of the safetensors file is not UTF-8 text; ${REMEDY}`);
  }
}

type Wrong = (message: string) => never;

function parsedHeader(text: string, wrong: Wrong, fileSize: number, start: number): Header {
  if (!text.startsWith('{')) wrong(`the header must be a JSON object; it begins with ${show(text.slice(0, 20))}`);
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    return wrong(`the header is no JSON (${(error as Error).message})`);
  }
  const twice = repeatedKey(text);
  if (twice !== undefined) wrong(`the header has the name ${show(twice)} twice`);
  const entries = Object.entries(json).filter(([name]) => name !== '__metadata__');
  const tensors = new Map(entries.map(([name, entry]) => [name, checkedTensor(name, entry, wrong, start)]));
  const places = [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = start;
  for (const [name, { offset, byteLength }] of places) {
    if (offset !== end) {
      const what = offset < end ? 'overlaps the one before it' : 'leaves a gap before it';
      wrong(`the tensor '${name}' ${what}: it begins at byte ${offset - start} of the values, not ${end - start}`);
    }
    end = offset + byteLength;
  }
  if (end !== fileSize) {
    wrong(`the tensors need ${end - start} bytes of values, and the file has ${fileSize - start}`);
  }
  return { tensors, metadata: checkedMetadata(json, wrong) };
}

function checkedTensor(name: string, entry: unknown, wrong: Wrong, start: number): StoredTensor {
  const refuse = (rule: string, received: unknown) =>
    wrong(`the tensor '${name}' must have ${rule}; received ${show(received)}`);
  if (!isRecord(entry)) return refuse('a dtype, a shape and data_offsets', entry);
  const { dtype, shape, data_offsets: place, ...others } = entry;
  const [other] = Object.keys(others);
  if (other !== undefined) refuse('a dtype, a shape and data_offsets, and nothing else', other);
  if (!isDtype(dtype)) return refuse('a dtype of the format, such as F32', dtype);
  if (!isNaturals(shape)) return refuse('a shape of whole numbers', shape);
  if (!isNaturals(place) || place.length !== 2) return refuse('data_offsets of two whole numbers', place);
  const [begin, end] = place as [number, number];
  const bits = shape.reduce((product, size) => product * size, bitsOf(dtype));
  if ((end - begin) * 8 !== bits) {
    refuse(`data_offsets for the ${bits / 8} bytes of ${dtype} [${shape}]`, place);
  }
  return { dtype, shape, offset: start + begin, byteLength: end - begin };
}

function checkedMetadata(json: Record<string, unknown>, wrong: Wrong): Record<string, string> {
  if (!Object.hasOwn(json, '__metadata__')) return {};
  const { __metadata__: metadata } = json;
  if (!isRecord(metadata) || Object.values(metadata).some((value) => typeof value !== 'string')) {
    wrong(`__metadata__ must be an object of texts; received ${show(metadata)}`);
  }
  return metadata as Record<string, string>;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isNaturals = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((one) => Number.isSafeInteger(one) && one >= 0 && !Object.is(one, -0));

/**
 * A key that an object of the JSON text has twice. JSON.parse keeps the last value of such a key without a word, so that two readers
 * may see two different files. `text` must be valid JSON.
 */
function repeatedKey(text: string): string | undefined {
  /** The keys of each object that is open. */
  const open: Set<string>[] = [];
  for (const [token, string, colon] of text.matchAll(/("(?:[^"\\]|\\.)*")\s*(:?)|[{}]/g)) {
    if (token === '{') open.push(new Set());
    else if (token === '}') open.pop();
    else if (colon && string) {
      const key = JSON.parse(string) as string;
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return undefined;
}

/** A tensor that is to be written. */
export interface NewTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

/** The first bytes of a file with these tensors one after the other: length and header. */
export function headerBytes(tensors: readonly NewTensor[], metadata: Readonly<Record<string, string>>): Uint8Array {
  let end = 0;
  const entries = tensors.map(({ name, dtype, shape }): [string, unknown] => {
    const begin = end;
    end += byteLengthOf(dtype, shape);
    return [name, { dtype, shape, data_offsets: [begin, end] }];
  });
  // fromEntries, since a name such as __proto__ set on an object would be no key of it.
  const json = JSON.stringify(Object.fromEntries([['__metadata__', metadata], ...entries]));
  const text = new TextEncoder().encode(json);
  // Spaces bring the values to a multiple of 8, so that they can be used where they lie.
  const bytes = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - 8), true);
  bytes.set(text, 8);
  return bytes;
}

export const byteLengthOf = (dtype: Dtype, shape: readonly number[]): number =>
  shape.reduce((product, size) => product * size, bitsOf(dtype)) / 8;
