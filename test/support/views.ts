/** The views that kernels are tested on. */
import type { Inputs } from './inputs.ts';

const rows = (n: number, c: number): Inputs => ({ view: { n, s: 1, c, groups: 1 } });
const batch = (s: number, c: number): Inputs => ({ view: { n: 1, s, c, groups: c } });
const instance = (n: number, s: number, c: number): Inputs => ({ view: { n, s, c, groups: c } });
const group = (n: number, s: number, c: number, groups: number): Inputs => ({ view: { n, s, c, groups } });
const shaped = (inputs: Inputs, ...shape: number[]): Inputs => ({ ...inputs, shape });

/** One small view of each kind. */
export const KINDS = [rows(5, 6), batch(7, 3), instance(2, 5, 3), group(2, 5, 6, 2)];

const conditional = (inputs: Inputs, rowsPerCondition: number): Inputs => ({
  ...inputs,
  view: { ...inputs.view, rowsPerCondition },
});

/** Rows of gamma and beta for several samples, for each, and for several or one of the rows of a sample. */
export const CONDITIONAL_VIEWS = [
  conditional(rows(6, 5), 2),
  conditional(rows(6, 64), 3),
  conditional(rows(7, 33), 1),
  conditional(rows(1, 9), 1),
  conditional(rows(130, 31), 65),
  conditional(shaped(rows(12, 16), 3, 4, 16), 4),
  conditional(shaped(group(6, 1, 8, 2), 6, 8), 3),
  conditional(instance(4, 7, 3), 7),
  conditional(instance(4, 7, 6), 14),
  conditional(instance(2, 33, 32), 33),
  conditional(instance(2, 12, 3), 4),
  conditional(group(3, 8, 6, 2), 8),
  conditional(group(2, 12, 6, 3), 4),
  conditional(group(2, 12, 5, 1), 1),
  conditional(batch(12, 3), 4),
  conditional(batch(12, 3), 1),
  conditional(batch(60, 17), 15),
  conditional(batch(64, 64), 16),
  conditional(batch(6, 5), 6),
  conditional(shaped(batch(24, 5), 2, 3, 4, 5), 12),
];
/** Beyond the blocks of every backend. */
export const LARGE_CONDITIONAL_VIEWS = [
  conditional(rows(40000, 4), 10000),
  conditional(batch(16 * 1031, 64), 1031),
  conditional(batch(40000, 5), 8),
  conditional(instance(3, 4099, 36), 4099),
  conditional(instance(2, 4100, 6), 1025),
  conditional(instance(80, 33, 32), 33 * 40),
];

/** Sizes of 1, primes, around powers of two and beyond the blocks of every backend, in several shapes. */
export const VIEWS: readonly Inputs[] = [
  rows(1, 1),
  rows(3, 1),
  rows(1, 2),
  rows(7, 3),
  rows(2, 31),
  rows(3, 32),
  rows(5, 33),
  rows(33, 63),
  rows(64, 64),
  rows(65, 65),
  rows(3, 1031),
  rows(2, 2051),
  shaped(rows(6, 4), 2, 3, 4),
  shaped(rows(6, 20), 2, 3, 4, 5),
  shaped(rows(30, 4), 2, 3, 5, 1, 4),
  batch(1, 5),
  batch(2, 1),
  batch(31, 2),
  batch(33, 3),
  batch(64, 7),
  batch(63, 31),
  batch(67, 65),
  batch(1025, 6),
  shaped(batch(24, 5), 2, 3, 4, 5),
  shaped(batch(60, 3), 2, 1, 5, 6, 1, 3),
  instance(1, 1, 1),
  instance(3, 1, 4),
  instance(2, 13, 1),
  instance(2, 33, 2),
  instance(3, 31, 3),
  instance(5, 64, 32),
  instance(1100, 5, 3),
  instance(2, 4099, 5),
  shaped(instance(2, 15, 3), 2, 3, 5, 3),
  shaped(instance(3, 24, 2), 3, 2, 3, 4, 2),
  group(1, 1, 6, 3),
  group(2, 1, 12, 4),
  group(3, 7, 6, 1),
  group(2, 33, 4, 2),
  group(2, 31, 33, 11),
  group(2, 65, 64, 8),
  group(2, 17, 34, 2),
  group(3, 1023, 6, 3),
  shaped(group(2, 12, 6, 3), 2, 3, 4, 6),
];

export const LARGE_VIEWS = [rows(2, 70001), rows(40000, 4), batch(1025, 64), batch(40000, 4), group(2, 1031, 64, 8)];
/** Samples that may lie far apart; the second has so large ones that they go through some kernels in pieces. */
export const SAMPLES = [instance(3, 5, 4), instance(3, 33001, 2)];
/** As `KINDS`, with enough values in each group for rounding errors to show. */
export const WIDE = [rows(7, 257), batch(259, 5), instance(2, 257, 3), group(2, 131, 6, 2)];
/** As `KINDS`, with numbers of values far from a power of two, so that sums of equal ones are rounded. */
export const UNEVEN = [rows(3, 309), batch(1000, 5), instance(2, 300, 3), group(2, 200, 6, 2)];
export const OFFSETS = [0, 1e4, 1e6] as const;

const name = ({ view: { n, s, c, groups, rowsPerCondition }, shape }: Inputs) =>
  `n ${n}, s ${s}, c ${c}, groups ${groups}${shape ? `, shape [${shape}]` : ''}` +
  (rowsPerCondition ? `, ${rowsPerCondition} rows per condition` : '');
/** For `test.each`: each with its name. */
export const named = <T extends Inputs>(list: readonly T[]) => list.map((inputs) => [name(inputs), inputs] as const);
