/** Attention as a picture: how much each place of the output takes of each place of the input, and for one pair how that comes. */
import { element } from '../shared/dom.ts';

export interface Attended {
  /** Symbols that go in, that come out, and that should. */
  readonly symbols: readonly number[];
  readonly predicted: readonly number[];
  readonly solved: readonly number[];
  /** What goes into the softmax, [heads, length, length]. */
  readonly logits: Float32Array;
  /** The learned scale of normalized queries and keys, which is part of their logits. */
  readonly g?: number | undefined;
}

/** The softmax of each row of `length` logits. */
export function softmaxRows(logits: Float32Array, length: number): Float32Array {
  const weights = new Float32Array(logits.length);
  for (let start = 0; start < logits.length; start += length) {
    const row = logits.subarray(start, start + length);
    const most = Math.max(...row);
    const exps = row.map((logit) => Math.exp(logit - most));
    const sum = exps.reduce((a, b) => a + b);
    weights.set(
      exps.map((one) => one / sum),
      start,
    );
  }
  return weights;
}

const SVG = 'http://www.w3.org/2000/svg';
function shape(tag: string, attributes: Record<string, string | number>, text = ''): SVGElement {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.textContent = text;
  return made;
}

const CELL = 20;
const [LEFT, TOP, BELOW, BETWEEN] = [24, 22, 24, 30];

interface Place {
  readonly head: number;
  readonly output: number;
  readonly input: number;
}

export interface AttentionMap {
  readonly element: HTMLElement;
  /** @param g draws what the softmax would be with this scale in place of the learned one */
  draw(attended: Attended, g?: number): void;
}

export function attentionMap(title: string, color: string): AttentionMap {
  const svg = shape('svg', {
    class: 'map',
    role: 'application',
    tabindex: 0,
    'aria-label': `${title}: attention of each place of the output to those of the input; the arrow keys choose a pair, Shift the other head`,
  });
  const numbers = element('p', { className: 'pair number', 'aria-live': 'polite' });
  const answer = element('p', { className: 'answer' });
  const scale = element(
    'div',
    { className: 'scale-legend' },
    'share of the attention: 0',
    element('i', { className: 'scale shares' }),
    '1',
  );
  const whole = element(
    'figure',
    { className: 'attention', style: `--series: ${color}` },
    element('h3', {}, title),
    svg as unknown as HTMLElement,
    scale,
    numbers,
    answer,
  );
  let shown: Attended | undefined;
  let scaled: Float32Array = new Float32Array();
  let weights: Float32Array = scaled;
  let usedScale: number | undefined;
  /** What the reader has chosen; until then the strongest pair is shown. */
  let chosen: Place | undefined;
  const ring = shape('rect', { class: 'ring', width: CELL, height: CELL });
  const size = () => shown?.symbols.length ?? 0;
  const heads = () => scaled.length / size() ** 2;
  const at = ({ head, output, input }: Place) => (head * size() + output) * size() + input;
  const corner = ({ head, output, input }: Place) => ({
    x: LEFT + head * (size() * CELL + BETWEEN) + input * CELL,
    y: TOP + output * CELL,
  });

  /** Where the first output looks most in the first head. */
  function strongest(): Place {
    const row = weights.subarray(0, size());
    return { head: 0, output: 0, input: row.indexOf(Math.max(...row)) };
  }

  function choose(place: Place): void {
    chosen = place;
    explain(place);
  }

  function explain(place: Place): void {
    const { x, y } = corner(place);
    ring.setAttribute('x', String(x));
    ring.setAttribute('y', String(y));
    const logit = scaled[at(place)];
    const how =
      usedScale === undefined
        ? `q·k / √d = ${logit.toFixed(2)}`
        : `g q̂·k̂ = ${usedScale.toFixed(1)} × ${(logit / usedScale).toFixed(2)} = ${logit.toFixed(2)}`;
    numbers.textContent = `Output ${place.output + 1} to input ${place.input + 1}, head ${place.head + 1}: ${how}, share ${weights[at(place)].toFixed(3)}`;
  }

  function draw(attended: Attended, g?: number): void {
    const { symbols, predicted, solved, logits } = attended;
    shown = attended;
    usedScale = attended.g === undefined ? undefined : g || attended.g;
    scaled =
      usedScale === undefined
        ? logits
        : logits.map((logit) => (logit / (attended.g as number)) * (usedScale as number));
    weights = softmaxRows(scaled, symbols.length);
    const width = LEFT + heads() * symbols.length * CELL + (heads() - 1) * BETWEEN + 2;
    svg.setAttribute('viewBox', `0 0 ${width} ${TOP + symbols.length * CELL + BELOW}`);
    const parts: SVGElement[] = [];
    for (let head = 0; head < heads(); head++) {
      const { x, y } = corner({ head, output: 0, input: 0 });
      const side = symbols.length * CELL;
      parts.push(shape('rect', { class: 'frame', x, y, width: side, height: side }));
      parts.push(shape('text', { x: x + side / 2, y: y - 8, 'text-anchor': 'middle' }, `head ${head + 1}`));
      for (const [i, symbol] of symbols.entries()) {
        parts.push(
          shape('text', { x: x + (i + 0.5) * CELL, y: y + side + 16, 'text-anchor': 'middle' }, String(symbol)),
        );
        parts.push(shape('text', { x: x - 8, y: y + (i + 0.7) * CELL, 'text-anchor': 'middle' }, String(predicted[i])));
        for (const input of symbols.keys()) {
          const place = { head, output: i, input };
          const cell = shape('rect', {
            class: 'cell',
            ...corner(place),
            width: CELL - 1,
            height: CELL - 1,
            'fill-opacity': weights[at(place)].toFixed(3),
          });
          cell.addEventListener('pointerenter', () => choose(place));
          cell.addEventListener('pointerdown', () => choose(place));
          parts.push(cell);
        }
      }
    }
    svg.replaceChildren(...parts, ring);
    explain(chosen ?? strongest());
    const marks = predicted.map((symbol, i) =>
      element('span', { className: symbol === solved[i] ? 'right' : 'wrong' }, String(symbol)),
    );
    answer.replaceChildren(`${symbols.join(' ')} → `, ...marks.flatMap((mark) => [mark, ' ']));
  }

  svg.addEventListener('keydown', (event) => {
    const { key, shiftKey } = event as KeyboardEvent;
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[key];
    if (!move || !shown) return;
    const from = chosen ?? strongest();
    event.preventDefault();
    const round = (value: number, count: number) => (value + count) % count;
    if (shiftKey) return choose({ ...from, head: round(from.head + 1, heads()) });
    const [down, right] = move;
    choose({ ...from, output: round(from.output + down, size()), input: round(from.input + right, size()) });
  });
  return { element: whole, draw };
}
