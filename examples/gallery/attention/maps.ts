/** Attention as a picture: how much each place of the output takes of each place of the input. */
import * as Plot from '@observablehq/plot';
import { plotStyle } from '../shared/charts.ts';
import { element } from '../shared/dom.ts';
import { BLUE } from '../shared/shades.ts';

export interface Attended {
  /** Symbols that go in, that come out, and that should. */
  readonly symbols: readonly number[];
  readonly predicted: readonly number[];
  readonly solved: readonly number[];
  /** [heads, length, length], rows of a sum of 1. */
  readonly weights: Float32Array;
}

export function attentionMap(title: string, color: string) {
  const holder = element('div', { className: 'map' });
  const answer = element('figcaption', { className: 'answer' });
  const whole = element('figure', {}, element('h3', { style: `color: ${color}` }, title), holder, answer);

  function draw({ symbols, predicted, solved, weights }: Attended): void {
    const { length } = symbols;
    const cells = Array.from(weights, (weight, i) => ({
      weight,
      head: `head ${1 + Math.floor(i / length ** 2)}`,
      output: Math.floor(i / length) % length,
      input: i % length,
    }));
    const axis = (label: string, texts: readonly number[]) => ({
      label,
      tickSize: 0,
      tickFormat: (place: number) => String(texts[place]),
    });
    const width = Math.max(260, Math.min(holder.clientWidth || 520, 520));
    const plot = Plot.plot({
      width,
      height: width / 2 + 55,
      marginTop: 46,
      marginLeft: 36,
      ariaLabel: `${title}: attention of the ${length} places of the output to those of the input`,
      style: plotStyle,
      x: { ...axis('input', symbols), axis: 'bottom' },
      y: axis('output', predicted),
      fx: { label: null },
      opacity: { domain: [0, 1] },
      marks: [
        Plot.frame({ strokeOpacity: 0.2 }),
        Plot.cell(cells, {
          fx: 'head',
          x: 'input',
          y: 'output',
          fill: `rgb(${BLUE})`,
          fillOpacity: 'weight',
          inset: 0.5,
        }),
      ],
    });
    holder.replaceChildren(plot);
    const marks = predicted.map((symbol, i) =>
      element('span', { className: symbol === solved[i] ? 'right' : 'wrong' }, String(symbol)),
    );
    answer.replaceChildren(`${symbols.join(' ')} → `, ...marks.flatMap((mark) => [mark, ' ']));
  }
  return { element: whole, draw };
}
