/** The command line of the quickstart: what it takes, what it refuses, and its help. */
import { count, names, parse } from '../command-line.js';
import { DIGITS, TEST_DIGITS } from './data.js';
import { normalizations } from './model.js';

const BACKENDS = ['wasm', 'cpu', 'tensorflow'];
const MOST_SAMPLES = DIGITS - TEST_DIGITS;
const DEFAULTS = { norm: 'batch,group,layer', batch: '4', epochs: '1', samples: '2400', backend: 'wasm' };

const HELP = `Trains a small convolutional network on MNIST digits, once for each
normalization, and compares them.

  npm run quickstart -- [options]

  --norm LIST      normalizations, separated by commas (${DEFAULTS.norm});
                   ${listed(Object.keys(normalizations), 5, '\n                   ')}
  --batch N        digits in one training step (${DEFAULTS.batch})
  --epochs N       passes over the training digits (${DEFAULTS.epochs})
  --samples N      digits to train with, at most ${MOST_SAMPLES} (${DEFAULTS.samples})
  --backend LIST   wasm, cpu, tensorflow, or several separated by commas
                   (${DEFAULTS.backend}); tensorflow needs @tensorflow/tfjs-node
  --help           this text`;

/**
 * @param {string[]} args
 * @returns {{help: string} | {norms: string[], backends: string[], batch: number, epochs: number, samples: number}}
 * @throws {UsageError} that names the option, what it takes and what it was given
 */
export function readOptions(args) {
  const { norm, backend, batch, epochs, samples, help } = parse(args, DEFAULTS, 'npm run quickstart -- --norm batch');
  if (help) return { help: HELP };
  return {
    norms: names('--norm', norm, Object.keys(normalizations)),
    backends: names('--backend', backend, BACKENDS),
    samples: count('--samples', samples, MOST_SAMPLES),
    batch: count('--batch', batch, MOST_SAMPLES),
    epochs: count('--epochs', epochs, 1000),
  };
}

/** The words, separated by commas, with a line break after every `perLine`. */
function listed(words, perLine, lineBreak) {
  return words.map((word, i) => (i === 0 ? '' : i % perLine === 0 ? `,${lineBreak}` : ', ') + word).join('');
}
