/** What is averaged with what: one block of activations, and which of its cells share their mean and variance. */
import * as tf from '@tensorflow/tfjs';
import { colors } from '../shared/colors.ts';
import { settings } from '../shared/controls.ts';
import { ATTRIBUTION } from '../shared/digits.ts';
import { element, figure, section } from '../shared/dom.ts';
import { latest } from '../shared/latest.ts';
import { showMemory } from '../shared/memory.ts';
import { expose, openPage } from '../shared/page.ts';
import { thumbnail } from './activations.ts';
import { answer } from './answer.ts';
import { type Cell, indexOf } from './cells.ts';
import { reachOf } from './colours.ts';
import { cube } from './cube.ts';
import { distribution } from './distribution.ts';
import { grid } from './grid.ts';
import { codeOf } from './normalizations.ts';
import { dimensions, makeLayer } from './normalize.ts';
import { cellNumbers } from './numbers.ts';
import { crosstalkOf, litBy, type Result, run } from './result.ts';
import { controls, wish } from './settings.ts';
import './averages.css';

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
let chosen: Cell = { example: 1, row: 12, column: 9, channel: 3 };

const before = grid('Before', choose);
const after = grid('After', choose);
const picture = cube();
const distributed = distribution();
const code = element('code', { className: 'call' });
const crosstalk = element('p', { className: 'crosstalk' });
const numbers = element('div', { className: 'numbers', 'aria-live': 'polite' });
const answered = answer();

function choose(cell: Cell): void {
  if (!result || indexOf(result.shape, cell) === indexOf(result.shape, chosen)) return;
  chosen = cell;
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
  code.textContent = `${codeOf(name, settings)}.apply(x, { training: true })`;
  crosstalk.textContent = crosstalkOf(result);
  drawCell();
  if (distributed.by.value !== 'shared') drawDistribution();
}

function drawCell(): void {
  if (!result) return;
  const { shape, x, y } = result;
  const lit = litBy(result, chosen);
  before.draw({ shape, lit, chosen, values: x, reach: reachOf(x) });
  after.draw({ shape, lit, chosen, values: y, reach: reachOf(y) });
  picture.draw(shape, lit, chosen);
  numbers.replaceChildren(...cellNumbers(result, chosen));
  if (distributed.by.value === 'shared') drawDistribution();
  answered.ask(result, chosen);
}

function drawDistribution(): void {
  if (result) distributed.draw(result, chosen);
}

const runLatest = latest(async () => {
  main.ariaBusy = 'true';
  result = await run(wish());
  chosen = { ...chosen, example: Math.min(chosen.example, result.shape.examples - 1) };
  drawAll();
  showMemory();
  main.ariaBusy = 'false';
});
for (const control of controls) control.onChange(runLatest);
distributed.by.onChange(drawDistribution);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawCell);

main.append(
  settings(...controls),
  element('p', { className: 'callline' }, code),
  element(
    'div',
    { className: 'blocks' },
    before.element,
    after.element,
    figure('The same as a cube: solid is what shares the mean and the variance of the chosen cell.', picture.element),
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

expose({
  tf,
  result: () => result,
  chosen: () => chosen,
  choose,
  lit: () => result && litBy(result, chosen),
  /** A fresh layer as set, applied to other values. */
  async apply(values: ArrayLike<number>): Promise<number[]> {
    if (!result) return [];
    const { name, settings, shape } = result;
    const y = tf.tidy(() => {
      const layer = makeLayer(name, settings, shape);
      const y = layer.apply(tf.tensor(Float32Array.from(values), dimensions(shape)), { training: true });
      layer.dispose();
      return y as tf.Tensor;
    });
    const outputs = Array.from(await y.data());
    y.dispose();
    return outputs;
  },
});

await runLatest();
