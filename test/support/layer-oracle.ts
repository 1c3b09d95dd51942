/**
 * The layers in float64, from their definitions: which elements are normalized together is a number per element, so there
 * is no view and no axis to move. Gradients of first and second order are differences of the scalar sum(y dy).
 */

export type Weights = Record<string, Float64Array>;

export interface Setting {
  readonly shape: readonly number[];
  /** The axes of the parameters, from the front, ascending. */
  readonly axes: readonly number[];
  /** Options with their defaults. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly training: boolean;
  readonly mask?: readonly boolean[] | undefined;
}

/** What a layer makes of its input: y, and the weights that a training call changes. */
export type Formula = (setting: Setting) => (x: Float64Array, weights: Weights) => { y: Float64Array; state: Weights };

/** For each element, the flat index of its coordinates along `axes`. */
export function indexAlong(shape: readonly number[], axes: readonly number[]): Int32Array {
  const size = shape.reduce((a, b) => a * b, 1);
  return Int32Array.from({ length: size }, (_, i) => {
    const coordinates: number[] = [];
    for (let axis = shape.length - 1, rest = i; axis >= 0; rest = Math.floor(rest / shape[axis]!), axis--) {
      coordinates[axis] = rest % shape[axis]!;
    }
    return axes.reduce((index, axis) => index * shape[axis]! + coordinates[axis]!, 0);
  });
}

/** For each element, the number of the group of elements that are normalized together. */
export type Together = (setting: Setting) => Int32Array;

export const perChannel: Together = ({ shape, axes }) => indexAlong(shape, axes);
export const perExampleAndChannel: Together = ({ shape, axes }) => indexAlong(shape, [0, ...axes]);
export const perRow: Together = ({ shape, axes }) =>
  indexAlong(
    shape,
    shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis)),
  );
export const perExampleAndGroup: Together = ({ shape, axes, options }) => {
  const channels = shape[axes[0]!]!;
  const groups = options.groups === -1 ? channels : (options.groups as number);
  const channel = indexAlong(shape, axes);
  return indexAlong(shape, [0]).map((n, i) => n * groups + Math.floor(channel[i]! / (channels / groups)));
};

/** Means over equal `key`s of the elements that `counts` lets pass; divided by the number of them plus `extra`. */
function means(key: Int32Array, value: (i: number) => number, counts: (i: number) => boolean, extra: number) {
  const length = key.reduce((most, k) => Math.max(most, k), 0) + 1;
  const [total, number] = [new Float64Array(length), new Float64Array(length)];
  for (let i = 0; i < key.length; i++) {
    if (!counts(i)) continue;
    total[key[i]!]! += value(i);
    number[key[i]!]!++;
  }
  return total.map((sum, k) => sum / (number[k]! + extra));
}

const divisors = {
  inside: (v: number, epsilon: number) => Math.sqrt(v + epsilon),
  outside: (v: number, epsilon: number) => Math.sqrt(v) + epsilon,
  floor: (v: number, epsilon: number) => Math.max(Math.sqrt(v), epsilon),
};

export interface DirectForm {
  readonly together: Together;
  /** Subtract the mean; divide by the root of the variance. Default: both. */
  readonly center?: boolean;
  readonly rescale?: boolean;
  /** Whether inference uses moving averages, and which there are. */
  readonly moving?: readonly ('moving_mean' | 'moving_variance')[];
  /** The name of gamma. */
  readonly gamma?: string;
}

/** Layers that are one normalization, then gamma and beta. */
export function direct({ together, center = true, rescale = true, moving = [], gamma = 'gamma' }: DirectForm): Formula {
  return (setting) => {
    const { options, training, mask } = setting;
    const parameter = indexAlong(setting.shape, setting.axes);
    const key = together(setting);
    const epsilon = options.epsilon as number;
    const offset = (options.gammaOffset ?? 0) as number;
    const divide = divisors[(options.epsilonPlacement ?? 'inside') as keyof typeof divisors];
    const position = mask && perRow(setting);
    const counts = (i: number) => !mask || mask[position![i]!]!;
    const extra = mask ? 1e-7 : 0;
    return (x, weights) => {
      let mean: Float64Array | undefined = weights.moving_mean;
      let variance: Float64Array | undefined = weights.moving_variance;
      const state: Weights = {};
      if (training || moving.length === 0) {
        mean = center ? means(key, (i) => x[i]!, counts, extra) : undefined;
        variance = means(key, (i) => (x[i]! - (mean?.[key[i]!] ?? 0)) ** 2, counts, extra);
        const batch = { moving_mean: mean, moving_variance: variance };
        const momentum = options.momentum as number;
        for (const name of moving) {
          state[name] = weights[name]!.map((old, k) => momentum * old + (1 - momentum) * batch[name]![k]!);
        }
      }
      const y = x.map((value, i) => {
        const xHat = value - (mean?.[key[i]!] ?? 0);
        const normalized = rescale ? xHat / divide(variance![key[i]!]!, epsilon) : xHat;
        const factor = weights[gamma] ? weights[gamma][parameter[i]!]! + offset : 1;
        return normalized * factor + (weights.beta?.[parameter[i]!] ?? 0);
      });
      return { y, state };
    };
  };
}

/** x and weights under one roof, so that derivatives treat them alike. */
export type Point = Weights & { x: Float64Array };
type Scalar = (at: Point) => number;

/** sum(y dy) as a function of x and weights. */
export function loss(formula: Formula, setting: Setting, dy: ArrayLike<number>): Scalar {
  const f = formula(setting);
  return ({ x, ...weights }) => f(x, weights).y.reduce((sum, value, i) => sum + value * dy[i]!, 0);
}

/** Moves every element of `point` by `step` times `direction`. */
function moved(point: Point, direction: Partial<Point>, step: number): Point {
  const entries = Object.entries(point).map(([name, values]) => {
    const by = direction[name];
    return [name, by ? values.map((value, i) => value + step * by[i]!) : values];
  });
  return Object.fromEntries(entries) as Point;
}

/** d f / d name for each of `names`, by central differences. */
export function gradient(f: Scalar, at: Point, names: readonly string[], step = 1e-4): Weights {
  const entries = names.map((name) => {
    const values = Float64Array.from(at[name]!); // of which one element at a time is moved, and put back
    const point = { ...at, [name]: values };
    const d = at[name]!.map((value, i) => {
      values[i] = value + step;
      const ahead = f(point);
      values[i] = value - step;
      const behind = f(point);
      values[i] = value;
      return (ahead - behind) / (2 * step);
    });
    return [name, d];
  });
  return Object.fromEntries(entries) as Weights;
}

/** The gradient of sum((df/dx)^2) + sum(x^2): 2 (d^2 f / d name d x) (df/dx), by mixed central differences, and 2 x. */
export function penaltyGradient(f: Scalar, at: Point, names: readonly string[], step = 1e-3): Weights {
  const { x: direction } = gradient(f, at, ['x']);
  const along: Scalar = (point) => {
    const ahead = moved(point, { x: direction! }, step);
    const behind = moved(point, { x: direction! }, -step);
    return (f(ahead) - f(behind)) / step;
  };
  const result = gradient(along, at, names, step);
  return { ...result, x: result.x!.map((value, i) => value + 2 * at.x[i]!) };
}
