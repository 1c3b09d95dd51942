/**
 * `import { test, train } from 'virtual:digits'`: the addresses of two files of MNIST digits: a small
 * one, which is enough to look at digits and to test with, and a large one to train with. Each holds its labels, a byte each, then as
 * many images of 28 x 28 bytes, in an order that mixes the labels.
 */
import { readImages, SIZE } from '../quickstart/mnist.js';

/** Digits in each file. */
const COUNTS = { test: 1000, train: 7000 };
const NAMES = Object.keys(COUNTS);
const MODULE = 'virtual:digits';
const RESOLVED = `\0${MODULE}`;

/** @returns {import('vite').Plugin} */
export function digits() {
  let building = false;
  let files;
  const fileOf = (name) => {
    files ??= readDigits();
    return files[name];
  };
  return {
    name: 'digits',
    configResolved({ command }) {
      building = command === 'build';
    },
    resolveId: (id) => (id === MODULE ? RESOLVED : undefined),
    load(id) {
      if (id !== RESOLVED) return undefined;
      const addressOf = (name) => {
        if (!building) return `'/digits-${name}.bin'`;
        const reference = this.emitFile({ type: 'asset', name: `digits-${name}.bin`, source: fileOf(name) });
        return `import.meta.ROLLUP_FILE_URL_${reference}`;
      };
      return NAMES.map((name) => `export const ${name} = ${addressOf(name)};`).join('\n');
    },
    configureServer({ middlewares }) {
      for (const name of NAMES) {
        middlewares.use(`/digits-${name}.bin`, (_, response) => {
          response.setHeader('content-type', 'application/octet-stream').end(fileOf(name));
        });
      }
    },
  };
}

/** Labels and images of each file, as bytes. */
export function readDigits() {
  const byLabel = readImages();
  const taken = byLabel.map(() => 0);
  let place = 0;
  const next = () => {
    const label = (7 * place + Math.floor(place / 10)) % 10; // each of ten in a row is another one
    place++;
    const at = SIZE * taken[label]++;
    return { label, image: byLabel[label].subarray(at, at + SIZE) };
  };
  return Object.fromEntries(
    Object.entries(COUNTS).map(([name, count]) => {
      const bytes = new Uint8Array(count * (1 + SIZE));
      for (let i = 0; i < count; i++) {
        const { label, image } = next();
        bytes[i] = label;
        bytes.set(image, count + SIZE * i);
      }
      return [name, bytes];
    }),
  );
}
