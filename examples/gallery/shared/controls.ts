/**
 * Settings of a page. Each begins with the value that the address gives it (`?batch=4`), so that a link can hold settings,
 * and calls its listeners at every change.
 */
import { given } from './address.ts';
import { element } from './dom.ts';

export interface Control<Value> {
  readonly element: HTMLElement;
  value: Value;
  onChange(listener: (value: Value) => void): void;
  disabled: boolean;
}

type Input = HTMLInputElement | HTMLSelectElement;

function control<Value>(
  whole: HTMLElement,
  inputs: readonly Input[],
  read: () => Value,
  write: (value: Value) => void,
): Control<Value> {
  const listeners: ((value: Value) => void)[] = [];
  whole.addEventListener('input', () => {
    for (const listener of listeners) listener(read());
  });
  return {
    element: whole,
    get value() {
      return read();
    },
    set value(value) {
      write(value);
    },
    onChange: (listener) => void listeners.push(listener),
    get disabled() {
      return inputs.every(({ disabled }) => disabled);
    },
    set disabled(disabled) {
      for (const input of inputs) input.disabled = disabled;
    },
  };
}

export interface SliderOptions {
  /** In the address. */
  readonly name: string;
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly step?: number;
  readonly value: number;
  /** How the value is written beside the slider. */
  readonly format?: (value: number) => string;
}

/** A number in a range. */
export function slider(options: SliderOptions): Control<number> {
  const { name, label, min, max, step = 1, format = String } = options;
  const input = element('input', { type: 'range', name, min: `${min}`, max: `${max}`, step: `${step}` });
  const shown = element('output', {});
  const show = () => {
    shown.textContent = format(input.valueAsNumber);
  };
  const write = (value: number) => {
    input.value = String(value);
    show();
  };
  write(Number(given(name) ?? options.value));
  input.addEventListener('input', show);
  const whole = element('label', { className: 'control' }, element('span', {}, label), input, shown);
  return control(whole, [input], () => input.valueAsNumber, write);
}

export interface ChoiceOptions<Value extends string> {
  readonly name: string;
  readonly label: string;
  /** Values, with the text of each where it is another. */
  readonly choices: readonly Value[] | Readonly<Record<Value, string>>;
  readonly value: NoInfer<Value>;
}

/** Choices with the text of each. */
export const labelled = <Value extends string>(values: readonly Value[], textOf: (value: Value) => string) =>
  Object.fromEntries(values.map((value) => [value, textOf(value)])) as Record<Value, string>;

const textsOf = <Value extends string>(choices: ChoiceOptions<Value>['choices']): [Value, string][] =>
  Array.isArray(choices)
    ? choices.map((value) => [value, value])
    : (Object.entries(choices as Record<Value, string>) as [Value, string][]);

/** One of a few. */
export function choice<Value extends string>(options: ChoiceOptions<Value>): Control<Value> {
  const { name, label, choices } = options;
  const texts = textsOf(choices);
  const input = element('select', { name }, ...texts.map(([value, text]) => element('option', { value }, text)));
  const wanted = given(name);
  input.value = texts.some(([value]) => value === wanted) ? (wanted as Value) : options.value;
  const whole = element('label', { className: 'control' }, element('span', {}, label), input);
  const write = (value: Value) => {
    input.value = value;
  };
  return control(whole, [input], () => input.value as Value, write);
}

export interface ChoicesOptions<Value extends string> extends Omit<ChoiceOptions<Value>, 'value'> {
  readonly value: readonly Value[];
  /** No more than so many at a time. */
  readonly most?: number;
}

/** Any of a few; in the address separated by commas. */
export function choices<Value extends string>(options: ChoicesOptions<Value>): Control<readonly Value[]> {
  const { name, label, value, most = Number.POSITIVE_INFINITY } = options;
  const wanted = given(name)?.split(',') ?? value;
  const texts = textsOf(options.choices);
  const inputs = texts.map(([value]) =>
    element('input', { type: 'checkbox', name, value, checked: wanted.includes(value) }),
  );
  const read = () => inputs.filter(({ checked }) => checked).map(({ value }) => value as Value);
  const limit = () => {
    const full = read().length >= most;
    for (const input of inputs) input.disabled = full && !input.checked;
  };
  const labels = inputs.map((input, i) => element('label', {}, input, texts[i][1]));
  const whole = element('fieldset', { className: 'control' }, element('legend', {}, label), ...labels);
  whole.addEventListener('input', limit);
  limit();
  const write = (value: readonly Value[]) => {
    for (const input of inputs) input.checked = value.includes(input.value as Value);
    limit();
  };
  const made = control(whole, inputs, read, write);
  return Object.defineProperty(made, 'disabled', {
    get: () => whole.disabled,
    set: (disabled: boolean) => {
      whole.disabled = disabled;
    },
  });
}

/** Controls side by side. */
export const settings = (...controls: { readonly element: HTMLElement }[]): HTMLElement =>
  element('div', { className: 'settings' }, ...controls.map((control) => control.element));
