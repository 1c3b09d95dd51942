/**
 * Where the values of a convolution meet, along one axis and along both: output y, tap i of the filter and input x belong together
 * where
 *
 *   x = y * stride + i * dilation - before
 *
 * All gradients here are convolutions again, so they need the axes of this one, and paddings that may be negative.
 */
import { backend_util, slice, type Tensor4D, zeros } from '@tensorflow/tfjs-core';
import { fail, show } from '../core/errors.ts';

/** One spatial axis of a convolution. */
export interface Axis {
  readonly input: number;
  readonly output: number;
  readonly filter: number;
  readonly stride: number;
  readonly dilation: number;
  /** The padding before the first input. */
  readonly before: number;
}

export interface Geometry {
  readonly batch: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly height: Axis;
  readonly width: Axis;
}

/** The attributes that TensorFlow.js gives to the gradients of a convolution. */
interface ConvolutionAttrs {
  readonly strides: [number, number] | number;
  readonly pad: 'valid' | 'same' | number | backend_util.ExplicitPadding;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
  /** Absent: 1. */
  readonly dilations?: [number, number] | number;
  /** Absent: 'NHWC'. */
  readonly dataFormat?: 'NHWC' | 'NCHW';
}

type Shape = readonly number[];
type Shape4 = [number, number, number, number];

/** The shape [batch, height, width, channels] of a shape in this order or, for 'NCHW', with the channels second. */
const channelsLast = (shape: Shape, dataFormat?: string): Shape =>
  dataFormat === 'NCHW' ? ([0, 2, 3, 1].map((axis) => shape[axis]) as number[]) : shape;

/**
 * The geometry of the convolution of x with a filter whose output has the shape of dy.
 *
 * @throws if no convolution with these attributes has that output
 */
export function geometryOf(
  kernelName: string,
  xShape: Shape,
  filterShape: Shape,
  dyShape: Shape,
  attrs: ConvolutionAttrs,
  depthwise: boolean,
): Geometry {
  const { strides, pad, dimRoundingMode, dilations, dataFormat } = attrs;
  const info = backend_util.computeConv2DInfo(
    xShape as Shape4,
    filterShape as Shape4,
    strides,
    dilations ?? 1,
    pad,
    dimRoundingMode,
    depthwise,
    dataFormat === 'NCHW' ? 'channelsFirst' : 'channelsLast',
  );
  if (info.outShape.join() !== dyShape.join()) {
    fail(
      kernelName,
      `a convolution of x ${show(xShape)} with a filter ${show(filterShape)}, strides ${show(strides)} and pad ${show(pad)} ` +
        `gives ${show(info.outShape)}; received a gradient dy ${show(dyShape)}; TensorFlow.js does not hand dimRoundingMode ` +
        "on to gradients, so leave it out, and use pad 'same' or 'valid'",
    );
  }
  const [, inHeight, inWidth] = channelsLast(xShape, dataFormat) as Shape4;
  return {
    batch: info.batchSize,
    inChannels: info.inChannels,
    outChannels: info.outChannels,
    height: {
      input: inHeight,
      output: info.outHeight,
      filter: info.filterHeight,
      stride: info.strideHeight,
      dilation: info.dilationHeight,
      before: info.padInfo.top,
    },
    width: {
      input: inWidth,
      output: info.outWidth,
      filter: info.filterWidth,
      stride: info.strideWidth,
      dilation: info.dilationWidth,
      before: info.padInfo.left,
    },
  };
}

/** How many zeros to add before and after an axis; if negative, how many values to remove. */
export type Padding = readonly [before: number, after: number];

export interface Cropped {
  readonly cropped: Tensor4D;
  readonly pad: backend_util.ExplicitPadding;
}

/**
 * x [n, h, w, c] without the rows and columns that negative paddings remove, and the other paddings, in the form that
 * TensorFlow.js's convolutions take.
 */
export function crop(x: Tensor4D, rows: Padding, columns: Padding): Cropped {
  const [n, h, w, c] = x.shape;
  const most = ([before, after]: Padding): [number, number] => [Math.max(before, 0), Math.max(after, 0)];
  const explicit = (rows: [number, number], columns: [number, number]): backend_util.ExplicitPadding => [
    [0, 0],
    rows,
    columns,
    [0, 0],
  ];
  const pad = explicit(most(rows), most(columns));
  const [top, bottom, left, right] = [...rows, ...columns].map((count) => Math.max(-count, 0)) as Shape4;
  if (top + bottom + left + right === 0) return { cropped: x, pad };
  if (top + bottom >= h || left + right >= w) {
    const [height, width] = [h + rows[0] + rows[1], w + columns[0] + columns[1]];
    return { cropped: zeros([n, height, width, c]), pad: explicit([0, 0], [0, 0]) };
  }
  return { cropped: slice(x, [0, top, left, 0], [n, h - top - bottom, w - left - right, c]), pad };
}
