/** Save and load: train, save, reload the page, load, compare, and train on. */
import * as tf from '@tensorflow/tfjs';
import { lineChart, type Point, thinned } from '../shared/charts.ts';
import { inks } from '../shared/colors.ts';
import { settings, slider } from '../shared/controls.ts';
import { ATTRIBUTION, type Digits, loadTestDigits, loadTrainingDigits, part, predict } from '../shared/digits.ts';
import { setDisabled } from '../shared/disabled.ts';
import { element, lab, section, table } from '../shared/dom.ts';
import { expose } from '../shared/expose.ts';
import { showMemory } from '../shared/memory.ts';
import { openPage } from '../shared/page.ts';
import { loadRecording, provenance, showIfThere } from '../shared/recorded.ts';
import { stands } from '../shared/standing.ts';
import { task } from '../shared/task.ts';
import { droppedFile } from './dropped.ts';
import { accuracyOf, disposeModel, makeModel, trainStep } from './model.ts';
import { differenceOf, predictionsView } from './predictions.ts';
import recordedUrl from './recorded.json?url';
import {
  addressOf,
  download,
  type Entry,
  type Loaded,
  list,
  loadFromBrowser,
  loadFromFiles,
  type Memories,
  remove,
  saveInBrowser,
} from './storage.ts';
import './save-and-load.css';

const { main, backend } = await openPage({
  folder: 'save-and-load',
  explanation:
    'Train a little, save the network into this browser or to files, reload the page, and load it again: ' +
    'it predicts exactly what it predicted before, and its training goes on where it stood. Or drop a model file of your own.',
  attributions: [ATTRIBUTION],
});

let model = makeModel();
let losses: number[] = [];
/** What the model was loaded with, unless it was made here. */
let memories: Memories | undefined;
let predictions: number[][] = [];

const lines = { 'before saving': inks[2], here: inks[0] };
const chart = lineChart({ title: 'Loss', x: 'step', y: 'loss', series: lines, smooth: 8 });
const view = predictionsView();
const comparison = element('p', { className: 'comparison', 'aria-live': 'polite' });
const status = element('output', { 'aria-live': 'polite' });
const savedPlace = element('div', { className: 'table saved' });

const stepsSlider = slider({ name: 'steps', label: 'Steps of training', min: 1, max: 300, value: 80 });
const training = task(
  'Train',
  async (running) => {
    await latestAction;
    setActions(false);
    if (losses.length === 0) chart.clear(); // of the recorded losses
    const [train, test] = await Promise.all([loadTrainingDigits(4000), loadTestDigits()]);
    const count = stepsSlider.value;
    try {
      for (let i = 0; i < count; i++) {
        await running.step();
        const loss = await trainStep(model, train, losses.length);
        losses.push(loss);
        chart.add('here', losses.length, loss);
        running.progress((i + 1) / count, `Step ${losses.length}: loss ${loss.toFixed(3)}`);
        if (running.watched || i % 10 === 9) await look();
        await running.frame();
      }
    } finally {
      // A training that was stopped has left a model as well.
      await look();
      setActions(true);
    }
    running.progress(1, 'Looking at 300 digits that it has not seen');
    const accuracy = await accuracyOf(model, part(test, 0, 300));
    return `After ${losses.length} steps it recognizes ${(100 * accuracy).toFixed(1)} % of 300 digits that it has not seen.`;
  },
  { stepLabel: 'One step' },
);

/** One of each. */
async function tenDigits(): Promise<Digits> {
  const test = await loadTestDigits();
  const places = Array.from({ length: 10 }, (_, label) => test.labels.indexOf(label));
  const digits = places.map((at) => part(test, at, at + 1));
  return {
    labels: Uint8Array.from(digits.flatMap(({ labels }) => [...labels])),
    pixels: Uint8Array.from(digits.flatMap(({ pixels }) => [...pixels])),
  };
}

/** What a model says and has gone through, as it is saved. */
const memoriesNow = (): Memories => ({ predictions, losses, backend });

/** Takes another model. */
async function take(next: tf.LayersModel, from?: Memories): Promise<void> {
  disposeModel(model);
  model = next;
  memories = from;
  losses = [...(from?.losses ?? [])];
  chart.clear();
  for (const [i, loss] of losses.entries()) chart.add('before saving', i + 1, loss);
  await look();
}

/** Shows what the model says now. */
async function look(): Promise<void> {
  const digits = await tenDigits();
  predictions = await predict(model, digits);
  view.draw(digits, predictions, memories?.predictions);
  const atLoad = memories && losses.length === memories.losses.length;
  comparison.replaceChildren(...(memories && atLoad ? difference(memories) : story()));
  if (!(memories && atLoad)) delete comparison.dataset.difference;
}

function difference({ predictions: saved, backend: savedOn }: Memories): (Node | string)[] {
  const largest = differenceOf(predictions, saved);
  comparison.dataset.difference = String(largest);
  const where = savedOn === backend ? '' : ` It was saved on ${savedOn}, and runs on ${backend}.`;
  return [
    element('strong', { className: 'number' }, largest === 0 ? '0' : largest.toExponential(1)),
    element(
      'span',
      {},
      `is the largest difference between the probabilities when saved and now.${where} The marks are what was saved, and the bars are now.`,
    ),
  ];
}

function story(): (Node | string)[] {
  if (memories) return ['Trained on since it was loaded: the marks show what it said when it was saved.'];
  if (losses.length === 0) return ['A new network, which has not learned yet. Train it, or load one that you saved.'];
  return ['Trained in this page, and not saved by itself: whatever you do not save is gone with the page.'];
}

const actions: HTMLElement[] = [];
function setActions(enabled: boolean): void {
  for (const action of [...actions, ...savedPlace.querySelectorAll('button')]) {
    setDisabled(action, !enabled);
  }
}

