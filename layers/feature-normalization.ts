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
  tensor,
  tidy,
} from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers } from '@tensorflow/tfjs-layers';
import { checkAxes, checkAxisList, checkBoolean, checkInput, checkRank, checkSize, fail } from '../kernels/checks.ts';
import { checkOptions, type Kwargs, type LayerArgs, type Shape, savedOptions } from './options.ts';
import { registerLayer } from './register.ts';

export interface FeatureNormalizationArgs extends LayerArgs {
  /** The axis or axes that have a mean and a variance for each index; null: one of each for all. Default: -1. */
  axis?: number | number[] | null;
  /** Numbers, nested as the axes or one for all, in place of weights; together with `variance`. */
  mean?: Statistic;
  variance?: Statistic;
  /** The way back: y = x sqrt(variance) + mean. Default: false. */
  invert?: boolean;
}
type Statistic = number | Statistic[];

/** The smallest divisor: Keras's. */
const SMALLEST_DEVIATION = 1e-7;

/**
 * Keras's preprocessing layer `Normalization`: features are brought to mean 0 and variance 1 by statistics of the data.
 *
 *   y = (x - mean) / max(sqrt(variance), 1e-7)
 *
 * The statistics are constants, from a saved model, by `setWeights` or as options; nothing here takes them from data. Class
 * name, config keys and weight names are Keras's.
 *
 * Input and output: any shape of rank 2 to 6. Weights, without `mean` and `variance`: mean, variance [size of the axis], and
 * count [], the number of values they were taken of.
 *
 * ```js
 * const norm = featureNormalization({mean: [1, 2], variance: [4, 9]});
 * const y = norm.apply(tf.tensor([[3, 5]])); // [[1, 1]]
 * ```
 */
export class FeatureNormalization extends layers.Layer {
  static readonly className = 'Normalization';
  readonly axis: number | number[] | null;
  readonly invert: boolean;
  private readonly given: { readonly mean: Statistic; readonly variance: Statistic } | undefined;
  private weightMean: LayerVariable | undefined = undefined;
  private weightVariance: LayerVariable | undefined = undefined;

  constructor(args: FeatureNormalizationArgs = {}) {
    super(args);
    const who = this.getClassName();
    checkOptions(who, args, ['axis', 'mean', 'variance', 'invert']);
    const { axis = -1, mean, variance } = args;
    this.axis = axis === null ? null : checkAxisList(who, axis);
    this.invert = checkBoolean(who, 'invert', args.invert ?? false);
    if ((mean === undefined) !== (variance === undefined)) {
      fail(who, `mean and variance go together; received only ${mean === undefined ? 'variance' : 'mean'}; give both`);
    }
    this.given = mean === undefined || variance === undefined ? undefined : { mean, variance };
    this.supportsMasking = true;
  }

  override build(inputShape: Shape | Shape[]): void {
    const who = this.getClassName();
    const shape = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as Shape;
    checkRank(who, shape.length);
    const sizes = this.axes(shape.length).map((axis) => checkSize(who, shape, axis));
    if (!this.given) {
      const addState = (name: string, shape: number[], dtype: 'float32' | 'int32', value: number) =>
        this.addWeight(name, shape, dtype, initializers.constant({ value }), undefined, false);
      this.weightMean = addState('mean', sizes, 'float32', 0);
      this.weightVariance = addState('variance', sizes, 'float32', 1);
      addState('count', [], 'int32', 0);
    }
    this.built = true;
  }

  private axes(rank: number): number[] {
    return this.axis === null ? [] : checkAxes(this.getClassName(), this.axis, rank);
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    return inputShape;
  }

  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const x = checkInput(this.getClassName(), Array.isArray(inputs) && inputs.length === 1 ? inputs[0] : inputs);
      const axes = this.axes(x.rank);
      const broadcast = x.shape.map((size, axis) => (axes.includes(axis) ? size : 1));
      const along = (weight: LayerVariable | undefined, given: Statistic | undefined) => {
        const value = weight ? weight.read() : tensor(given as number[]);
        return value.size === 1 ? reshape(value, []) : reshape(value, broadcast);
      };
      const mean = along(this.weightMean, this.given?.mean);
      const deviation = maximum(sqrt(along(this.weightVariance, this.given?.variance)), SMALLEST_DEVIATION);
      return this.invert ? add(mul(x, deviation), mean) : div(sub(x, mean), deviation);
    });
  }

  override getConfig(): serialization.ConfigDict {
    const { axis, invert, given } = this;
    const statistics = { mean: given?.mean ?? null, variance: given?.variance ?? null };
    const config = { axis: Array.isArray(axis) ? [...axis] : axis, ...statistics, invert };
    return { ...(config as serialization.ConfigDict), ...super.getConfig() };
  }

  /** Makes a layer from what `getConfig` gave, here or in Keras; in both, null is an axis. */
  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    saved: serialization.ConfigDict,
  ): T {
    const options = savedOptions(saved);
    return new cls(saved.axis === null ? { ...options, axis: null } : options);
  }
}

/** Makes a `FeatureNormalization`. */
export const featureNormalization = (args?: FeatureNormalizationArgs) => new FeatureNormalization(args);
registerLayer(FeatureNormalization);
