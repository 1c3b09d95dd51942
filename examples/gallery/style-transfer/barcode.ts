/** The gammas and betas that the network holds, as a strip of colours: all that distinguishes one style from another. */
import * as tf from '@tensorflow/tfjs';
import { element } from '../shared/dom.ts';

const [LESS, MORE] = ['63, 125, 224', '228, 87, 46'];

/** The network's gammas and betas in the order of computation, [2, 495], in one read from the GPU. */
function parametersOf(model: tf.LayersModel): Promise<number[][]> {
  const layers = model.layers.filter(({ name }) => name.endsWith('.norm'));
  const of = (which: 0 | 1) => tf.concat(layers.map((layer) => layer.getWeights()[which] as tf.Tensor1D));
  const all = tf.tidy(() => tf.stack([of(0), of(1)]) as tf.Tensor2D);
  return all.array().finally(() => all.dispose());
}

export function barcode(): { readonly element: HTMLElement; show(model: tf.LayersModel): Promise<void> } {
  const canvas = element('canvas', { height: 2, role: 'img', 'aria-label': 'Gammas and betas as a strip of colours' });

  async function show(model: tf.LayersModel): Promise<void> {
    const [gammas, betas] = await parametersOf(model);
    canvas.width = gammas.length;
    const context = canvas.getContext('2d')!;
    const draw = (x: number, y: number, value: number) => {
      context.fillStyle = `rgba(${value < 0 ? LESS : MORE}, ${Math.min(1, Math.abs(value))})`;
      context.fillRect(x, y, 1, 1);
    };
    for (const [x, gamma] of gammas.entries()) draw(x, 0, gamma - 1);
    for (const [x, beta] of betas.entries()) draw(x, 1, beta);
  }

  const rows = element(
    'div',
    { className: 'letters', 'aria-hidden': 'true' },
    element('i', {}, 'γ'),
    element('i', {}, 'β'),
  );
  return { element: element('div', { className: 'barcode' }, rows, canvas), show };
}
