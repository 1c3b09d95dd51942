/** Prints what suites return: tables of numbers, and ratios beside their bars. Eighty columns are enough. */

const LABEL = 22;
const CELL = 9;

const three = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
const format = {
  time(us) {
    if (us < 1000) return `${three(us)} us`;
    return us < 1e6 ? `${three(us / 1e3)} ms` : `${three(us / 1e6)} s`;
  },
  error: (value) => value.toExponential(1),
  ratio: three,
};
const cell = (value, unit) => (value === undefined ? '-' : format[unit](value));

/** @param {{title: string, unit: 'time' | 'error', columns: string[], rows: {label: string, values: number[]}[]}} table */
export function printTable({ title, unit, columns, rows }) {
  const width = (column) => Math.max(CELL, column.length + 1);
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
 * A check is a value with bars: `atLeast` or `atMost`, which it should not miss, and `aim`, which would be good (with `lower`
 * a smaller one, if there is only an aim). A value without bars is there for comparison.
 */
export function verdict(check) {
  const { value, atLeast, atMost, aim } = check;
  const reaches = (bar) => (lowerIsBetter(check) ? value <= bar : value >= bar);
  if (aim === undefined) return '';
  if (reaches(aim)) return 'aim';
  const bar = atLeast ?? atMost;
  if (bar === undefined) return 'short';
  return reaches(bar) ? 'pass' : 'FAIL';
}

export function printChecks(checks) {
  const line = (label, value, bar, aim, verdict) =>
    console.log(`${label.padEnd(46)}${value.padStart(9)}${bar.padStart(9)}${aim.padStart(9)}  ${verdict}`.trimEnd());
  line('', 'measured', 'bar', 'aim', '');
  for (const check of checks) {
    const { label, value, unit = 'ratio', atLeast, atMost, aim } = check;
    const limit = (bar) => {
      if (bar === undefined) return '';
      return `${lowerIsBetter(check) ? '<=' : '>='} ${unit === 'error' ? bar.toExponential() : bar}`;
    };
    line(label, cell(value, unit), limit(atLeast ?? atMost), limit(aim), verdict(check));
  }
  console.log();
}
