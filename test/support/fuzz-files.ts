/** Damaged and hostile files, made of good ones by a seed; and what becomes of loading them. */
import * as tf from '@tensorflow/tfjs';
import { unzipSync, zipSync } from 'fflate';
import { ready } from 'h5wasm';
import { loadModel } from '../../layers/files/index.ts';
import { uniforms } from './random.ts';
import { bytesOf, disposeAll } from './read-files.ts';

/** Small ones, of each form. */
const GOOD = ['3.15/spec.keras', '3.15/spec.h5', '2.13/counted.keras', '2.13/nested.h5', '2.15/nested.keras'];

/** The files are small, and the memory of the library grows to no more. */
const MOST_BYTES = 2 ** 28 + 2 ** 20;

/** A damaged file may name much that is not there, but not for ever: it takes so many times as long as a good one at most. */
const MOST_TIMES = 100;

type Bytes = Uint8Array<ArrayBuffer>;

class Mutations {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = uniforms(seed);
  }

  #below(count: number): number {
    return Math.floor(this.#next() * count);
  }

  #oneOf<T>(values: readonly T[]): T {
    return values[this.#below(values.length)] as T;
  }

  /** A good file with a few changes: as it lies there, in the HDF5 file of an archive, or in its JSON. */
  file(good: Bytes): Bytes {
    const kind = good[0] === 0x50 ? this.#below(4) : 0;
    if (kind === 0) return this.#bytes(good);
    const entries = unzipSync(good) as Record<string, Bytes>;
    const name = kind === 3 ? 'model.weights.h5' : this.#oneOf(['config.json', 'config.json', 'metadata.json']);
    const entry = entries[name] as Bytes;
    const text = new TextDecoder().decode(entry);
    entries[name] = kind === 3 ? this.#bytes(entry) : kind === 2 ? this.#text(entry) : this.#json(text);
    if (this.#below(20) === 0) delete entries[this.#oneOf(Object.keys(entries))];
    return zipSync(entries, { level: this.#oneOf([0, 6]) }) as Bytes;
  }

  #bytes(good: Bytes): Bytes {
    const bytes = Uint8Array.from(good);
    const kind = this.#below(12);
    if (kind === 0) return bytes.slice(0, this.#below(bytes.length));
    if (kind === 1)
      return bytes.copyWithin(this.#below(bytes.length), this.#below(bytes.length), this.#below(bytes.length));
    if (kind === 2) {
      const start = this.#below(bytes.length);
      return bytes.fill(this.#oneOf([0, 255]), start, start + this.#below(512));
    }
    for (let i = 0; i <= this.#below(6); i++) {
      // Half of the changes at the beginning and at the end, where the directories are.
      const place = this.#oneOf([bytes.length, 2048]);
      const at = this.#oneOf([this.#below(place), bytes.length - 1 - this.#below(place)]);
      const length = this.#oneOf([1, 1, 2, 4, 8]);
      const value = this.#oneOf([0, 255, 127, this.#below(256)]);
      if (this.#below(3) === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << this.#below(8));
      else bytes.fill(value, at, at + length);
    }
    return bytes;
  }

  #text(good: Bytes): Bytes {
    const bytes = Uint8Array.from(good);
    for (let i = 0; i <= this.#below(3); i++) bytes[this.#below(bytes.length)] = 32 + this.#below(95);
    return bytes;
  }

  /** One value within a JSON text becomes another. */
  #json(text: string): Bytes {
    const value = JSON.parse(text);
    const holders: [holder: Record<string, unknown>, key: string][] = [];
    const visit = (one: unknown): void => {
      if (typeof one !== 'object' || one === null) return;
      for (const [key, inner] of Object.entries(one)) {
        holders.push([one as Record<string, unknown>, key]);
        visit(inner);
      }
    };
    visit(value);
    const [holder, key] = this.#oneOf(holders);
    const [other, otherKey] = this.#oneOf(holders);
    const junk = [
      null,
      true,
      0,
      -1,
      0.5,
      7,
      1e9,
      1e300,
      '',
      'linear',
      'x'.repeat(9),
      [],
      {},
      [null],
      [1, 2],
      '__proto__',
    ];
    const kind = this.#below(4);
    if (kind === 0) delete holder[key];
    else if (kind === 1) holder[key] = structuredClone(other[otherKey]);
    else holder[key] = this.#oneOf(junk);
    return new TextEncoder().encode(JSON.stringify(value)) as Bytes;
  }
}

export interface Outcome {
  readonly loaded: number;
  readonly refused: number;
  /** Seeds of files with which something else happened, and what. */
  readonly wrong: readonly string[];
}

/** Loads `count` files, of the seeds from `seed` on. A good file is loaded in between, which must go on working. */
export async function fuzzFiles(count: number, seed: number): Promise<Outcome> {
  const good = GOOD.map((name) => bytesOf(name));
  const wrong: string[] = [];
  const library = await ready;
  let [loaded, refused] = [0, 0];
  let slowest = 0; // of the good files, in microseconds of the processor
  const load = async (name: string, file: Bytes, mayFail: boolean) => {
    const before = tf.memory();
    const start = process.cpuUsage();
    try {
      const model = await loadModel(file);
      loaded++;
      disposeAll(model);
    } catch (error) {
      refused++;
      const { message, stack } = error as Error;
      if (!mayFail || !message.startsWith('loadModel: ')) wrong.push(`${name}: ${stack}`);
    }
    const { numTensors, numDataBuffers } = tf.memory();
    if (numTensors !== before.numTensors || numDataBuffers !== before.numDataBuffers) {
      wrong.push(`${name}: ${numTensors - before.numTensors} tensors are left`);
    }
    const bytes = library.HEAPU8.length;
    if (bytes > MOST_BYTES) wrong.push(`${name}: h5wasm holds ${bytes} bytes`);
    const { user } = process.cpuUsage(start);
    if (!mayFail) slowest = Math.max(slowest, user);
    else if (user > MOST_TIMES * slowest)
      wrong.push(`${name}: took ${Math.round(user / slowest)} times as long as a good file`);
  };
  for (const [i, file] of good.entries()) await load(`the good file ${GOOD[i]}`, file, false);
  for (let i = 0; i < count; i++) {
    const name = `seed ${seed + i}`;
    const bytes = new Mutations(seed + i).file(good[(seed + i) % good.length] as Bytes);
    await load(name, bytes, true);
    if (i % 50 === 49) await load(`the good file after ${name}`, good[(seed + i) % good.length] as Bytes, false);
  }
  return { loaded, refused, wrong };
}
