import type { Tensor } from '@tensorflow/tfjs-core';
import { normalizeRowLength } from '../kernels/ops/length.ts';
import type { LayerArgs } from './base/options.ts';
import { registerLayer } from './base/register.ts';
import { SingleInputLayer } from './base/single-input-layer.ts';

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
export class UnitNormalization extends SingleInputLayer<number | number[]> {
  /** In saved models, here and in Keras. */
  static readonly className = 'UnitNormalization';

  constructor(args: UnitNormalizationArgs = {}) {
    super(args, [], { axes: true, ascending: true, batch: 'with batch' });
  }

  protected override transform(x: Tensor): Tensor {
    return normalizeRowLength(x, this.frontAxes(x.rank), SMALLEST_LENGTH);
  }
}

/** Makes a {@link UnitNormalization}. */
export const unitNormalization = (args?: UnitNormalizationArgs) => new UnitNormalization(args);
registerLayer(UnitNormalization);
