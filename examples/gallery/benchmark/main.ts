/** Ours against TensorFlow.js on the reader's own machine. */
import * as tf from '@tensorflow/tfjs';
import { softwareNote } from '../../benchmark/format.js';
import { shortNames } from '../shared/colors.ts';
import { choice, choices, labelled, settings } from '../shared/controls.ts';
import { download, element, section } from '../shared/dom.ts';
import { expose, openPage } from '../shared/page.ts';
import { task } from '../shared/task.ts';
import { bandwidths } from './bandwidths.ts';
import { bars } from './bars.ts';
import { type Contest, classes, contestsOf, type Name, names, type Result, sizes, sizeText } from './contests.ts';
import { publishedResults } from './published.ts';
import { type Effort, run } from './run.ts';
import { table } from './table.ts';
import './benchmark.css';

const { main, backend, device } = await openPage({
  folder: 'benchmark',
  explanation:
    "Every normalization races TensorFlow.js on your own machine: our layer against TensorFlow.js's, where it has one, and our function against the plain formula in ordinary ops, forward and with the gradients of all inputs and weights. Samples of all candidates take turns, a sample ends when the GPU has drawn everything, and the numbers are medians.",
  sources: import.meta.glob<string>('../../benchmark/{measure,candidates,race,workloads}.js', {
    query: '?raw',
    import: 'default',
  }),
});

const chosen = choices<Name>({
  name: 'norms',
  label: 'Normalizations',
  choices: labelled(names, (name) => shortNames[classes[name]]),
  value: names,
});
const at = choices({
  name: 'sizes',
  label: 'Sizes of rows and images',
  choices: labelled(sizes, (size) => sizeText(size.split('x').map(Number))),
  value: ['512x768', '8x32x32x64'],
});
const effort = choice<Effort>({
  name: 'effort',
  label: 'Effort',
  choices: { quick: 'quick: a first impression', full: 'full: more samples' },
  value: 'quick',
});

const draws = { webgl: 'Draws', webgpu: 'Draws are dispatches, and' }[backend];
const LEGEND = `${draws ? `${draws} are those of the GPU, ours : theirs. ` : ''}Where there is no time, TensorFlow.js has no such layer.`;
const source = element('p', { className: 'source' });
const chart = bars();
const tablePlace = element('div', { className: 'table' });
const bandwidthPlace = element('p', { className: 'bandwidths' });
const downloadButton = element('button', { type: 'button', disabled: true }, 'Download as JSON');
let results: Result[] = [];
let effortOfResults: Effort = effort.value;

function show(text: string, contests: readonly Contest[], found: readonly (Result | undefined)[]): void {
  source.textContent = text;
  chart.show(contests, found);
  tablePlace.replaceChildren(table(contests, found));
  bandwidthPlace.textContent = bandwidths(found);
}

/** What was measured here, with what one needs to know about it. */
const report = () => ({
  date: new Date().toISOString(),
  backend,
  device,
  browser: navigator.userAgent,
  tfjs: tf.version_core,
  effort: effortOfResults,
  results,
});

downloadButton.addEventListener('click', () => {
  const file = new Blob([JSON.stringify(report(), null, 2)], { type: 'application/json' });
  download(file, `tfjs-normalizations-${backend}.json`);
});

const measuring = task('Measure on this machine', async (running) => {
  const contests = contestsOf(chosen.value, at.value);
  if (contests.length === 0) return 'Nothing to measure: choose a normalization and a size that it takes.';
  const text = `Measured here, on ${device}. ${softwareNote(device) ?? ''}`;
  results = [];
  effortOfResults = effort.value;
  downloadButton.disabled = true;
  show(text, contests, results);
  await run(contests, effortOfResults, running, (result) => {
    results.push(result);
    downloadButton.disabled = false;
    show(text, contests, results);
  });
  return 'Done.';
});

main.append(
  settings(chosen, at, effort),
  measuring.element,
  section('How many times as fast', source, chart.element),
  section('All numbers', tablePlace, element('p', {}, LEGEND), bandwidthPlace, element('p', {}, downloadButton)),
);
expose({ report });

const published = publishedResults(backend);
if (published) show(published.source, published.results, published.results);
else source.textContent = 'Nothing is measured yet: start, and the bars and numbers appear one after the other.';
main.ariaBusy = 'false';
