/**
 * The layers as a table: what tests ask of every layer, a new one gets by a row in `LAYERS` and some in `SUBJECTS`.
 */
import type { LayerCase } from './layer-inputs.ts';
import {
  direct,
  type Formula,
  indexAlong,
  perChannel,
  perExampleAndChannel,
  perExampleAndGroup,
  perRow,
  type Setting,
  type Together,
} from './layer-oracle.ts';

export interface LayerRow {
  /** Every option of the class itself but initializers, regularizers and constraints, with its default. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** Names of the weights in order: those that are there if `scale`, if `center`, and always. */
  readonly scale?: string;
  readonly center?: string;
  readonly state: readonly string[];
  /** Names of the options that hold an initializer, in getConfig's spelling, with its default class. */
  readonly initializers: Readonly<Record<string, string>>;
  /** Whether `axis` may be a list. */
  readonly listAxis: boolean;
  /** Which elements one element's NaN may reach in training, and in inference. */
  readonly together: Together;
  readonly apart?: Together;
  readonly formula: Formula;
}

const alone: Together = ({ shape }) => indexAlong(shape, [...shape.keys()]);
const affine = { scale: 'gamma', center: 'beta' };
const affineInitializers = { gammaInitializer: 'Ones', betaInitializer: 'Zeros' };
const usual = { axis: -1, epsilon: 1e-3, center: true, scale: true };

export const LAYERS = {
  BatchNormalization: {
    defaults: { ...usual, momentum: 0.99 },
    ...affine,
    state: ['moving_mean', 'moving_variance'],
    initializers: { ...affineInitializers, movingMeanInitializer: 'Zeros', movingVarianceInitializer: 'Ones' },
    listAxis: false,
    together: perChannel,
    apart: alone,
    formula: direct({ together: perChannel, moving: ['moving_mean', 'moving_variance'] }),
  },
  InstanceNormalization: {
    defaults: { ...usual, epsilonPlacement: 'inside' },
    ...affine,
    state: [],
    initializers: affineInitializers,
    listAxis: false,
    together: perExampleAndChannel,
    formula: direct({ together: perExampleAndChannel }),
  },
  LayerNormalization: {
    defaults: usual,
    ...affine,
    state: [],
    initializers: affineInitializers,
    listAxis: true,
    together: perRow,
    formula: direct({ together: perRow }),
  },
  RMSNormalization: {
    defaults: { ...usual, epsilon: 1e-6, epsilonPlacement: 'outside' },
    scale: 'scale',
    center: 'beta',
    state: [],
    initializers: affineInitializers,
    listAxis: true,
    together: perRow,
    formula: direct({ together: perRow, center: false, gamma: 'scale' }),
  },
  GroupNormalization: {
    defaults: { ...usual, groups: 32 },
    ...affine,
    state: [],
    initializers: affineInitializers,
    listAxis: false,
    together: perExampleAndGroup,
    formula: direct({ together: perExampleAndGroup }),
  },
  MeanOnlyBatchNormalization: {
    defaults: { axis: -1, momentum: 0.9, center: true },
    center: 'beta',
    state: ['moving_mean'],
    initializers: { betaInitializer: 'Zeros' },
    listAxis: false,
    together: perChannel,
    apart: alone,
    formula: direct({ together: perChannel, rescale: false, moving: ['moving_mean'] }),
  },
} as const satisfies Record<string, LayerRow>;

export type LayerName = keyof typeof LAYERS;
export const LAYER_NAMES = Object.keys(LAYERS) as LayerName[];
export const rowOf = (className: string): LayerRow => LAYERS[className as LayerName];

/** A layer with options and an input shape. */
export type Subject = Omit<LayerCase, 'training' | 'className'> & { readonly className: LayerName };

const subject = (className: LayerName, shape: number[], options: LayerCase['options'] = {}): Subject => ({
  className,
  options,
  shape,
});