let latestAction: Promise<void> = Promise.resolve();
/** One thing at a time; what goes wrong is said. */
function act(work: () => Promise<string>): void {
  latestAction = latestAction.then(async () => {
    setActions(false);
    try {
      status.textContent = await work();
      status.dataset.state = 'done';
    } catch (error) {
      status.textContent = error instanceof Error ? error.message : String(error);
      status.dataset.state = 'failed';
    }
    setActions(true);
    showMemory();
  });
}

function button(label: string, work: () => Promise<string>, name = label): HTMLButtonElement {
  const made = element('button', { type: 'button', 'aria-label': name }, label);
  made.addEventListener('click', () => act(work));
  return made;
}

const nameInput = element('input', { type: 'text', name: 'name', value: 'digits', maxLength: 40, required: true });
const givenName = () => {
  const name = nameInput.value.trim();
  if (!name) throw new Error('The model needs a name.');
  return name;
};
const saveButton = button('Save in this browser', async () => {
  const name = givenName();
  await saveInBrowser(model, name, memoriesNow());
  await drawList();
  return `Saved as ‘${name}’. Now reload the page, and load it.`;
});
const downloadButton = button('Download', async () => {
  const name = givenName();
  await download(model, name, memoriesNow());
  return `Downloaded as ${name}.json and ${name}.weights.bin.`;
});
const reloadButton = element('button', { type: 'button' }, 'Reload the page');
reloadButton.addEventListener('click', () => location.reload());
const anewButton = button('Start with a new network', async () => {
  await take(makeModel());
  return 'A new network.';
});

const fileInput = element('input', { type: 'file', name: 'files', multiple: true, accept: '.json,.bin' });
fileInput.addEventListener('change', () => {
  const files = Array.from(fileInput.files ?? []);
  fileInput.value = ''; // the same files can be chosen again
  if (files.length > 0) act(() => takeLoaded(loadFromFiles(files), files[0].name));
});
actions.push(saveButton, downloadButton, anewButton);

async function takeLoaded(loading: Promise<Loaded>, name: string): Promise<string> {
  const { model: next, memories: from } = await loading;
  await take(next, from);
  return `Loaded ‘${name}’, which was trained for ${from.losses.length} steps.`;
}

async function drawList(): Promise<void> {
  const entries = await list();
  const row = ({ name, saved, bytes }: Entry) =>
    element(
      'tr',
      { 'data-name': name },
      element('td', {}, name),
      element('td', {}, saved.toLocaleString()),
      element('td', {}, `${(bytes / 1e3).toFixed(0)} kB`),
      element(
        'td',
        {},
        button('Load', () => takeLoaded(loadFromBrowser(name), name), `Load ${name}`),
        ' ',
        button(
          'Delete',
          async () => {
            await remove(name);
            await drawList();
            return `Deleted ‘${name}’.`;
          },
          `Delete ${name}`,
        ),
      ),
    );
  savedPlace.replaceChildren(
    entries.length > 0
      ? table(['Name', 'Saved', 'Size', ''], entries.map(row))
      : element('p', { className: 'empty' }, 'Nothing is saved in this browser yet.'),
  );
}

const code = element('code', {});
const drawCode = () => {
  code.textContent = `import * as tf from '@tensorflow/tfjs';
import 'tfjs-normalizations'; // registers the layers, which loading else does not know

const model = await tf.loadLayersModel('${addressOf(nameInput.value.trim() || 'digits')}');`;
};
nameInput.addEventListener('input', drawCode);
drawCode();

interface Recorded {
  readonly losses: readonly Point[];
  readonly predictions: readonly (readonly number[])[];
}

/** Until something is trained or loaded, the page shows what a training has given. */
async function showRecorded(): Promise<void> {
  const recording = await loadRecording<Recorded>(recordedUrl);
  chart.set(recording.data.losses);
  view.draw(await tenDigits(), recording.data.predictions);
  training.say(provenance(recording, 'Train'), { recorded: true });
}

// All at once, when there is something to see: a page that grows piece by piece jumps.
act(async () => {
  await drawList();
  await look();
  return '';
});
await latestAction;
await showIfThere(showRecorded);

main.append(
  lab(
    training.element,
    settings(stepsSlider),
    element(
      'div',
      { className: 'row' },
      chart.element,
      element(
        'figure',
        { className: 'storage' },
        element('h3', {}, 'Save'),
        element('label', { className: 'control' }, element('span', {}, 'Name'), nameInput),
        element('div', { className: 'buttons' }, saveButton, downloadButton, reloadButton),
        element('h3', {}, 'Load'),
        savedPlace,
        element('label', { className: 'control' }, element('span', {}, 'or the two files of a download'), fileInput),
        element('div', { className: 'buttons' }, anewButton),
        status,
      ),
    ),
  ),
  section('What the network says', comparison, view.element),
  section(
    'A model of yours',
    element(
      'p',
      {},
      'It stays in this page: nothing is sent anywhere. A model that would be understood by half is refused.',
    ),
    droppedFile(),
  ),
  section(
    'In your own code',
    element('pre', { tabIndex: 0, 'aria-label': 'How to load a model' }, code),
    element(
      'p',
      {},
      'A saved model names the classes of its layers. The second line is all that a program needs to know ours, ' +
        'even if it makes no layer itself.',
    ),
  ),
);
expose({
  tf,
  model: () => model,
  predictions: () => predictions,
  losses: () => losses,
  memories: () => memories,
  recorded: (): Recorded => ({
    losses: thinned(chart.points),
    predictions: predictions.map((row) => row.map((share) => Number(share.toFixed(3)))),
  }),
});
await stands(main);
