/** The formula of the normalization, whose letters light the cells that they come from, and say their number. */
import { element } from '../shared/dom.ts';
import { type Cell, indexOf } from './cells.ts';
import type { Condition } from './conditions.ts';
import { type Name, normalizationOf } from './normalizations.ts';
import { rounded } from './numbers.ts';
import { litAlone, litBy, litByParameters, parametersAt, type Result, statisticsAt } from './result.ts';

interface Letter {
  /** The style of its colour. */
  readonly name: string;
  meaning(result: Result): string;
  lit(result: Result, cell: Cell): Float32Array;
  value(result: Result, cell: Cell): string;
}

/** Of each source, with its share where there are several. */
function valuesOf(result: Result, cell: Cell, of: 'mean' | 'variance' | 'meanSquare'): string {
  const sources = normalizationOf(result.name).sources(result.settings);
  const { now } = statisticsAt(result, cell);
  return sources
    .map(({ name }, i) => (sources.length > 1 ? `${rounded(now[i][of])} (${name})` : rounded(now[i][of])))
    .join(', ');
}

/** Where gamma or beta comes from, and for which cells it is the same. */
function meaningOf(name: Name, parameter: string, statistic: string): string {
  const { condition } = normalizationOf(name);
  if (condition === undefined) return `the learned ${parameter} of all cells in colour`;
  const given: Readonly<Record<Condition, string>> = {
    example: `the ${parameter} that the condition of this example gives to all cells in colour`,
    position: `the ${parameter} that a map gives to this one cell`,
    style: `the ${statistic} of the cells in colour, in the last example, the style of all`,
  };
  return given[condition];
}

const LETTERS: Readonly<Record<string, Letter>> = {
  x: {
    name: 'input',
    meaning: () => 'the chosen cell',
    lit: litAlone,
    value: ({ x, shape }, cell) => rounded(x[indexOf(shape, cell)]),
  },
  μ: {
    name: 'mean',
    meaning: () => 'the mean of all cells in colour',
    lit: litBy,
    value: (result, cell) => valuesOf(result, cell, 'mean'),
  },
  'σ²': {
    name: 'variance',
    meaning: () => 'the variance of all cells in colour',
    lit: litBy,
    value: (result, cell) => valuesOf(result, cell, 'variance'),
  },
  'mean(x²)': {
    name: 'variance',
    meaning: () => 'the mean of the squares of all cells in colour',
    lit: litBy,
    value: (result, cell) => valuesOf(result, cell, 'meanSquare'),
  },
  γ: {
    name: 'gamma',
    meaning: ({ name }) => meaningOf(name, 'scale', 'deviation'),
    lit: litByParameters,
    value: (result, cell) => rounded(parametersAt(result, cell).gamma),
  },
  β: {
    name: 'beta',
    meaning: ({ name }) => meaningOf(name, 'shift', 'mean'),
    lit: litByParameters,
    value: (result, cell) => rounded(parametersAt(result, cell).beta),
  },
};

export interface Formula {
  readonly element: HTMLElement;
  show(result: Result, cell: Cell): void;
  /** What the letter that is pointed at lights; undefined where none is. */
  lit(result: Result, cell: Cell): Float32Array | undefined;
}

/** @param onPoint is called when another letter, or none, is pointed at */
export function formula(onPoint: () => void): Formula {
  const line = element('p', { className: 'letters-of-formula' });
  const said = element('p', { className: 'meaning', 'aria-live': 'polite' });
  let pointed: string | undefined;
  let written = '';
  let shown: readonly [Result, Cell] | undefined;

  function say(): void {
    if (!shown) return;
    const [result, cell] = shown;
    const letter = pointed === undefined ? undefined : LETTERS[pointed];
    said.textContent = letter
      ? `${pointed} = ${letter.value(result, cell)}, ${letter.meaning(result)}.`
      : 'Point at a letter: the cells that it comes from keep their colours.';
    for (const button of line.querySelectorAll('button')) {
      button.ariaPressed = String(button.dataset.letter === pointed);
    }
  }
  function point(letter: string | undefined): void {
    if (letter === pointed) return;
    pointed = letter;
    say();
    onPoint();
  }
  function part(letter: string): HTMLElement {
    const { name } = LETTERS[letter];
    const button = element('button', { type: 'button', className: `letter ${name}`, 'data-letter': letter }, letter);
    button.addEventListener('pointerenter', () => point(letter));
    button.addEventListener('pointerleave', () => point(undefined));
    button.addEventListener('focus', () => point(letter));
    button.addEventListener('blur', () => point(undefined));
    return button;
  }
  function write(text: string): void {
    const pattern = /(mean\(x²\)|σ²|μ|γ|β|x(?![̂\w]))/u;
    line.replaceChildren('y = ', ...text.split(pattern).map((piece) => (piece in LETTERS ? part(piece) : piece)));
    written = text;
    pointed = undefined;
  }
  return {
    element: element('div', { className: 'formula-of-page' }, line, said),
    show(result, cell) {
      const text = normalizationOf(result.name).formula;
      if (text !== written) write(text);
      shown = [result, cell];
      say();
    },
    lit: (result, cell) => (pointed === undefined ? undefined : LETTERS[pointed].lit(result, cell)),
  };
}
