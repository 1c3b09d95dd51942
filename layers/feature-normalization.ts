import type { Tensor } from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable } from '@tensorflow/tfjs-layers';
import { checkBoolean } from '../kernels/functions/checks.ts';
import { standardizeFeatures } from '../kernels/functions/features.ts';
import type { ConfigDict, LayerArgs, Shape } from './base/options.ts';
import { registerLayer } from './base/register.ts';
import { SingleInputLayer } from './base/single-input-layer.ts';
import { checkFits, checkTogether, type Statistic, tensorOf } from './base/statistic.ts';

export type { Statistic };

/** Options of {@link FeatureNormalization}. */
export interface FeatureNormalizationArgs extends LayerArgs {
  /** The axis or axes that have a mean and a variance for each index; null: one of each for all. Default: -1. */
  axis?: number | number[] | null;
  /** The means, together with `variance`. Default: they are weights. */
  mean?: Statistic;
  /** The variances, together with `mean`. Default: they are weights. */
  variance?: Statistic;
  /** Undo the normalization: y = x max(sqrt(variance), 1e-7) + mean. Default: false. */
  invert?: boolean;
}

/**
 * Keras's preprocessing layer `Normalization`: features are brought to mean 0 and variance 1 by statistics of the data.
 *
 *     y = (x - mean) / max(sqrt(variance), 1e-7)
 *
 * The statistics are constants, from a saved model, by `setWeights` or as options; `adapt` of `tfjs-normalizations/surgery` takes
 * them of data. Class name, config keys and weight names are Keras's.
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
export class FeatureNormalization extends SingleInputLayer<number | number[] | null> {
  /** In saved models, here and in Keras. */
  static readonly className = 'Normalization';
  /** Whether the layer undoes the normalization. */
  readonly invert: boolean;
  protected readonly mean: Statistic | undefined;
  protected readonly variance: Statistic | undefined;
  #weights: { readonly mean: LayerVariable; readonly variance: LayerVariable } | undefined = undefined;

  constructor(args: FeatureNormalizationArgs = {}) {
    super(args, ['mean', 'variance', 'invert'], { axes: true, noAxis: true, ascending: true });
    this.invert = checkBoolean(this.getClassName(), 'invert', args.invert ?? false);
    const { mean, variance } = checkTogether(this.getClassName(), args.mean ?? undefined, args.variance ?? undefined);
    this.mean = mean;
    this.variance = variance;
  }

  override build(inputShape: Shape | Shape[]): void {
    const [, , sizes] = this.sizesToBuild(inputShape);
    if (this.mean === undefined) {
      const variance = initializers.ones();
      this.#weights = { mean: this.addState('mean', sizes), variance: this.addState('variance', sizes, variance) };
      this.addState('count', [], initializers.zeros(), 'int32');
    }
    this.built = true;
  }

  /** Also fails if the given statistics do not fit the axes. */
  protected override checkedShape(inputShape: Shape | Shape[]): [shape: Shape, axes: number[]] {
    const [shape, axes] = super.checkedShape(inputShape);
    const sizes = axes.map((axis) => shape[axis] ?? null);
    for (const name of ['mean', 'variance'] as const) checkFits(this.getClassName(), name, this[name], sizes);
    return [shape, axes];
  }

  protected override transform(x: Tensor): Tensor {
    const mean = this.#weights?.mean.read() ?? tensorOf(this.mean);
    const variance = this.#weights?.variance.read() ?? tensorOf(this.variance);
    return standardizeFeatures(x, this.frontAxes(x.rank), mean, variance, this.invert);
  }

  /** Keras saves "no axis" as null or an empty list. */
  static override fromSaved(config: ConfigDict, { axis }: ConfigDict): ConfigDict {
    const isNone = axis === null || (Array.isArray(axis) && axis.length === 0);
    return isNone ? { ...config, axis: null } : config;
  }
}

/** Makes a {@link FeatureNormalization}. */
export const featureNormalization = (args?: FeatureNormalizationArgs) => new FeatureNormalization(args);
registerLayer(FeatureNormalization);
