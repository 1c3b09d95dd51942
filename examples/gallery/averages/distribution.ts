/** How the values before and after are distributed over the parts of a block that the reader chooses. */
import { choice } from '../shared/controls.ts';
import { reachOf } from '../shared/scale.ts';
import { type Cell, cellsOf, indexOf } from './cells.ts';
import { histograms } from './histograms.ts';
import { litBy, type Result } from './result.ts';

export function distribution() {
  const by = choice({
    name: 'histograms',
    label: 'One histogram for each',
    choices: { channel: 'channel', example: 'example', shared: 'side: in colour, or in grey' },
    value: 'channel',
  });
  const before = histograms('Before');
  const after = histograms('After');

  function draw(result: Result, chosen: Cell): void {
    const { shape, names, x, y } = result;
    // One axis for both: else they would look alike.
    const reach = Math.max(reachOf(x), reachOf(y));
    const lit = by.value === 'shared' ? litBy(result, chosen) : undefined;
    const parts = {
      channel: [names.channels, (cell: Cell) => names.channels[cell.channel]],
      example: [names.examples, (cell: Cell) => names.examples[cell.example]],
      shared: [['in colour', 'in grey'], (cell: Cell) => (lit?.[indexOf(shape, cell)] ? 'in colour' : 'in grey')],
    } as const;
    const [partNames, partOf] = parts[by.value];
    const cells = cellsOf(shape);
    const split = (values: Float32Array) =>
      partNames
        .map((name) => ({ name, values: values.filter((_, i) => partOf(cells[i]) === name) }))
        .filter(({ values }) => values.length > 0);
    before.draw(split(x), reach);
    after.draw(split(y), reach);
  }
  return { by, elements: [before.element, after.element], draw };
}
