/** The same pictures and two questions: what the gates of normalizations learn for each. */
import { shortNames } from '../shared/colors.ts';
import { choice, folded, settings, slider } from '../shared/controls.ts';
import { ATTRIBUTION, CLASSES, loadTestDigits, loadTrainingDigits } from '../shared/digits.ts';
import { element, figure, lab, section, table, tableRow } from '../shared/dom.ts';
import { expose } from '../shared/expose.ts';
import { showMemory } from '../shared/memory.ts';
import { openPage } from '../shared/page.ts';
import { drawPictures } from '../shared/pictures.ts';
import { random } from '../shared/random.ts';
import { isAskedFor, loadRecording, NOT_TRAINED, provenance, showIfThere } from '../shared/recorded.ts';
import { stands } from '../shared/standing.ts';
import { type Running, task } from '../shared/task.ts';
import {
  type FinalRho,
  questionNames,
  type RhoPoint,
  rhoChart,
  rhoHistogram,
  type WeightPoint,
  weightChart,
} from './charts.ts';
import {
  buildNetwork,
  classify,
  disposeOf,
  type Kind,
  kinds,
  type Network,
  rhos,
  sourceWeights,
  trainStep,
} from './networks.ts';
import { CHANNELS, type Pictures, paint, type Question, questions, styleNames } from './pictures.ts';
import recordedUrl from './recorded.json?url';
import './page.css';

const { main } = await openPage({
  folder: 'gates',
  explanation:
    'The same pictures, and two questions. Which digit? Then contrast and colour are a nuisance, and the statistics of the ' +
    'single picture remove them. Which style? Then contrast and colour are the answer, and only the statistics of the batch ' +
    'leave them in place. The gates of the first layer find out: watch them part. The second layer sees what the first has left.',
  attributions: [ATTRIBUTION],
});
const test = await loadTestDigits();

const stepsSlider = slider({ name: 'steps', label: 'Steps', min: 5, max: 1000, step: 5, value: 250 });
const gateChoice = choice({
  name: 'gates',
  label: 'Learning rate of the gates',
  choices: { 1: 'that of the other weights', 10: 'ten times as high' },
  value: '10',
});
const seedSlider = slider({ name: 'seed', label: 'Seed', min: 1, max: 10, value: 1 });
const controls = [stepsSlider, gateChoice, seedSlider];

const RATE = 0.01; // falls to 0
const BATCH = 16;
const POINTS = 60; // of each line
const CHUNK = 100;

const steps = () => stepsSlider.value;
const rhoLines = rhoChart(steps);
const histogram = rhoHistogram();
const weightAreas: Readonly<Record<Question, ReturnType<typeof weightChart>>> = {
  digit: weightChart('digit', steps),
  style: weightChart('style', steps),
};
const tablePlace = element('div', {
  className: 'table',
  tabIndex: 0,
  role: 'region',
  'aria-label': 'Table of accuracies',
});

let networks: Network[] = [];
/** By kind and question, once they are known. */
let accuracies: Partial<Record<string, number>> = {};
const keyOf = ({ kind, question }: { kind: Kind; question: Question }) => `${kind} ${question}`;

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The gates as they are after so many steps. */
function showGates(step: number): void {
  histogram.clear();
  for (const network of networks) {
    const { kind, question } = network;
    if (kind === 'BatchInstanceNormalization') {
      for (const [layer, rho] of rhos(network).entries()) {
        const center = mean(rho);
        const spread = Math.sqrt(mean(rho.map((value) => (value - center) ** 2)));
        rhoLines.add({ question, layer, step, mean: center, spread });
        histogram.add(...rho.map((rho) => ({ question, layer, rho })));
      }
    }
    if (kind === 'SwitchableNormalization') {
      for (const [layer, gates] of sourceWeights(network).entries()) {
        for (const source of ['batch', 'layer', 'instance'] as const) {
          weightAreas[question].add(
            { layer, of: 'means', source, step, weight: gates.mean[source] as number },
            { layer, of: 'variances', source, step, weight: gates.variance[source] as number },
          );
        }
      }
    }
  }
}

function showTable(): void {
  const textOf = (kind: Kind, question: Question): string => {
    const accuracy = accuracies[keyOf({ kind, question })];
    return accuracy === undefined ? '–' : `${(100 * accuracy).toFixed(1)} %`;
  };
  const heads = ['accuracy', ...questions.map((question) => questionNames[question])];
  const row = (kind: Kind) =>
    tableRow(
      kind === 'InstanceNormalization' ? 'Instance, for comparison' : shortNames[kind],
      questions.map((question) => element('td', { 'data-question': question }, textOf(kind, question))),
      { 'data-kind': kind },
    );
  tablePlace.replaceChildren(table(heads, kinds.map(row)));
}

function clear(): void {
  networks.forEach(disposeOf);
  networks = [];
  accuracies = {};
  for (const chart of [rhoLines, histogram, ...Object.values(weightAreas)]) chart.clear();
  showTable();
  showMemory();
}

