/** One network with several normalizations, trained on batches of few digits. */
import { median } from '../../benchmark/race.js';
import { lineChart, type Point, thinned } from '../shared/charts.ts';
import { colors } from '../shared/colors.ts';
import { choice, choices, folded, labelled, settings, slider } from '../shared/controls.ts';
import { ATTRIBUTION, type Digits, loadTestDigits, loadTrainingDigits, part, predict } from '../shared/digits.ts';
import { element, figure, lab, section } from '../shared/dom.ts';
import { expose } from '../shared/expose.ts';
import { showMemory } from '../shared/memory.ts';
import { openPage } from '../shared/page.ts';
import { drawPictures } from '../shared/pictures.ts';
import { isAskedFor, loadRecording, NOT_TRAINED, provenance, showIfThere } from '../shared/recorded.ts';
import { stands } from '../shared/standing.ts';
import { type Running, task } from '../shared/task.ts';
import { type Jitter, jitterChart, jitterOf } from './jitter.ts';
import { buildNetwork, type Kind, kinds } from './networks.ts';
import recordedUrl from './recorded.json?url';
import { nameOf, type Result, resultTable } from './results.ts';
import sweepUrl from './sweep.json?url';
import { BATCHES, sweep, sweepChart, type Trained } from './sweep.ts';
import { batchOf, disposeOf, evaluate, shuffled, type Trainee, trainee, trainStep } from './training.ts';
import './page.css';

const { main } = await openPage({
  folder: 'batch-size',
  explanation:
    'The same small network learns to read digits, with another normalization each time, and all see the same digits ' +
    'at the same time. At a batch of 2, batch normalization falls behind, because the mean and variance of two digits say ' +
    'little about those of all digits, which it uses when it is tested. Renormalization stays closer, and what looks at one ' +
    'digit at a time does not care. Try a batch of 1, and of 8.',
  attributions: [ATTRIBUTION],
});
const test = await loadTestDigits();

const kindsChoice = choices<Kind>({
  name: 'norms',
  label: 'Normalizations, up to four',
  choices: labelled(kinds, nameOf),
  value: ['BatchNormalization', 'GroupNormalization', 'BatchRenormalization'],
  most: 4,
});
const batchChoice = choice({
  name: 'batch',
  label: 'Digits in a batch',
  choices: ['1', '2', '4', '8', '16', '32', '64'],
  value: '2',
});
const rateChoice = choice({
  name: 'rate',
  label: 'Learning rate, falling to 0',
  choices: ['0.002', '0.006', '0.02'],
  value: '0.006',
});
const imagesSlider = slider({
  name: 'images',
  label: 'Digits to train with',
  min: 80,
  max: 6960,
  step: 80,
  value: 2400,
  format: (count) => count.toLocaleString('en'),
});
const seedSlider = slider({ name: 'seed', label: 'Seed', min: 1, max: 10, value: 1 });
const seedsSlider = slider({ name: 'seeds', label: 'Seeds in the comparison', min: 1, max: 5, value: 5 });

const POINTS = 120; // of each line of the loss
const EVALUATIONS = 12;
const SOME = 300; // digits for the accuracy on the way
const MOST_JITTER = 400; // dots

const linesOf = (kinds: readonly Kind[]) => Object.fromEntries(kinds.map((kind) => [nameOf(kind), colors[kind]]));
const accuracyChart = lineChart({
  title: 'Accuracy on digits that were not trained with',
  x: 'digits seen',
  y: 'accuracy (%)',
  series: linesOf(kindsChoice.value),
  yDomain: [0, 100],
});
const lossChart = lineChart({
  title: 'Loss in training',
  x: 'digits seen',
  y: 'cross-entropy',
  series: linesOf(kindsChoice.value),
  smooth: 6,
});
const sweepPlot = sweepChart();
const jitter = jitterChart();
const batchCanvas = element('canvas', { role: 'img', 'aria-label': 'The digits of one batch' });
const tablePlace = element('div', {
  className: 'table',
  tabIndex: 0,
  role: 'region',
  'aria-label': 'Table of results',
});

