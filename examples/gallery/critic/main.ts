/** Two generative adversarial networks that differ in one thing: whether the layers of the critic are spectrally normalized. */
import * as tf from '@tensorflow/tfjs';
import { lineChart, type Point, thinned } from '../shared/charts.ts';
import { colors, inks } from '../shared/colors.ts';
import { choice, folded, settings, slider } from '../shared/controls.ts';
import { element, figure, lab, section, table, tableRow } from '../shared/dom.ts';
import { expose } from '../shared/expose.ts';
import { latest } from '../shared/latest.ts';
import { legend } from '../shared/legend.ts';
import { showMemory } from '../shared/memory.ts';
import { openPage } from '../shared/page.ts';
import { isAskedFor, loadRecording, NOT_TRAINED, provenance, showIfThere } from '../shared/recorded.ts';
import { rounded, scaleLegend } from '../shared/scale.ts';
import { stands } from '../shared/standing.ts';
import { type Running, task } from '../shared/task.ts';
import { Contestant, type KeptResult, keepResult, keptResult, percent, type Result, SAMPLES } from './contestant.ts';
import { SHAPES, samplePoints } from './data.ts';
import { type Gan, LOSSES } from './gan.ts';
import { DATA_COLOR, reachOf, SAMPLE_COLOR } from './plane.ts';
import recordedUrl from './recorded.json?url';
import './critic.css';

const { main } = await openPage({
  folder: 'critic',
  explanation:
    'A critic tells data from samples, and the generator follows its slope: the arrows. Where nothing bounds the critic, its ' +
    'singular values grow, and the slopes with them; spectral normalization holds those of every layer near 1. ' +
    'Both networks start from the same weights and see the same batches.',
});

const shapeChoice = choice({ name: 'data', label: 'Data', choices: SHAPES, value: 'ring' });
const lossChoice = choice({ name: 'loss', label: 'Loss', choices: LOSSES, value: 'hinge' });
const criticStepsSlider = slider({
  name: 'critic',
  label: 'Steps of the critic per step',
  min: 1,
  max: 5,
  value: 3,
});
const stepsSlider = slider({ name: 'steps', label: 'Steps', min: 5, max: 2000, step: 5, value: 400 });
const rateChoice = choice({
  name: 'rate',
  label: 'Learning rate',
  choices: ['0.0005', '0.001', '0.002', '0.004'],
  value: '0.002',
});
const seedSlider = slider({ name: 'seed', label: 'Seed', min: 1, max: 20, value: 1 });
const controls = [shapeChoice, lossChoice, stepsSlider, criticStepsSlider, rateChoice, seedSlider];

const BATCH = 64;
/** Steps from one look to the next. */
const EVERY = 10;
/** Looks that a recording keeps. */
const FRAMES = 20;

const NETWORKS = ['Plain critic', 'Spectrally normalized'] as const;
const layerNames = ['layer 1', 'layer 2', 'layer 3', 'layer 4'];
const contestants = NETWORKS.map((name, i) => new Contestant(name, i === 1));
const scale = scaleLegend('critic, from its mean');

const sigmaChart = lineChart({
  title: 'Largest singular value of each layer of the critic',
  x: 'step',
  y: 'σ',
  series: Object.fromEntries(layerNames.map((name, i) => [name, inks[i]])),
  panels: NETWORKS,
  logarithmic: true,
});
const lossChart = lineChart({
  title: 'Losses',
  x: 'step',
  y: 'loss',
  series: { [NETWORKS[0]]: inks[1], [NETWORKS[1]]: colors.SpectralNormalization },
  panels: ['of the critic', 'of the generator'],
});

interface Frame {
  readonly step: number;
  readonly results: readonly Result[];
}
let data: Float32Array;
/** What was looked at since the training began. */
let frames: Frame[] = [];

function show({ results }: Frame): void {
  const reach = rounded(Math.max(...results.map(({ landscape }) => reachOf(landscape))) || 1);
  scale.show(reach);
  for (const [i, contestant] of contestants.entries()) contestant.show(results[i], data, reach);
}

/** Looks at both networks as they are now. */
async function look(step: number): Promise<Frame> {
  const results: Result[] = [];
  for (const contestant of contestants) results.push(await contestant.measure(data));
  return { step, results };
}

async function restart(): Promise<Frame> {
  data = samplePoints(shapeChoice.value, SAMPLES, 7);
  for (const contestant of contestants) {
    contestant.restart({
      shape: shapeChoice.value,
      loss: lossChoice.value,
      learningRate: Number(rateChoice.value),
      criticSteps: criticStepsSlider.value,
      batch: BATCH,
      seed: seedSlider.value,
    });
  }
  frames = [];
  showMemory();
  return look(0);
}

/** Draws a look, and adds it to the lines. */
function record(frame: Frame): void {
  frames.push(frame);
  show(frame);
  frame.results.forEach(({ sigmas }, i) => {
    sigmas.forEach((sigma, layer) => {
      sigmaChart.add(layerNames[layer], frame.step, sigma, NETWORKS[i]);
    });
  });
}