/** One for each class and way through it; run on every backend. */
export const SUBJECTS: readonly Subject[] = [
  subject('BatchNormalization', [8, 5]),
  subject('BatchNormalization', [3, 4, 5, 3], { momentum: 0.5, epsilon: 0.1 }),
  subject('BatchNormalization', [4, 3, 5], { axis: 1, scale: false, momentum: 0 }),
  subject('InstanceNormalization', [2, 3, 4, 3]),
  subject('InstanceNormalization', [3, 2, 5], { axis: 1, epsilon: 0.1, center: false }),
  subject('LayerNormalization', [4, 7]),
  subject('LayerNormalization', [2, 3, 2, 5], { axis: [1, -1], epsilon: 0.1 }),
  subject('LayerNormalization', [2, 5, 3], { axis: 1, scale: false }),
  subject('RMSNormalization', [4, 7]),
  subject('RMSNormalization', [3, 4, 5], { axis: [1, 2], epsilonPlacement: 'inside', epsilon: 0.1, center: false }),
  subject('RMSNormalization', [3, 4, 5], { axis: 1, epsilonPlacement: 'floor', epsilon: 0.05 }),
  subject('GroupNormalization', [2, 3, 4, 6], { groups: 2 }),
  subject('GroupNormalization', [3, 4, 5], { groups: -1, axis: 1, epsilon: 0.1 }),
  subject('GroupNormalization', [3, 8], { groups: 4, epsilon: 0.1, scale: false, center: false }),
  subject('MeanOnlyBatchNormalization', [6, 4]),
  subject('MeanOnlyBatchNormalization', [3, 4, 2, 3], { axis: 1, momentum: 0.5 }),
];

/** The first subject of each class. */
export const FIRST: readonly Subject[] = LAYER_NAMES.map((name) => SUBJECTS.find((s) => s.className === name)!);

const SIZES = [2, 4, 3, 2, 2, 2];

/** Every class at every rank and axis, and some lists of axes. */
export function everyAxis(className: LayerName): Subject[] {
  const subjects: Subject[] = [];
  for (let rank = 2; rank <= 6; rank++) {
    const shape = SIZES.slice(0, rank);
    const axes: (number | number[])[] = [];
    for (let axis = 1; axis < rank; axis++) axes.push((axis + rank) % 2 ? axis : axis - rank);
    if (rowOf(className).listAxis) {
      if (rank > 2) axes.push([2, 1], [-1, 1]);
      if (rank > 3) axes.push([3, 1]);
    }
    for (const axis of axes) {
      const channels = shape.at(Array.isArray(axis) ? -1 : axis)!;
      const groups = className === 'GroupNormalization' ? { groups: channels % 2 === 0 ? 2 : 1 } : {};
      // Two values that nearly agree have a steep gradient, which differences cannot follow; a large epsilon softens it.
      const epsilon = 'epsilon' in rowOf(className).defaults ? { epsilon: 0.1 } : {};
      subjects.push(subject(className, shape, { axis, ...epsilon, ...groups }));
    }
  }
  return subjects;
}

/** The combinations of `center` and `scale` that the class has. */
export function centerAndScale(className: LayerName): LayerCase['options'][] {
  const { scale } = rowOf(className);
  const centers = [{ center: true }, { center: false }];
  return scale ? centers.flatMap((c) => [c, { ...c, scale: false }]) : centers;
}

/** What the oracle needs to know of a case. */
export function settingOf({ className, options, shape, training, mask }: LayerCase): Setting {
  const all = { ...rowOf(className).defaults, ...options };
  const axes = [all.axis as number | number[]]
    .flat()
    .map((axis) => (axis < 0 ? axis + shape.length : axis))
    .sort((a, b) => a - b);
  return { shape, axes, options: all, training, mask };
}

/** The names of a layer's weights, in order. */
export function weightNames(subject: Pick<LayerCase, 'className' | 'options'>): {
  trainable: string[];
  state: readonly string[];
} {
  const { defaults, scale, center, state } = rowOf(subject.className);
  const options: Record<string, unknown> = { ...defaults, ...subject.options };
  const trainable = [options.scale && scale, options.center && center];
  return { trainable: trainable.filter((name): name is string => typeof name === 'string'), state };
}

/** A title for a test. */
export const titleOf = ({ className, shape, options }: Subject): string =>
  `${className} [${shape}] ${JSON.stringify(options)}`;
export const titled = (subjects: readonly Subject[]): [string, Subject][] => subjects.map((s) => [titleOf(s), s]);
