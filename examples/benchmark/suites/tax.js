/** The normalization tax on four backends: a whole training step with normalization over the same step without. */
import * as tf from '@tensorflow/tfjs';
import { startWasm } from '../../wasm.js';
import { openPage } from '../browser.js';
import { models as all } from '../models.js';
import { startNative } from '../native-process.js';
import { stepTimes } from '../training.js';

export const title = 'The normalization tax: a training step with normalization over one without';

const models = Object.fromEntries(Object.entries(all).filter(([, { large }]) => !large));

/** By column: what starts the backend. */
const backends = {
  cpu: async () => {
    await tf.setBackend('cpu');
    return { ask: stepTimes, close: () => {} };
  },
  webgl: async () => {
    const { page, close } = await openPage('page.js');
    await page.evaluate(() => globalThis.benchmark.start());
    return { ask: (what) => page.evaluate((what) => globalThis.benchmark.stepTimes(what), what), close };
  },
  wasm: async () => {
    await startWasm();
    return { ask: stepTimes, close: () => tf.setBackend('cpu') };
  },
  node: startNative,
};

export async function run({ effort, clock, progress }) {
  const rounds = Math.ceil(0.6 * effort.rounds); // a tax of 5 % needs all of them, also where a step is slow
  const notes = new Set([THEIRS]);
  const us = {};
  for (const [backend, start] of Object.entries(backends)) {
    progress(backend);
    us[backend] = {};
    let started;
    try {
      started = await start(clock);
    } catch (error) {
      notes.add(`${backend}: skipped (${error.message.split('\n')[0]}).`);
      continue;
    }
    try {
      for (const [model, { label }] of Object.entries(models)) {
        progress(`${backend}: ${label}`);
        const what = { model, effort: { ...effort, rounds, slowRounds: rounds } };
        us[backend][model] = await started.ask(what);
      }
    } finally {
      await started.close();
    }
  }
  return { notes: [...notes], tables: [steps(us), taxes(us)], checks: checks(us) };
}

const THEIRS = [
  'In the table of taxes, the column of a backend is ours, the one after it of TensorFlow.js: its layer for Layer and Batch,',
  'else the plain formula as a layer.',
].join(' ');

const rowsOf = (values) =>
  Object.entries(models).map(([model, { label }]) => ({
    label,
    values: Object.keys(backends).flatMap((backend) => values(backend, model)),
  }));

const steps = (us) => ({
  title: 'A step without',
  unit: 'time',
  columns: Object.keys(backends),
  rows: rowsOf((backend, model) => [us[backend][model]?.without]),
});

const tax = (us, whose) => us && us[whose] / us.without;

const taxes = (us) => ({
  title: 'Tax: ours, TF.js',
  unit: 'ratio',
  columns: Object.keys(backends).flatMap((backend) => [backend, 'TF.js']),
  rows: rowsOf((backend, model) => ['ours', 'theirs'].map((whose) => tax(us[backend][model], whose))),
});

/** The aim is for the backend whose kernels compute alone: elsewhere the way to a small kernel is part of the tax. */
const checks = (us) =>
  Object.entries(models).map(([model, { label }]) => ({
    label: `${label}: tax of ours on cpu`,
    value: tax(us.cpu[model], 'ours'),
    aim: 1.1,
    lower: true,
  }));
