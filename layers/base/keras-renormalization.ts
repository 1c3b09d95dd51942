/**
 * Renormalization of Keras's `BatchNormalization` with `renorm`. It corrects towards averages of its own, with another momentum, and
 * derives the moving variance from a moving standard deviation.
 */
import { maximum, sqrt, square, sub, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { fail } from '../../kernels/core/errors.ts';
import type { AffineOptions } from '../../kernels/functions/normalization.ts';
import { mapWeight, varianceFrom } from '../../kernels/ops/half.ts';
import type { ConfiguredLayer } from './configured-layer.ts';
import type { Initializer } from './identifiers.ts';
import { MovingStatistics } from './moving-statistics.ts';
import { type KerasClipping, renormalize } from './renormalization.ts';

/** Options of renormalization in Keras's layer. */
export interface KerasRenormArgs {
  /** Renormalize in training, in Keras's form; `BatchRenormalization` has the form of the paper. Default: false. */
  renorm?: boolean;
  /** With `renorm`: the bounds of r and of |d|, all of which may be absent. Default: no bounds. */
  renormClipping?: KerasClipping | null;
  /** With `renorm`: the share of the old value in the averages that r and d compare with. Default: 0.99. */
  renormMomentum?: number;
}

export const RENORM_OPTIONS: readonly (keyof KerasRenormArgs)[] = ['renorm', 'renormClipping', 'renormMomentum'];

/** The layer that renormalizes. */
type Owner = ConfiguredLayer &
  Readonly<Record<'epsilon' | 'momentum' | 'renormMomentum', number>> & {
    readonly renormClipping: Readonly<KerasClipping>;
  };

export class KerasRenormalization {
  readonly #layer: Owner;
  readonly #movingVariance: LayerVariable;
  readonly #movingStddev: LayerVariable;
  /** Moving mean and standard deviation, of the layer's momentum. */
  readonly #moving: MovingStatistics;
  /** The averages, of `renormMomentum`, towards which a batch is corrected. */
  readonly #compared: MovingStatistics;

  /** Adds its weights to `layer`, which has those of `moving`: mean and variance. A deviation starts as the variance's root. */
  constructor(layer: Owner, moving: MovingStatistics, initializers: readonly Initializer[]) {
    const [mean, variance] = moving.weights as readonly [LayerVariable, LayerVariable];
    const channels = mean.shape as number[];
    this.#layer = layer;
    this.#movingVariance = variance;
    this.#movingStddev = layer.addState('moving_stddev', channels, initializers[1]);
    this.#moving = new MovingStatistics(layer, [mean, this.#movingStddev]);
    const names = ['renorm_mean', 'renorm_stddev'] as const;
    const { weights } = MovingStatistics.addTo(layer, channels, names, initializers);
    this.#compared = new MovingStatistics({ momentum: layer.renormMomentum }, weights);
    tidy(() => {
      for (const stddev of [this.#movingStddev, weights[1]]) stddev?.write(sqrt(stddev.read()));
    });
  }

  /** A training call, which must have no mask. */
  normalize(x: Tensor, axis: number, parameters: AffineOptions & { readonly mask?: Tensor | undefined }): Tensor {
    const { epsilon, name, renormClipping } = this.#layer;
    if (parameters.mask) {
      fail(this.#layer.getClassName(), `renorm takes no mask; '${name}' received one; use renorm: false`);
    }
    const [mean, stddev] = this.#compared.read();
    return renormalize(x, axis, parameters, {
      epsilon,
      averages: { mean, stddev, smallest: Math.sqrt(epsilon) },
      bounds: () => renormClipping,
      follow: (batch) => this.#follow(batch),
    });
  }

  #follow(batch: Tensor): void {
    const { epsilon } = this.#layer;
    this.#compared.follow(batch);
    this.#moving.follow(batch);
    const variance = (stddev: Tensor) => maximum(sub(square(stddev), epsilon), 0);
    this.#movingVariance.write(mapWeight(this.#movingStddev.read(), variance, varianceFrom(epsilon)));
  }
}
