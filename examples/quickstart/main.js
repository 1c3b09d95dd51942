/**
 * Quickstart: trains a small network on MNIST digits once for each normalization, compares them, saves the best one, loads
 * it back and shows that nothing has changed. `npm run quickstart -- --help` lists the options.
 */
import { stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { run } from '../command-line.js';
import { useBackend } from './backend.js';
import { loadDigits, TEST_DIGITS } from './data.js';
import { inFolder } from './files.js';
import { buildModel } from './model.js';
import { readOptions } from './options.js';
import { progress } from './progress.js';
import { test, train } from './train.js';

const SEED = 1;
const FOLDER = fileURLToPath(new URL('../../dist/quickstart', import.meta.url));

async function main(args) {
  const { help, norms, backends, ...options } = readOptions(args);
  if (help) {
    console.log(help);
    return;
  }
  const runs = [];
  for (const backend of backends) {
    await useBackend(backend);
    const digits = loadDigits(options.samples, SEED);
    console.log(`MNIST digits: ${options.samples} to train with, ${TEST_DIGITS} to test; backend ${backend}`);
    for (const norm of norms) {
      const model = buildModel(norm, SEED);
      const { seconds, steps } = await train(model, digits.train, options, progress(norm));
      runs.push({ backend, norm, model, seconds, steps, accuracy: test(model, digits.test), digits: digits.test });
    }
    console.log();
  }
  printTable(runs, options);
  await saveAndLoad(runs.reduce((best, run) => (run.accuracy > best.accuracy ? run : best)));
}

function printTable(runs, { batch }) {
  console.log(`normalization   backend      accuracy   training    per step of ${batch}`);
  for (const { norm, backend, accuracy, seconds, steps } of runs) {
    const numbers = [
      `${(100 * accuracy).toFixed(1)} %`.padStart(8),
      `${seconds.toFixed(1)} s`.padStart(8),
      `${((1000 * seconds) / steps).toFixed(1)} ms`.padStart(12),
    ];
    console.log(`${norm.padEnd(15)} ${backend.padEnd(12)} ${numbers.join('   ')}`);
  }
  console.log();
}

/** Saves the model of a run, loads it, and compares the predictions of both. */
async function saveAndLoad({ norm, model, digits, backend }) {
  await tf.setBackend(backend);
  const folder = join(FOLDER, norm);
  await model.save(inFolder(folder));
  const loaded = await tf.loadLayersModel(inFolder(folder));

  const difference = tf.tidy(() => {
    const [before, after] = [model, loaded].map((model) => model.predict(digits.images, { batchSize: 100 }));
    return tf.max(tf.abs(tf.sub(before, after))).dataSync()[0];
  });
  const { size } = await stat(join(folder, 'weights.bin'));
  console.log(`The ${norm} model is saved in ${relative('', folder)} (weights.bin: ${size} bytes).`);
  console.log(`Loaded back, its ${TEST_DIGITS} predictions differ by at most ${difference}.`);
  if (difference !== 0) throw new Error('the loaded model predicts something else');
}

await run('quickstart', main);
