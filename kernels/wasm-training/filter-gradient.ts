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
  sum,
  type Tensor,
  type Tensor2D,
  type Tensor4D,
  tidy,
  transpose,
  zeros,
} from '@tensorflow/tfjs-core';
import { type Axis, type Cropped, crop, type Geometry, geometryOf, type Padding } from './geometry.ts';
import { composed } from './kernel.ts';

/** The most products in one float32 sum: longer sums lose digits, and are taken in parts. */
const PRODUCTS = 8192;
/** Examples are taken in multiples of this: the convolution is slow with other numbers of them. */
const EXAMPLES = 4;
/** The most values of x and dy together that are copied at once: 16 MB. */
const VALUES = 2 ** 22;

type Pair = [number, number];

/** dFilter of `Conv2D`: x [n, h, w, c], dy [n, outHeight, outWidth, k], or both with their channels second. */
export const conv2DBackpropFilter = composed<'x' | 'dy', Conv2DBackpropFilterAttrs>(({ x, dy }, attrs) => {
  const { filterShape, dataFormat } = attrs;
  const geometry = geometryOf('Conv2DBackpropFilter', x.shape, filterShape, dy.shape, attrs, false);
  if (x.size === 0 || dy.size === 0) return zeros(filterShape);
  const [inputs, gradients] = dataFormat === 'NCHW' ? [channelsLast(x), channelsLast(dy)] : [x, dy];
  const { height, width, inChannels, outChannels } = geometry;
  if (isPointwise(geometry)) {
    // dFilter = x^T dy, with the examples and positions as rows.
    const matrix = (t: Tensor4D, channels: number) => reshape(t, [-1, channels]) as Tensor2D;
    const product: Part = ({ cropped }, dy) => matMul(transpose(matrix(cropped, inChannels)), matrix(dy, outChannels));
    return reshape(sumOfParts(inputs, gradients, geometry, PRODUCTS, product), filterShape);
  }
  const strides: Pair = [height.dilation, width.dilation];
  const dilations: Pair = [height.stride, width.stride];
  const byChannel = sumOfParts(inputs, gradients, geometry, PRODUCTS, ({ cropped, pad }, dy) => {
    const [n, h, w, c] = cropped.shape;
    const input = reshape(transpose(reshape(cropped, [n, h * w, c]), [2, 1, 0]), [c, h, w, n]) as Tensor4D;
    return conv2d(input, batchBeforeChannels(dy), strides, pad, 'NHWC', dilations);
  });
  const taps = height.filter * width.filter;
  return reshape(transpose(reshape(byChannel, [inChannels, taps, outChannels]), [1, 0, 2]), filterShape);
});

/**
 * dFilter of `DepthwiseConv2dNative`: x [n, h, w, c], dy [n, outHeight, outWidth, c * q], with q outputs for each channel. Each
 * channel of each example becomes a channel of one depthwise convolution.
 */
export const depthwiseConv2dNativeBackpropFilter = composed<'x' | 'dy', DepthwiseConv2dNativeBackpropFilterAttrs>(
  ({ x, dy }, attrs) => {
    const { filterShape } = attrs;
    const geometry = geometryOf('DepthwiseConv2dNativeBackpropFilter', x.shape, filterShape, dy.shape, attrs, true);
    if (x.size === 0 || dy.size === 0) return zeros(filterShape);
    const { height, width, inChannels, outChannels } = geometry;
    const strides: Pair = [height.dilation, width.dilation];
    const dilations: Pair = [height.stride, width.stride];
    const total = sumOfParts(x, dy, geometry, PRODUCTS * EXAMPLES, ({ cropped, pad }, dy) => {
      const [n, h, w] = cropped.shape;
      const channels = n * inChannels;
      const input = reshape(batchBeforeChannels(cropped), [1, h, w, channels]) as Tensor4D;
      const [outHeight, outWidth] = [dy.shape[1], dy.shape[2]];
      const filter = reshape(batchBeforeChannels(dy), [outHeight, outWidth, channels, outChannels / inChannels]);
      const perExample = depthwiseConv2d(input, filter as Tensor4D, strides, pad, 'NHWC', dilations);
      return sum(reshape(perExample, [height.filter * width.filter, n, outChannels]), 1);
    });
    return reshape(total, filterShape);
  },
);

/** Whether the convolution is a product of matrices. The other way gives the same, more slowly. */
const isPointwise = ({ height, width }: Geometry): boolean =>
  [height, width].every(({ filter, stride, input, output }) => filter === 1 && stride === 1 && input === output);

/** [n, c, h, w] to [n, h, w, c]. */
const channelsLast = (t: Tensor4D): Tensor4D => transpose(t, [0, 2, 3, 1]);

/** [n, h, w, c] to [h, w, n, c]. */
function batchBeforeChannels(t: Tensor4D): Tensor4D {
  const [n, h, w, c] = t.shape;
  return reshape(transpose(reshape(t, [n, h * w, c]), [1, 0, 2]), [h, w, n, c]);
}

/** The padding of x with which the convolution has as many outputs as the filter has taps. */
function paddingOf({ input, output, filter, stride, dilation, before }: Axis): Padding {
  const reach = (output - 1) * stride + (filter - 1) * dilation + 1;
  return [before, reach - input - before];
}

/** dFilter, in some layout, of some rows of dy of some examples, and of those rows of x that meet them. */
type Part = (x: Cropped, dy: Tensor4D) => Tensor;

/** How many examples and rows of dy to take at once, so that memory is bounded and no sum is much longer than `products`. */
function sizeOfParts(geometry: Geometry, products: number): { readonly examples: number; readonly rows: number } {
  const { batch, inChannels, outChannels, height, width } = geometry;
  const values = height.input * width.input * inChannels + height.output * width.output * outChannels;
  const inMemory = Math.max(1, Math.floor(VALUES / values));
  const inOneSum = products / (height.output * width.output);
  const examples = Math.min(batch, inMemory, Math.max(1, Math.floor(inOneSum / EXAMPLES)) * EXAMPLES);
  const parts = Math.max(1, Math.ceil(examples / inOneSum), Math.ceil(values / VALUES));
  return { examples, rows: Math.ceil(height.output / parts) };
}

/** The sum of all parts. */
function sumOfParts(x: Tensor4D, dy: Tensor4D, geometry: Geometry, products: number, part: Part): Tensor {
  const { batch, height, width, inChannels, outChannels } = geometry;
  const { examples, rows } = sizeOfParts(geometry, products);
  let total: Tensor | undefined;
  for (let n = 0; n < batch; n += examples) {
    const count = Math.min(examples, batch - n);
    for (let row = 0; row < height.output; row += rows) {
      const some = {
        ...height,
        output: Math.min(rows, height.output - row),
        before: height.before - row * height.stride,
      };
      const before = total;
      total = tidy(() => {
        const ofExamples = slice(x, [n, 0, 0, 0], [count, height.input, width.input, inChannels]);
        const dyPart = slice(dy, [n, row, 0, 0], [count, some.output, width.output, outChannels]);
        const one = part(crop(ofExamples, paddingOf(some), paddingOf(width)), dyPart);
        return before ? add(before, one) : one;
      });
      dispose(before ?? []);
    }
  }
  return total as Tensor;
}
