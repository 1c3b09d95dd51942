import {
  add,
  div,
  maximum,
  mul,
  reshape,
  type serialization,
  sqrt,
  sub,
  type Tensor,
  tensor1d,
  tidy,
} from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers } from '@tensorflow/tfjs-layers';
import { fail, show } from '../kernels/core/errors.ts';
import {
  ascending,
  checkAxes,
  checkAxisList,
  checkBoolean,
  checkOneInput,
  checkRank,
  checkSize,
} from '../kernels/functions/checks.ts';
import { lent, mapped } from '../kernels/ops/half.ts';
import { checkArgs, checkOptions, type Kwargs, type LayerArgs, type Shape, savedOptions } from './base/options.ts';
import { registerLayer } from './base/register.ts';
import { checkUnbuilt } from './base/weights.ts';

/** Options of {@link FeatureNormalization}. */
export interface FeatureNormalizationArgs extends LayerArgs {
  /** The axis or axes that have a mean and a variance for each index; null: one of each for all. Default: -1. */
  axis?: number | number[] | null;
  /** The means, in place of weights; together with `variance`. Default: weights. */
  mean?: Statistic;
  /** The variances, in place of weights; together with `mean`. Default: weights. */
  variance?: Statistic;
  /** The way back: y = x sqrt(variance) + mean. Default: false. */
  invert?: boolean;
}

/** Numbers, nested as the axes or as the last of them, or one for all. */
export type Statistic = number | Statistic[];

/** The smallest divisor: Keras's. */
const SMALLEST_DEVIATION = 1e-7;

/**
 * Keras's preprocessing layer `Normalization`: features are brought to mean 0 and variance 1 by statistics of the data.
 *
 *     y = (x - mean) / max(sqrt(variance), 1e-7)
 *
 * The statistics are constants, from a saved model, by `setWeights` or as options; nothing here takes them from data. Class
 * name, config keys and weight names are Keras's.
 *
 * Input and output: any shape of rank 2 to 6. Weights, without `mean` and `variance`: mean, variance [size of the axis], and
 * count [], the number of values they were taken of.
 *
 * @example
 * ```js
 * featureNormalization({mean: [1, 2], variance: [4, 9]}).apply(tf.tensor([[3, 5]])); // [[1, 1]]
 *
 * const data = tf.tensor([[1, 10], [3, 30]]);
 * const {mean, variance} = tf.moments(data, 0);
 * const norm = featureNormalization({inputShape: [2]});
 * norm.build([null, 2]);
 * norm.setWeights([mean, variance, tf.scalar(2, 'int32')]);
 * norm.apply(data); // [[-1, -1], [1, 1]]
 * ```
 * @throws if an option is unknown or invalid, or only one of `mean` and `variance` is given; when called, if the input has not 2
 *   to 6 axes or is not numeric, or an axis is out of range, the batch, or of unknown size
 * @see Keras: Normalization. https://keras.io/api/layers/preprocessing_layers/numerical/normalization/
 */
export class FeatureNormalization extends layers.Layer {
  /** In saved models, here and in Keras. */
  static readonly className = 'Normalization';
  /** The axis or axes that have statistics for each index; null: none. */
  readonly axis: number | number[] | null;
  /** Whether the layer goes the way back. */
  readonly invert: boolean;
  readonly #given: { readonly mean: Statistic; readonly variance: Statistic } | undefined = undefined;
  #weightMean: LayerVariable | undefined = undefined;
  #weightVariance: LayerVariable | undefined = undefined;

  constructor(args: FeatureNormalizationArgs = {}) {
    super(checkArgs(new.target, args));
    const who = this.getClassName();
    checkOptions(who, args, ['axis', 'mean', 'variance', 'invert']);
    const { axis = -1 } = args;
    const [mean, variance] = [args.mean ?? undefined, args.variance ?? undefined];
    this.axis = axis === null ? null : checkAxisList(who, axis);
    this.invert = checkBoolean(who, 'invert', args.invert ?? false);
    if ((mean === undefined) !== (variance === undefined)) {
      fail(who, `mean and variance go together; received only ${mean === undefined ? 'variance' : 'mean'}; give both`);
    }
    if (mean !== undefined && variance !== undefined) {
      this.#given = { mean: checkStatistic(who, 'mean', mean), variance: checkStatistic(who, 'variance', variance, 0) };
    }
    this.supportsMasking = true;
  }

  override build(inputShape: Shape | Shape[]): void {
    checkUnbuilt(this);
    const who = this.getClassName();
    const [shape, axes] = this.#checked(inputShape);
    const sizes = axes.map((axis) => checkSize(who, shape, axis));
    if (!this.#given) {
      const { zeros, ones } = initializers;
      const addState = (name: string, shape: number[], dtype: 'float32' | 'int32', initializer = zeros()) =>
        this.addWeight(name, shape, dtype, initializer, undefined, false);
      this.#weightMean = addState('mean', sizes, 'float32');
      this.#weightVariance = addState('variance', sizes, 'float32', ones());
      addState('count', [], 'int32');
    }
    this.built = true;
  }

