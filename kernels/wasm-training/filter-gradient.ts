/**
 * The gradient of a convolution with respect to its filter is a convolution of x with dy, in which batch and channels change
 * places, and so do strides and dilations:
 *
 *   dFilter[i, j, c, k] = sum over n, y, x of  input[n, y * stride + i * dilation - top, ..., c] * dy[n, y, x, k]
 *
 * is output [c, i, j, k] of the input as [c, h, w, n] with the filter dy as [outHeight, outWidth, n, k]. So it runs at the speed of
 * the backend's own convolution, and the patches of x are never written out.
 */
import {
  add,
  type Conv2DBackpropFilterAttrs,
  conv2d,
  type DepthwiseConv2dNativeBackpropFilterAttrs,
  depthwiseConv2d,
  dispose,
  matMul,
  reshape,
  slice,
  stridedSlice,
  sum,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  tidy,
  transpose,
  zeros,
} from '@tensorflow/tfjs-core';
import { type Axis, crop, type Geometry, geometryOf, type Padding } from './geometry.ts';
import { composed } from './kernel.ts';

/** Sums of more products than this in one float32 lose digits: they are taken in parts. */
const PRODUCTS = 8192;
/** With fewer examples at once the convolution loses more speed than longer sums lose digits. */
const EXAMPLES = 4;
/** At most so many values of x and dy together are copied at once: 16 MB. */
const VALUES = 2 ** 22;

type Pair = [number, number];

/** dFilter of `Conv2D`: x [n, h, w, c], dy [n, outHeight, outWidth, k], or both with their channels second. */
export const conv2DBackpropFilter = composed<'x' | 'dy', Conv2DBackpropFilterAttrs>(({ x, dy }, attrs) => {
  const { filterShape, dataFormat } = attrs;
  const geometry = geometryOf('Conv2DBackpropFilter', x.shape, filterShape, dy.shape, attrs, false);
  if (x.size === 0 || dy.size === 0) return zeros(filterShape);
  const [inputs, gradients] = dataFormat === 'NCHW' ? [channelsLast(x), channelsLast(dy)] : [x, dy];
  const { part, finish } = isPointwise(geometry) ? pointwise(geometry) : spatial(geometry);
  return reshape(finish(sumOverExamples(inputs, gradients, examplesAtOnce(geometry, PRODUCTS), part)), filterShape);
});

/**
 * dFilter of `DepthwiseConv2dNative`: x [n, h, w, c], dy [n, outHeight, outWidth, c * q], with q outputs for each channel. Each
 * example and channel is a channel of one depthwise convolution.
 */
export const depthwiseConv2dNativeBackpropFilter = composed<'x' | 'dy', DepthwiseConv2dNativeBackpropFilterAttrs>(
  ({ x, dy }, attrs) => {
    const { filterShape } = attrs;
    const geometry = geometryOf('DepthwiseConv2dNativeBackpropFilter', x.shape, filterShape, dy.shape, attrs, true);
    if (x.size === 0 || dy.size === 0) return zeros(filterShape);
    const { height, width, inChannels, outChannels } = geometry;
    const part = (x: Tensor4D, dy: Tensor4D): Tensor => {
      const { cropped, pad } = crop(x, paddingOf(height), paddingOf(width));
      const [n, h, w] = cropped.shape;
      const input = batchBefore(cropped, [1, h, w, n * inChannels]);
      const filter = batchBefore(dy, [height.output, width.output, n * inChannels, outChannels / inChannels]);
      const strides: Pair = [height.dilation, width.dilation];
      const dilations: Pair = [height.stride, width.stride];
      const perExample = depthwiseConv2d(input, filter, strides, pad, 'NHWC', dilations);
      return sum(reshape(perExample, [height.filter * width.filter, n, outChannels]), 1);
    };
    return reshape(sumOverExamples(x, dy, examplesAtOnce(geometry, Infinity), part), filterShape);
  },
);

