import { type serialization, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { layers } from '@tensorflow/tfjs-layers';
import { ascending, checkAxes, checkAxisList, checkOneInput, checkRank } from '../kernels/functions/checks.ts';
import { normalizeRowLength } from '../kernels/ops/length.ts';
import { checkArgs, checkOptions, type Kwargs, type LayerArgs, type Shape, savedOptions } from './base/options.ts';
import { registerLayer } from './base/register.ts';

/** Options of {@link UnitNormalization}. */
export interface UnitNormalizationArgs extends LayerArgs {
  /** The axis or axes along which the length is taken. Default: -1. */
  axis?: number | number[];
}

/** The smallest length that is divided by: Keras's. */
const SMALLEST_LENGTH = 1e-12;

/**
 * Unit normalization: each vector of the input is divided by its Euclidean length.
 *
 *     y = x / max(||x||, 1e-12)
 *
 * Class name and config keys are Keras's. The same in training and inference; no weights.
 *
 * Input and output: any shape of rank 2 to 6.
 *
 * @example
 * ```js
 * unitNormalization().apply(tf.tensor([[3, 4]])); // [[0.6, 0.8]]
 * ```
 * @throws if an option is unknown or invalid; when called, if the input has not 2 to 6 axes or is not numeric, or an axis
 *   is out of range or named twice
 * @see Keras: UnitNormalization. https://keras.io/api/layers/normalization_layers/unit_normalization/
 */
export class UnitNormalization extends layers.Layer {
  /** In saved models, here and in Keras. */
  static readonly className = 'UnitNormalization';
  /** The axis or axes along which the length is taken. */
  readonly axis: number | number[];

  constructor(args: UnitNormalizationArgs = {}) {
    super(checkArgs(new.target, args));
    checkOptions(this.getClassName(), args, ['axis']);
    this.axis = checkAxisList(this.getClassName(), args.axis ?? -1, 'with batch');
    this.supportsMasking = true;
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    const { length } = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as Shape;
    checkRank(this.getClassName(), length);
    this.#axes(length);
    return inputShape;
  }

  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const x = checkOneInput(this.getClassName(), inputs);
      return normalizeRowLength(x, this.#axes(x.rank), SMALLEST_LENGTH);
    });
  }

  #axes(rank: number): number[] {
    return ascending(checkAxes(this.getClassName(), this.axis, rank, 'with batch'));
  }

  override getConfig(): serialization.ConfigDict {
    return { axis: Array.isArray(this.axis) ? [...this.axis] : this.axis, ...super.getConfig() };
  }

  /** Makes a layer from what `getConfig` gave, here or in Keras. */
  static override fromConfig<T extends serialization.Serializable>(
    cls: serialization.SerializableConstructor<T>,
    saved: serialization.ConfigDict,
  ): T {
    return new cls(savedOptions(saved));
  }
}

/** Makes a {@link UnitNormalization}. */
export const unitNormalization = (args?: UnitNormalizationArgs) => new UnitNormalization(args);
registerLayer(UnitNormalization);
