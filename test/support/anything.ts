/** Values of every kind, for options and arguments that are given by mistake; and what has to become of them. */
import { expect } from '@jest/globals';
import * as fc from 'fast-check';

/** Classes of this package, in configs that are given by mistake. */
const OURS = ['BatchNormalization', 'RMSNormalization', 'WeightNormalization', 'MultiHeadAttention', 'Addons>TLU'];

const circular: Record<string, unknown> = {};
circular.itself = circular;
const NOTHING_SENSIBLE = [undefined, null, '', 'toString', '__proto__', 10n, Symbol('s'), circular, () => 1, new Map()];
const NUMBERS = [0, -0, 1, -1, 2, 3, 0.5, 1e-3, Number.NaN, Number.POSITIVE_INFINITY, 1e300, 1e-300, 1e-30, 2 ** 53];
const LISTS = [[], {}, [1], [1, 2], [[1]], [null], [2, 9], Object.create(null)];
const WORDS = ['zeros', 'Ones', 'l2', 'nonNeg', 'maxNorm', 'orthogonal', 'identity', 'inside', 'floor', 'outside'];
const CLASSES = [
  'Constant',
  'L1L2',
  'MinMaxNorm',
  'VarianceScaling',
  'Dense',
  'LSTM',
  'Model',
  'Bidirectional',
  'Nothing',
];
const CONFIGS = [{}, null, [], 'text', { units: 3 }, { value: 'x' }, { value: 2 }, { l1: 'a' }, { axis: 7 }];

const saved = fc.record({
  className: fc.oneof(fc.constantFrom(...CLASSES, ...OURS), fc.jsonValue({ maxDepth: 0 })),
  config: fc.oneof(fc.constantFrom<unknown>(...CONFIGS), fc.jsonValue({ maxDepth: 1 })),
});
const clipping = fc.record(
  { rmax: fc.oneof(fc.double(), fc.constant(2)), rmin: fc.double(), dmax: fc.jsonValue({ maxDepth: 1 }) },
  { requiredKeys: [] },
);
const ramp = fc.record({ rmax: fc.array(fc.oneof(fc.nat(), fc.double())), dmax: fc.jsonValue({ maxDepth: 0 }) });
/** Anything that an option may be by mistake. */
export const anything: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<unknown>(...NOTHING_SENSIBLE, ...NUMBERS, ...LISTS, ...WORDS, true, false) },
  { weight: 2, arbitrary: fc.double() },
  fc.integer({ min: -5, max: 5 }),
  fc.jsonValue({ maxDepth: 2 }),
  saved,
  clipping,
  ramp,
);

/** Whether it is an error of ours that names who speaks. */
export function expectNamed(who: string, error: unknown): void {
  expect(`${error}`).toMatch(/^Error: /);
  expect((error as Error).message.slice(0, who.length + 2)).toBe(`${who}: `);
}

/** What `make` makes, or undefined if it fails with an error that names the layer. */
export function madeOrRefused<T>(who: string, make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    expectNamed(who, error);
    return undefined;
  }
}
