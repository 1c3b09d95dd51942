/** What is averaged with what: one block of activations, and which of its cells share their mean and variance. */
import * as tf from '@tensorflow/tfjs';
import { colors } from '../shared/colors.ts';
import { settings, slider } from '../shared/controls.ts';
import { ATTRIBUTION } from '../shared/digits.ts';
import { element, figure, lab, section } from '../shared/dom.ts';
import { expose } from '../shared/expose.ts';
import { latest } from '../shared/latest.ts';
import { showMemory } from '../shared/memory.ts';
import { openPage } from '../shared/page.ts';
import { reachOf } from '../shared/scale.ts';
import { stands } from '../shared/standing.ts';
import { thumbnail } from './activations.ts';
import { answer } from './answer.ts';
import { type Cell, indexOf } from './cells.ts';
import { chosenCell } from './chosen.ts';
import { cube } from './cube.ts';
import { distribution } from './distribution.ts';
import { formula } from './formula.ts';
import { grid } from './grid.ts';
import { codeOf, inputCodeOf } from './normalizations.ts';
import { dimensions, inputsFor, makeLayer } from './normalize.ts';
import { cellNumbers } from './numbers.ts';
import { crosstalkOf, litBy, type Result, run } from './result.ts';
import { controls, panel, wish } from './settings.ts';
import './averages.css';
import './cube.css';

const { main } = await openPage({
  folder: 'averages',
  explanation:
    'A normalization subtracts a mean and divides by a deviation. Most differ in one thing alone: of which activations? ' +
    'Point at one activation, or move with the arrow keys: all that share its mean and deviation keep their colours.',
  attributions: [
    'Photographs from scikit-image: astronaut (NASA, public domain), cat “chelsea” and coffee (CC0).',
    ATTRIBUTION,
  ],
});

let result: Result | undefined;
/** The end of the colour scale, one for all steps: on two of their own they would look alike. */
let reach = 1;
const selection = chosenCell();

const STAGES = ['x, as it is', 'less its mean', 'divided by its deviation', 'times γ, plus β'];
const stageSlider = slider({
  name: 'stage',
  label: 'Step by step',
  min: 0,
  max: STAGES.length - 1,
  value: STAGES.length - 1,
  format: (stage) => STAGES[stage],
});
const before = grid('Before', choose);
const after = grid('After', choose);
const letters = formula(drawCell);
const picture = cube();
const distributed = distribution();
const code = element('code', { className: 'call' });
const crosstalk = element('p', { className: 'crosstalk' });
const numbers = element('div', { className: 'numbers', 'aria-live': 'polite' });
const answered = answer();

function choose(cell: Cell): void {
  if (!result || indexOf(result.shape, cell) === indexOf(result.shape, selection.value)) return;
  selection.value = cell;
  drawCell();
}

function drawAll(): void {
  if (!result) return;
  const { name, settings, light, shape, examples, names } = result;
  for (const block of [before, after]) {
    const images = Array.from({ length: shape.examples }, (_, i) => thumbnail(examples, i, i === 0 ? light : 1));
    block.label(names.channels, images);
  }
  main.style.setProperty('--accent', colors[name]);
  code.textContent = `${codeOf(name, settings)}.apply(${inputCodeOf(name)}, { training: true })`;
  crosstalk.textContent = crosstalkOf(result);
  drawCell();
  if (distributed.by.value !== 'shared') drawDistribution();
}

function drawCell(): void {
  if (!result) return;
  const { shape, stages } = result;
  const chosen = selection.value;
  const lit = letters.lit(result, chosen) ?? litBy(result, chosen);
  const stage = stageSlider.value;
  after.title(stage === STAGES.length - 1 ? 'After' : `After: ${STAGES[stage]}`);
  before.draw({ shape, lit, chosen, values: stages[0], reach });
  after.draw({ shape, lit, chosen, values: stages[stage], reach });
  picture.draw(shape, lit, chosen);
  letters.show(result, chosen);
  numbers.replaceChildren(...cellNumbers(result, chosen));
  if (distributed.by.value === 'shared') drawDistribution();
  answered.ask(result, chosen);
}

function drawDistribution(): void {
  if (result) distributed.draw(result, selection.value);
}

const runLatest = latest(async () => {
  result = await run(wish());
  reach = Math.max(...result.stages.map(reachOf));
  const last = result.shape.examples - 1;
  if (selection.value.example > last) selection.value = { ...selection.value, example: last };
  drawAll();
  showMemory();
});
for (const control of controls) control.onChange(runLatest);
distributed.by.onChange(drawDistribution);
stageSlider.onChange(drawCell);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawCell);

// All at once, when there is something to see: a page that grows piece by piece jumps.
await runLatest();

main.append(
  lab(
    undefined,
    panel,
    element('div', { className: 'formula-and-steps' }, letters.element, stageSlider.element),
    element('div', { className: 'blocks' }, before.element, after.element),
    element('p', { className: 'callline' }, code),
  ),
  element(
    'div',
    { className: 'blocks' },
    figure('The same as a cube: solid is what is in colour above.', picture.element),
    element(
      'figure',
      { className: 'cell' },
      element('h3', {}, 'The chosen cell'),
      numbers,
      answered.element,
      crosstalk,
    ),
  ),
  section(
    'How the values are distributed',
    settings(distributed.by),
    element('div', { className: 'row histograms' }, ...distributed.elements),
    element(
      'p',
      {},
      'Heights are square roots of counts, so that rare values show. The dot is the mean, and the line one deviation to both sides.',
    ),
  ),
);

drawAll(); // now with the colours of the page

expose({
  tf,
  result: () => result,
  chosen: () => selection.value,
  choose,
  stages: () => result?.stages,
  reach: () => reach,
  lit: () => result && litBy(result, selection.value),
  pointed: () => result && letters.lit(result, selection.value),
  /** A fresh layer as set, applied to other values. */
  async apply(values: ArrayLike<number>): Promise<number[]> {
    if (!result) return [];
    const { name, settings, shape, x } = result;
    const y = tf.tidy(() => {
      const layer = makeLayer(name, settings, shape);
      const [now, changed] = [x, Float32Array.from(values)].map((block) => tf.tensor4d(block, dimensions(shape)));
      const y = layer.apply(inputsFor(name, settings, now)(changed), { training: true });
      layer.dispose();
      return y as tf.Tensor;
    });
    const outputs = Array.from(await y.data());
    y.dispose();
    return outputs;
  },
});

await stands(main);
