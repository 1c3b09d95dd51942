/** Two transformers that differ in their attention alone: softmax(q k^T / sqrt(width)), and query-key normalization. */
import * as tf from '@tensorflow/tfjs';
import { lineChart, type Point, thinned } from '../shared/charts.ts';
import { colors, inks } from '../shared/colors.ts';
import { choice, folded, settings, slider, textField } from '../shared/controls.ts';
import { element, lab, section, table, tableRow } from '../shared/dom.ts';
import { expose } from '../shared/expose.ts';
import { latest } from '../shared/latest.ts';
import { showMemory } from '../shared/memory.ts';
import { openPage } from '../shared/page.ts';
import { isAskedFor, loadRecording, NOT_TRAINED, provenance, showIfThere } from '../shared/recorded.ts';
import { stands } from '../shared/standing.ts';
import { type Running, task } from '../shared/task.ts';
import { type Examined, examine } from './examine.ts';
import { type Attended, attentionMap } from './maps.ts';
import recordedUrl from './recorded.json?url';
import { type Examples, examples, LENGTH, TASKS, tensors, withOwn } from './tasks.ts';
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
const ownField = textField({
  name: 'sequence',
  label: `Your sequence, ${LENGTH} digits`,
  value: '3141592653',
  pattern: `[0-9]{${LENGTH}}`,
  rule: `a sequence has ${LENGTH} digits from 0 to 9`,
});
const scaleSlider = slider({
  name: 'g',
  label: 'What if g were',
  min: 0,
  max: 40,
  step: 0.5,
  value: 0,
  format: (g) => (g === 0 ? 'as learned' : g.toFixed(1)),
});
const controls = [taskChoice, normChoice, rateChoice, stepsSlider, seedSlider];

const BATCH = 32;
/** Sequences that neither network trains on. */
const TESTED = 64;
/** Steps from one examination to the next. */
const EVERY = 5;

const KINDS = { dot: 'softmax(q kᵀ / √d)', qk: 'softmax(g q̂ k̂ᵀ)' } as const;
type Kind = keyof typeof KINDS;
const kinds = Object.keys(KINDS) as Kind[];
const lines = { [KINDS.dot]: inks[1], [KINDS.qk]: colors.QKNormalization };

const chart = (title: string, y: string, more: { logarithmic?: boolean; yDomain?: readonly [number, number] }) =>
  lineChart({ title, x: 'step', y, series: lines, ...more });
const logitChart = chart('Largest logit', 'max |logit|', { logarithmic: true });
const entropyChart = chart('Entropy of the attention', '1 is even, 0 a single place', { yDomain: [0, 1] });
const lossChart = chart('Loss', 'cross entropy', { logarithmic: true });
const accuracyChart = chart('Accuracy on other sequences', 'share of right symbols', { yDomain: [0, 1] });
const charts = [logitChart, entropyChart, lossChart, accuracyChart];
const maps = kinds.map((kind) => attentionMap(KINDS[kind], lines[KINDS[kind]]));

let transformers: Transformer[] = [];
const ownSequence = () => [...ownField.value].map(Number);
const testedNow = (): Examples => withOwn(taskChoice.value, ownSequence(), examples(taskChoice.value, TESTED, 999));
let tested = testedNow();
let examined: Examined[] = [];
/** What the maps show: of the networks here, or of the recorded ones. */
let shown: readonly Attended[] = [];

function drawMaps(): void {
  for (const [i, attended] of shown.entries()) maps[i].draw(attended, scaleSlider.value);
}

function restart(): void {
  for (const one of transformers) one.dispose();
  const common = {
    norm: normChoice.value,
    learningRate: Number(rateChoice.value),
    seed: seedSlider.value,
  };
  transformers = kinds.map((attention) => new Transformer({ attention, ...common }));
  for (const chart of charts) chart.clear();
}

async function examineAll(): Promise<void> {
  tested = testedNow();
  examined = await Promise.all(transformers.map((one) => examine(one, tested)));
  showMemory();
}

function showExamined(): void {
  shown = examined.map(({ shown }) => shown);
  drawMaps();
}

async function look(step: number): Promise<void> {
  await examineAll();
  showExamined();
  for (const [i, { largest, entropy, accuracy }] of examined.entries()) {
    const name = KINDS[kinds[i]];
    logitChart.add(name, step, largest);
    entropyChart.add(name, step, entropy);
    accuracyChart.add(name, step, accuracy);
  }
}

