/** The choice of styles: thumbnails to click, and a slider for each style in the mix. */
import { given } from '../shared/address.ts';
import { element } from '../shared/dom.ts';
import { STYLES } from './model.ts';
import { COLUMNS, ROWS, thumbnailsUrl } from './thumbnails.ts';

export interface Styles {
  readonly element: HTMLElement;
  /** 26 numbers of sum 1: what of each style is in the mix. */
  readonly shares: readonly number[];
  /** The styles in the mix, in the order in which they were chosen. */
  readonly chosen: readonly number[];
  onChange(listener: () => void): void;
}

/** The names are ours: the weights number their styles from 0. */
export const nameOf = (style: number) => `Style ${style + 1}`;

/** `?styles=8,20&amounts=70,30` in the address. */
function stylesOfAddress(): [number, number][] {
  const numbers = (name: string) => (given(name) ?? '').split(',').filter(Boolean).map(Number);
  const chosen = numbers('styles').map((number) => number - 1);
  const valid = chosen.filter((style) => Number.isInteger(style) && style >= 0 && style < STYLES);
  const amounts = numbers('amounts');
  return valid.map((style, i) => [style, Math.min(100, Math.max(0, amounts[i] || 0)) || 50]);
}

export function styles(initial: readonly (readonly [style: number, amount: number])[]): Styles {
  const fromAddress = stylesOfAddress();
  /** What the sliders say, 0 to 100. */
  const amounts = new Map<number, number>(fromAddress.length > 0 ? fromAddress : initial);
  const rows = new Map<number, { row: HTMLElement; shown: HTMLOutputElement }>();
  const listeners: (() => void)[] = [];

  const add = element('input', { type: 'checkbox', name: 'mix' });
  const mixing = element('label', { className: 'mixing' }, add, 'A click adds to the mix');
  const buttons = Array.from({ length: STYLES }, (_, style) => {
    const badge = element('span', { className: 'share', 'aria-hidden': 'true' });
    const properties = { type: 'button', className: 'style', ariaLabel: nameOf(style), title: nameOf(style) };
    const button = element('button', { ...properties, style: positionOf(style) }, badge);
    button.addEventListener('click', (event) => choose(style, add.checked || event.shiftKey));
    return button;
  });
  const mix = element('div', { className: 'mix' });
  const hint = element(
    'p',
    { className: 'hint' },
    'Tick the box above, or hold Shift and click, to mix it with others.',
  );

  function choose(style: number, toMix: boolean): void {
    if (!toMix) amounts.clear();
    if (!amounts.has(style)) amounts.set(style, 50);
    else if (amounts.size > 1) amounts.delete(style);
    changed();
  }

  function shares(): number[] {
    const sum = [...amounts.values()].reduce((a, b) => a + b, 0);
    // All sliders at 0: as much of each.
    const share = (style: number) => (sum > 0 ? (amounts.get(style) ?? 0) / sum : 1 / amounts.size);
    return Array.from({ length: STYLES }, (_, style) => (amounts.has(style) ? share(style) : 0));
  }

  function rowOf(style: number) {
    const name = nameOf(style);
    const input = element('input', { type: 'range', min: '0', max: '100', name: `style-${style + 1}` });
    input.valueAsNumber = amounts.get(style) ?? 0;
    input.addEventListener('input', () => {
      amounts.set(style, input.valueAsNumber);
      changed();
    });
    const shown = element('output', {});
    const picture = element('span', { className: 'picture', style: positionOf(style) });
    const label = element('label', { className: 'control' }, element('span', {}, name), input, shown);
    const remove = element('button', { type: 'button', className: 'remove', ariaLabel: `Take out ${name}` }, '×');
    remove.addEventListener('click', () => choose(style, true));
    return { row: element('div', { className: 'row-of-mix' }, picture, label, remove), shown };
  }

  function show(): void {
    const now = shares();
    for (const style of rows.keys()) if (!amounts.has(style)) rows.delete(style);
    for (const style of amounts.keys()) if (!rows.has(style)) rows.set(style, rowOf(style));
    // In place, so that the slider that is being moved stays.
    const wanted = [...amounts.keys()].map((style) => rows.get(style)!.row);
    if (wanted.length !== mix.children.length || wanted.some((row, i) => row !== mix.children[i])) {
      mix.replaceChildren(...wanted);
    }
    for (const [style, { shown }] of rows) shown.textContent = `${Math.round(now[style] * 100)} %`;
    mix.classList.toggle('alone', amounts.size === 1);
    hint.hidden = amounts.size > 1;
    for (const [style, button] of buttons.entries()) {
      button.ariaPressed = String(amounts.has(style));
      button.firstElementChild!.textContent = amounts.has(style)
        ? `${Math.round(now[style] * 100)} %`
        : String(style + 1);
    }
  }

  function changed(): void {
    show();
    for (const listener of listeners) listener();
  }

  show();
  const grid = element('div', { className: 'styles', role: 'group', 'aria-label': 'Styles' }, ...buttons);
  const head = element('div', { className: 'head' }, element('h2', {}, '26 styles'), mixing);
  return {
    element: element(
      'section',
      { 'aria-label': 'Styles' },
      head,
      grid,
      element('div', { className: 'mixed' }, mix, hint),
    ),
    get shares() {
      return shares();
    },
    get chosen() {
      return [...amounts.keys()];
    },
    onChange: (listener) => void listeners.push(listener),
  };
}

/** Where the one picture with all thumbnails shows this one. */
function positionOf(style: number): string {
  const percent = (place: number, places: number) => `${(100 * place) / (places - 1)}%`;
  const [column, row] = [style % COLUMNS, Math.floor(style / COLUMNS)];
  const position = `${percent(column, COLUMNS)} ${percent(row, ROWS)}`;
  return `background: url("${thumbnailsUrl}") ${position} / ${COLUMNS * 100}% ${ROWS * 100}%`;
}
