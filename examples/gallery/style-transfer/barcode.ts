/**
 * The gammas and betas that the network holds, as a strip of colours: all that distinguishes one style from another. The formula
 * above it points at the strip, and the strip at its numbers.
 */
import * as tf from '@tensorflow/tfjs';
import { element } from '../shared/dom.ts';
import { colorOf, scaleLegend } from '../shared/scale.ts';

const LETTERS = ['γ', 'β'] as const;
/** What is drawn pale: the gamma and the beta of a layer that changes nothing. */
const PLAIN = [1, 0] as const;
const MEANINGS = ['the scale of a channel', 'the shift of a channel'] as const;

interface Parameters {
  /** Gammas, and betas, of all channels in the order of computation. */
  readonly values: readonly number[][];
  /** The block of each channel. */
  readonly blocks: readonly string[];
}

/** In one read from the GPU. */
async function parametersOf(model: tf.LayersModel): Promise<Parameters> {
  const layers = model.layers.filter(({ name }) => name.endsWith('.norm'));
  const of = (which: 0 | 1) => tf.concat(layers.map((layer) => layer.getWeights()[which] as tf.Tensor1D));
  const all = tf.tidy(() => tf.stack([of(0), of(1)]) as tf.Tensor2D);
  const blocks = layers.flatMap((layer) => Array(layer.getWeights()[0].size).fill(layer.name.replace('.norm', '')));
  const values = await all.array().finally(() => all.dispose());
  return { values, blocks };
}

export function barcode(): { readonly element: HTMLElement; show(model: tf.LayersModel): Promise<void> } {
  const rows = LETTERS.map((letter, row) =>
    element('canvas', {
      height: 1,
      role: 'img',
      'aria-label': `All ${letter} of the network as a strip`,
      'data-row': row,
    }),
  );
  const said = element('p', { className: 'number said', 'aria-live': 'polite' }, 'Point at a letter, or at the strip.');
  const buttons = LETTERS.map((letter) => element('button', { type: 'button', className: 'letter' }, letter));
  const legend = scaleLegend('γ less 1, and β');
  legend.show(1);
  let shown: Parameters | undefined;

  function light(row: number | undefined): void {
    for (const [i, canvas] of rows.entries()) {
      canvas.classList.toggle('pale', row !== undefined && i !== row);
      buttons[i].ariaPressed = String(i === row);
    }
  }
  function say(row: number): void {
    light(row);
    const values = shown?.values[row] ?? [];
    const [low, high] = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(2));
    said.textContent = `${LETTERS[row]}, ${MEANINGS[row]}: ${values.length} of them, from ${low} to ${high}.`;
  }
  for (const [row, button] of buttons.entries()) {
    for (const event of ['pointerenter', 'focus', 'click']) button.addEventListener(event, () => say(row));
    for (const event of ['pointerleave', 'blur']) button.addEventListener(event, () => light(undefined));
  }
  for (const [row, canvas] of rows.entries()) {
    canvas.addEventListener('pointermove', ({ clientX }) => {
      if (!shown) return;
      const { left, width } = canvas.getBoundingClientRect();
      const channel = Math.min(
        shown.blocks.length - 1,
        Math.max(0, Math.floor(((clientX - left) / width) * shown.blocks.length)),
      );
      const [gamma, beta] = shown.values.map((values) => values[channel].toFixed(3));
      light(row);
      said.textContent = `Channel ${channel + 1} of ${shown.blocks.length}, in block ${shown.blocks[channel]}: y = ${gamma} x̂ + ${beta}.`;
    });
    canvas.addEventListener('pointerleave', () => light(undefined));
  }

  async function show(model: tf.LayersModel): Promise<void> {
    shown = await parametersOf(model);
    for (const [row, canvas] of rows.entries()) {
      const values = shown.values[row];
      canvas.width = values.length;
      const context = canvas.getContext('2d') as CanvasRenderingContext2D;
      const image = context.createImageData(values.length, 1);
      for (const [x, value] of values.entries()) image.data.set([...colorOf(value - PLAIN[row]), 255], 4 * x);
      context.putImageData(image, 0, 0);
    }
  }
  const strips = rows.map((canvas, row) =>
    element('div', { className: 'strip' }, element('i', {}, LETTERS[row]), canvas),
  );
  return {
    element: element(
      'div',
      { className: 'barcode' },
      element('p', { className: 'formula' }, 'y = ', buttons[0], ' ( x − μ ) / √( σ² + ε ) + ', buttons[1]),
      ...strips,
      legend.element,
      said,
    ),
    show,
  };
}
