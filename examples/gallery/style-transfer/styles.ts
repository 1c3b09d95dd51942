/** The choice of styles: thumbnails to click, and a slider for each style in the mix. */
import { given, keep, refuse, register } from '../shared/address.ts';
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

/** The names are ours, after what the eye sees: the weights number their styles from 0. */
const NAMES = [
  ...[
    'Pale gold',
    'Black on yellow',
    'Ink wash',
    'Stained glass',
    'Burgundy',
    'Autumn',
    'Night spots',
    'Blue and gold',
  ],
  ...['White crayon', 'Teal mosaic', 'Terracotta', 'Parchment', 'Lilac haze', 'Green and red', 'Ice blue', 'Felt pen'],
  ...['Blue impasto', 'Red weave', 'Sand woodcut', 'Starry swirls', 'Crimson', 'Poster', 'Grey and gold', 'Charcoal'],
  ...['Sea-green print', 'Bronze'],
];
export const nameOf = (style: number) => `Style ${style + 1}: ${NAMES[style]}`;

type Amounts = readonly (readonly [style: number, amount: number])[];

/** `?styles=8,20&amounts=70,30` in the address. */
function stylesOfAddress(initial: Amounts): Amounts {
  const numbers = (name: string) =>
    given(name)
      ?.split(',')
      .map((text) => (text.trim() ? Number(text) : Number.NaN));
  const [chosen, amounts] = [numbers('styles'), numbers('amounts')];
  const used = initial.map(([style]) => style + 1).join(', ');
  const known = chosen?.every((number) => Number.isInteger(number) && number >= 1 && number <= STYLES);
  if (chosen && (!known || new Set(chosen).size < chosen.length)) {
    refuse('styles', `styles are different numbers from 1 to ${STYLES}, separated by commas`, used);
    if (amounts) refuse('amounts', 'amounts belong to styles', '50 of each');
    return initial;
  }
  const styles = chosen ?? initial.map(([style]) => style + 1);
  const fit = amounts?.length === styles.length && amounts.every((amount) => amount >= 0 && amount <= 100);
  if (amounts && !fit)
    refuse('amounts', 'there is an amount from 0 to 100 for each style, separated by commas', '50 of each');
  return styles.map((number, i) => [number - 1, amounts && fit ? amounts[i] : 50]);
}

export function styles(initial: Amounts): Styles {
  /** What the sliders say, 0 to 100. */
  const amounts = new Map<number, number>(stylesOfAddress(initial));
  register('styles', () => [...amounts.keys()].map((style) => style + 1).join());
  register('amounts', () => [...amounts.values()].join());
  const rows = new Map<number, { row: HTMLElement; input: HTMLInputElement; shown: HTMLOutputElement }>();
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
  const between = betweenSlider((share) => {
    const [first, second] = amounts.keys();
    amounts.set(first, 100 - share);
    amounts.set(second, share);
    changed();
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
    return { row: element('div', { className: 'row-of-mix' }, picture, label, remove), input, shown };
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
    between.show([...amounts.keys()], now);
    for (const [style, row] of rows) row.input.valueAsNumber = amounts.get(style) ?? 0;
    for (const [style, button] of buttons.entries()) {
      button.ariaPressed = String(amounts.has(style));
      button.ariaLabel = amounts.has(style) ? `${nameOf(style)}, ${Math.round(now[style] * 100)} %` : nameOf(style);
      button.firstElementChild!.textContent = amounts.has(style)
        ? `${Math.round(now[style] * 100)} %`
        : String(style + 1);
    }
  }

  function changed(): void {
    keep('styles');
    keep('amounts');
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
      element('div', { className: 'mixed' }, between.element, mix, hint),
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

/** One slider from the first style to the second, where two are in the mix. */
function betweenSlider(onShare: (share: number) => void) {
  const ends = [element('span', { className: 'picture' }), element('span', { className: 'picture' })];
  const input = element('input', { type: 'range', min: '0', max: '100', name: 'between' });
  input.addEventListener('input', () => onShare(input.valueAsNumber));
  const whole = element('label', { className: 'between' }, ends[0], input, ends[1]);
  return {
    element: whole,
    show(styles: readonly number[], shares: readonly number[]): void {
      whole.hidden = styles.length !== 2;
      if (whole.hidden) return;
      for (const [i, end] of ends.entries()) end.setAttribute('style', positionOf(styles[i]));
      input.ariaLabel = `From ${nameOf(styles[0])} to ${nameOf(styles[1])}`;
      input.valueAsNumber = Math.round(100 * shares[styles[1]]);
    },
  };
}

/** Where the one picture with all thumbnails shows this one. */
function positionOf(style: number): string {
  const percent = (place: number, places: number) => `${(100 * place) / (places - 1)}%`;
  const [column, row] = [style % COLUMNS, Math.floor(style / COLUMNS)];
  const position = `${percent(column, COLUMNS)} ${percent(row, ROWS)}`;
  return `background: url("${thumbnailsUrl}") ${position} / ${COLUMNS * 100}% ${ROWS * 100}%`;
}