async function trainAll(running: Running): Promise<string> {
  clear();
  const train = await loadTrainingDigits();
  const [count, seed, gateFactor] = [steps(), seedSlider.value, Number(gateChoice.value)];
  networks = kinds.flatMap((kind) => questions.map((question) => buildNetwork(kind, question, seed)));
  const numbers = random(seed);
  const drawn = () => Array.from({ length: BATCH }, () => Math.floor(train.labels.length * numbers.uniform()));
  const pointEvery = Math.ceil(count / POINTS);
  showGates(0);
  for (let step = 0; step < count; step++) {
    await running.step();
    const rate = RATE * (1 - step / count);
    const pictures = paint(train, drawn(), numbers);
    for (const network of networks) {
      await trainStep(network, pictures, rate, gateFactor * rate);
      await running.frame();
    }
    running.progress((step + 1) / count, `Step ${step + 1} of ${count}`);
    if (running.watched || (step + 1) % pointEvery === 0 || step + 1 === count) showGates(step + 1);
  }
  for (const network of networks) {
    accuracies[keyOf(network)] = await accuracyOf(network, testPictures, running.frame);
  }
  showTable();
  return `Each of the six networks has trained ${count} steps of ${BATCH} pictures.`;
}

interface Recorded {
  readonly rho: readonly RhoPoint[];
  readonly histogram: readonly FinalRho[];
  readonly weights: Readonly<Record<Question, readonly WeightPoint[]>>;
  readonly accuracies: Readonly<Partial<Record<string, number>>>;
}

const short = <Point extends object>(points: readonly Point[]): Point[] =>
  points.map(
    (point) =>
      Object.fromEntries(
        Object.entries(point).map(([name, value]) => [
          name,
          typeof value === 'number' ? Number(value.toFixed(3)) : value,
        ]),
      ) as Point,
  );

async function showRecorded(): Promise<void> {
  const recording = await loadRecording<Recorded>(recordedUrl);
  if (!isAskedFor(recording, ['steps', 'gates', 'seed'])) return training.say(NOT_TRAINED);
  const { rho, histogram: channels, weights, accuracies: known } = recording.data;
  rhoLines.add(...rho);
  histogram.add(...channels);
  for (const question of questions) weightAreas[question].add(...weights[question]);
  accuracies = known;
  showTable();
  training.say(provenance(recording, 'Train'), { recorded: true });
}

async function accuracyOf(network: Network, sets: readonly Pictures[], frame: () => Promise<void>): Promise<number> {
  let right = 0;
  for (const pictures of sets) {
    const labels = pictures.labels[network.question];
    const found = await classify(network, pictures);
    right += found.filter((label, i) => label === labels[i]).length;
    await frame();
  }
  return right / (sets.length * CHUNK);
}

/** The first digits that were not trained with. */
const testPictures = (() => {
  const numbers = random(2024);
  return Array.from({ length: 5 }, (_, set) =>
    paint(
      test,
      Array.from({ length: CHUNK }, (_, i) => set * CHUNK + i),
      numbers,
    ),
  );
})();

/** A few pictures in columns, each of one answer. */
function samples(question: Question, rows: number): HTMLElement {
  const numbers = random(7);
  const columns = Array.from({ length: CLASSES }, (_, label) => label);
  const ofLabel = columns.map((label) => [...test.labels.keys()].filter((i) => test.labels[i] === label));
  const places = Array.from({ length: rows }, (_, row) => columns.map((column) => ({ row, column }))).flat();
  const other = () => Math.floor(CLASSES * numbers.uniform());
  const digits = places.map(({ row, column }) => ofLabel[question === 'digit' ? column : other()][row]);
  const styles = places.map(({ column }) => (question === 'style' ? column : other()));
  const canvas = element('canvas', {
    className: 'samples',
    role: 'img',
    'aria-label': `Pictures, in columns by ${question}`,
  });
  drawPictures(canvas, paint(test, digits, numbers, styles).pixels, CHANNELS, CLASSES);
  const names = question === 'digit' ? columns.map(String) : styleNames;
  return element(
    'div',
    {},
    canvas,
    element('div', { className: `labels ${question}` }, ...names.map((name) => element('span', {}, name))),
  );
}

const training = task('Train', trainAll, { controls, stepLabel: 'One step' });
for (const control of controls) {
  control.onChange(() => {
    clear();
    training.say('New networks, which have not learned yet.');
  });
}

// All at once, when there is something to see: a page that grows piece by piece jumps.
clear();
await showIfThere(showRecorded);

main.append(
  lab(
    training.element,
    settings(stepsSlider, folded(gateChoice, seedSlider)),
    element('div', { className: 'row' }, rhoLines.element, histogram.element),
  ),
  section(
    'What is asked',
    element(
      'div',
      { className: 'row' },
      figure('Asked which digit: one column has one answer, whatever the contrast and colour.', samples('digit', 4)),
      figure('Asked which style: one column has one answer, whatever the digit.', samples('style', 4)),
    ),
  ),
  section(
    'What Switchable learns',
    element('div', { className: 'row' }, ...questions.map((question) => weightAreas[question].element)),
  ),
  section(
    'Accuracy',
    figure(
      'Accuracy on 500 pictures of digits that were not trained with. Instance normalization alone loses the contrast: ' +
        'it knows the colours, but whether they are strong or weak is mostly guesswork.',
      tablePlace,
    ),
  ),
);
expose({ networks: () => networks, rhoPoints: () => rhoLines.points, weightAreas, testPictures, classify });
expose({
  recorded: (): Recorded => ({
    rho: short(rhoLines.points),
    histogram: short(histogram.points),
    weights: { digit: short(weightAreas.digit.points), style: short(weightAreas.style.points) },
    accuracies,
  }),
});
await stands(main);
