/** Prints what suites return: tables of numbers, and ratios beside their bars. Eighty columns are enough. */
import { cell } from './format.js';

const WIDTH = 80;
const LABEL = 22;
const CELL = 9;
const RATIO = 7;

/** Text in lines of at most eighty columns. */
export function printText(text) {
  console.log(`${text.replace(new RegExp(`(.{1,${WIDTH}})(?:\\s+|$)`, 'g'), '$1\n')}`);
}

/** @param {{title: string, unit: 'time' | 'error' | 'ratio' | 'count', columns: string[], rows: {label: string, values: number[]}[]}} table */
export function printTable({ title, unit, columns, rows }) {
  const width = (column) => Math.max(unit === 'ratio' ? RATIO : CELL, column.length + 1);
  const line = (label, cells) =>
    console.log(label.padEnd(LABEL) + cells.map((text, i) => text.padStart(width(columns[i]))).join(''));
  line(title, columns);
  for (const { label, values } of rows) {
    line(
      label,
      values.map((value) => cell(value, unit)),
    );
  }
  console.log();
}

/** Whether a smaller value of the check is better. */
const lowerIsBetter = ({ atLeast, atMost, lower = atMost !== undefined }) => lower && atLeast === undefined;

/**
 * A check is a value with bars: `atLeast`, `atMost` or `exactly`, which it should not miss, and `aim`, which would be good
 * (with `lower` a smaller one, if there is only an aim). A value without bars is there for comparison.
 */
export function verdict(check) {
  const { value, atLeast, atMost, exactly, aim } = check;
  const reaches = (bar) => (lowerIsBetter(check) ? value <= bar : value >= bar);
  if (exactly !== undefined) return value === exactly ? 'pass' : 'FAIL';
  if (aim !== undefined && reaches(aim)) return 'aim';
  const bar = atLeast ?? atMost;
  if (bar !== undefined) return reaches(bar) ? 'pass' : 'FAIL';
  return aim === undefined ? '' : 'short';
}

/** The bars of a check as text. */
export function limits(check) {
  const { unit = 'ratio', atLeast, atMost, exactly, aim } = check;
  const limit = (bar) => {
    if (bar === undefined) return '';
    const sign = lowerIsBetter(check) ? '<=' : '>=';
    return `${exactly === undefined ? sign : '='} ${unit === 'error' ? bar.toExponential() : bar}`;
  };
  return { bar: limit(atLeast ?? atMost ?? exactly), aim: limit(aim) };
}

export function printChecks(checks) {
  if (checks.length === 0) return;
  const line = (label, value, bar, aim, verdict) =>
    console.log(`${label.padEnd(46)}${value.padStart(9)}${bar.padStart(9)}${aim.padStart(9)}  ${verdict}`.trimEnd());
  line('', 'measured', 'bar', 'aim', '');
  for (const check of checks) {
    const { bar, aim } = limits(check);
    line(check.label, cell(check.value, check.unit ?? 'ratio'), bar, aim, verdict(check));
  }
  console.log();
}
