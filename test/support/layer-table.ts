/**
 * The layers as a table: what tests ask of every layer, a new one gets by a row in `LAYERS` and some in `SUBJECTS`.
 */
import {
  batchInstance,
  correctionOf,
  kerasCorrectionOf,
  kerasRenormalization,
  renormalization,
  sourcesOf,
  switchable,
} from './blended-oracle.ts';
import { curve, erf, filterResponse, globalResponse, scaled } from './formula-oracle.ts';
import { type LayerCase, layerInputs, sizeOf, weightValues } from './layer-inputs.ts';
import {
  direct,
  type Formula,
  indexAlong,
  type Point,
  perChannel,
  perExampleAndChannel,
  perExampleAndGroup,
  perRow,
  type Setting,
  type Together,
  type Weights,
} from './layer-oracle.ts';

export interface LayerRow {
  /** Every option of the class itself but initializers, regularizers and constraints, with its default. */
  readonly defaults: Readonly<Record<string, unknown>>;
  /** Names of the weights in order: those that are there if `scale`, if `center`, others to train, and those that are not. */
  readonly scale?: string;
  readonly center?: string;
  readonly parameters?: readonly string[];
  readonly state: readonly string[];
  /** The shape of a weight that has not that of the axes; null where the options are such that it is not there. */
  readonly shapeOf?: (name: string, setting: Setting) => number[] | null | undefined;
  /** Values for options whose defaults are neither numbers nor true. */
  readonly others?: Readonly<Record<string, unknown>>;
  /** Names of the options that hold an initializer, in getConfig's spelling, with its default class. */
  readonly initializers: Readonly<Record<string, string>>;
  /** The values of those initializers that are a constant by default. */
  readonly starts?: Readonly<Record<string, number>>;
  /** Whether `axis` may be a list. */
  readonly listAxis: boolean;
  /** Which elements one element's NaN may reach in training, and in inference. */
  readonly together: Together;
  readonly apart?: Together;
  /** Which gradients it may reach in training. Default: `together`. */
  readonly gradientsTogether?: Together;
  /** The values of all weights in a training call, before anything is computed. */
  readonly project?: (weights: Weights) => Weights;
  /** The formula whose differences are the gradient at this point. */
  readonly formulaAt: (setting: Setting, point: Point) => Formula;
  /** Whether epsilon is the smallest divisor, and is not added to one: a shorter vector has no gradient. */
  readonly epsilonIsFloor?: true;
  /** By how much the errors may be larger than those of a layer that is one normalization. */
  readonly slack?: number;
}

const alone: Together = ({ shape }) => indexAlong(shape, [...shape.keys()]);
const affine = { scale: 'gamma', center: 'beta' };
const affineInitializers = { gammaInitializer: 'Ones', betaInitializer: 'Zeros' };
const usual = { axis: -1, epsilon: 1e-3, center: true, scale: true };
const pointwise = { axis: -1, center: true, scale: true };
/** Of blended statistics: moments travel as float32, and roots of small variances amplify. */
const BLENDED = 2;
/** Elements of one example are all together, and those of one channel: 0 where element 0 may reach. */
const exampleAndChannel: Together = (setting) => {
  const [example, channel] = [indexAlong(setting.shape, [0]), perChannel(setting)];
  return example.map((n, i) => Math.min(n, channel[i]!));
};
const perExample: Together = ({ shape }) => indexAlong(shape, [0]);
const all: Together = ({ shape }) => indexAlong(shape, []);
const hasBatch = ({ options }: Setting) => options.useBatchStatistics === true;

