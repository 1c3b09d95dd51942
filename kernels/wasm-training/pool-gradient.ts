/** The gradients of max pooling: each dy goes to the largest value of its window, or to the first of several largest ones. */
import {
  backend_util,
  type KernelFunc,
  type MaxPool3DGradAttrs,
  type MaxPoolGradAttrs,
  type TensorInfo,
} from '@tensorflow/tfjs-core';
import { fail, show } from '../core/errors.ts';
import { type Values, type WasmPort, zeroOutput } from './backend.ts';

interface Call<Attrs> {
  readonly inputs: { readonly dy: TensorInfo; readonly input: TensorInfo };
  readonly attrs: Attrs;
  readonly backend: WasmPort;
}

/** The windows along one axis: window y has `filter` values from input y * stride - before on; those outside the input are padding. */
interface Windows {
  readonly input: number;
  readonly output: number;
  readonly filter: number;
  readonly stride: number;
  readonly before: number;
}
/** The depth axis that 2D pooling does not have. */
const SINGLE: Windows = { input: 1, output: 1, filter: 1, stride: 1, before: 0 };

/** x [n, h, w, c], dy [n, outHeight, outWidth, c]. */
function maxPoolGradient2D({ inputs, attrs, backend }: Call<MaxPoolGradAttrs>): TensorInfo {
  const { filterSize, strides, pad, dimRoundingMode } = attrs;
  const shape = inputs.input.shape as [number, number, number, number];
  const info = backend_util.computePool2DInfo(shape, filterSize, strides, 1, pad, dimRoundingMode);
  checkOutput('MaxPoolGrad', info.outShape, inputs.dy);
  return maxPoolGradient(inputs, backend, [SINGLE, ...heightAndWidth(info)]);
}

/** x [n, d, h, w, c], dy [n, outDepth, outHeight, outWidth, c]. */
function maxPoolGradient3D({ inputs, attrs, backend }: Call<MaxPool3DGradAttrs>): TensorInfo {
  const { filterSize, strides, pad, dimRoundingMode } = attrs;
  const shape = inputs.input.shape as [number, number, number, number, number];
  const info = backend_util.computePool3DInfo(shape, filterSize, strides, 1, pad, dimRoundingMode);
  checkOutput('MaxPool3DGrad', info.outShape, inputs.dy);
  const { inDepth, outDepth, filterDepth, strideDepth, padInfo } = info;
  const depth = { input: inDepth, output: outDepth, filter: filterDepth, stride: strideDepth, before: padInfo.front };
  return maxPoolGradient(inputs, backend, [depth, ...heightAndWidth(info)]);
}

function heightAndWidth(info: backend_util.Conv2DInfo | backend_util.Conv3DInfo): [height: Windows, width: Windows] {
  const { inHeight, outHeight, filterHeight, strideHeight, inWidth, outWidth, filterWidth, strideWidth, padInfo } =
    info;
  return [
    { input: inHeight, output: outHeight, filter: filterHeight, stride: strideHeight, before: padInfo.top },
    { input: inWidth, output: outWidth, filter: filterWidth, stride: strideWidth, before: padInfo.left },
  ];
}

function checkOutput(kernelName: string, shape: readonly number[], dy: TensorInfo): void {
  if (shape.join() === dy.shape.join()) return;
  fail(
    kernelName,
    `the windows give ${show(shape)}; received a gradient dy ${show(dy.shape)}; TensorFlow.js does not hand dimRoundingMode ` +
      "on to gradients, so leave it out, and use pad 'same' or 'valid'",
  );
}

/** dx[n, p, c] = sum of dy[n, window, c] over the windows whose largest value of channel c is at position p. */
function maxPoolGradient(
  { dy, input }: Call<never>['inputs'],
  backend: WasmPort,
  [depth, height, width]: readonly [Windows, Windows, Windows],
): TensorInfo {
  const dx = zeroOutput(backend, input.shape);
  const [x, given, sums] = [input, dy, dx].map((t) => backend.typedArrayFromHeap(t)) as [Values, Values, Values];
  const channels = input.shape.at(-1) as number;
  /** Where the largest value so far is, of each channel. */
  const largest = new Int32Array(channels);
  let window = 0;
  for (let n = 0; n < (input.shape[0] as number); n++) {
    for (let z = 0; z < depth.output; z++) {
      const [front, back] = insideOf(depth, z);
      for (let y = 0; y < height.output; y++) {
        const [top, bottom] = insideOf(height, y);
        for (let w = 0; w < width.output; w++) {
          const [left, right] = insideOf(width, w);
          let found = false;
          for (let d = front; d < back; d++) {
            for (let row = top; row < bottom; row++) {
              const start = ((n * depth.input + d) * height.input + row) * width.input;
              for (let i = (start + left) * channels, end = (start + right) * channels; i < end; i += channels) {
                for (let c = 0; c < channels; c++) {
                  if (!found || (x[i + c] as number) > (x[largest[c] as number] as number)) largest[c] = i + c;
                }
                found = true;
              }
            }
          }
          // A window that is all padding has no largest value.
          for (let c = 0; found && c < channels; c++)
            (sums[largest[c] as number] as number) += given[window + c] as number;
          window += channels;
        }
      }
    }
  }
  return dx;
}

/** The inputs of a window, without the padding. */
function insideOf({ input, filter, stride, before }: Windows, output: number): [from: number, to: number] {
  const from = output * stride - before;
  return [Math.max(from, 0), Math.min(from + filter, input)];
}

// KernelFunc does not know the type of the backend.
export const maxPoolGrad = maxPoolGradient2D as unknown as KernelFunc;
export const maxPool3DGrad = maxPoolGradient3D as unknown as KernelFunc;
