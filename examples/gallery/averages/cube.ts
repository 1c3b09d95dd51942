/**
 * The block as a cube of glass, as in the paper of group normalization: examples to the back, channels to the right, and
 * positions, rows and columns in one, from top to bottom. What shares the statistics is solid.
 */
import { type Cell, indexOf, type Shape } from './cells.ts';

/** So many layers of cubes stand for all positions. */
const LEVELS = 6;
const EDGE = 22;
/** How far one step to the back goes right and up. */
const DEPTH = { x: 15, y: 12 };
const SVG = 'http://www.w3.org/2000/svg';

function shape(tag: string, attributes: Record<string, string | number>, text = ''): SVGElement {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.textContent = text;
  return made;
}

export interface Cube {
  readonly element: SVGElement;
  draw(sizes: Shape, lit: Float32Array, chosen: Cell): void;
  /** Is called with the small cube that is pointed at. */
  onChoose(listener: (cell: Cell) => void): void;
}

export interface CubeOptions {
  /** Fits into its place whatever that is, and does not grow by itself. */
  readonly small?: boolean;
}

export function cube({ small: fits = false }: CubeOptions = {}): Cube {
  const whole = shape('svg', {
    class: 'cube',
    role: 'img',
    'aria-label': 'Examples, channels and positions as a cube',
  });
  const listeners: ((cell: Cell) => void)[] = [];
  /** The small cubes as they were drawn: drawn again in place, which takes a fraction of the time. */
  let drawn: { readonly key: string; readonly parts: readonly SVGElement[] } | undefined;
  let front: SVGElement | undefined;

  return {
    element: whole,
    onChoose: (listener) => void listeners.push(listener),
    draw(sizes, lit, chosen) {
      const { examples, channels, rows, columns } = sizes;
      const left = 26;
      const top = 8 + DEPTH.y * examples;
      const corner = (channel: number, level: number, example: number) => ({
        x: left + channel * EDGE + example * DEPTH.x,
        y: top + level * EDGE - example * DEPTH.y,
      });
      const perLevel = (rows * columns) / LEVELS;
      const place = chosen.row * columns + chosen.column;
      const level = Math.floor(place / perLevel);
      const key = [examples, channels, rows, columns].join();
      const parts: SVGElement[] = [];
      front?.remove();
      for (let example = examples - 1; example >= 0; example--) {
        for (let below = LEVELS - 1; below >= 0; below--) {
          for (let channel = 0; channel < channels; channel++) {
            // The level of the chosen position shows that one, any other its first.
            const at = below === level ? place : Math.ceil(below * perLevel);
            const cell = { example, channel, row: Math.floor(at / columns), column: at % columns };
            const share = lit[indexOf(sizes, cell)];
            const one = (drawn?.key === key && drawn.parts[parts.length]) || small(corner(channel, below, example));
            paint(one, share, false);
            if (drawn?.key !== key) {
              one.addEventListener('pointerenter', () => {
                for (const listener of listeners) listener(cell);
              });
            }
            parts.push(one);
          }
        }
      }
      // The chosen one once more, on top of what stands before it.
      front = small(corner(chosen.channel, level, chosen.example));
      front.setAttribute('pointer-events', 'none');
      paint(front, 1, true);
      if (drawn?.key === key) {
        whole.append(front);
        return;
      }
      drawn = { key, parts };
      const end = corner(channels, LEVELS, examples);
      const width = end.x + 10;
      const height = top + LEVELS * EDGE + 26;
      const middle = { x: left + (channels * EDGE) / 2, y: top + (LEVELS * EDGE) / 2 };
      const backwards = corner(channels, LEVELS, examples / 2);
      if (!fits) whole.style.maxWidth = `${1.5 * width}px`;
      whole.replaceChildren(
        ...parts,
        front,
        shape('text', { x: middle.x, y: height - 8, 'text-anchor': 'middle' }, 'channels'),
        shape(
          'text',
          { x: 16, y: middle.y, 'text-anchor': 'middle', transform: `rotate(-90 16 ${middle.y})` },
          'positions',
        ),
        shape('text', { x: backwards.x + 4, y: backwards.y + 16, 'text-anchor': 'start' }, 'examples'),
      );
      // The word at the lower right needs its place.
      whole.setAttribute('viewBox', `0 0 ${Math.max(width, backwards.x + 66)} ${height}`);
    },
  };
}

function paint(one: SVGElement, lit: number, chosen: boolean): void {
  one.setAttribute('class', chosen ? 'chosen' : lit > 0 ? 'lit' : 'glass');
  one.style.setProperty('--lit', String(lit));
}

/** One small cube by its front's upper left corner. */
function small({ x, y }: { x: number; y: number }): SVGElement {
  const e = EDGE;
  const { x: dx, y: dy } = DEPTH;
  const made = shape('g', {});
  const face = (kind: string, ...points: readonly (readonly [number, number])[]) =>
    shape('polygon', { class: kind, points: points.map(([px, py]) => `${x + px},${y + py}`).join(' ') });
  made.append(
    face('front', [0, 0], [e, 0], [e, e], [0, e]),
    face('top', [0, 0], [dx, -dy], [e + dx, -dy], [e, 0]),
    face('side', [e, 0], [e + dx, -dy], [e + dx, e - dy], [e, e]),
  );
  return made;
}