async function train(running: Running): Promise<string> {
  await begin();
  const steps = stepsSlider.value;
  for (let step = 1; step <= steps; step++) {
    await running.step();
    for (const contestant of contestants) {
      const { critic, generator } = (contestant.gan as Gan).step();
      const [ofCritic, ofGenerator] = (await Promise.all([critic.data(), generator.data()])).map(([value]) => value);
      tf.dispose([critic, generator]);
      lossChart.add(contestant.name, step, ofCritic, 'of the critic');
      lossChart.add(contestant.name, step, ofGenerator, 'of the generator');
      await running.frame();
    }
    running.progress(step / steps, `Step ${step} of ${steps}`);
    if (running.watched || step % EVERY === 0 || step === steps) record(await look(step));
  }
  return summary(frames[frames.length - 1]);
}

function summary({ step, results }: Frame): string {
  const [plain, spectral] = results.map(
    ({ near, reached }) =>
      `${percent(near)} of the samples are near data, and ${percent(reached)} of the data near samples`,
  );
  return `After ${step} steps, plain: ${plain}. Spectrally normalized: ${spectral}.`;
}

const training = task('Train both', train, { controls, stepLabel: 'One step' });

/** New networks, as they are before they learn. */
const begin = latest(async () => {
  playing = undefined;
  for (const chart of [sigmaChart, lossChart]) chart.clear();
  record(await restart());
});
for (const control of controls) {
  control.onChange(() => {
    training.say('New networks, which have not learned yet.');
    void begin();
  });
}

interface Recorded {
  readonly frames: readonly { readonly step: number; readonly results: readonly KeptResult[] }[];
  readonly sigmas: readonly Point[];
  readonly losses: readonly Point[];
}

/** The recorded run that plays, if one does. */
let playing: object | undefined;

/** Shows the end of the recorded run, and plays it once where the reader does not mind motion. */
async function showRecorded(): Promise<void> {
  const recording = await loadRecording<Recorded>(recordedUrl);
  if (!isAskedFor(recording, ['data', 'loss', 'steps', 'critic', 'rate', 'seed'])) {
    training.say(NOT_TRAINED);
    return begin();
  }
  const kept = recording.data.frames.map(({ step, results }) => ({ step, results: results.map(keptResult) }));
  data = samplePoints('ring', SAMPLES, 7);
  sigmaChart.set(recording.data.sigmas);
  lossChart.set(recording.data.losses);
  training.say(`${provenance(recording, 'Train both')} ${summary(kept[kept.length - 1])}`, { recorded: true });
  show(kept[kept.length - 1]);
  expose({ recordedFrames: kept, show });
  if (!matchMedia('(prefers-reduced-motion: reduce)').matches) void animate(kept);
}

async function animate(kept: readonly Frame[]): Promise<void> {
  const mine = {};
  playing = mine;
  for (const frame of kept) {
    await new Promise((resolve) => setTimeout(resolve, 160));
    if (playing !== mine) return;
    show(frame);
  }
}

const planes = contestants.map(({ name, plane }) =>
  element('figure', { className: 'plane' }, element('h3', {}, name), plane.element),
);
const heads = ['network', 'product of the σ', 'steepest slope', 'samples near data', 'data near samples'];
const rows = contestants.map(({ name, cells }) => tableRow(name, cells));
// All at once, when there is something to see: a page that grows piece by piece jumps.
await showIfThere(showRecorded);

main.append(
  lab(
    training.element,
    settings(shapeChoice, lossChoice, stepsSlider, folded(criticStepsSlider, rateChoice, seedSlider)),
    element('div', { className: 'row planes' }, ...planes),
    element(
      'div',
      { className: 'keys' },
      legend([
        { name: 'data', color: DATA_COLOR, mark: 'dot' },
        { name: 'samples, and where the critic pushes them', color: SAMPLE_COLOR, mark: 'dot' },
      ]),
      scale.element,
    ),
  ),
  element('div', { className: 'row charts' }, sigmaChart.element, lossChart.element),
  section(
    'In numbers',
    figure(
      'The product of the singular values bounds how steep the critic can be anywhere. The steepest slope is that between ' +
        'neighbours on a grid of 40 by 40. Near is closer than three deviations of the data. Both planes have one colour ' +
        'scale, which is logarithmic far from 0, and arrows of one length for one slope.',
      element('div', { className: 'table', tabIndex: 0, role: 'region', 'aria-label': 'Numbers' }, table(heads, rows)),
    ),
  ),
);
expose({
  contestants,
  chart: sigmaChart,
  recorded: (): Recorded => {
    const every = Math.ceil(frames.length / FRAMES);
    const kept = frames.filter((_, i) => i % every === 0 || i === frames.length - 1);
    return {
      frames: kept.map(({ step, results }) => ({ step, results: results.map(keepResult) })),
      sigmas: thinned(sigmaChart.points, 60),
      losses: thinned(lossChart.points),
    };
  },
});
await stands(main);
