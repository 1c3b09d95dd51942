/** Two transformers that differ in their attention alone: softmax(q k^T / sqrt(width)), and query-key normalization. */
import * as tf from '@tensorflow/tfjs';
import { lineChart } from '../shared/charts.ts';
import { colors } from '../shared/colors.ts';
import { choice, settings, slider } from '../shared/controls.ts';
import { element, section, table, tableRow } from '../shared/dom.ts';
import { latest } from '../shared/latest.ts';
import { showMemory } from '../shared/memory.ts';
import { expose, openPage } from '../shared/page.ts';
import { type Running, task } from '../shared/task.ts';
import { type Examined, examine } from './examine.ts';
import { attentionMap } from './maps.ts';
import { type Examples, examples, TASKS, tensors } from './tasks.ts';
import { timeNorms } from './time.ts';
import { Transformer } from './transformer.ts';
import './attention.css';

const { main, device } = await openPage({
  folder: 'attention',
  explanation:
    'Two small transformers learn the same task, and learn fast. The logits of the usual attention grow without a bound, ' +
    'until each softmax is a hard choice of one place; with queries and keys of unit length they stay within the learned ' +
    'scale g, and the attention stays soft.',
});

const taskChoice = choice({ name: 'task', label: 'Task', choices: TASKS, value: 'reverse' });
const normChoice = choice({
  name: 'norm',
  label: 'Other normalizations',
  choices: { layer: 'Layer', rms: 'RMS' },
  value: 'layer',
});
const rateChoice = choice({
  name: 'rate',
  label: 'Learning rate',
  choices: ['0.003', '0.01', '0.03', '0.06'],
  value: '0.03',
});
const stepsSlider = slider({ name: 'steps', label: 'Steps', min: 5, max: 500, step: 5, value: 120 });
const seedSlider = slider({ name: 'seed', label: 'Seed', min: 1, max: 20, value: 1 });
const controls = [taskChoice, normChoice, rateChoice, stepsSlider, seedSlider];

const BATCH = 32;
/** Sequences that neither network trains on. */
const TESTED = 64;
/** Steps from one examination to the next. */
const EVERY = 5;

const KINDS = { dot: 'softmax(q kᵀ / √d)', qk: 'QKNormAttention' } as const;
type Kind = keyof typeof KINDS;
const kinds = Object.keys(KINDS) as Kind[];
const lines = { [KINDS.dot]: colors.none, [KINDS.qk]: colors.QKNormalization };

const chart = (title: string, y: string, more: { logarithmic?: boolean; yDomain?: readonly [number, number] }) =>
  lineChart({ title, x: 'step', y, series: lines, ...more });
const logitChart = chart('Largest logit', 'max |logit|', { logarithmic: true });
const entropyChart = chart('Entropy of the attention', '1 is even, 0 a single place', { yDomain: [0, 1] });
const lossChart = chart('Loss', 'cross entropy', { logarithmic: true });
const accuracyChart = chart('Accuracy on other sequences', 'share of right symbols', { yDomain: [0, 1] });
const charts = [logitChart, entropyChart, lossChart, accuracyChart];
const maps = kinds.map((kind) => attentionMap(KINDS[kind], lines[KINDS[kind]]));

let transformers: Transformer[] = [];
let tested: Examples = examples(taskChoice.value, TESTED, 999);
let examined: Examined[] = [];

async function restart(): Promise<void> {
  for (const one of transformers) one.dispose();
  const common = {
    norm: normChoice.value,
    learningRate: Number(rateChoice.value),
    seed: seedSlider.value,
  };
  transformers = kinds.map((attention) => new Transformer({ attention, ...common }));
  tested = examples(taskChoice.value, TESTED, 999);
  await look(0);
  showMemory();
}

async function look(step: number): Promise<void> {
  examined = await Promise.all(transformers.map((one) => examine(one, tested)));
  for (const [i, { largest, entropy, accuracy, shown }] of examined.entries()) {
    maps[i].draw(shown);
    const name = KINDS[kinds[i]];
    logitChart.add(name, step, largest);
    entropyChart.add(name, step, entropy);
    accuracyChart.add(name, step, accuracy);
  }
}

async function train({ progress, frame }: Running): Promise<string> {
  await restartSoon();
  const steps = stepsSlider.value;
  for (let step = 1; step <= steps; step++) {
    const batch = tensors(examples(taskChoice.value, BATCH, 100_000 * seedSlider.value + step));
    const losses = transformers.map((one) => one.step(batch.inputs, batch.targets));
    const values = await Promise.all(losses.map((loss) => loss.data()));
    tf.dispose([batch, losses]);
    for (const [i, [value]] of values.entries()) lossChart.add(KINDS[kinds[i]], step, value);
    progress(step / steps, `Step ${step} of ${steps}`);
    await frame();
    if (step % EVERY === 0 || step === steps) await look(step);
  }
  const [dot, qk] = examined;
  return (
    `After ${steps} steps the largest logit is ${dot.largest.toFixed(1)} with ${KINDS.dot} ` +
    `and ${qk.largest.toFixed(1)} with ${KINDS.qk}, whose g is ${qk.g?.toFixed(1)}.`
  );
}
const training = task('Train both', train, controls);

const restartSoon = latest(async () => {
  for (const chart of charts) chart.clear();
  await restart();
});
for (const control of [taskChoice, normChoice, rateChoice, seedSlider]) control.onChange(restartSoon);

const timedSlider = slider({ name: 'timed', label: 'Steps of each', min: 3, max: 100, value: 30 });
const times = element('div', { 'aria-live': 'polite' });
const timing = task(
  'Time RMS and Layer',
  async (running) => {
    const result = await timeNorms(timedSlider.value, running);
    const rows = result.map(({ name, median }) => tableRow(name, [`${median.toFixed(2)} ms`]));
    const heads = ['normalization', 'median time of a training step'];
    times.replaceChildren(element('div', { className: 'table' }, table(heads, rows)));
    expose({ times: result });
    const [layer, rms] = result;
    return `A step with RMS takes ${(rms.median / layer.median).toFixed(2)} of the time of one with Layer, on ${device}.`;
  },
  [timedSlider],
);

main.append(
  settings(...controls),
  training.element,
  section(
    'What attends to what',
    element('div', { className: 'row' }, ...maps.map((map) => map.element)),
    element(
      'p',
      {},
      'A sequence that neither has seen: symbols that go in below, what comes out on the left. The darker a cell, the more ' +
        'of the input goes into that place of the output.',
    ),
  ),
  section('While they train', element('div', { className: 'row charts' }, ...charts.map((chart) => chart.element))),
  section(
    'RMS or Layer',
    element(
      'p',
      {},
      'The same transformer with each of the two, a step of one after a step of the other. RMS subtracts no mean; how much ' +
        'of a whole step that saves, depends on the device.',
    ),
    settings(timedSlider),
    timing.element,
    times,
  ),
);
await restartSoon();
expose({
  state: () => ({ transformers, examined, tested, inputs: () => tf.tidy(() => tensors(tested).inputs) }),
  charts: { logitChart, entropyChart },
});
main.ariaBusy = 'false';
