/** Federated training: three clients, none of which has all digits, train one network, and their models are merged. */
import * as tf from '@tensorflow/tfjs';
import { mergeStatistics } from 'tfjs-normalizations/surgery';
import { CLIENTS, newModel } from '../../federated/tasks.js';
import { weightsOf, withWeights } from '../../federated/weights.js';
import { lineChart } from '../shared/charts.ts';
import { colors, inks } from '../shared/colors.ts';
import { settings, slider } from '../shared/controls.ts';
import { ATTRIBUTION, type Digits, loadTestDigits, part, predict } from '../shared/digits.ts';
import { element, figure, lab, section, table, tableRow } from '../shared/dom.ts';
import { expose } from '../shared/expose.ts';
import { showMemory } from '../shared/memory.ts';
import { openPage } from '../shared/page.ts';
import { drawPictures } from '../shared/pictures.ts';
import { isAskedFor, loadRecording, NOT_TRAINED, provenance, showIfThere } from '../shared/recorded.ts';
import { stands } from '../shared/standing.ts';
import { type Running, task } from '../shared/task.ts';
import { startClients } from './clients.ts';
import type { Question } from './messages.ts';
import { ownDigits } from './own-digits.ts';
import recordedUrl from './recorded.json?url';
import './page.css';

const { main } = await openPage({
  folder: 'federated',
  explanation:
    'Three clients train one network, each with digits that no other has and that never leave it. After each round their models ' +
    'are merged: weights are averaged, and the statistics of batch normalization become those of all digits together. Each client ' +
    'alone forgets what it does not see; the merged network reads all ten digits.',
  attributions: [ATTRIBUTION],
});
const test = await loadTestDigits();

const roundsSlider = slider({ name: 'rounds', label: 'Rounds', min: 1, max: 20, value: 8 });
const samplesSlider = slider({
  name: 'samples',
  label: 'Digits of all clients together',
  min: 500,
  max: 7000,
  step: 500,
  value: 3000,
  format: (count) => count.toLocaleString('en'),
});

const MERGED = 'merged';
const NAMES = CLIENTS.map((labels: readonly number[]) => `client with ${labels.join(' ')}`);
const lines = Object.fromEntries(NAMES.map((name, i) => [name, inks[i + 1]]));
const chart = lineChart({
  title: 'Accuracy on all ten digits',
  x: 'round',
  y: 'accuracy (%)',
  series: { [MERGED]: colors.BatchNormalization, ...lines },
  yDomain: [0, 100],
});
const tablePlace = element('div', {
  className: 'table',
  tabIndex: 0,
  role: 'region',
  'aria-label': 'Table of results',
});

/** Of one round, in percent: of each client, then merged. */
interface Round {
  readonly title: string;
  readonly accuracies: readonly number[];
}
let rounds: Round[] = [];

const RECALIBRATED = 'recalibrated';

const percent = (accuracy: number | undefined) => (accuracy === undefined ? '' : `${accuracy.toFixed(1)} %`);
function showRounds(): void {
  // When statistics are taken anew, all have the same weights.
  const trained = rounds.filter(({ title }) => title !== RECALIBRATED);
  chart.set(
    trained.flatMap(({ accuracies }, i) =>
      [...NAMES, MERGED].map((series, at) => ({ series, x: i + 1, y: accuracies[at] })),
    ),
  );
  const titles = rounds.length > 0 ? rounds : [{ title: 'not trained yet', accuracies: [] }];
  const rows = titles.map(({ title, accuracies }) =>
    tableRow(
      title,
      [...NAMES, MERGED].map((_, i) => percent(accuracies[i])),
    ),
  );
  tablePlace.replaceChildren(
    table(['after', ...CLIENTS.map((labels: readonly number[]) => labels.join(' ')), MERGED], rows),
  );
}

/** Before anything is trained. */
function preview(): void {
  rounds = [];
  showRounds();
}

async function accuracyOf(model: tf.LayersModel): Promise<number> {
  const probabilities = await predict(model, test);
  const right = probabilities.filter((row, i) => row.indexOf(Math.max(...row)) === test.labels[i]);
  return (100 * right.length) / test.labels.length;
}

