import { fill, type serialization, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { layers } from '@tensorflow/tfjs-layers';
import { checkAxes, checkAxisList, checkInput } from '../kernels/checks.ts';
import { rmsNorm } from '../kernels/functions.ts';
import { checkOptions, type Kwargs, type LayerArgs, type Shape, savedOptions } from './options.ts';
import { registerLayer } from './register.ts';

export interface UnitNormalizationArgs extends LayerArgs {
  /** The axis or axes along which the length is taken. Default: -1. */
  axis?: number | number[];
}

/** The smallest length that is divided by: Keras's. */
const SMALLEST_LENGTH = 1e-12;

/**
 * Unit normalization: each vector of the input is divided by its Euclidean length.
 *
 *   y = x / max(||x||, 1e-12)
 *
 * Class name and config keys are Keras's. The same in training and inference; no weights.
 *
 * Input and output: any shape of rank 2 to 6.
 *
 * ```js
 * const y = unitNormalization().apply(tf.tensor([[3, 4]])); // [[0.6, 0.8]]
 * ```
 */
export class UnitNormalization extends layers.Layer {
  static readonly className = 'UnitNormalization';
  readonly axis: number | number[];

  constructor(args: UnitNormalizationArgs = {}) {
    super(args);
    checkOptions(this.getClassName(), args, ['axis']);
    this.axis = checkAxisList(this.getClassName(), args.axis ?? -1);
    this.supportsMasking = true;
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    return inputShape;
  }

  override call(inputs: Tensor | Tensor[], kwargs: Kwargs): Tensor {
    return tidy(() => {
      this.invokeCallHook(inputs, kwargs);
      const who = this.getClassName();
      const x = checkInput(who, Array.isArray(inputs) && inputs.length === 1 ? inputs[0] : inputs);
      const axis = checkAxes(who, this.axis, x.rank);
      // The length is the root of the mean square times the root of the count.
      const count = axis.reduce((size, one) => size * (x.shape[one] as number), 1);
      const root = Math.sqrt(count);
      const gamma = fill([count], 1 / root);
      return rmsNorm(x, { axis, gamma, epsilon: SMALLEST_LENGTH / root, epsilonPlacement: 'floor' });
    });
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

/** Makes a `UnitNormalization`. */
export const unitNormalization = (args?: UnitNormalizationArgs) => new UnitNormalization(args);
registerLayer(UnitNormalization);