async function train(running: Running): Promise<string> {
  await begin();
  const steps = stepsSlider.value;
  for (let step = 1; step <= steps; step++) {
    await running.step();
    const batch = tensors(examples(taskChoice.value, BATCH, 100_000 * seedSlider.value + step));
    const losses = transformers.map((one) => one.step(batch.inputs, batch.targets));
    const values = await Promise.all(losses.map((loss) => loss.data()));
    tf.dispose([batch, losses]);
    for (const [i, [value]] of values.entries()) lossChart.add(KINDS[kinds[i]], step, value);
    running.progress(step / steps, `Step ${step} of ${steps}`);
    await running.frame();
    if (running.watched || step % EVERY === 0 || step === steps) await look(step);
  }
  return summary(steps, examined);
}

const summary = (steps: number, [dot, qk]: readonly Pick<Examined, 'largest' | 'g'>[]): string =>
  `After ${steps} steps the largest logit is ${dot.largest.toFixed(1)} with ${KINDS.dot} ` +
  `and ${qk.largest.toFixed(1)} with ${KINDS.qk}, whose g is ${qk.g?.toFixed(1)}.`;

const training = task('Train both', train, { controls, stepLabel: 'One step' });

/** New networks, as they are before they learn. */
const begin = latest(async () => {
  restart();
  await look(0);
});
for (const control of [taskChoice, normChoice, rateChoice, seedSlider]) {
  control.onChange(() => {
    training.say('New networks, which have not learned yet.');
    void begin();
  });
}
const answerOwn = latest(async () => {
  if (transformers.length === 0) restart(); // the recorded ones are no networks
  await examineAll();
  showExamined();
});
ownField.onChange(() => {
  if (training.element.dataset.recorded) {
    for (const chart of charts) chart.clear();
    training.say('The networks here have not learned yet: train them, and they answer.');
  }
  void answerOwn();
});
scaleSlider.onChange(drawMaps);

interface Recorded {
  readonly shown: readonly (Omit<Attended, 'logits'> & { readonly logits: readonly number[] })[];
  readonly ends: readonly { readonly largest: number; readonly g: number | undefined }[];
  readonly charts: readonly (readonly Point[])[];
}

async function showRecorded(): Promise<void> {
  const recording = await loadRecording<Recorded>(recordedUrl);
  if (!isAskedFor(recording, ['task', 'norm', 'rate', 'steps', 'seed', 'sequence'])) {
    training.say(NOT_TRAINED);
    return begin();
  }
  const { shown: kept, ends, charts: points } = recording.data;
  shown = kept.map(({ logits, ...others }) => ({ ...others, logits: Float32Array.from(logits) }));
  drawMaps();
  for (const [i, chart] of charts.entries()) chart.set(points[i]);
  const steps = Number(recording.settings.steps);
  training.say(`${provenance(recording, 'Train both')} ${summary(steps, ends)}`, { recorded: true });
}

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
  { controls: [timedSlider] },
);

// All at once, when there is something to see: a page that grows piece by piece jumps.
await showIfThere(showRecorded);

main.append(
  lab(
    training.element,
    settings(taskChoice, ownField, scaleSlider, folded(stepsSlider, rateChoice, normChoice, seedSlider)),
    element('div', { className: 'row' }, ...maps.map((map) => map.element)),
    element(
      'p',
      {},
      'Symbols that go in stand below, what comes out on the left. Point at a pair, or choose it by the arrow keys, to see how its ' +
        'share comes about; slide g, and see the softmax sharpen.',
    ),
  ),
  element('div', { className: 'row charts' }, ...charts.map((chart) => chart.element)),
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
expose({
  state: () => ({ transformers, examined, tested, inputs: () => tf.tidy(() => tensors(tested).inputs) }),
  charts: { logitChart, entropyChart },
  recorded: (): Recorded => ({
    shown: examined.map(({ shown: { weights: _, logits, ...others } }) => ({
      ...others,
      logits: Array.from(logits, (logit) => Number(logit.toPrecision(4))),
    })),
    ends: examined.map(({ largest, g }) => ({ largest, g })),
    charts: charts.map((chart) => thinned(chart.points)),
  }),
});
await stands(main);
