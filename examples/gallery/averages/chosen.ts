/** The chosen cell in the address: `?cell=2,13,10,4` is the second example, row 13, column 10, the fourth channel. */
import { given, keep, refuse, register } from '../shared/address.ts';
import { CHANNELS, MOST_EXAMPLES, SIZE } from './activations.ts';
import type { Cell } from './cells.ts';

const FIRST: Cell = { example: 1, row: 12, column: 9, channel: 3 };
const written = ({ example, row, column, channel }: Cell) => [example, row, column, channel].map((at) => at + 1).join();

function cellOfAddress(): Cell {
  const text = given('cell');
  if (text === null) return FIRST;
  const numbers = text.split(',').map(Number);
  const sizes = [MOST_EXAMPLES, SIZE, SIZE, CHANNELS];
  const fits =
    numbers.length === sizes.length && numbers.every((at, i) => Number.isInteger(at) && at >= 1 && at <= sizes[i]);
  if (!fits) {
    refuse('cell', `a cell is an example, a row, a column and a channel, up to ${sizes.join(', ')}`, written(FIRST));
    return FIRST;
  }
  const [example, row, column, channel] = numbers.map((at) => at - 1);
  return { example, row, column, channel };
}

/** Starts with the cell of the address, which follows every change. */
export function chosenCell(): { value: Cell } {
  let cell = cellOfAddress();
  register('cell', () => written(cell));
  return {
    get value() {
      return cell;
    },
    set value(next) {
      cell = next;
      keep('cell');
    },
  };
}
