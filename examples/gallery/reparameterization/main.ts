/** One regression by three networks: plain, with weight normalization, and with its data-dependent start. */
import { lineChart, type Point, thinned } from '../shared/charts.ts';
import { colors, inks, textColor } from '../shared/colors.ts';
import { choice, folded, settings, slider } from '../shared/controls.ts';
import { element, figure, lab, section, table, tableRow } from '../shared/dom.ts';
import { expose } from '../shared/expose.ts';
import { latest } from '../shared/latest.ts';
import { showMemory } from '../shared/memory.ts';
import { openPage } from '../shared/page.ts';
import {
  fromBytes,
  isAskedFor,
  loadRecording,
  NOT_TRAINED,
  packed,
  provenance,
  showIfThere,
  toBytes,
  unpacked,
} from '../shared/recorded.ts';
import { scaleLegend } from '../shared/scale.ts';
import { stands } from '../shared/standing.ts';
import { type Running, task } from '../shared/task.ts';
import { geometry } from './geometry.ts';
import { normsChart, type Unit } from './norms.ts';
import recordedUrl from './recorded.json?url';
import { heightsAt, Regression, removed, samplePoints } from './regression.ts';
import { picture, REACH, surfacePoints } from './surface.ts';
import './reparameterization.css';

const { main } = await openPage({
  folder: 'reparameterization',
  explanation:
    'Weight normalization learns the length g of a weight vector and its direction v apart: w = g v / ‖v‖. Drag v, slide g, and ' +
    'see where gradient descent goes from there, with it and without. Below, three real networks learn a surface, and ' +
    'in the end the normalization is removed, and the predictions stay.',
});

const offsetSlider = slider({
  name: 'shift',
  label: 'Shift of the inputs',
  min: 0,
  max: 6,
  step: 0.5,
  value: 3,
});
const scaleChoice = choice({
  name: 'scale',
  label: 'Factor on the initial weights',
  choices: ['0.2', '1', '3'],
  value: '1',
});
const rateChoice = choice({
  name: 'rate',
  label: 'Learning rate',
  choices: ['0.005', '0.01', '0.02', '0.05'],
  value: '0.02',
});
const stepsSlider = slider({ name: 'steps', label: 'Steps', min: 5, max: 1000, step: 5, value: 400 });
const seedSlider = slider({ name: 'seed', label: 'Seed', min: 1, max: 20, value: 1 });
const controls = [offsetSlider, scaleChoice, rateChoice, stepsSlider, seedSlider];

/** Steps from one picture to the next. */
const EVERY = 10;
const KINDS = {
  plain: { normalized: false, dataInit: false },
  'weight normalization': { normalized: true, dataInit: false },
  'with dataInit': { normalized: true, dataInit: true },
} as const;
type Kind = keyof typeof KINDS;
const lines: Readonly<Record<Kind, string>> = {
  plain: inks[1],
  'weight normalization': colors.WeightNormalization,
  'with dataInit': colors.WeightNormalization,
};
const kinds = Object.keys(KINDS) as Kind[];

const lossChart = lineChart({
  title: 'Loss',
  x: 'step',
  y: 'mean squared error',
  series: lines,
  dashed: ['weight normalization'],
  logarithmic: true,
});
const norms = normsChart(lines);
const scale = scaleLegend('height');
scale.show(REACH);
const target = heightsAt(surfacePoints);
const wanted = picture('the surface itself');
const pictures = kinds.map((kind) => picture(kind));
const errors = kinds.map(() => element('span', { className: 'number' }));

let regressions: Regression[] = [];
let predictions: Float32Array[] = [];

function makeNetworks(): void {
  for (const one of regressions) one.dispose();
  const common = {
    scale: Number(scaleChoice.value),
    offset: offsetSlider.value,
    learningRate: Number(rateChoice.value),
    seed: seedSlider.value,
  };
  regressions = kinds.map((kind) => new Regression({ ...KINDS[kind], ...common }));
  showMemory();
}

function restart(): void {
  makeNetworks();
  removal.replaceChildren();
  lossChart.clear();
  norms.clear();
  wanted.draw(target, samplePoints(seedSlider.value).points);
}

/** Draws what the networks predict, and the norms of their weights. */
async function look(): Promise<void> {
  predictions = [];
  for (const [i, kind] of kinds.entries()) {
    const predicted = regressions[i].predict(surfacePoints);
    predictions.push((await predicted.data()) as Float32Array);
    predicted.dispose();
    showPrediction(i, predictions[i]);
    norms.show(kind, await regressions[i].norms(), await regressions[i].lengths());
  }
}

function showPrediction(i: number, heights: Float32Array): void {
  pictures[i].draw(heights);
  errors[i].textContent = meanSquare(heights, target).toPrecision(2);
}

const meanSquare = (x: Float32Array, y: Float32Array) =>
  x.reduce((sum, value, i) => sum + (value - y[i]) ** 2, 0) / x.length;