  /** The shape, and the axes of statistics in it; fails where it does not go with these. */
  #checked(inputShape: Shape | Shape[]): [shape: Shape, axes: number[]] {
    const who = this.getClassName();
    const shape = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as Shape;
    checkRank(who, shape.length);
    const axes = this.#axes(shape.length);
    const sizes = axes.map((axis) => shape[axis] ?? undefined);
    if (sizes.includes(undefined)) return [shape, axes];
    for (const [name, given] of Object.entries(this.#given ?? {})) {
      const own = shapeOf(given);
      const isOne = own.every((size) => size === 1);
      const fits = (size: number, i: number) => size === 1 || size === sizes.at(i - own.length);
      if (isOne || (own.length <= sizes.length && own.every(fits))) continue;
      const rule = `${name} must be one number, or have the shape [${sizes}] of the axes, or of the last of them, or 1 there`;
      fail(who, `${rule}; received the shape [${own}]; see the option axis`);
    }
    return [shape, axes];
  }

  #axes(rank: number): number[] {
    return this.axis === null ? [] : ascending(checkAxes(this.getClassName(), this.axis, rank));
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    this.#checked(inputShape);
    return inputShape;
  }

  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const x = checkOneInput(this.getClassName(), inputs);
      const axes = this.#axes(x.rank);
      const along = (weight: LayerVariable | undefined, given: Statistic | undefined, f: (value: Tensor) => Tensor) => {
        const value = weight ? weight.read() : tensor1d(valuesOf(given as Statistic));
        const own = weight ? weight.shape : shapeOf(given as Statistic);
        // Aligned from the right: of fewer axes than the layer has, they are those of its last.
        const broadcast = x.shape.map(() => 1);
        for (let i = 1; i <= axes.length; i++) broadcast[axes.at(-i) as number] = own.at(-i) ?? 1;
        return reshape(f(value), value.size === 1 ? [] : broadcast);
      };
      // As 16-bit floats a mean would be coarse, and a variance too large: there both go by the host.
      const root = (variance: Tensor) => mapped(variance, sqrt, Math.sqrt);
      const mean = along(this.#weightMean, this.#given?.mean, lent);
      const deviation = maximum(along(this.#weightVariance, this.#given?.variance, root), SMALLEST_DEVIATION);
      return this.invert ? add(mul(x, deviation), mean) : div(sub(x, mean), deviation);
    });
  }

  override getConfig(): serialization.ConfigDict {
    const { axis, invert } = this;
    const given = this.#given;
    const statistics = { mean: given?.mean ?? null, variance: given?.variance ?? null };
    const config = { axis: Array.isArray(axis) ? [...axis] : axis, ...statistics, invert };
    return { ...(config as serialization.ConfigDict), ...super.getConfig() };
  }

  /** Makes a layer from what `getConfig` gave, here or in Keras, where no axis is null or an empty list. */
  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    saved: serialization.ConfigDict,
  ): T {
    const options = savedOptions(saved);
    const isNone = saved.axis === null || (Array.isArray(saved.axis) && saved.axis.length === 0);
    return new cls(isNone ? { ...options, axis: null } : options);
  }
}

const valuesOf = (statistic: Statistic): number[] =>
  Array.isArray(statistic) ? statistic.flatMap(valuesOf) : [statistic];

/** The lengths of nested lists, by the first at each depth. */
const shapeOf = (statistic: Statistic): number[] =>
  Array.isArray(statistic)
    ? [statistic.length, ...(statistic.length > 0 ? shapeOf(statistic[0] as Statistic) : [])]
    : [];

function checkStatistic(who: string, name: string, given: Statistic, least = Number.NEGATIVE_INFINITY): Statistic {
  const values = valuesOf(given);
  if (values.length !== shapeOf(given).reduce((a, b) => a * b, 1)) {
    fail(who, `${name} must be a number or nested lists of one length at each depth; received ${show(given)}`);
  }
  const wrong = values.find((value) => !(Number.isFinite(value) && value >= least));
  if (values.length > 0 && wrong === undefined) return given;
  const rule = `${name} must hold finite numbers${least === 0 ? ' of at least 0' : ''}`;
  return fail(who, `${rule}; received ${show(wrong ?? given)}; give one for each index of axis`);
}

/** Makes a {@link FeatureNormalization}. */
export const featureNormalization = (args?: FeatureNormalizationArgs) => new FeatureNormalization(args);
registerLayer(FeatureNormalization);
