/** Axes that are brought last, and back, on every backend: the numbers, and what moved them. */
import { expect, test } from '@jest/globals';
import { type LastCase, lastInputs } from '../cases/view.ts';
import { describeEverywhere, isWasm } from '../support/backends.ts';
import { indexAlong } from '../support/layer-oracle.ts';

const TOLERANCE = { ofMax: 1e-6 };

/** What moves: nothing where axes are last already, or only axes of size 1 follow; else our kernel where there is one. */
type Moved = 'not' | 'block' | 'apart';
const CASES: readonly (LastCase & { readonly moved: Moved })[] = [
  { shape: [2, 3, 5], axes: [2], moved: 'not' },
  { shape: [2, 3, 1, 1], axes: [1], moved: 'not' },
  { shape: [2, 3, 5], axes: [1], moved: 'block' },
  { shape: [3, 17, 9, 2], axes: [1], moved: 'block' },
  { shape: [2, 3, 8, 5], axes: [1, 2], moved: 'block' },
  { shape: [2, 3, 4, 3, 2], axes: [2, 3], moved: 'block' },
  { shape: [1, 33, 64], axes: [1], moved: 'block' },
  { shape: [2, 3, 4, 5], axes: [1, 3], moved: 'apart' },
];

describeEverywhere('axes brought last', (backend) => {
  test.each(CASES)('%j', async ({ moved, ...args }) => {
    const { value, kernels, leaked } = await backend.run('bringLast', args);
    const { shape, axes } = args;
    const { x, moved: factors, dy } = lastInputs(args);
    const others = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
    const factor = Float64Array.from(indexAlong([...shape], [...others, ...axes]), (i) => factors[i]!);
    const dx = factor.map((by, i) => 2 * x[i]! * by * dy[i]!);
    expect(value.y).toBeClose(
      factor.map((by, i) => x[i]! ** 2 * by),
      TOLERANCE,
    );
    expect(value.dx).toBeClose(dx, TOLERANCE);
    expect(value.second).toBeClose(
      factor.map((by, i) => 2 * dx[i]! * 2 * by * dy[i]!),
      TOLERANCE,
    );
    expect(leaked).toEqual({ tensors: 0, data: 0 });
    const swaps = backend.name === 'cpu' || backend.name === 'browser-cpu' || isWasm(backend.name);
    const moving = kernels.filter((kernel) => /SwapAxes|Transpose/.test(kernel));
    if (moved === 'not') expect(moving).toEqual([]);
    else {
      expect(new Set(moving)).toEqual(
        new Set([moved === 'block' && swaps ? 'tfjs-normalizations/2/SwapAxes' : 'Transpose']),
      );
    }
  });
});
