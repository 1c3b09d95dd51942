/** Ours against TensorFlow.js on the reader's own machine. */
import * as tf from '@tensorflow/tfjs';
import { softwareNote } from '../../benchmark/format.js';
import { shortNames } from '../shared/colors.ts';
import { choice, choices, labelled, settings } from '../shared/controls.ts';
import { setDisabled } from '../shared/disabled.ts';
import { download, element, lab, section } from '../shared/dom.ts';
import { expose } from '../shared/expose.ts';
import { copyByButton } from '../shared/link.ts';
import { openPage } from '../shared/page.ts';
import { stands } from '../shared/standing.ts';
import { task } from '../shared/task.ts';
import { bandwidths } from './bandwidths.ts';
import { bars } from './bars.ts';
import { type Contest, classes, contestsOf, type Name, names, type Result, sizes, sizeText } from './contests.ts';
import { publishedResults } from './published.ts';
import { type Effort, run } from './run.ts';
import { linkTo, sharedResult } from './share.ts';
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
const tablePlace = element('div', {
  className: 'table',
  tabIndex: 0,
  role: 'region',
  'aria-label': 'Table of all numbers',
});
const bandwidthPlace = element('p', { className: 'bandwidths' });
const downloadButton = element('button', { type: 'button' }, 'Download as JSON');
setDisabled(downloadButton, true);
const shareButton = element('button', { type: 'button' }, 'Copy a link to this result');
setDisabled(shareButton, true);
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

shareButton.addEventListener('click', () =>
  copyByButton(shareButton, linkTo({ date: new Date().toISOString().slice(0, 10), backend, device, results })),
);

const measuring = task('Measure on this machine', async (running) => {
  const contests = contestsOf(chosen.value, at.value);
  if (contests.length === 0) return 'Nothing to measure: choose a normalization and a size that it takes.';
  const text = `Measured here, on ${device}. ${softwareNote(device) ?? ''}`;
  results = [];
  effortOfResults = effort.value;
  setDisabled(downloadButton, true);
  setDisabled(shareButton, true);
  show(text, contests, results);
  await run(contests, effortOfResults, running, (result) => {
    results.push(result);
    setDisabled(downloadButton, false);
    setDisabled(shareButton, false);
    show(text, contests, results);
  });
  return 'Done.';
});

main.append(
  lab(measuring.element, settings(chosen, at, effort), source, chart.element),
  section(
    'All numbers',
    element('div', { className: 'buttons' }, downloadButton, shareButton),
    tablePlace,
    element('p', {}, LEGEND),
    bandwidthPlace,
  ),
);
expose({ report });

const shared = sharedResult();
const published = publishedResults(backend);
if (shared) {
  const text = `A shared result, measured elsewhere: ${shared.backend} on ${shared.device}, ${shared.date}. ${softwareNote(shared.device) ?? ''}`;
  show(text, shared.results, shared.results);
} else if (published) show(published.source, published.results, published.results);
else source.textContent = 'Nothing is measured yet: start, and the bars and numbers appear one after the other.';
if (shared === null) source.prepend('The address shares a result that is damaged, and is not shown. ');
await stands(main);
