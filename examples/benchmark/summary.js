/**
 * What texts of the documentation say of the results, out of results.json: publish.js writes it between two comments, and a test finds
 * it there.
 */
import { cell, softwareNote } from './format.js';

const BEGIN = '<!-- Written by `npm run bench -- --publish examples/benchmark`, not by hand. -->';
const END = '<!-- The end of that. -->';

const BACKENDS = [
  ['cpu', 'SIMD kernels in WebAssembly'],
  ['wasm', "the same kernels on that backend's own memory"],
  ['webgl', 'fused WebGL 2 programs'],
  ['webgpu', 'fused compute shaders'],
  ['tensorflow', 'Node: native kernels in C++, or few TensorFlow ops'],
];
/** The columns of the table: a normalization, its shape, and whether with the gradient. */
const COLUMNS = [
  ['Layer', 'layer', [512, 768], ''],
  ['Layer', 'layer', [512, 768], 'Gradient'],
  ['Batch', 'batch', [8, 32, 32, 64], ''],
  ['Batch', 'batch', [8, 32, 32, 64], 'Gradient'],
  ['Instance', 'instance', [8, 32, 32, 64], 'Gradient'],
  ['Group(8)', 'group', [8, 32, 32, 64], 'Gradient'],
];

const row = (cells) => `| ${cells.join(' | ')} |`;
/** Two digits, or all before the point. */
const ratio = (value) => (value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(2))));

/** How many times as long TensorFlow.js takes: its layer where it has one, else the formula in its ops. */
function gain({ us }, gradient) {
  if (us[`builtIn${gradient}`] && us[`layer${gradient}`]) return us[`builtIn${gradient}`] / us[`layer${gradient}`];
  return us[`composed${gradient}`] / us[`ours${gradient}`];
}

function drawnBy(name, backend) {
  if (!backend || !name.startsWith('webg')) return '';
  return softwareNote(backend.device) ? ' (here drawn in software)' : ` (here by ${backend.device})`;
}

const measured = (backend, name, shape) =>
  backend?.measurements.find((one) => one.name === name && String(one.shape) === String(shape));

/** The table of backends, of what results.json holds. */
export function backendTable({ date, machine, backends }) {
  const head = COLUMNS.map(([title, , , gradient]) => `${title}, ${gradient ? 'with gradient' : 'forward'}`);
  const rows = BACKENDS.map(([name, what]) => {
    const backend = backends[name];
    const cells = COLUMNS.map(([, normalization, shape, gradient]) => {
      const found = measured(backend, normalization, shape);
      return found ? ratio(gain(found, gradient)) : '-';
    });
    return row([`\`${name}\``, `${what}${drawnBy(name, backend)}`, ...cells]);
  });
  return [
    row(['backend', 'what runs', ...head]),
    row(['---', '---', ...COLUMNS.map(() => '--:')]),
    ...rows,
    '',
    `Layer normalization of [512, 768], the others of [8, 32, 32, 64]; measured on ${date} on ${machine.cpu}, Node ` +
      `${machine.node.replace('v', '')}; - is what has not been measured there.`,
  ].join('\n');
}

/** The smallest and the largest of some ratios, rounded. */
function range(backend, numerator, denominator) {
  const large = backend.measurements.filter(
    ({ shape, us }) => shape.join() !== '64,128' && shape[0] !== 4096 && us.copy,
  );
  const values = large.map(({ us }) => Math.round(us[numerator] / us[denominator]));
  return `${Math.min(...values)} to ${Math.max(...values)}`;
}

/** What was measured beside that, in sentences; each where it was. */
export function sentences({ backends: { cpu, wasm, webgl, webgpu }, tables: { tax, step, errors } }) {
  const copies =
    cpu &&
    wasm &&
    `On the cpu backend a normalization of 1.5 MB takes as long as ${range(cpu, 'ours', 'copy')} copies between arrays that are there ` +
      `already, forward, and ${range(cpu, 'backward', 'copy')} backward; on wasm ${range(wasm, 'forward', 'copy')}, and ` +
      `${range(wasm, 'backward', 'copy')}.`;
  const texts = [copies, draws('webgl', 'draws', webgl), draws('webgpu', 'dispatches', webgpu)];
  return [...texts, taxes(tax), training(step), largestError(errors)].filter(Boolean).join('\n\n');
}

/** The benchmark runs WebGPU in software with small workgroups: see page.js. */
const IN_SOFTWARE =
  ' Counted in software, with small workgroups: a GPU has larger ones, and takes fewer where rows or images are long.';

function draws(name, unit, backend) {
  const isInSoftware = name === 'webgpu' && softwareNote(backend?.device);
  const of = (normalization, shape) => {
    const { layerGradient: ours, builtInGradient, composedGradient } = measured(backend, normalization, shape).draws;
    return `${ours} (${builtInGradient ?? composedGradient})`;
  };
  const images = [8, 32, 32, 64];
  return (
    backend &&
    `In ${unit} of \`${name}\`, forward and gradient of Layer normalization take ` +
      `${of('layer', [512, 768])}, of Batch with its moving averages ${of('batch', images)}, of Instance ${of('instance', images)} and ` +
      `of Group ${of('group', images)}; in parentheses those of TensorFlow.js.${isInSoftware ? IN_SOFTWARE : ''}`
  );
}

function taxes(tax) {
  const between = (i) => {
    const values = tax.rows.map(({ values }) => values[i]).filter((value) => value !== undefined && value !== null);
    return values.length > 0 && [Math.min, Math.max].map((end) => ratio(end(...values))).join(' to ');
  };
  // A column of ours, and after it that of TensorFlow.js.
  const ours = tax?.columns.map((name, i) => [name, i]).filter(([name, i]) => name !== 'TF.js' && between(i));
  return (
    ours?.length > 0 &&
    `A training step of a small network with two or three normalizations takes this many times as long as without, and with those of ` +
      `TensorFlow.js in parentheses: ${ours.map(([name, i]) => `on ${name} ${between(i)} (${between(i + 1)})`).join(', ')}.`
  );
}

function training(step) {
  if (!step) return undefined;
  const [without, ours, theirs, onCpu] = step.rows[0].values;
  return (
    `A network for MNIST with two batch normalizations takes ${cell(ours, 'time')} a step of 32 on wasm, where without them it takes ` +
    `${cell(without, 'time')}, and with those of TensorFlow.js ${cell(theirs, 'time')}; on the cpu backend, with ours, ${cell(onCpu, 'time')}.`
  );
}

function largestError(errors) {
  const ofOurs = errors?.rows.flatMap(({ values }) => values.slice(0, 3));
  return (
    ofOurs &&
    `Errors of Batch, Instance, Group, Layer and RMS against float64 are at most ${cell(Math.max(...ofOurs), 'error')} of the largest ` +
      `value, at means of 0, 1e4 and 1e6, for a deviation of 1; those of the plain formula reach ` +
      `${cell(Math.max(...errors.rows.flatMap(({ values }) => values.slice(3))), 'error')}.`
  );
}

/** The texts that hold a summary, from the root of the repository, and what makes it. */
export const summaries = {
  'README.md': backendTable,
  'examples/guides/performance.md': sentences,
};

/** The Markdown with another summary in it. */
export function withSummary(markdown, summary) {
  const [from, to] = [markdown.indexOf(BEGIN), markdown.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`a text has no place for the summary, between ${BEGIN} and ${END}`);
  return `${markdown.slice(0, from + BEGIN.length)}\n\n${summary}\n\n${markdown.slice(to)}`;
}
