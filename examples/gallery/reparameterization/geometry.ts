/** v to be dragged, w = g v / ||v||, and the ways that gradient descent takes from there, with weight normalization and without. */
import { colors, inks } from '../shared/colors.ts';
import { choice, settings, slider } from '../shared/controls.ts';
import { element, lab } from '../shared/dom.ts';
import { legend } from '../shared/legend.ts';
import {
  lengthOf,
  loss,
  normalizedPath,
  plainPath,
  VALLEYS,
  type Valley,
  type Vector,
  WANTED,
  weightOf,
} from './descent.ts';

/** The plane that is drawn is [-EXTENT, EXTENT] in both directions. */
const EXTENT = 3.2;
const SIZE = 640;
const STEPS = 60;

const part = (name: string, label: string, value: number) =>
  slider({ name, label, min: -3, max: 3, step: 0.05, value, format: (value) => value.toFixed(2) });

export function geometry(): HTMLElement {
  const vx = part('vx', 'v, to the right', -0.6);
  const vy = part('vy', 'v, up', 1);
  const g = slider({
    name: 'g',
    label: 'g, the length of w',
    min: 0.1,
    max: 3,
    step: 0.05,
    value: 1.2,
    format: (g) => g.toFixed(2),
  });
  const valley = choice<Valley>({
    name: 'valley',
    label: 'The valley of the loss lies',
    choices: VALLEYS,
    value: 'along',
  });
  const rate = slider({
    name: 'descent',
    label: 'Learning rate of the descent',
    min: 0.01,
    max: 0.2,
    step: 0.005,
    value: 0.105,
    format: (rate) => rate.toFixed(3),
  });
  const canvas = element('canvas', {
    width: SIZE,
    height: SIZE,
    tabIndex: 0,
    role: 'application',
    'aria-label': 'The plane of two weights: drag v, or move it with the arrow keys',
  });
  // Drawn by the processor: a few hundred lines are not worth the start of a GPU.
  const context = canvas.getContext('2d', { willReadFrequently: true }) as CanvasRenderingContext2D;
  const numbers = element('p', { className: 'number', 'aria-live': 'polite' });
  const verdict = element('p', { className: 'verdict' });

  const pixel = ([x, y]: Vector): Vector => [((x / EXTENT + 1) / 2) * SIZE, ((1 - y / EXTENT) / 2) * SIZE];
  const start = (): { v: Vector; g: number } => {
    const v: Vector = [vx.value, vy.value];
    // A direction there must be.
    return { v: lengthOf(v) < 0.05 ? [0.05, 0] : v, g: g.value };
  };
  const ink = (name: string) => getComputedStyle(canvas).getPropertyValue(name.replace(/^var\((.*)\)$/, '$1'));

  function contours(): void {
    const cells = 160;
    const picture = new OffscreenCanvas(cells, cells);
    const small = picture.getContext('2d') as OffscreenCanvasRenderingContext2D;
    const image = small.createImageData(cells, cells);
    const dark = matchMedia('(prefers-color-scheme: dark)').matches;
    for (let i = 0; i < cells * cells; i++) {
      const at = (cell: number) => ((2 * cell + 1) / cells - 1) * EXTENT;
      const height = Math.log1p(6 * loss(valley.value, [at(i % cells), -at(Math.floor(i / cells))]));
      // Two shades in turn, one for each step of the logarithm, fainter where the loss is high.
      const shade = (Math.floor(2 * height) % 2 ? 22 : 9) * Math.exp(-0.14 * height);
      image.data.set(dark ? [255, 255, 255, 3.2 * shade] : [40, 46, 60, 4 * shade], 4 * i);
    }
    small.putImageData(image, 0, 0);
    context.drawImage(picture, 0, 0, SIZE, SIZE);
  }

  function arrow(to: Vector, color: string, width: number): void {
    const [[x0, y0], [x, y]] = [pixel([0, 0]), pixel(to)];
    const angle = Math.atan2(y - y0, x - x0);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x, y);
    for (const turn of [2.6, -2.6]) {
      context.moveTo(x, y);
      context.lineTo(x + 14 * Math.cos(angle + turn), y + 14 * Math.sin(angle + turn));
    }
    context.stroke();
  }

  function path(points: readonly Vector[], color: string, dashes: number[]): void {
    context.strokeStyle = color;
    context.fillStyle = color;
    context.lineWidth = 2.5;
    context.setLineDash(dashes);
    context.beginPath();
    for (const [i, point] of points.entries()) context[i === 0 ? 'moveTo' : 'lineTo'](...pixel(point));
    context.stroke();
    context.setLineDash([]);
    for (const point of points) {
      context.beginPath();
      context.arc(...pixel(point), 3.6, 0, 2 * Math.PI);
      context.fill();
    }
  }

  function draw(): void {
    const from = start();
    const w = weightOf(from.v, from.g);
    const descent = { valley: valley.value, rate: rate.value, steps: STEPS };
    const [plain, normalized] = [plainPath(w, descent), normalizedPath(from, descent)];
    context.clearRect(0, 0, SIZE, SIZE);
    contours();
    context.strokeStyle = ink('--line');
    context.lineWidth = 2;
    context.beginPath();
    context.arc(...pixel([0, 0]), (from.g / EXTENT / 2) * SIZE, 0, 2 * Math.PI);
    context.stroke();
    path(plain, ink(inks[1]), [7, 5]);
    path(normalized, colors.WeightNormalization, []);
    arrow(from.v, ink(inks[0]), 3);
    arrow(w, colors.WeightNormalization, 5);
    context.fillStyle = ink(inks[0]);
    context.beginPath();
    context.arc(...pixel(from.v), 11, 0, 2 * Math.PI);
    context.fill();
    context.font = 'bold 22px system-ui, sans-serif';
    const label = (text: string, at: Vector) => context.fillText(text, pixel(at)[0] + 14, pixel(at)[1] - 10);
    label('v', from.v);
    label('w', w);
    label('×', [WANTED[0] - 0.14, WANTED[1] - 0.12]);
    const two = (value: number) => value.toFixed(2);
    numbers.textContent =
      `w = g v / ‖v‖ = ${two(from.g)} × (${from.v.map(two).join(', ')}) / ${two(lengthOf(from.v))} = (${w.map(two).join(', ')}). ` +
      `The wanted weights × are (${WANTED.map(two).join(', ')}).`;
    const [without, with_] = [plain, normalized].map((path) => loss(valley.value, path[path.length - 1]));
    const told = (value: number) =>
      value > 1e3 ? 'has run away' : value < 0.005 ? 'has arrived' : `stands at a loss of ${value.toPrecision(2)}`;
    verdict.textContent = `After ${STEPS} steps descent on w ${told(without)}; descent on v and g ${told(with_)}.`;
    verdict.dataset.losses = [without, with_].join();
  }

  function dragTo(event: PointerEvent): void {
    const box = canvas.getBoundingClientRect();
    const snap = (value: number) => Math.round(20 * Math.min(3, Math.max(-3, value))) / 20;
    vx.value = snap((2 * ((event.clientX - box.left) / box.width) - 1) * EXTENT);
    vy.value = snap((1 - 2 * ((event.clientY - box.top) / box.height)) * EXTENT);
    draw();
  }
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    dragTo(event);
  });
  canvas.addEventListener('pointermove', (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) dragTo(event);
  });
  canvas.addEventListener('keydown', (event) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!move) return;
    event.preventDefault();
    vx.value += 0.1 * move[0];
    vy.value += 0.1 * move[1];
    draw();
  });
  for (const control of [vx, vy, g, rate]) control.onChange(draw);
  valley.onChange(draw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  const whole = lab(
    undefined,
    settings(vx, vy, g, valley, rate),
    element(
      'figure',
      { className: 'geometry' },
      canvas,
      element(
        'div',
        {},
        legend([
          { name: 'v, to be dragged', color: inks[0], mark: 'dot' },
          { name: 'w, and descent on v and g', color: colors.WeightNormalization },
          { name: 'descent on w itself', color: inks[1], mark: 'dashes' },
        ]),
        numbers,
        verdict,
        element(
          'p',
          {},
          'Where the direction must be exact, descent on w jumps from wall to wall of the valley, and at too high a rate runs away. ' +
            'The gradient of v is at right angles to v: v grows with every jump, and the longer it is, the less a step turns it. So weight ' +
            'normalization finds a rate by itself. Where the length must be exact, g has the same walls, and nothing is won; in a round ' +
            'valley both arrive.',
        ),
      ),
    ),
  );
  draw(); // its sentences need their room
  requestAnimationFrame(draw); // and its picture the colours of the page
  return whole;
}
