/** The effects of all seeds as dots on a line, with 0 and the threshold: each condition has one, all of a claim the same scale. */
import { element } from '../shared/dom.ts';
import { meanOf } from './verdict.ts';

const WIDTH = 240;
const HEIGHT = 26;
const MARGIN = 8;

export interface Strip {
  readonly effects: readonly number[];
  /** Of a seed that was run in the page. */
  readonly live?: number | undefined;
}

/** What the scale has to hold. */
export function domainOf(strips: readonly Strip[], threshold: number): [number, number] {
  const all = [
    0,
    threshold,
    ...strips.flatMap(({ effects, live }) => [...effects, ...(live === undefined ? [] : [live])]),
  ];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  return low < high ? [low, high] : [low - 1, high + 1];
}

export const written = (value: number): string => {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits).replace('-', '−');
};

export function drawStrip(
  { effects, live }: Strip,
  [low, high]: readonly [number, number],
  { name, threshold, unit }: { readonly name: string; readonly threshold: number; readonly unit: string },
): HTMLElement {
  const x = (value: number) => MARGIN + ((value - low) / (high - low)) * (WIDTH - 2 * MARGIN);
  const middle = HEIGHT / 2;
  const line = (className: string, value: number) => `<path class="${className}" d="M${x(value)} 2V${HEIGHT - 2}"/>`;
  const dot = (className: string, value: number) =>
    `<circle class="${className}" cx="${x(value)}" cy="${middle}" r="4"/>`;
  const holder = element('div', { className: 'strip' });
  const spoken = effects.length > 0 ? effects.map(written).join(', ') : 'not yet recorded';
  holder.innerHTML = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">
    <path class="axis" d="M${MARGIN} ${middle}H${WIDTH - MARGIN}"/>
    ${line('zero', 0)}${line('threshold', threshold)}
    ${effects.length > 0 ? line('mean', meanOf(effects)) : ''}
    ${effects.map((effect) => dot('seed', effect)).join('')}
    ${live === undefined ? '' : dot('live', live)}
  </svg>`;
  holder.firstElementChild?.setAttribute('aria-label', `${name}: ${spoken} ${unit}`);
  return holder;
}
