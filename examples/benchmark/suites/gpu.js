/**
 * Draws, or dispatches, and time of forward and forward + gradient on the GPU, or on what stands in for one, in a headless
 * browser.
 */
import { openPage } from '../browser.js';
import { conditionalChecks } from '../candidates.js';
import { softwareNote } from '../format.js';

const columns = {
  ours: 'ours',
  conditional: 'conditional',
  layer: 'our layer',
  rival: 'BN layer',
  builtIn: 'TF.js layer',
  composed: 'composed',
};

/**
 * @param {{backend: string, draw: string, workloads: object[]}} what the backend; what it calls a draw; and of each workload a
 *   label, a normalization of workloads.js and a shape, and maybe `draws`, of the kernels, forward, and forward and gradient;
 *   `layerDraws`, of the layer with its moving averages; and the limits of ratios
 */
export const suiteOf = ({ backend, draw, workloads }) =>
  async function run({ effort, clock, progress }) {
    let opened;
    try {
      progress('a browser');
      opened = await openPage('page.js');
    } catch (error) {
      return { notes: [`Skipped: no browser starts here (${error.message.split('\n')[0]}).`], tables: [], checks: [] };
    }
    const { page, version, close } = opened;
    try {
      const renderer = await page.evaluate((name) => globalThis.benchmark.start(name), backend);
      const results = [];
      for (const { label, name, shape, rival, draws } of workloads) {
        progress(label);
        const args = { name, shape, rival, withConditional: true, effort };
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
        tables: tables(results, workloads, draw),
        device: renderer,
        measurements: workloads.map(({ name, shape }, i) => ({
          name,
          shape,
          us: results[i].us,
          draws: results[i].draws,
        })),
        checks: workloads.flatMap((workload, i) => checks(workload, results[i], draw)),
      };
    } finally {
      await close();
    }
  };

function tables(results, workloads, draw) {
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
    table(`${draw}, forward`, 'count', '', draws),
    table(`${draw}, fwd+grad`, 'count', 'Gradient', draws),
    table('Time, forward', 'time', '', us),
    table('Time, fwd+grad', 'time', 'Gradient', us),
  ];
}

function checks(workload, { draws, us, kernels }, draw) {
  const { label, draws: expected, layerDraws, rival, builtIn, composed } = workload;
  const made = draw.toLowerCase();
  const count = (what, value, exactly) => ({ label: `${label}: ${what}`, value, unit: 'count', exactly });
  const ratio = (what, numerator, denominator, limits) => ({
    label: `${label}: ${what}, fwd+grad`,
    value: us[`${numerator}Gradient`] / us[`${denominator}Gradient`],
    ...limits,
  });
  const all = [];
  if (expected) {
    all.push(count(made, kernels.forward, expected[0]));
    all.push(count(`${made}, fwd+grad`, kernels.forward + kernels.backward, expected[1]));
  }
  if (layerDraws) {
    all.push(count(`${made} of the layer`, draws.layer, layerDraws[0]));
    all.push(count(`${made} of the layer, fwd+grad`, draws.layerGradient, layerDraws[1]));
  }
  if (us.builtIn) all.push(ratio('TF.js layer / ours', 'builtIn', 'layer', builtIn));
  if (us.composed) all.push(ratio('composed / ours', 'composed', 'ours', composed));
  if (rival) all.push(ratio('ours / BN layer', 'layer', 'rival', { atMost: 2 }));
  all.push(...conditionalChecks(workload, us));
  return all;
}
