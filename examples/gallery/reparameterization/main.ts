/** One regression by three networks: plain, with weight normalization, and with its data-dependent start. */
import { lineChart } from '../shared/charts.ts';
import { colors } from '../shared/colors.ts';
import { choice, settings, slider } from '../shared/controls.ts';
import { element, figure, section, table, tableRow } from '../shared/dom.ts';
import { latest } from '../shared/latest.ts';
import { showMemory } from '../shared/memory.ts';
import { expose, openPage } from '../shared/page.ts';
import { type Running, task } from '../shared/task.ts';
import { normsChart } from './norms.ts';
import { heightsAt, Regression, removed, samplePoints } from './regression.ts';
import { picture, surfacePoints } from './surface.ts';
import './reparameterization.css';

const { main } = await openPage({
  folder: 'reparameterization',
  explanation:
    'Three networks of the same initial directions learn one surface, whose inputs are not centred. Weight normalization ' +
    'alone changes little; with dataInit, where the first batch sets lengths and biases, it learns what the others do not. ' +
    'Without a shift all three learn. In the end the normalization is removed, and the predictions stay.',
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
  plain: colors.none,
  'weight normalization': '#d9822b',
  'with dataInit': colors.WeightNormalization,
};
const kinds = Object.keys(KINDS) as Kind[];

const lossChart = lineChart({
  title: 'Loss',
  x: 'step',
  y: 'mean squared error',
  series: lines,
  logarithmic: true,
});
const norms = normsChart(lines);
const target = heightsAt(surfacePoints);
const wanted = picture('the surface itself');
const pictures = kinds.map((kind) => picture(kind));
const errors = kinds.map(() => element('span', { className: 'number' }));

let regressions: Regression[] = [];
let predictions: Float32Array[] = [];

async function restart(): Promise<void> {
  for (const one of regressions) one.dispose();
  const common = {
    scale: Number(scaleChoice.value),
    offset: offsetSlider.value,
    learningRate: Number(rateChoice.value),
    seed: seedSlider.value,
  };
  regressions = kinds.map((kind) => new Regression({ ...KINDS[kind], ...common }));
  removal.replaceChildren();
  norms.clear();
  wanted.draw(target, samplePoints(seedSlider.value).points);
  await look();
  showMemory();
}

/** Draws what the networks predict, and the norms of their weights. */
async function look(): Promise<void> {
  predictions = [];
  for (const [i, kind] of kinds.entries()) {
    const predicted = regressions[i].predict(surfacePoints);
    predictions.push((await predicted.data()) as Float32Array);
    predicted.dispose();
    pictures[i].draw(predictions[i]);
    errors[i].textContent = meanSquare(predictions[i], target).toPrecision(2);
    norms.show(kind, await regressions[i].norms(), await regressions[i].lengths());
  }
}

const meanSquare = (x: Float32Array, y: Float32Array) =>
  x.reduce((sum, value, i) => sum + (value - y[i]) ** 2, 0) / x.length;

async function train({ progress, frame }: Running): Promise<string> {
  lossChart.clear();
  await restartSoon();
  const steps = stepsSlider.value;
  for (let step = 1; step <= steps; step++) {
    for (const [i, kind] of kinds.entries()) {
      const loss = regressions[i].step();
      lossChart.add(kind, step, (await loss.data())[0]);
      loss.dispose();
    }
    progress(step / steps, `Step ${step} of ${steps}`);
    await frame();
    if (step % EVERY === 0 || step === steps) await look();
  }
  const last = lossChart.points.slice(-kinds.length);
  return `Losses after ${steps} steps: ${last.map(({ series, y }) => `${y.toPrecision(2)} ${series}`).join('; ')}.`;
}

const training = task('Train all three', train, controls);

const removal = element('div', { 'aria-live': 'polite' });
/** Both normalized networks with and without their wrappers. */
async function remove({ progress, frame }: Running): Promise<string> {
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

const restartSoon = latest(restart);
for (const control of [offsetSlider, scaleChoice, rateChoice, seedSlider]) control.onChange(restartSoon);

main.append(
  settings(...controls),
  training.element,
  section(
    'What they have learned',
    element(
      'div',
      { className: 'row pictures' },
      figure(
        'What the networks learn from are the heights at the points.',
        element('h3', {}, 'the surface'),
        wanted.element,
      ),
      ...kinds.map((kind, i) =>
        element(
          'figure',
          {},
          element('h3', { style: `color: ${lines[kind]}` }, kind),
          pictures[i].element,
          element('figcaption', {}, 'mean squared error ', errors[i]),
        ),
      ),
    ),
  ),
  section('Loss, and lengths of the weights', element('div', { className: 'row' }, lossChart.element, norms.element)),
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
await restart();
expose({ state: () => ({ regressions, predictions, units: norms.units() }), chart: lossChart });
main.ariaBusy = 'false';
