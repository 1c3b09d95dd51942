/** Scale and shift per example, per position or per channel, without normalization. */
import { type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { AffineOptions } from '../ops/form.ts';
import { affinePerChannel } from '../ops/per-channel.ts';
import { checkAxis, checkCall, checkInput, optionNames } from './checks.ts';
import { parameters } from './parameters.ts';

const FILM_OPTIONS = optionNames('gamma', 'beta', 'axis');

/**
 * Feature-wise linear modulation: each example scales and shifts its channels by values of its own, which some condition gives.
 *
 *     y = x * gamma + beta
 *
 * @param x any shape of rank 2 to 6, [batch, ..., channels]; int32 and bool are cast to float32
 * @param options `axis` of the channels (default -1), `gamma` and `beta`: [batch, channels], a row per example; or of the shape of x,
 *   with positions that are left out of size 1; or [channels]
 * @returns a tensor of the shape of x
 * @throws if the axis is out of range, a parameter has another shape, or an option is unknown
 * @example
 * ```js
 * const x = tf.tensor([[[1, 2], [3, 4]], [[1, 2], [3, 4]]]); // two examples, two positions, two channels
 * film(x, {gamma: tf.tensor([[1, 1], [10, 0]]), beta: tf.tensor([[0, 0], [0, 5]])}); // [[[1, 2], [3, 4]], [[10, 5], [30, 5]]]
 * ```
 * @see Perez et al.: FiLM: Visual Reasoning with a General Conditioning Layer. 2017, https://arxiv.org/abs/1709.07871
 */
export function film(x: Tensor, options?: FilmOptions): Tensor;
export function film(x: Tensor, options: FilmOptions = {}, ...more: unknown[]): Tensor {
  checkCall('film', options, FILM_OPTIONS, more);
  return modulate('film', x, options);
}
/** Options of {@link film}. */
export interface FilmOptions extends AffineOptions {
  /** The axis of the channels. Default: -1. */
  readonly axis?: number;
}

/** For layers: `film`, under the name of the layer. */
export function modulate(who: string, x: Tensor, { axis = -1, ...options }: FilmOptions): Tensor {
  return tidy(() => {
    const input = checkInput(who, x);
    const channels = checkAxis(who, axis, input.rank, 'with batch');
    const [scale, shift] = parameters(who, options, input.shape, [channels]);
    return affinePerChannel(input, channels, { scale, shift }, 0);
  });
}