let trainees: Partial<Record<Kind, Trainee>> = {};
let results: Partial<Record<Kind, Result>> = {};

const batchSize = () => Number(batchChoice.value);
const showTable = () => tablePlace.replaceChildren(resultTable(kindsChoice.value, batchSize(), results));

function showBatch({ pixels, labels }: Digits): void {
  const columns = Math.min(labels.length, 16);
  drawPictures(batchCanvas, pixels, 1, columns);
  batchCanvas.style.width = `${Math.min(columns * 72, 600)}px`;
}

/** What the settings will do, before anything is trained. */
function preview(): void {
  for (const trained of Object.values(trainees)) disposeOf(trained);
  trainees = {};
  results = {};
  for (const chart of [accuracyChart, lossChart]) chart.clear(linesOf(kindsChoice.value));
  jitter.set([]);
  showBatch(batchOf(test, shuffled(test.labels.length, seedSlider.value), 0, batchSize()));
  showTable();
  showMemory();
}

async function trainAll(running: Running): Promise<string> {
  preview();
  const train = await loadTrainingDigits();
  const [count, seed, batch, rate] = [imagesSlider.value, seedSlider.value, batchSize(), Number(rateChoice.value)];
  const steps = Math.floor(count / batch);
  for (const kind of kindsChoice.value) trainees[kind] = trainee(buildNetwork(kind, { seed, steps }));
  const all = Object.entries(trainees) as [Kind, Trainee][];
  if (all.length === 0) return 'Choose at least one normalization.';

  async function testAll(digits: Digits, seen: number): Promise<void> {
    for (const [kind, { model, milliseconds }] of all) {
      const score = await evaluate(model, digits, running.frame);
      accuracyChart.add(nameOf(kind), seen, 100 * score.accuracy);
      results[kind] = { ...score, milliseconds: milliseconds.length && median(milliseconds) };
    }
    showTable();
  }
  const order = shuffled(count, seed);
  const pointEvery = Math.ceil(steps / POINTS);
  const testEvery = Math.ceil(steps / EVALUATIONS);
  const showEvery = Math.ceil(8 / batch);
  const losses = all.map(() => 0);
  const jitterAt = trainees.BatchNormalization && jitterOf(trainees.BatchNormalization.model);
  const jitterEvery = Math.ceil(steps / MOST_JITTER);
  await testAll(part(test, 0, SOME), 0);
  for (let step = 0; step < steps; step++) {
    await running.step();
    const digits = batchOf(train, order, step, batch);
    const seen = (step + 1) * batch;
    for (const [i, [kind, trainee]] of all.entries()) {
      losses[i] += await trainStep(trainee, digits, rate * (1 - step / steps));
      if ((step + 1) % pointEvery > 0) continue;
      lossChart.add(nameOf(kind), seen, losses[i] / pointEvery);
      losses[i] = 0;
    }
    const now = await jitterAt?.(step + 1);
    if (now && step % jitterEvery === 0) jitter.add(now);
    if (running.watched || step % showEvery === 0) showBatch(digits);
    running.progress((step + 1) / steps, `Step ${step + 1} of ${steps}`);
    await running.frame();
    if ((step + 1) % testEvery === 0 && step + 1 < steps) await testAll(part(test, 0, SOME), seen);
  }
  running.progress(1, `Testing with all ${test.labels.length.toLocaleString('en')} digits`);
  await testAll(test, steps * batch);
  return `Each has trained ${steps.toLocaleString('en')} steps, and is tested with ${test.labels.length.toLocaleString('en')} other digits.`;
}

interface Recorded {
  readonly accuracies: readonly Point[];
  readonly losses: readonly Point[];
  readonly jitter: readonly Jitter[];
  readonly results: Readonly<Partial<Record<Kind, Result>>>;
}

