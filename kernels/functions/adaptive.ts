/** Instance normalization to the statistics of another input. */
import { add, maximum, reshape, sqrt, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { fail } from '../core/errors.ts';
import { groupView } from '../core/view.ts';
import { moving } from '../ops/axes.ts';
import { moments } from '../ops/moments.ts';
import { row } from '../ops/reference.ts';
import { checkAxis, checkCall, checkEpsilon, checkInput, optionNames } from './checks.ts';
import { normalizeGroups } from './normalization.ts';

const ADAPTIVE_OPTIONS = optionNames('axis', 'epsilon');
/** The least normal number of float32. */
const SMALLEST = 2 ** -126;

/**
 * Adaptive instance normalization (AdaIN): each channel of each example of the content gets the mean and the deviation that it has in the
 * style.
 *
 *     y = (content - mean) / sqrt(variance + epsilon) * sqrt(styleVariance + epsilon) + styleMean
 *
 * @param content any shape of rank 2 to 6, [batch, ..., channels]; int32 and bool are cast to float32
 * @param style as content, of the same batch and channels; it may have other positions
 * @param options `axis` of the channels of both (default -1), `epsilon` (1e-5)
 * @returns a tensor of the shape of content, differentiable in both
 * @throws if the axis is out of range or 0, epsilon is negative, batch, channels or rank differ, or an option is unknown
 * @example
 * ```js
 * const content = tf.tensor([[[1], [3]]]); // one example, two positions, one channel: mean 2, deviation 1
 * const style = tf.tensor([[[10], [30], [10], [30]]]); // mean 20, deviation 10
 * adaptiveInstanceNorm(content, style); // [[[10], [30]]]
 * ```
 * @see Huang, Belongie: Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization. 2017, https://arxiv.org/abs/1703.06868
 */
export function adaptiveInstanceNorm(content: Tensor, style: Tensor, options?: AdaptiveInstanceNormOptions): Tensor;
export function adaptiveInstanceNorm(
  content: Tensor,
  style: Tensor,
  options: AdaptiveInstanceNormOptions = {},
  ...more: unknown[]
): Tensor {
  checkCall('adaptiveInstanceNorm', options, ADAPTIVE_OPTIONS, more);
  return normalizeToStyle('adaptiveInstanceNorm', content, style, options);
}
/** Options of {@link adaptiveInstanceNorm}. */
export interface AdaptiveInstanceNormOptions {
  /** The axis of the channels. Default: -1. */
  readonly axis?: number;
  /** Added to the variances. Default: 1e-5. */
  readonly epsilon?: number;
}

/** For layers: `adaptiveInstanceNorm`, under the name of the layer. */
export function normalizeToStyle(
  who: string,
  content: Tensor,
  style: Tensor,
  { axis = -1, epsilon = 1e-5 }: AdaptiveInstanceNormOptions,
): Tensor {
  return tidy(() => {
    const [x, s] = [checkInput(who, content), checkInput(who, style)];
    checkEpsilon(who, epsilon);
    checkStyle(who, x.shape, s.shape, axis);
    const channels = checkAxis(who, axis, x.rank);
    const last = moving(s.shape, [channels]).toLast(s);
    const [n, c] = [s.shape[0], s.shape[channels]] as [number, number];
    const ofStyle = moments(last, groupView(last.shape, c));
    const [beta, variance] = ([0, 1] as const).map((i) => reshape(row(ofStyle, i, n * c), [n, c])) as [Tensor, Tensor];
    // At 0 the root has no gradient that is a number; where the maximum takes over, it is 0.
    const squares = epsilon >= SMALLEST ? add(variance, epsilon) : maximum(variance, SMALLEST);
    return normalizeGroups(who, x, -1, { gamma: sqrt(squares), beta, axis, epsilon });
  });
}

/** Fails if content and style have not the same rank, batch and channels, as far as they are known, or a style has no values. */
export function checkStyle(
  who: string,
  content: readonly (number | null)[],
  style: readonly (number | null)[],
  axis: number,
): void {
  const channels = checkAxis(who, axis, content.length);
  const differ = (at: number) => content[at] != null && style[at] != null && content[at] !== style[at];
  const received = `received [${content}] and [${style}]`;
  if (content.length !== style.length || differ(0) || differ(channels)) {
    const rule = 'content and style must have the same rank, batch and channels';
    fail(who, `${rule}; ${received}; give a style for each example, with the channels of the content`);
  }
  if (style.includes(0) && !content.includes(0)) {
    fail(who, `a style must have values, of which statistics are taken; ${received}; give it one position or more`);
  }
}
