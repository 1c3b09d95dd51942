/** The layers that blend statistics: the defaults, weights and formula of each, and inputs that take every way through it. */
import { batchInstance, correctionOf, renormalization, sourcesOf, switchable } from './blended-oracle.ts';
import { type LayerCase, layerInputs, weightValues } from './layer-inputs.ts';
import type { Formula, Point, Setting, Weights } from './layer-oracle.ts';

type Options = LayerCase['options'];
interface Row {
  readonly defaults: Options;
  /** Names and sizes of the weights behind gamma and beta, in order. */
  readonly parameters: (setting: Setting) => Record<string, number>;
  readonly state: (setting: Setting) => Record<string, number>;
  /** The values of all weights in a training call, before anything is computed. */
  readonly project?: (weights: Weights) => Weights;
  /** The formula whose differences are the gradient at this point. */
  readonly formulaAt: (setting: Setting, point: Point) => Formula;
}

const channels = ({ shape, axes }: Setting) => shape[axes[0]!]!;
const moving = (setting: Setting) => ({ moving_mean: channels(setting), moving_variance: channels(setting) });

export const BLENDED: Record<string, Row> = {
  BatchInstanceNormalization: {
    defaults: { axis: -1, epsilon: 1e-5, momentum: 0.9, center: true, scale: true },
    parameters: (setting) => ({ rho: channels(setting) }),
    state: moving,
    project: (weights) => ({ ...weights, rho: weights.rho!.map((rho) => Math.min(Math.max(rho, 0), 1)) }),
    formulaAt: () => batchInstance,
  },
  SwitchableNormalization: {
    defaults: { axis: -1, epsilon: 1e-5, momentum: 0.9, center: true, scale: true, useBatchStatistics: true },
    parameters: (setting) => ({
      mean_weights: sourcesOf(setting).length,
      variance_weights: sourcesOf(setting).length,
    }),
    state: (setting) => (setting.options.useBatchStatistics ? moving(setting) : {}),
    formulaAt: () => switchable,
  },
  BatchRenormalization: {
    defaults: {
      axis: -1,
      epsilon: 1e-3,
      momentum: 0.99,
      center: true,
      scale: true,
      renormClipping: { rmax: 3, dmax: 5 },
      rampSteps: { rmax: [5000, 40000], dmax: [5000, 25000] },
    },
    parameters: () => ({}),
    state: (setting) => ({
      moving_mean: channels(setting),
      moving_stddev: channels(setting),
      ...(setting.options.rampSteps === null ? {} : { step: 1 }),
    }),
    formulaAt: (setting, { x, ...weights }) => renormalization(correctionOf(setting, x, weights)),
  },
};
export const BLENDED_NAMES = Object.keys(BLENDED);

const tight = { renormClipping: { rmax: 1.25, rmin: 0.75, dmax: 0.25 }, rampSteps: null };
/** `step`, which starts between -1 and 1 here, stands in the middle of such ramps. */
const onTheWay = { rampSteps: { rmax: [0, 3], dmax: [0, 2] } };

/** [class, input shape, options]; an epsilon that is not tiny where the variance of two values may be. */
const ROWS: readonly [string, number[], Options][] = [
  ['BatchInstanceNormalization', [3, 4, 2, 3], {}],
  ['BatchInstanceNormalization', [2, 3, 4, 2], { axis: 1, momentum: 0.5, scale: false }],
  ['BatchInstanceNormalization', [2, 3, 2, 3], { axis: 2, epsilon: 0.1, center: false }],
  ['BatchInstanceNormalization', [5, 3], { epsilon: 0.1, momentum: 0 }],
  ['BatchInstanceNormalization', [1, 5, 2], { epsilon: 0.1 }],
  ['SwitchableNormalization', [3, 4, 2, 3], {}],
  ['SwitchableNormalization', [2, 3, 4, 2], { axis: 1, momentum: 0.5, scale: false }],
  ['SwitchableNormalization', [2, 3, 2, 3], { axis: 2, epsilon: 0.1, center: false, useBatchStatistics: false }],
  ['SwitchableNormalization', [5, 3], { epsilon: 0.1 }],
  ['SwitchableNormalization', [4, 5], { epsilon: 0.1, useBatchStatistics: false }],
  ['SwitchableNormalization', [1, 5, 2], { epsilon: 0.1 }],
  ['BatchRenormalization', [6, 3], { rampSteps: null }],
  ['BatchRenormalization', [3, 4, 2, 3], { ...tight, momentum: 0.5, center: false }],
  ['BatchRenormalization', [2, 3, 4, 2], { axis: 1, ...onTheWay, scale: false }],
  ['BatchRenormalization', [3, 4, 3], { ...onTheWay, renormClipping: { rmin: 0.5 }, epsilon: 0.1 }],
  ['BatchRenormalization', [3, 4, 3], {}],
];
export type Subject = Omit<LayerCase, 'training'>;
export const SUBJECTS: readonly Subject[] = ROWS.map(([className, shape, options]) => ({ className, shape, options }));

const SIZES = [2, 4, 3, 2, 2, 2];
/** Every rank and axis. */
export function everyAxis(className: string): Subject[] {
  const subjects: Subject[] = [];
  for (let rank = 2; rank <= 6; rank++) {
    for (let axis = 1; axis < rank; axis++) {
      const options = { axis: (axis + rank) % 2 ? axis : axis - rank, epsilon: 0.1 };
      subjects.push({ className, shape: SIZES.slice(0, rank), options });
    }
  }
  return subjects;
}

export function settingOf({ className, options, shape, training }: LayerCase): Setting {
  const all: Record<string, unknown> = { ...BLENDED[className]!.defaults, ...options };
  const axis = all.axis as number;
  return { shape, axes: [axis < 0 ? axis + shape.length : axis], options: all, training };
}

/** The names of the trainable weights and the sizes of all, in order. */
export function weightsOf(setting: Setting, className: string): { trainable: string[]; sizes: Record<string, number> } {
  const { parameters, state } = BLENDED[className]!;
  const c = channels(setting);
  const own = {
    ...(setting.options.scale ? { gamma: c } : {}),
    ...(setting.options.center ? { beta: c } : {}),
    ...parameters(setting),
  };
  return { trainable: Object.keys(own), sizes: { ...own, ...state(setting) } };
}

/** x and the values of the weights that a case starts from. */
export function startOf(args: LayerCase): Point {
  const { sizes } = weightsOf(settingOf(args), args.className);
  const weights = Object.entries(sizes).map(([name, size]) => [name, Float64Array.from(weightValues(name, size))]);
  return { ...Object.fromEntries(weights), x: Float64Array.from(layerInputs(args).x) } as Point;
}

export const titled = (subjects: readonly Subject[]): [string, Subject][] =>
  subjects.map((s) => [`${s.className} [${s.shape}] ${JSON.stringify(s.options)}`, s]);
