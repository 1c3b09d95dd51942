/**
 * The results as files to commit: RESULTS.md to read, and results.json, the times of single normalizations, which the gallery
 * shows before it has measured by itself. Published here, they also go into the texts that quote them.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cell } from './format.js';
import { limits } from './report.js';
import { summaries, withSummary } from './summary.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = join(HERE, '..', '..');

const COMMAND = 'npm run bench -- --publish examples/benchmark';

/** Suites with measurements, by the backend that they are of. */
const MEASURED = { cpu: 'speed', wasm: 'wasm', webgl: 'webgl', webgpu: 'webgpu', tensorflow: 'node' };

/**
 * @param {string} folder
 * @param {object} report what run.js collects
 * @returns {Promise<string[]>} the files
 */
export async function publishResults(folder, report) {
  const results = json(report);
  const files = { [join(folder, 'RESULTS.md')]: markdown(report), [join(folder, 'results.json')]: results };
  if (resolve(folder) === resolve(HERE)) {
    for (const [name, summary] of Object.entries(summaries)) {
      const path = join(ROOT, name);
      files[path] = withSummary(await readFile(path, 'utf8'), summary(JSON.parse(results)));
    }
  }
  await mkdir(folder, { recursive: true });
  for (const [path, text] of Object.entries(files)) await writeFile(path, text);
  return Object.keys(files);
}

const row = (cells) => `| ${cells.join(' | ')} |`;
/** A table whose first column is of text, and the others of numbers. */
const grid = (head, rows) =>
  [row(head), row(head.map((_, i) => (i === 0 ? '---' : '--:'))), ...rows.map(row)].join('\n');

function table({ title, unit, columns, rows }) {
  return grid(
    [title, ...columns],
    rows.map(({ label, values }) => [label, ...columns.map((_, i) => cell(values[i], unit))]),
  );
}

function checks(all) {
  if (all.length === 0) return [];
  const lines = all.map((check) => {
    const { bar, aim } = limits(check);
    return [check.label, cell(check.value, check.unit ?? 'ratio'), bar, aim, check.verdict];
  });
  return [grid(['Ratio or check', 'measured', 'bar', 'aim', 'verdict'], lines)];
}

function markdown({ date, minutes, machine, clock, quick, results }) {
  const suites = Object.values(results).flatMap(({ title, notes, tables, checks: all }) => [
    `## ${title}`,
    ...notes,
    ...tables.map(table),
    ...checks(all),
  ]);
  const effort = quick ? ' It was a quick run: a first impression.' : '';
  const time = clock === 'cpu' ? 'processor time' : 'time';
  const parts = [
    '# Results of the benchmark',
    `Written by \`${COMMAND}\`, not by hand, on ${date} in ${Math.round(minutes)} minutes.${effort}`,
    [
      `- Machine: ${machine.cpu}`,
      `- Versions: tfjs-normalizations ${machine.package}, TensorFlow.js ${machine.tfjs}, Node ${machine.node}`,
      `- Times are medians of samples that are interleaved with those of the rivals, in ${time}.`,
      '- "ours" is a function of this package and "our layer" its layer; "TF.js layer" is that of TensorFlow.js, and "composed" the plain formula in its ops.',
    ].join('\n'),
    ...suites,
  ];
  return `${parts.join('\n\n')}\n`;
}

function json({ date, machine, results }) {
  const backends = {};
  for (const [backend, suite] of Object.entries(MEASURED)) {
    const { device = machine.cpu, measurements } = results[suite] ?? {};
    if (measurements) backends[backend] = { device, measurements };
  }
  // What the sentences of summary.js say of networks and errors.
  const tables = { tax: results.tax?.tables[1], step: results.wasm?.tables[1], errors: results.accuracy?.tables[0] };
  const rounded = (_, value) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value);
  return `${JSON.stringify({ date, machine, backends, tables }, rounded, 1)}\n`;
}
