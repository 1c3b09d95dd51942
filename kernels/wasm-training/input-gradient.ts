/**
 * The gradient of a convolution with respect to its input is a convolution of dy with the filter reversed in height and width. A
 * stride becomes zeros between the values of dy:
 *
 *   dx[n, y, x, c] = sum over i, j, k of  stretched dy[n, y + top - i * dilation, ..., k] * filter[i, j, c, k]
 */
import {
  type Conv2DBackpropInputAttrs,
  conv2d,
  type DepthwiseConv2dNativeBackpropInputAttrs,
  depthwiseConv2d,
  pad,
  reshape,
  reverse,
  sum,
  type Tensor4D,
  transpose,
  zeros,
} from '@tensorflow/tfjs-core';
import { type Axis, crop, type Geometry, geometryOf, type Padding } from './geometry.ts';
import { composed } from './kernel.ts';

/** dx of `DepthwiseConv2dNative`: dy [n, outHeight, outWidth, c * q] and the filter [filterHeight, filterWidth, c, q]. */
export const depthwiseConv2dNativeBackpropInput = composed<'dy' | 'filter', DepthwiseConv2dNativeBackpropInputAttrs>(
  ({ dy, filter }, attrs) => {
    const { inputShape } = attrs;
    const geometry = geometryOf('DepthwiseConv2dNativeBackpropInput', inputShape, filter.shape, dy.shape, attrs, true);
    if (dy.size === 0) return zeros(inputShape);
    const { height, width, inChannels, outChannels } = geometry;
    const turned = reshape(reverse(filter, [0, 1]), [height.filter, width.filter, outChannels, 1]);
    const { cropped, pad } = crop(stretch(dy, geometry), paddingOf(height), paddingOf(width));
    const dilations: [number, number] = [height.dilation, width.dilation];
    const perOutput = depthwiseConv2d(cropped, turned as Tensor4D, 1, pad, 'NHWC', dilations);
    if (outChannels === inChannels) return perOutput;
    return reshape(sum(reshape(perOutput, [-1, outChannels / inChannels]), 1), inputShape);
  },
);

/** dx of `Conv2D`: dy [n, outHeight, outWidth, k], or with its channels second, and the filter [filterHeight, filterWidth, c, k]. */
export const conv2DBackpropInput = composed<'dy' | 'filter', Conv2DBackpropInputAttrs>(({ dy, filter }, attrs) => {
  const { inputShape, dataFormat } = attrs;
  const geometry = geometryOf('Conv2DBackpropInput', inputShape, filter.shape, dy.shape, attrs, false);
  if (dy.size === 0) return zeros(inputShape);
  const { height, width } = geometry;
  const channelsFirst = dataFormat === 'NCHW';
  const stretched = stretch(channelsFirst ? transpose(dy, [0, 2, 3, 1]) : dy, geometry);
  const { cropped, pad } = crop(stretched, paddingOf(height), paddingOf(width));
  const turned = transpose(reverse(filter, [0, 1]), [0, 1, 3, 2]);
  const dx = conv2d(cropped, turned, 1, pad);
  return channelsFirst ? transpose(dx, [0, 3, 1, 2]) : dx;
});

/** dy with stride - 1 zeros after each value. */
function stretch(dy: Tensor4D, { height, width }: Geometry): Tensor4D {
  if (height.stride === 1 && width.stride === 1) return dy;
  const [n, h, w, c] = dy.shape;
  const [down, across] = [height.stride, width.stride];
  const cells = reshape(dy, [n * h, 1, w, 1, c]);
  const spread = pad(cells, [
    [0, 0],
    [0, down - 1],
    [0, 0],
    [0, across - 1],
    [0, 0],
  ]);
  return reshape(spread, [n, h * down, w * across, c]);
}

/** The padding of the stretched dy with which the convolution has as many outputs as x has values. */
function paddingOf({ input, output, filter, stride, dilation, before }: Axis): Padding {
  const reach = (filter - 1) * dilation;
  const first = reach - before;
  return [first, input + reach - output * stride - first];
}
