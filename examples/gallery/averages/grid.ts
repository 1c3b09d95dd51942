/** A block as small maps, one row for each example and one column for each channel, in which a cell can be chosen. */
import { element } from '../shared/dom.ts';
import { colorOf, mix, scaleLegend } from '../shared/scale.ts';
import { type Cell, cellsOf, indexOf, type Shape } from './cells.ts';
import { greyOf, isDark } from './grey.ts';

/** Units of the drawing: a cell is 1 wide, and the space between two maps this. */
const GAP = 2;
const SCALE = 5;
/** Around the whole: outlines at the edge need it. */
const MARGIN = 1;
const extentOf = ({ examples, rows, columns, channels }: Shape) => ({
  width: channels * (columns + GAP) - GAP + 2 * MARGIN,
  height: examples * (rows + GAP) - GAP + 2 * MARGIN,
});

export interface Picture {
  readonly shape: Shape;
  readonly values: Float32Array;
  /** The value of the last colour. */
  readonly reach: number;
  /** How much of its colour each cell keeps, from 0 to 1. */
  readonly lit: Float32Array;
  readonly chosen: Cell;
}

export interface Grid {
  readonly element: HTMLElement;
  title(text: string): void;
  /** Writes on the margins. */
  label(channels: readonly string[], examples: readonly HTMLElement[]): void;
  draw(picture: Picture): void;
}

export function grid(title: string, onChoose: (cell: Cell) => void): Grid {
  const canvas = element('canvas', {
    tabIndex: 0,
    role: 'application',
    'aria-label': `${title}: choose a cell by the arrow keys, with Shift to go to the next map`,
  });
  const legend = scaleLegend('value');
  const heading = element('h3', {}, title);
  const holder = element('div', { className: 'maps' }, canvas);
  const whole = element('figure', { className: 'block' }, heading, holder, legend.element);
  let picture: Picture | undefined;

  function label(channels: readonly string[], examples: readonly HTMLElement[]): void {
    holder.style.setProperty('--channels', String(channels.length));
    holder.style.setProperty('--examples', String(examples.length));
    for (const old of holder.querySelectorAll('.channel, .example')) old.remove();
    // Before the canvas, which stays where it is: else it would lose the focus.
    canvas.before(
      ...channels.map((name, i) => element('span', { className: 'channel', style: `grid-column: ${i + 2}` }, name)),
      ...examples.map((one, i) => element('span', { className: 'example', style: `grid-row: ${i + 2}` }, one)),
    );
  }
  function draw(next: Picture): void {
    picture = next;
    const { shape, reach } = next;
    const { width, height } = extentOf(shape);
    canvas.width = SCALE * width;
    canvas.height = SCALE * height;
    legend.show(reach);
    paint(canvas, next);
  }

  const chooseAt = (event: PointerEvent) => {
    const cell = picture && cellUnder(event, canvas, picture.shape);
    if (cell) onChoose(cell);
  };
  canvas.addEventListener('pointermove', chooseAt);
  canvas.addEventListener('pointerdown', chooseAt);
  canvas.addEventListener('keydown', (event) => {
    const cell = picture && cellBeside(event, picture);
    if (!cell) return;
    event.preventDefault();
    onChoose(cell);
  });
  const rename = (text: string) => {
    heading.textContent = text;
  };
  return { element: whole, title: rename, label, draw };
}

function cellUnder(event: PointerEvent, canvas: HTMLCanvasElement, shape: Shape): Cell | undefined {
  const box = canvas.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * (canvas.width / SCALE) - MARGIN;
  const y = ((event.clientY - box.top) / box.height) * (canvas.height / SCALE) - MARGIN;
  const cell = {
    example: Math.floor(y / (shape.rows + GAP)),
    channel: Math.floor(x / (shape.columns + GAP)),
    row: Math.floor(y % (shape.rows + GAP)),
    column: Math.floor(x % (shape.columns + GAP)),
  };
  const inside = x >= 0 && y >= 0 && cell.row < shape.rows && cell.column < shape.columns;
  return inside && cell.example < shape.examples && cell.channel < shape.channels ? cell : undefined;
}

/** One cell on, into the next map at the end of one; with Shift a whole map on. Round at the ends of the block. */
function cellBeside({ key, shiftKey }: KeyboardEvent, { shape, chosen }: Picture): Cell | undefined {
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[key];
  if (!step) return undefined;
  const move = (map: number, maps: number, at: number, size: number, by: number) => {
    const total = maps * size;
    const to = (map * size + at + by * (shiftKey ? size : 1) + total) % total;
    return [Math.floor(to / size), to % size];
  };
  const [example, row] = move(chosen.example, shape.examples, chosen.row, shape.rows, step[0]);
  const [channel, column] = move(chosen.channel, shape.channels, chosen.column, shape.columns, step[1]);
  return { example, row, channel, column };
}

function paint(canvas: HTMLCanvasElement, picture: Picture): void {
  const { shape, values, reach, lit, chosen } = picture;
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  const { width, height } = { width: canvas.width / SCALE, height: canvas.height / SCALE };
  const image = new ImageData(width, height);
  const dark = isDark();
  for (const [i, cell] of cellsOf(shape).entries()) {
    const { x, y } = placeOf(cell, shape);
    const share = values[i] / reach;
    const [red, green, blue] = mix(greyOf(share, dark), colorOf(share), lit[i]);
    const at = 4 * (y * width + x);
    image.data[at] = red;
    image.data[at + 1] = green;
    image.data[at + 2] = blue;
    image.data[at + 3] = 255;
  }
  const small = new OffscreenCanvas(width, height);
  small.getContext('2d')?.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);

  const accent = getComputedStyle(canvas).getPropertyValue('--accent');
  for (let example = 0; example < shape.examples; example++) {
    for (let channel = 0; channel < shape.channels; channel++) {
      const inMap = (row: number, column: number) => lit[indexOf(shape, { example, channel, row, column })] > 0;
      const corner = placeOf({ example, channel, row: 0, column: 0 }, shape);
      if (inMap(0, 0) && inMap(shape.rows - 1, shape.columns - 1)) {
        context.strokeStyle = accent;
        context.lineWidth = SCALE;
        const [w, h] = [(shape.columns + 1) * SCALE, (shape.rows + 1) * SCALE];
        context.strokeRect((corner.x - 0.5) * SCALE, (corner.y - 0.5) * SCALE, w, h);
      } else if (inMap(chosen.row, chosen.column)) {
        ring(context, placeOf({ ...chosen, example, channel }, shape), accent, 1);
      }
    }
  }
  ring(context, placeOf(chosen, shape), accent, 2);
}

/** Around one cell. */
function ring(context: CanvasRenderingContext2D, { x, y }: { x: number; y: number }, colour: string, by: number): void {
  const box = [(x - by) * SCALE, (y - by) * SCALE, (1 + 2 * by) * SCALE, (1 + 2 * by) * SCALE] as const;
  for (const [style, width] of [
    ['#fff', 1.6 * SCALE],
    [by > 1 ? '#111' : colour, 0.8 * SCALE],
  ] as const) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.strokeRect(...box);
  }
}

const placeOf = ({ example, row, column, channel }: Cell, { rows, columns }: Shape) => ({
  x: MARGIN + channel * (columns + GAP) + column,
  y: MARGIN + example * (rows + GAP) + row,
});