async function train(running: Running): Promise<string> {
  preview();
  const clients = startClients(samplesSlider.value);
  running.signal.addEventListener('abort', () => {
    for (const client of clients) client.end();
  });
  let model = newModel() as tf.LayersModel;

  /** All clients at once, and then their models are one. */
  async function round(title: string, question: Question['task']): Promise<void> {
    const weights = weightsOf(model);
    const asked = Promise.all(clients.map((client) => client.ask({ task: question, weights })));
    const stopped = new Promise<never>((_, reject) => {
      running.signal.addEventListener('abort', () => reject(running.signal.reason));
    });
    const answers = await Promise.race([asked, stopped]);
    const models: tf.LayersModel[] = answers.map((answer) => withWeights(newModel(), answer.weights));
    const { model: merged } = await mergeStatistics(
      models,
      answers.map(({ count }) => count),
    );
    const accuracies: number[] = [];
    for (const one of [...models, merged]) accuracies.push(await accuracyOf(one));
    for (const one of [model, ...models]) one.dispose();
    model = merged;
    rounds.push({ title, accuracies });
    showRounds();
  }

  const count = roundsSlider.value;
  try {
    for (let i = 1; i <= count; i++) {
      await running.step();
      running.progress((i - 1) / (count + 1), `Round ${i} of ${count}`);
      await round(`round ${i}`, 'train');
      await running.frame();
    }
    running.progress(count / (count + 1), 'The statistics anew, with the merged weights');
    await round(RECALIBRATED, 'recalibrate');
  } finally {
    for (const client of clients) client.end();
    model.dispose();
    showMemory();
  }
  const [best, last] = [Math.max(...rounds[count - 1].accuracies.slice(0, -1)), rounds[count].accuracies.at(-1)];
  return `The best client reads ${percent(best)} of all digits, and the merged network ${percent(last)}.`;
}

/** Some digits of one client. */
function clientFigure(labels: readonly number[], i: number): HTMLElement {
  const canvas = element('canvas', { role: 'img', 'aria-label': `Digits of the ${NAMES[i]}` });
  const own: Digits = ownDigits(test, labels);
  drawPictures(canvas, part(own, 0, 24).pixels, 1, 8);
  return figure(`Client ${i + 1} has ${labels.join(', ')} alone.`, canvas);
}

const training = task('Train', train, { controls: [roundsSlider, samplesSlider], stepLabel: 'One round' });
for (const control of [roundsSlider, samplesSlider]) {
  control.onChange(() => {
    preview();
    training.say('A new network, which has not learned yet.');
  });
}

/** Until something is trained, the page shows what a training has given. */
async function showRecorded(): Promise<void> {
  const recording = await loadRecording<readonly Round[]>(recordedUrl);
  if (!isAskedFor(recording, ['rounds', 'samples'])) return training.say(NOT_TRAINED);
  rounds = [...recording.data];
  showRounds();
  training.say(provenance(recording, 'Train'), { recorded: true });
}

// All at once, when there is something to see: a page that grows piece by piece jumps.
preview();
await showIfThere(showRecorded);

main.append(
  lab(
    training.element,
    settings(roundsSlider, samplesSlider),
    element('div', { className: 'row clients' }, ...CLIENTS.map(clientFigure)),
    element('div', { className: 'row' }, chart.element),
  ),
  section(
    'What came out',
    figure(
      'Tested with 1,000 other digits of all ten kinds. In the last row all have the weights that are merged above it, with statistics ' +
        'that each client has taken anew of its own digits, and those merged.',
      tablePlace,
    ),
  ),
  section(
    'Who sees what',
    element(
      'p',
      {},
      'Each client is a worker of this page, as it could be another tab, process or phone: it gets the weights of the network, ' +
        'trains them with its own digits, and gives weights back with their number. Of what the digits look like the page learns ' +
        'a mean and a variance for each channel. An average of the variances would lack how far the means of the clients are apart.',
    ),
  ),
);
/** Of so many digits tenths of a percent are all there is. */
const recorded = () =>
  rounds.map((round) => ({ ...round, accuracies: round.accuracies.map((one) => Number(one.toFixed(1))) }));
expose({ tf, rounds: () => rounds, recorded });

await stands(main);