async function train(running: Running): Promise<string> {
  await begin();
  const steps = stepsSlider.value;
  for (let step = 1; step <= steps; step++) {
    await running.step();
    for (const [i, kind] of kinds.entries()) {
      const loss = regressions[i].step();
      lossChart.add(kind, step, (await loss.data())[0]);
      loss.dispose();
    }
    running.progress(step / steps, `Step ${step} of ${steps}`);
    await running.frame();
    if (running.watched || step % EVERY === 0 || step === steps) await look();
  }
  return summary(steps);
}

function summary(steps: number): string {
  const last = kinds.map((kind) => {
    const own = lossChart.points.filter(({ series }) => series === kind);
    return `${own[own.length - 1].y.toPrecision(2)} ${kind}`;
  });
  return `Losses after ${steps} steps: ${last.join('; ')}.`;
}

const training = task('Train all three', train, { controls, stepLabel: 'One step' });

interface Recorded {
  readonly losses: readonly Point[];
  readonly units: readonly Unit[];
  readonly predictions: readonly string[];
}
/** Predictions in a recording lie between these. */
const [LOW, HIGH] = [-2, 2];

async function showRecorded(): Promise<void> {
  const recording = await loadRecording<Recorded>(recordedUrl);
  if (!isAskedFor(recording, ['shift', 'scale', 'rate', 'steps', 'seed'])) {
    training.say(NOT_TRAINED);
    return begin();
  }
  const { losses, units, predictions: kept } = recording.data;
  lossChart.set(losses);
  norms.set(units);
  for (const [i, text] of kept.entries()) showPrediction(i, fromBytes(unpacked(text), LOW, HIGH));
  const steps = Number(recording.settings.steps);
  training.say(`${provenance(recording, 'Train all three')} ${summary(steps)}`, { recorded: true });
}

const removal = element('div', { 'aria-live': 'polite' });
/** Both normalized networks with and without their wrappers. */
async function remove({ progress, frame }: Running): Promise<string> {
  if (regressions.length === 0) makeNetworks(); // the recorded ones are no networks
  const rows: HTMLTableRowElement[] = [];
  for (const [i, kind] of kinds.entries()) {
    if (!KINDS[kind].normalized) continue;
    const { model } = regressions[i];
    const parameters = model.countParams();
    const plain = await removed(regressions[i], surfacePoints);
    const cells = [
      `${unique(model.layers.map((layer) => layer.getClassName()))} → ${unique(plain.classes)}`,
      `${parameters} → ${plain.parameters}`,
      plain.difference === 0 ? '0' : plain.difference.toExponential(1),
    ];
    rows.push(tableRow(kind, cells));
    progress((i + 1) / kinds.length, kind);
    await frame();
  }
  const heads = ['network', 'layers', 'parameters', 'largest difference of 1,600 predictions'];
  removal.replaceChildren(element('div', { className: 'table' }, table(heads, rows)));
  return 'Plain layers of TensorFlow.js, which need this package no more.';
}
const unique = (names: readonly string[]) => [...new Set(names)].join(', ');
const removing = task('Remove weight normalization', remove);

/** New networks, as they are before they learn. */
const begin = latest(async () => {
  restart();
  await look();
});
for (const control of [offsetSlider, scaleChoice, rateChoice, seedSlider]) {
  control.onChange(() => {
    training.say('New networks, which have not learned yet.');
    void begin();
  });
}

// All at once, when there is something to see: a page that grows piece by piece jumps.
wanted.draw(target, samplePoints(seedSlider.value).points);
await showIfThere(showRecorded);

main.append(
  geometry(),
  section(
    'On real networks',
    element(
      'p',
      {},
      'Three networks of the same initial directions learn one surface, whose inputs are not centred. Weight normalization ' +
        'alone changes little; with dataInit, where the first batch sets lengths and biases, it learns what the others do not. ' +
        'Without a shift all three learn.',
    ),
    lab(
      training.element,
      settings(offsetSlider, scaleChoice, folded(rateChoice, stepsSlider, seedSlider)),
      element(
        'div',
        { className: 'row pictures' },
        figure('The heights at the points are what they learn from.', element('h3', {}, 'the surface'), wanted.element),
        ...kinds.map((kind, i) =>
          element(
            'figure',
            {},
            element('h3', { style: `color: ${kind === 'plain' ? inks[0] : textColor(lines[kind])}` }, kind),
            pictures[i].element,
            element('figcaption', {}, 'mean squared error ', errors[i]),
          ),
        ),
      ),
      scale.element,
      element('div', { className: 'row' }, lossChart.element, norms.element),
    ),
  ),
  section(
    'Without it again',
    element(
      'p',
      {},
      element('code', {}, 'removeWeightNormalization(model)'),
      ' gives a model of plain layers, each kernel being g v / ‖v‖.',
    ),
    removing.element,
    removal,
  ),
);
expose({
  state: () => ({ regressions, predictions, units: norms.units() }),
  look,
  chart: lossChart,
  recorded: (): Recorded => ({
    losses: thinned(lossChart.points),
    units: norms.units().map((unit) => ({
      ...unit,
      start: Number(unit.start.toPrecision(4)),
      now: Number(unit.now.toPrecision(4)),
      ...(unit.g !== undefined && { g: Number(unit.g.toPrecision(4)) }),
    })),
    predictions: predictions.map((heights) => packed(toBytes(heights, LOW, HIGH))),
  }),
});
await stands(main);
