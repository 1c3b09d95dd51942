/**
 * Settings of a page. Each begins with the value that the address gives it (`?batch=4`), keeps the address up to date, and
 * calls its listeners at every change. A value that is none of its own is refused in words, and the default taken.
 */
import { given, keep, refuse, register } from './address.ts';
import { element } from './dom.ts';

export interface Control<Value> {
  readonly element: HTMLElement;
  value: Value;
  onChange(listener: (value: Value) => void): void;
  disabled: boolean;
}

type Input = HTMLInputElement | HTMLSelectElement;

interface Parts<Value> {
  readonly name: string;
  readonly whole: HTMLElement;
  readonly inputs: readonly Input[];
  read(): Value;
  write(value: Value): void;
  /** As the address holds it. */
  readonly written: (value: Value) => string;
}

function control<Value>({ name, whole, inputs, read, write, written }: Parts<Value>): Control<Value> {
  const listeners: ((value: Value) => void)[] = [];
  register(name, () => written(read()));
  whole.addEventListener('input', () => {
    keep(name);
    for (const listener of listeners) listener(read());
  });
  return {
    element: whole,
    get value() {
      return read();
    },
    set value(value) {
      write(value);
      keep(name);
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

/** The number that the address gives, if it lies on the slider. */
function numberOf({ name, label, min, max, step = 1, value, format = String }: SliderOptions): number {
  const text = given(name);
  if (text === null) return value;
  const number = text.trim() === '' ? Number.NaN : Number(text);
  const steps = (number - min) / step;
  const fits = number >= min && number <= max && Math.abs(steps - Math.round(steps)) < 1e-6;
  if (fits) return number;
  refuse(
    name,
    `‘${label}’ is a number from ${min} to ${max}${step === 1 ? '' : ` in steps of ${step}`}`,
    format(value),
  );
  return value;
}

/** A number in a range. */
export function slider(options: SliderOptions): Control<number> {
  const { name, label, min, max, step = 1, format = String } = options;
  const input = element('input', { type: 'range', name, min: `${min}`, max: `${max}`, step: `${step}` });
  const shown = element('output', {});
  const show = () => {
    shown.textContent = format(input.valueAsNumber);
    input.setAttribute('aria-valuetext', shown.textContent);
  };
  const write = (value: number) => {
    input.value = String(value);
    show();
  };
  write(numberOf(options));
  input.addEventListener('input', show);
  const whole = element('label', { className: 'control' }, element('span', {}, label), input, shown);
  const read = () => input.valueAsNumber;
  return control({ name, whole, inputs: [input], read, write, written: String });
}

export interface TextOptions {
  readonly name: string;
  readonly label: string;
  readonly value: string;
  /** A regular expression that the whole text matches. */
  readonly pattern: string;
  /** The same in words. */
  readonly rule: string;
}

/** A short text. As long as it breaks the rule, the field says so, and the value is the last that did not. */
export function textField({ name, label, value, pattern, rule }: TextOptions): Control<string> {
  const fits = (text: string) => new RegExp(`^(?:${pattern})$`).test(text);
  const wanted = given(name);
  if (wanted !== null && !fits(wanted)) refuse(name, rule, value);
  let valid = wanted !== null && fits(wanted) ? wanted : value;
  const input = element('input', { type: 'text', name, value: valid, autocomplete: 'off', spellcheck: false });
  const hint = element('small', { role: 'status' });
  const whole = element('label', { className: 'control' }, element('span', {}, label), input, hint);
  // Before the listeners of the page: they read the value.
  whole.addEventListener('input', (event) => {
    const isValid = fits(input.value);
    input.ariaInvalid = String(!isValid);
    hint.textContent = isValid ? '' : `${rule[0].toUpperCase()}${rule.slice(1)}.`;
    if (isValid) valid = input.value;
    else event.stopImmediatePropagation();
  });
  const write = (text: string) => {
    valid = text;
    input.value = text;
  };
  return control({ name, whole, inputs: [input], read: () => valid, write, written: String });
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

const oneOf = (texts: readonly (readonly [string, string])[]): string => texts.map(([value]) => value).join(', ');

/** One of a few. */
export function choice<Value extends string>(options: ChoiceOptions<Value>): Control<Value> {
  const { name, label, choices } = options;
  const texts = textsOf(choices);
  const input = element('select', { name }, ...texts.map(([value, text]) => element('option', { value }, text)));
  const wanted = given(name);
  const isOne = texts.some(([value]) => value === wanted);
  if (wanted !== null && !isOne) refuse(name, `‘${label}’ is one of ${oneOf(texts)}`, options.value);
  input.value = isOne ? (wanted as Value) : options.value;
  const whole = element('label', { className: 'control' }, element('span', {}, label), input);
  const write = (value: Value) => {
    input.value = value;
  };
  return control({ name, whole, inputs: [input], read: () => input.value as Value, write, written: String });
}

export interface ChoicesOptions<Value extends string> extends Omit<ChoiceOptions<Value>, 'value'> {
  readonly value: readonly Value[];
  /** No more than so many at a time. */
  readonly most?: number;
}

/** Those that the address gives, if all of them can be chosen. */
function listOf<Value extends string>(options: ChoicesOptions<Value>): readonly string[] {
  const { name, label, value, most = Number.POSITIVE_INFINITY } = options;
  const list = given(name)?.split(',').filter(Boolean);
  if (!list) return value;
  const texts = textsOf(options.choices);
  const known = list.every((one) => texts.some(([value]) => value === one));
  if (known && list.length <= most) return list;
  const limit = most < texts.length ? `, ${most} at most` : '';
  refuse(name, `‘${label}’ are some of ${oneOf(texts)}${limit}, separated by commas`, value.join(', '));
  return value;
}

/** Any of a few; in the address separated by commas. */
export function choices<Value extends string>(options: ChoicesOptions<Value>): Control<readonly Value[]> {
  const { name, label, most = Number.POSITIVE_INFINITY } = options;
  const wanted = listOf(options);
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
  const made = control({ name, whole, inputs, read, write, written: (value) => value.join() });
  return Object.defineProperty(made, 'disabled', {
    get: () => whole.disabled,
    set: (disabled: boolean) => {
      whole.disabled = disabled;
    },
  });
}

/** Controls side by side. */
export const settings = (...parts: { readonly element: HTMLElement }[]): HTMLElement =>
  element('div', { className: 'settings' }, ...parts.map((part) => part.element));

/** Rare settings, folded away until they are asked for. */
export const folded = (...parts: { readonly element: HTMLElement }[]): { readonly element: HTMLElement } => ({
  element: element(
    'details',
    { className: 'folded' },
    element('summary', {}, 'More settings'),
    ...parts.map((part) => part.element),
  ),
});