/** A sum over some examples, and what makes the filter of the sum over all, but for its shape. */
interface Sum {
  part(x: Tensor4D, dy: Tensor4D): Tensor;
  finish(total: Tensor): Tensor;
}

/** By the convolution above. */
function spatial({ height, width, inChannels, outChannels }: Geometry): Sum {
  return {
    part: (x, dy) => {
      const { cropped, pad } = crop(x, paddingOf(height), paddingOf(width));
      const [n, h, w] = cropped.shape;
      const input = transpose(reshape(cropped, [n, h * w, inChannels]), [2, 1, 0]);
      return conv2d(
        reshape(input, [inChannels, h, w, n]) as Tensor4D,
        batchBefore(dy, [height.output, width.output, n, outChannels]),
        [height.dilation, width.dilation],
        pad,
        'NHWC',
        [height.stride, width.stride],
      );
    },
    finish: (total) => transpose(reshape(total, [inChannels, height.filter * width.filter, outChannels]), [1, 0, 2]),
  };
}

/** A filter of one tap: dFilter = x^T dy, with the examples and positions as rows. */
function pointwise({ height, width, inChannels, outChannels }: Geometry): Sum {
  return {
    part: (x, dy) => {
      const read =
        height.stride * width.stride === 1
          ? x
          : stridedSlice(x, [0, 0, 0, 0], x.shape, [1, height.stride, width.stride, 1]);
      return matMul(transpose(reshape(read, [-1, inChannels])) as Tensor2D, reshape(dy, [-1, outChannels]) as Tensor2D);
    },
    finish: (total) => total,
  };
}

function isPointwise({ height, width }: Geometry): boolean {
  return [height, width].every((axis) => axis.filter === 1 && paddingOf(axis).every((count) => count <= 0));
}

/** [n, c, h, w] to [n, h, w, c]. */
const channelsLast = (t: Tensor4D): Tensor4D => transpose(t, [0, 2, 3, 1]);

/** t [n, h, w, c] as [h, w, n, c], in another shape of the same order. */
function batchBefore(t: Tensor4D, shape: [number, number, number, number]): Tensor4D {
  const [n, h, w, c] = t.shape;
  return reshape(transpose(reshape(t, [n, h * w, c]), [1, 0, 2]), shape);
}

/** The padding of x with which the convolution has as many outputs as the filter has taps. */
function paddingOf({ input, output, filter, stride, dilation, before }: Axis): Padding {
  const reach = (output - 1) * stride + (filter - 1) * dilation + 1;
  return [before, reach - input - before];
}

/** How many examples to take at once, so that memory is bounded, and no sum has many more than `products` products. */
function examplesAtOnce({ batch, inChannels, outChannels, height, width }: Geometry, products: number): number {
  const values = height.input * width.input * inChannels + height.output * width.output * outChannels;
  const inMemory = Math.max(1, Math.floor(VALUES / values));
  const inOneSum = Math.max(EXAMPLES, Math.floor(products / (height.output * width.output)));
  return Math.min(batch, inMemory, inOneSum);
}

/** Calls `part` for all examples, some at a time, and adds up its results. */
function sumOverExamples(
  x: Tensor4D,
  dy: Tensor4D,
  atOnce: number,
  part: (x: Tensor4D, dy: Tensor4D) => Tensor,
): Tensor {
  const batch = x.shape[0];
  if (atOnce >= batch) return part(x, dy);
  const some = (t: Tensor4D, from: number): Tensor4D => {
    const [, h, w, c] = t.shape;
    return slice(t, [from, 0, 0, 0], [Math.min(atOnce, batch - from), h, w, c]);
  };
  let total = tidy(() => part(some(x, 0), some(dy, 0)));
  for (let from = atOnce; from < batch; from += atOnce) {
    const before = total;
    total = tidy(() => add(before, part(some(x, from), some(dy, from))));
    dispose(before);
  }
  return total;
}
