/**
 * The benchmark: `npm run bench -- --help`. Each suite measures one kind of thing and returns notes, tables and checks, as
 * report.js prints them, and maybe measurements, which publish.js passes on. A suite that cannot run here says why in a note.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { run } from '../command-line.js';
import { readOptions } from './options.js';
import { publishResults } from './publish.js';
import { useProcessorTime } from './race.js';
import { printChecks, printTable, printText, verdict } from './report.js';
import * as accuracy from './suites/accuracy.js';
import * as layers from './suites/layers.js';
import * as node from './suites/node.js';
import * as small from './suites/small.js';
import * as speed from './suites/speed.js';
import * as tax from './suites/tax.js';
import * as wasm from './suites/wasm.js';
import * as webgl from './suites/webgl.js';
import * as webgpu from './suites/webgpu.js';

const suites = { speed, small, layers, tax, accuracy, wasm, webgl, webgpu, node };

async function main(args) {
  const { help, only, quick, effort, clock, json, publish } = readOptions(args, Object.keys(suites));
  if (help) {
    console.log(help);
    return;
  }
  tf.enableProdMode(); // or TensorFlow.js advertises its native backend
  const machine = {
    cpu: `${cpus()[0]?.model ?? 'unknown processor'} x ${cpus().length}`,
    node: process.version,
    tfjs: tf.version_core,
    package: JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')).version,
  };
  const begun = new Date();
  console.log(`${machine.cpu}, Node ${machine.node}, TensorFlow.js ${machine.tfjs}`);
  if (!globalThis.gc) console.log('Without --expose-gc the garbage of one candidate is charged to another.');
  if (clock === 'cpu') useProcessorTime();
  console.log(`Medians of interleaved samples, ${clock === 'cpu' ? 'in processor time' : 'in time'}.\n`);

  const warnings = new Set();
  const results = {};
  for (const name of only) {
    const { title, run } = suites[name];
    console.log(`== ${title}\n`);
    await tf.setBackend('cpu');
    const warn = (message) => warnings.add(message);
    const { notes = [], tables, checks, ...more } = await run({ effort, clock, progress, warn });
    clear();
    for (const note of notes) printText(note);
    for (const table of tables) printTable(table);
    printChecks(checks);
    const judged = checks.map((check) => ({ ...check, verdict: verdict(check) }));
    results[name] = { title, notes, tables, checks: judged, ...more };
  }
  for (const warning of warnings) printText(warning);
  const minutes = (Date.now() - begun.getTime()) / 60_000;
  const report = { date: begun.toISOString().slice(0, 10), minutes, machine, clock, quick, effort, results };
  await mkdir(dirname(json), { recursive: true });
  await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`Written to ${json}, after ${minutes.toFixed(1)} minutes.`);
  if (publish) console.log(`Published in ${(await publishResults(publish, report)).join(' and ')}`);
}

/** What is being measured now, on one line that goes away; it is not part of the output. */
function progress(what) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${what} ...`);
}
function clear() {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}

await run('bench', main);
