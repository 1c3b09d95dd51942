/** Draws and time of forward and forward + gradient on the GPU, or on what stands in for one, in a headless browser. */
import { openPage } from '../browser.js';
import { softwareNote } from '../format.js';

export const title = 'Draws and speed in headless Chromium (webgl backend)';

const image = [8, 32, 32, 64];
const large = { atLeast: 20 };
/** `draws`: of the kernels, forward, and forward and gradient; `layerDraws`: of the layer with its moving averages. */
const workloads = [
  {
    label: 'LN',
    name: 'layer',
    shape: [512, 768],
    draws: [2, 7],
    builtIn: { atLeast: 30 },
    composed: { atLeast: 6, aim: 10 },
  },
  {
    label: 'LN',
    name: 'layer',
    shape: [2048, 256],
    draws: [2, 7],
    builtIn: { atLeast: 30 },
    composed: { atLeast: 6, aim: 10 },
  },
  { label: 'RMS', name: 'rms', shape: [512, 768], draws: [2, 7] },
  { label: 'BN', name: 'batch', shape: image, draws: [3, 7], layerDraws: [5, 9], composed: large },
  { label: 'IN', name: 'instance', shape: image, draws: [3, 8], composed: large },
  { label: 'GN(8)', name: 'group', shape: image, draws: [3, 8], composed: large },
  { label: 'Renorm', name: 'renorm', shape: image, rival: 'batch' },
].map((workload) => ({ ...workload, label: `${workload.label} [${workload.shape}]` }));

const columns = { ours: 'ours', layer: 'our layer', rival: 'BN layer', builtIn: 'TF.js layer', composed: 'composed' };

export async function run({ effort, clock, progress }) {
  let opened;
  try {
    progress('a browser');
    opened = await openPage('page.js');
  } catch (error) {
    return { notes: [`Skipped: no browser starts here (${error.message.split('\n')[0]}).`], tables: [], checks: [] };
  }
  const { page, version, close } = opened;
  try {
    const renderer = await page.evaluate(() => globalThis.benchmark.start());
    const results = [];
    for (const { label, name, shape, rival, draws } of workloads) {
      progress(label);
      const args = { name, shape, rival, effort };
      const result = await page.evaluate((args) => globalThis.benchmark.measure(args), args);
      if (draws) result.kernels = await page.evaluate((args) => globalThis.benchmark.kernelDraws(args), args);
      results.push(result);
    }
    const notes = [`Drawn by ${renderer}, in Chromium ${version}.`];
    const software = softwareNote(renderer);
    if (software) notes.push(software);
    if (clock === 'cpu') notes.push('The time that passes: a page does not learn its processor time.');
    return {
      notes,
      tables: tables(results),
      device: renderer,
      measurements: workloads.map(({ name, shape }, i) => ({
        name,
        shape,
        us: results[i].us,
        draws: results[i].draws,
      })),
      checks: workloads.flatMap((workload, i) => checks(workload, results[i])),
    };
  } finally {
    await close();
  }
}

function tables(results) {
  const table = (title, unit, suffix, values) => ({
    title,
    unit,
    columns: Object.values(columns),
    rows: workloads.map(({ label }, i) => ({
      label,
      values: Object.keys(columns).map((name) => values(results[i])[name + suffix]),
    })),
  });
  const draws = (result) => result.draws;
  const us = (result) => result.us;
  return [
    table('Draws, forward', 'count', '', draws),
    table('Draws, fwd+grad', 'count', 'Gradient', draws),
    table('Time, forward', 'time', '', us),
    table('Time, fwd+grad', 'time', 'Gradient', us),
  ];
}

function checks({ label, draws: expected, layerDraws, rival, builtIn, composed }, { draws, us, kernels }) {
  const count = (what, value, exactly) => ({ label: `${label}: ${what}`, value, unit: 'count', exactly });
  const ratio = (what, numerator, denominator, limits) => ({
    label: `${label}: ${what}, fwd+grad`,
    value: us[`${numerator}Gradient`] / us[`${denominator}Gradient`],
    ...limits,
  });
  const all = [];
  if (expected) {
    all.push(count('draws', kernels.forward, expected[0]));
    all.push(count('draws, fwd+grad', kernels.forward + kernels.backward, expected[1]));
  }
  if (layerDraws) {
    all.push(count('draws of the layer', draws.layer, layerDraws[0]));
    all.push(count('draws of the layer, fwd+grad', draws.layerGradient, layerDraws[1]));
  }
  if (us.builtIn) all.push(ratio('TF.js layer / ours', 'builtIn', 'layer', builtIn));
  if (us.composed) all.push(ratio('composed / ours', 'composed', 'ours', composed));
  if (rival) all.push(ratio('ours / BN layer', 'layer', 'rival', { atMost: 2 }));
  return all;
}
