/**
 * Statistics of the batch that a layer keeps for inference: moving averages of the mean of each channel and, in most layers,
 * of its variance. Training calls write them, never an optimizer.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable } from '@tensorflow/tfjs-layers';
import type { AffineOptions } from '../../kernels/functions/normalization.ts';
import { average } from '../../kernels/ops/average.ts';
import type { Form } from '../../kernels/ops/form.ts';
import { affinePerChannel, normalizePerChannel } from '../../kernels/ops/per-channel.ts';
import type { ConfiguredLayer } from './configured-layer.ts';
import type { Initializer } from './identifiers.ts';

/** A layer, of which only the share of the old value in the averages is read. */
interface Momentum {
  readonly momentum: number;
}

/** The mean alone, or also a second statistic: a variance or a standard deviation. */
type Pair<T> = readonly [mean: T, second?: T];

export class MovingStatistics {
  readonly weights: Pair<LayerVariable>;
  readonly #layer: Momentum;

  constructor(layer: Momentum, weights: Pair<LayerVariable>) {
    this.#layer = layer;
    this.weights = weights;
  }

  /** Adds the weights to a layer, [channels] each; by default they start as zeros and ones. */
  static addTo(
    layer: ConfiguredLayer & Momentum,
    channels: readonly number[],
    [mean, second]: Pair<string> = ['moving_mean', 'moving_variance'],
    [meanInitializer, secondInitializer]: readonly Initializer[] = [initializers.zeros(), initializers.ones()],
  ): MovingStatistics {
    const meanWeight = layer.addState(mean, channels, meanInitializer);
    return new MovingStatistics(
      layer,
      second === undefined ? [meanWeight] : [meanWeight, layer.addState(second, channels, secondInitializer)],
    );
  }

  /** The averages as they are now, [channels] each. */
  read(): [mean: Tensor, second: Tensor] {
    return this.weights.map((weight) => weight?.read()) as [Tensor, Tensor];
  }

  /** Moves each average towards its row of a batch's statistics [2, channels]. A field, so that it can be passed as a callback. */
  readonly follow = (batch: Tensor): void => {
    for (const [row, weight] of this.weights.entries()) {
      weight?.write(average(weight.read(), batch, { row: row as 0 | 1, momentum: this.#layer.momentum }));
    }
  };

  /** Normalizes each channel: in training by the batch's mean and variance, which the averages follow; else by the averages. */
  normalize(
    x: Tensor,
    axis: number,
    parameters: AffineOptions & { readonly mask?: Tensor | undefined },
    form: Form,
    training: boolean,
  ): Tensor {
    if (training) return normalizePerChannel(x, axis, parameters, form, this.follow);
    const [mean, variance] = this.read();
    return affinePerChannel(x, axis, { mean, variance, scale: parameters.gamma, shift: parameters.beta }, form.epsilon);
  }
}