let compared: Trained[] = [];
async function compare(running: Running): Promise<string> {
  compared = [];
  sweepPlot.show(compared);
  const options = {
    kinds: kindsChoice.value,
    seeds: seedsSlider.value,
    count: imagesSlider.value,
    rate: Number(rateChoice.value),
  };
  if (options.kinds.length === 0) return 'Choose at least one normalization.';
  await sweep(options, { train: await loadTrainingDigits(), test }, running, (trained) => {
    compared.push(trained);
    sweepPlot.show(compared);
  });
  return `${compared.length} networks, each trained on ${options.count.toLocaleString('en')} digits, at batches of ${BATCHES.join(', ')}.`;
}

/** The recorded runs, whatever is set: they say of themselves what they are. */
async function showRecorded(): Promise<void> {
  const [run, sizes] = await Promise.all([
    loadRecording<Recorded>(recordedUrl),
    loadRecording<readonly Trained[]>(sweepUrl),
  ]);
  sweepPlot.show(sizes.data);
  const seeds = new Set(sizes.data.map(({ seed }) => seed)).size;
  comparing.say(
    `${seeds} seeds, ${Number(sizes.settings.images).toLocaleString('en')} digits each, on ${sizes.backend}, ${sizes.machine}, ${sizes.date}.`,
    { recorded: true },
  );
  if (!isAskedFor(run, ['norms', 'batch', 'rate', 'images', 'seed'])) return training.say(NOT_TRAINED);
  const recordedKinds = Object.keys(run.data.results) as Kind[];
  accuracyChart.clear(linesOf(recordedKinds));
  lossChart.clear(linesOf(recordedKinds));
  accuracyChart.set(run.data.accuracies);
  lossChart.set(run.data.losses);
  jitter.set(run.data.jitter);
  tablePlace.replaceChildren(resultTable(recordedKinds, Number(run.settings.batch), run.data.results));
  training.say(`A batch of ${run.settings.batch}. ${provenance(run, 'Train')}`, { recorded: true });
}

const controls = [kindsChoice, batchChoice, rateChoice, imagesSlider, seedSlider, seedsSlider];
const training = task('Train', trainAll, { controls, stepLabel: 'One step' });
const comparing = task('Compare batch sizes', compare, { controls });
for (const control of [kindsChoice, batchChoice, rateChoice, imagesSlider, seedSlider]) {
  control.onChange(() => {
    preview();
    training.say('New networks, which have not learned yet.');
  });
}

// All at once, when there is something to see: a page that grows piece by piece jumps.
preview();
await showIfThere(showRecorded);

main.append(
  lab(
    training.element,
    settings(kindsChoice, batchChoice, folded(rateChoice, imagesSlider, seedSlider, seedsSlider)),
    element('div', { className: 'row' }, sweepPlot.element, jitter.element),
    element('div', { className: 'row' }, accuracyChart.element, lossChart.element),
  ),
  section(
    'What came out',
    figure(
      'Values behind each mean: in the first, second and third normalization; few are red. On the way the networks are ' +
        `tested with ${SOME} digits, at the end with 1,000. The time is the median step's, with its wait for the loss.`,
      tablePlace,
    ),
  ),
  section('What one step sees', element('div', { className: 'batch' }, batchCanvas)),
  section(
    'The picture above, made here',
    element(
      'p',
      {},
      'Trains every chosen normalization at batches of 1, 2, 4, 16 and 64 with several seeds: minutes, and longer on a phone.',
    ),
    comparing.element,
  ),
);
expose({
  digits: test,
  predict: (kind: Kind) => predict((trainees[kind] as Trainee).model, test),
  recorded: (): Recorded => ({
    accuracies: thinned(accuracyChart.points),
    losses: thinned(lossChart.points),
    jitter: jitter.points.map(({ step, batch, running }) => ({
      step,
      batch: Number(batch.toPrecision(3)),
      running: Number(running.toPrecision(3)),
    })),
    results,
  }),
  sweep: () => compared,
});
await stands(main);