export const LAYERS = {
  BatchNormalization: {
    defaults: { ...usual, momentum: 0.99 },
    ...affine,
    state: ['moving_mean', 'moving_variance', 'moving_stddev', 'renorm_mean', 'renorm_stddev'],
    shapeOf: (name, { options }) => (/stddev|renorm/.test(name) && !options.renorm ? null : undefined),
    initializers: { ...affineInitializers, movingMeanInitializer: 'Zeros', movingVarianceInitializer: 'Ones' },
    listAxis: false,
    together: perChannel,
    apart: alone,
    formulaAt: (setting, { x, ...weights }) => {
      const isRenorm = setting.options.renorm && setting.training;
      if (isRenorm) return kerasRenormalization(kerasCorrectionOf(setting, x, weights));
      return direct({ together: perChannel, moving: ['moving_mean', 'moving_variance'] });
    },
  },
  InstanceNormalization: {
    defaults: { ...usual, epsilonPlacement: 'inside' },
    ...affine,
    state: [],
    initializers: affineInitializers,
    listAxis: false,
    together: perExampleAndChannel,
    formulaAt: () => direct({ together: perExampleAndChannel }),
  },
  LayerNormalization: {
    defaults: usual,
    ...affine,
    state: [],
    initializers: affineInitializers,
    listAxis: true,
    together: perRow,
    formulaAt: () => direct({ together: perRow }),
  },
  RMSNormalization: {
    defaults: { ...usual, epsilon: 1e-6, epsilonPlacement: 'outside', gammaOffset: 0 },
    scale: 'scale',
    center: 'beta',
    state: [],
    initializers: affineInitializers,
    listAxis: true,
    together: perRow,
    formulaAt: () => direct({ together: perRow, center: false, gamma: 'scale' }),
  },
  GroupNormalization: {
    defaults: { ...usual, groups: 32 },
    ...affine,
    state: [],
    initializers: affineInitializers,
    listAxis: false,
    together: perExampleAndGroup,
    formulaAt: () => direct({ together: perExampleAndGroup }),
  },
  ScaleNormalization: {
    defaults: { ...usual, epsilon: 1e-5, center: false },
    ...affine,
    state: [],
    shapeOf: () => [1],
    initializers: affineInitializers,
    listAxis: false,
    epsilonIsFloor: true,
    together: perRow,
    formulaAt: () => scaled,
  },
  GlobalResponseNormalization: {
    defaults: { ...usual, epsilon: 1e-6 },
    ...affine,
    state: [],
    initializers: { gammaInitializer: 'Zeros', betaInitializer: 'Zeros' },
    listAxis: false,
    together: perExample,
    formulaAt: () => globalResponse,
    slack: BLENDED,
  },
  FilterResponseNormalization: {
    defaults: { ...usual, epsilon: 1e-6, threshold: true, learnedEpsilon: false, learnedEpsilonConstraint: null },
    ...affine,
    parameters: ['tau', 'learned_epsilon'],
    shapeOf: (name, { options }) => {
      if (name === 'learned_epsilon') return options.learnedEpsilon ? [1] : null;
      return name === 'tau' && !options.threshold ? null : undefined;
    },
    state: [],
    initializers: { ...affineInitializers, tauInitializer: 'Zeros' },
    listAxis: false,
    together: perExampleAndChannel,
    formulaAt: () => filterResponse,
  },
  DynamicTanh: {
    defaults: pointwise,
    ...affine,
    parameters: ['alpha'],
    state: [],
    shapeOf: (name) => (name === 'alpha' ? [1] : undefined),
    initializers: { ...affineInitializers, alphaInitializer: 'Constant' },
    starts: { alphaInitializer: 0.5 },
    listAxis: false,
    together: alone,
    formulaAt: () => curve(Math.tanh),
  },
  DynamicErf: {
    defaults: pointwise,
    ...affine,
    parameters: ['alpha', 'shift'],
    state: [],
    shapeOf: (name) => (name === 'alpha' || name === 'shift' ? [1] : undefined),
    initializers: { ...affineInitializers, alphaInitializer: 'Constant', shiftInitializer: 'Zeros' },
    starts: { alphaInitializer: 0.5 },
    listAxis: false,
    together: alone,
    formulaAt: () => curve(erf),
  },
  MeanOnlyBatchNormalization: {
    defaults: { axis: -1, momentum: 0.9, center: true },
    center: 'beta',
    state: ['moving_mean'],
    initializers: { betaInitializer: 'Zeros' },
    listAxis: false,
    together: perChannel,
    apart: alone,
    formulaAt: () => direct({ together: perChannel, rescale: false, moving: ['moving_mean'] }),
  },
  BatchInstanceNormalization: {
    defaults: { ...usual, epsilon: 1e-5, momentum: 0.9 },
    ...affine,
    parameters: ['rho'],
    state: ['moving_mean', 'moving_variance'],
    initializers: { ...affineInitializers, rhoInitializer: 'Ones' },
    listAxis: false,
    together: perChannel,
    apart: (setting) => (setting.shape.length === 2 ? alone : perExampleAndChannel)(setting),
    project: (weights) => ({ ...weights, rho: weights.rho!.map((rho) => Math.min(Math.max(rho, 0), 1)) }),
    formulaAt: () => batchInstance,
    slack: BLENDED,
  },
  SwitchableNormalization: {
    defaults: { ...usual, epsilon: 1e-5, momentum: 0.9, useBatchStatistics: true },
    ...affine,
    parameters: ['mean_weights', 'variance_weights'],
    state: ['moving_mean', 'moving_variance'],
    shapeOf: (name, setting) => {
      if (name.endsWith('_weights')) return [sourcesOf(setting).length];
      return name.startsWith('moving') && !hasBatch(setting) ? null : undefined;
    },
    initializers: affineInitializers,
    listAxis: false,
    together: (setting) => (hasBatch(setting) ? exampleAndChannel : perExample)(setting),
    gradientsTogether: (setting) => (hasBatch(setting) ? all : perExample)(setting),
    apart: perExample,
    formulaAt: () => switchable,
    slack: BLENDED,
  },
  BatchRenormalization: {
    defaults: {
      ...usual,
      momentum: 0.99,
      renormClipping: { rmax: 3, dmax: 5 },
      rampSteps: { rmax: [5000, 40000], dmax: [5000, 25000] },
    },
    others: { renormClipping: { rmax: 2, dmax: 1, rmin: 0.25 }, rampSteps: { rmax: [1, 2], dmax: [3, 4] } },
    ...affine,
    state: ['moving_mean', 'moving_stddev', 'step'],
    shapeOf: (name, { options }) => (name === 'step' ? (options.rampSteps === null ? null : []) : undefined),
    initializers: affineInitializers,
    listAxis: false,
    together: perChannel,
    apart: alone,
    formulaAt: (setting, { x, ...weights }) => renormalization(correctionOf(setting, x, weights)),
    slack: BLENDED,
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

const tight = { renormClipping: { rmax: 1.25, rmin: 0.75, dmax: 0.25 }, rampSteps: null };
/** `step`, which starts between -1 and 1 here, stands in the middle of such ramps. */
const onTheWay = { rampSteps: { rmax: [0, 3], dmax: [0, 2] } };

/** One for each class and way through it, with an epsilon that is not tiny where a variance may be; run on every backend. */
export const SUBJECTS: readonly Subject[] = [
  subject('BatchNormalization', [8, 5]),
  subject('BatchNormalization', [3, 4, 5, 3], { momentum: 0.5, epsilon: 0.1 }),
  subject('BatchNormalization', [4, 3, 5], { axis: 1, scale: false, momentum: 0 }),
  subject('BatchNormalization', [3, 4, 2, 3], { renorm: true, renormMomentum: 0.5, renormClipping: {} }),
  subject('BatchNormalization', [4, 3, 5], {
    axis: 1,
    renorm: true,
    renormClipping: { rmax: 1.25, rmin: 0.75, dmax: 0.25 },
    renormMomentum: 0.5,
    momentum: 0.5,
  }),
  subject('InstanceNormalization', [2, 3, 4, 3]),
  subject('InstanceNormalization', [3, 2, 5], { axis: 1, epsilon: 0.1, center: false }),
  subject('LayerNormalization', [4, 7]),
  subject('LayerNormalization', [2, 3, 2, 5], { axis: [1, -1], epsilon: 0.1 }),
  subject('LayerNormalization', [2, 5, 3], { axis: 1, scale: false }),
  subject('RMSNormalization', [4, 7]),
  subject('RMSNormalization', [3, 4, 5], { axis: [1, 2], epsilonPlacement: 'inside', epsilon: 0.1, center: false }),
  subject('RMSNormalization', [3, 4, 5], { axis: [1, 2], gammaOffset: 1 }),
  subject('RMSNormalization', [3, 4, 5], { axis: 1, epsilonPlacement: 'floor', epsilon: 0.05 }),
  subject('GroupNormalization', [2, 3, 4, 6], { groups: 2 }),
  subject('GroupNormalization', [3, 4, 5], { groups: -1, axis: 1, epsilon: 0.1 }),
  subject('GroupNormalization', [3, 8], { groups: 4, epsilon: 0.1, scale: false, center: false }),
  subject('ScaleNormalization', [4, 7]),
  subject('ScaleNormalization', [3, 4, 5], { axis: 1, center: true }),
  subject('GlobalResponseNormalization', [4, 7]),
  subject('GlobalResponseNormalization', [2, 3, 4, 6]),
  subject('GlobalResponseNormalization', [3, 5, 4], { scale: false }),
  subject('GlobalResponseNormalization', [3, 4, 5], { axis: 1, epsilon: 0.1, center: false }),
  subject('FilterResponseNormalization', [2, 3, 4, 3]),
  subject('FilterResponseNormalization', [3, 4, 5], { axis: 1, epsilon: 0.1, threshold: false }),
  subject('FilterResponseNormalization', [2, 4, 3], { epsilon: 0.1, learnedEpsilon: true, center: false }),
  subject('DynamicTanh', [4, 7]),
  subject('DynamicTanh', [3, 4, 5], { axis: 1, scale: false }),
  subject('DynamicErf', [4, 7]),
  subject('DynamicErf', [3, 4, 5], { axis: 1, center: false }),
  subject('MeanOnlyBatchNormalization', [6, 4]),
  subject('MeanOnlyBatchNormalization', [3, 4, 2, 3], { axis: 1, momentum: 0.5 }),
  subject('BatchInstanceNormalization', [3, 4, 2, 3]),
  subject('BatchInstanceNormalization', [2, 3, 4, 2], { axis: 1, momentum: 0.5, scale: false }),
  subject('BatchInstanceNormalization', [2, 3, 2, 3], { axis: 2, epsilon: 0.1, center: false }),
  subject('BatchInstanceNormalization', [5, 3], { epsilon: 0.1, momentum: 0 }),
  subject('BatchInstanceNormalization', [1, 5, 2], { epsilon: 0.1 }),
  subject('SwitchableNormalization', [3, 4, 2, 3]),
  subject('SwitchableNormalization', [2, 3, 4, 2], { axis: 1, momentum: 0.5, scale: false }),
  subject('SwitchableNormalization', [2, 3, 2, 3], { axis: 2, epsilon: 0.1, center: false, useBatchStatistics: false }),
  subject('SwitchableNormalization', [5, 3], { epsilon: 0.1 }),
  subject('SwitchableNormalization', [4, 5], { epsilon: 0.1, useBatchStatistics: false }),
  subject('SwitchableNormalization', [1, 5, 2], { epsilon: 0.1 }),
  subject('BatchRenormalization', [6, 3], { rampSteps: null }),
  subject('BatchRenormalization', [3, 4, 2, 3], { ...tight, momentum: 0.5, center: false }),
  subject('BatchRenormalization', [2, 3, 4, 2], { axis: 1, ...onTheWay, scale: false }),
  subject('BatchRenormalization', [3, 4, 3], {
    ...onTheWay,
    renormClipping: { rmin: 0.5, rmax: 3, dmax: 5 },
    epsilon: 0.1,
  }),
  subject('BatchRenormalization', [3, 4, 3]),
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
      // An epsilon that is the smallest divisor does not soften, and vectors shorter than it have no gradient.
      const { defaults, epsilonIsFloor } = rowOf(className);
      const epsilon = 'epsilon' in defaults && !epsilonIsFloor ? { epsilon: 0.1 } : {};
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

/** The weights of a layer by name, in order: those to train, and those that are not, with their shapes. */
export function shapesOf(subject: Pick<LayerCase, 'className' | 'options' | 'shape'>) {
  const { scale, center, parameters = [], state, shapeOf } = rowOf(subject.className);
  const setting = settingOf({ ...subject, training: true });
  // In the order of the option, in which the axes of the setting are not.
  const sizes = [setting.options.axis as number | number[]].flat().map((axis) => setting.shape.at(axis)!);
  const shapes = (names: readonly (string | false | undefined)[]): Record<string, number[]> => {
    const entries = names.map((name) => {
      if (!name) return [];
      const shape = shapeOf?.(name, setting);
      return shape === null ? [] : [[name, shape ?? sizes] as const];
    });
    return Object.fromEntries(entries.flat());
  };
  const { options } = setting;
  return {
    trainable: shapes([options.scale === true && scale, options.center === true && center, ...parameters]),
    state: shapes(state),
  };
}

/** The names of a layer's weights, in order. */
export function weightNames(subject: Parameters<typeof shapesOf>[0]): { trainable: string[]; state: string[] } {
  const { trainable, state } = shapesOf(subject);
  return { trainable: Object.keys(trainable), state: Object.keys(state) };
}

/** x and the float64 values of the weights a case starts from; what it computes there, and the names of what it trains. */
export function startOf(args: LayerCase) {
  const { project, formulaAt } = rowOf(args.className);
  const setting = settingOf(args);
  const { trainable, state } = shapesOf(args);
  const shapes = { ...trainable, ...state };
  const filled: Weights = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, Float64Array.from(weightValues(name, sizeOf(shape)))]),
  );
  const weights = project ? project(filled) : filled;
  const point = { ...weights, x: Float64Array.from(layerInputs(args).x) } as Point;
  return { setting, point, shapes, trainable: Object.keys(trainable), formula: formulaAt(setting, point) };
}

/** A title for a test. */
export const titleOf = ({ className, shape, options }: Subject): string =>
  `${className} [${shape}] ${JSON.stringify(options)}`;
export const titled = (subjects: readonly Subject[]): [string, Subject][] => subjects.map((s) => [titleOf(s), s]);
