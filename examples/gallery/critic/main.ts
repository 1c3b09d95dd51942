/** Two generative adversarial networks that differ in one thing: whether the layers of the critic are spectrally normalized. */
import * as tf from '@tensorflow/tfjs';
import { lineChart } from '../shared/charts.ts';
import { colors } from '../shared/colors.ts';
import { choice, settings, slider } from '../shared/controls.ts';
import { element, figure, section, table, tableRow } from '../shared/dom.ts';
import { latest } from '../shared/latest.ts';
import { showMemory } from '../shared/memory.ts';
import { expose, openPage } from '../shared/page.ts';
import { type Running, task } from '../shared/task.ts';
import { resemblance, SHAPES, samplePoints } from './data.ts';
import { Gan, LOSSES } from './gan.ts';
import { landscapePoints, plane, steepestSlope } from './plane.ts';
import { singularValues } from './singular-values.ts';
import './critic.css';

const { main } = await openPage({
  folder: 'critic',
  explanation:
    'A critic tells data from samples, and the generator follows its slope. Where nothing bounds the critic, its singular ' +
    'values grow, and the slopes with them; spectral normalization holds those of every layer near 1. ' +
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
const controls = [shapeChoice, lossChoice, criticStepsSlider, rateChoice, stepsSlider, seedSlider];

const BATCH = 64;
const SAMPLES = 500;
/** Steps from one record to the next. */
const EVERY = 10;

const NETWORKS = ['Plain critic', 'Spectrally normalized'] as const;
const layerColors = { 'layer 1': '#3f7de0', 'layer 2': '#17a398', 'layer 3': '#c7519c', 'layer 4': '#d9822b' };
const layerNames = Object.keys(layerColors);

interface Result {
  /** The largest singular value of each layer's kernel. */
  readonly sigmas: Float32Array;
  readonly landscape: Float32Array;
  readonly samples: Float32Array;
  readonly slope: number;
  readonly near: number;
  readonly reached: number;
}

class Contestant {
  readonly name: string;
  readonly plane;
  readonly cells = ['bound', 'slope', 'near', 'reached'].map((what) => element('td', { 'data-what': what }, '–'));
  gan: Gan | undefined;
  result: Result | undefined;
  private readonly spectral: boolean;

  constructor(name: string, spectral: boolean) {
    this.name = name;
    this.spectral = spectral;
    this.plane = plane(`${name}: data, samples, and the critic's values`);
  }

  restart(): Gan {
    this.gan?.dispose();
    this.gan = new Gan({
      spectral: this.spectral,
      shape: shapeChoice.value,
      loss: lossChoice.value,
      learningRate: Number(rateChoice.value),
      criticSteps: criticStepsSlider.value,
      batch: BATCH,
      seed: seedSlider.value,
    });
    return this.gan;
  }

  /** Measures, and draws it. */
  async look(data: Float32Array): Promise<Result> {
    const gan = this.gan as Gan;
    const tensors = tf.tidy(() => [
      gan.values(tf.tensor2d(landscapePoints, [landscapePoints.length / 2, 2])),
      gan.samples(SAMPLES),
      singularValues(gan.critic),
    ]);
    const read = await Promise.all(tensors.map((one) => one.data()));
    tf.dispose(tensors);
    const [landscape, samples, sigmas] = read as Float32Array[];
    const { near, reached } = resemblance(samples, data);
    this.result = { sigmas, landscape, samples, slope: steepestSlope(landscape), near, reached };
    this.plane.draw(landscape, data, samples);
    const bound = sigmas.reduce((product, sigma) => product * sigma);
    const texts = [short(bound), short(this.result.slope), percent(near), percent(reached)];
    this.cells.forEach((cell, i) => {
      cell.textContent = texts[i];
    });
    return this.result;
  }
}

const short = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(2));
const percent = (share: number) => `${Math.round(100 * share)} %`;

const contestants = NETWORKS.map((name, i) => new Contestant(name, i === 1));
let data: Float32Array;

async function restart(): Promise<void> {
  data = samplePoints(shapeChoice.value, SAMPLES, 7);
  for (const contestant of contestants) {
    contestant.restart();
    await contestant.look(data);
  }
  showMemory();
}

const sigmaChart = lineChart({
  title: 'Largest singular value of each layer of the critic',
  x: 'step',
  y: 'σ',
  series: layerColors,
  panels: NETWORKS,
  logarithmic: true,
});
const lossChart = lineChart({
  title: 'Losses',
  x: 'step',
  y: 'loss',
  series: { [NETWORKS[0]]: colors.none, [NETWORKS[1]]: colors.SpectralNormalization },
  panels: ['of the critic', 'of the generator'],
});

function record(step: number, { name, result }: Contestant): void {
  result?.sigmas.forEach((sigma, layer) => {
    sigmaChart.add(layerNames[layer], step, sigma, name);
  });
}

async function train({ progress, frame }: Running): Promise<string> {
  sigmaChart.clear();
  lossChart.clear();
  await restartSoon();
  for (const contestant of contestants) record(0, contestant);
  const steps = stepsSlider.value;
  for (let step = 1; step <= steps; step++) {
    for (const contestant of contestants) {
      const { critic, generator } = (contestant.gan as Gan).step();
      const [ofCritic, ofGenerator] = (await Promise.all([critic.data(), generator.data()])).map(([value]) => value);
      tf.dispose([critic, generator]);
      lossChart.add(contestant.name, step, ofCritic, 'of the critic');
      lossChart.add(contestant.name, step, ofGenerator, 'of the generator');
      await frame();
      if (step % EVERY > 0 && step < steps) continue;
      await contestant.look(data);
      record(step, contestant);
      await frame();
    }
    progress(step / steps, `Step ${step} of ${steps}`);
  }
  const [plain, spectral] = contestants.map(({ result }) => result as Result);
  return (
    `After ${steps} steps samples of the plain network are near ${percent(plain.reached)} of the data, ` +
    `those of the normalized one near ${percent(spectral.reached)}.`
  );
}

const training = task('Train both', train, controls);
const restartSoon = latest(restart);
for (const control of [shapeChoice, seedSlider]) control.onChange(restartSoon);

const planes = contestants.map(({ name, plane }, i) =>
  element('figure', { className: i === 0 ? 'plain' : 'spectral' }, element('h3', {}, name), plane.element),
);
const heads = ['', 'product of the σ', 'steepest slope', 'samples near data', 'data near samples'];
const rows = contestants.map(({ name, cells }) => tableRow(name, cells));
main.append(
  settings(...controls),
  training.element,
  section(
    'What the generators have learned',
    element('div', { className: 'row' }, ...planes),
    element(
      'p',
      { className: 'legend' },
      element('span', { className: 'data' }, 'data'),
      element('span', { className: 'samples' }, 'samples of the generator'),
      element('span', { className: 'height' }, 'where the critic is highest'),
    ),
    figure(
      'The product of the singular values bounds how steep the critic can be anywhere. The steepest slope is that between ' +
        'neighbours on a grid of 40 by 40. Near is closer than three deviations of the data.',
      element('div', { className: 'table' }, table(heads, rows)),
    ),
  ),
  section('While they train', element('div', { className: 'row charts' }, sigmaChart.element, lossChart.element)),
);
await restart();
expose({ contestants, chart: sigmaChart });
main.ariaBusy = 'false';
