/**
 * Arithmetic on channels, in 64-bit floats: what a batch normalization does to each channel in inference, and how a layer with a
 * kernel takes over the multiplication and addition before it or after it.
 */
import type { layers } from '@tensorflow/tfjs-layers';
import type { Saved } from '../keras/saved.ts';
import { type Values, valuesOf } from './draft.ts';

/** y = scale x + shift, a number of each for every channel. */
export interface Affine {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

/** The classes that in inference are an `Affine`. */
export const BATCH_NORMALIZATIONS = ['BatchNormalization', 'BatchRenormalization', 'MeanOnlyBatchNormalization'];

/**
 * What a batch normalization does in inference; undefined where its statistics, gamma or beta are not finite.
 *
 *     scale = gamma / sqrt(variance + epsilon)        shift = beta - mean scale
 */
export async function affineOf(layer: layers.Layer): Promise<Affine | undefined> {
  const values = await valuesOf(layer);
  const mean = values.get('moving_mean') as Float64Array;
  const divisor = divisorOf(layer, values);
  // A channel without variance gives beta, as in the layer.
  const scale = mean.map((_, c) => (divisor?.[c] === 0 ? 0 : (values.get('gamma')?.[c] ?? 1) / (divisor?.[c] ?? 1)));
  const shift = mean.map((m, c) => (values.get('beta')?.[c] ?? 0) - m * (scale[c] as number));
  return [...scale, ...shift].every(Number.isFinite) ? { scale, shift } : undefined;
}

/** sqrt(variance + epsilon); undefined of a layer that subtracts the mean alone. */
function divisorOf(layer: layers.Layer, values: Values): Float64Array | undefined {
  const { epsilon } = layer as layers.Layer & { readonly epsilon: number };
  return values.get('moving_variance')?.map((variance) => Math.sqrt(variance + epsilon)) ?? values.get('moving_stddev');
}

/** A kernel, and which input and output channel a value of it belongs to, by its place in row-major order. */
interface Kernel {
  readonly name: string;
  readonly input: (i: number, shape: readonly number[]) => number;
  readonly output: (i: number, shape: readonly number[]) => number;
}

/** The size of an axis counted from the end. */
const size = (shape: readonly number[], axis: number) => shape.at(axis) as number;

/** [..., inputs, outputs] */
const plain = (name: string): Kernel => ({
  name,
  input: (i, shape) => Math.floor(i / size(shape, -1)) % size(shape, -2),
  output: (i, shape) => i % size(shape, -1),
});
/** [..., outputs, inputs] */
const transposed: Kernel = { name: 'kernel', input: plain('').output, output: plain('').input };
/** [height, width, inputs, multiplier]; each input has `multiplier` outputs. */
const depthwise: Kernel = {
  name: 'depthwise_kernel',
  input: plain('').input,
  output: (i, shape) => i % (size(shape, -1) * size(shape, -2)),
};

/** The kernels of a layer between its input and its output, one after the other. */
const KERNELS: Readonly<Record<string, readonly [Kernel, ...Kernel[]]>> = {
  Dense: [plain('kernel')],
  Conv1D: [plain('kernel')],
  Conv2D: [plain('kernel')],
  Conv3D: [plain('kernel')],
  Conv2DTranspose: [transposed],
  Conv3DTranspose: [transposed],
  DepthwiseConv2D: [depthwise],
  SeparableConv2D: [depthwise, plain('pointwise_kernel')],
};

/** Whether a layer of this class may take over what a normalization does. */
export const hasKernel = (className: string): boolean => Object.hasOwn(KERNELS, className);

/** A layer with kernels, and the values of its weights. */
export interface Kernels {
  readonly className: string;
  /** Of the weights by the last part of their names. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly values: Values;
}

const kernelsOf = ({ className }: Kernels) => KERNELS[className] as readonly [Kernel, ...Kernel[]];
const shapeOf = ({ shapes }: Kernels, kernel: Kernel) => shapes.get(kernel.name) as readonly number[];
const valuesIn = ({ values }: Kernels, kernel: Kernel) => values.get(kernel.name) as Float64Array;

/** The number of channels of the layer's output. */
export function outputsOf(layer: Kernels): number {
  const last = kernelsOf(layer).at(-1) as Kernel;
  return valuesIn(layer, last).reduce((most, _, i) => Math.max(most, last.output(i, shapeOf(layer, last))), 0) + 1;
}

/** The number of channels of the layer's input. */
export function inputsOf(layer: Kernels): number {
  const [first] = kernelsOf(layer);
  return valuesIn(layer, first).reduce((most, _, i) => Math.max(most, first.input(i, shapeOf(layer, first))), 0) + 1;
}

/** The weights with which the layer also does what comes after it: scale (K x + bias) + shift. */
export function followedBy(layer: Kernels, { scale, shift }: Affine): Values {
  const last = kernelsOf(layer).at(-1) as Kernel;
  const kernel = valuesIn(layer, last).map((w, i) => w * (scale[last.output(i, shapeOf(layer, last))] as number));
  const bias = shift.map((b, c) => b + (scale[c] as number) * (layer.values.get('bias')?.[c] ?? 0));
  return new Map([...layer.values, [last.name, kernel], ['bias', bias]]);
}

/** The weights with which the layer also does what comes before it: K (scale x + shift) + bias, where nothing is padded. */
export function precededBy(layer: Kernels, { scale, shift }: Affine): Values {
  const [first] = kernelsOf(layer);
  const kernel = valuesIn(layer, first).map((w, i) => w * (scale[first.input(i, shapeOf(layer, first))] as number));
  let passed = shift;
  for (const one of kernelsOf(layer)) {
    const sums: number[] = [];
    for (const [i, w] of valuesIn(layer, one).entries()) {
      const [from, to] = [one.input(i, shapeOf(layer, one)), one.output(i, shapeOf(layer, one))];
      sums[to] = (sums[to] ?? 0) + w * (passed[from] as number);
    }
    passed = Float64Array.from(sums);
  }
  const bias = passed.map((b, c) => b + (layer.values.get('bias')?.[c] ?? 0));
  return new Map([...layer.values, [first.name, kernel], ['bias', bias]]);
}

/**
 * Whether each output of the layer is the same sum over all of its kernel, so that what is added to the input adds a constant to the
 * output. With padding, the sums at the border lack terms; where a transposed convolution overlaps itself, all sums differ.
 */
export function sumsWholeKernel({ class_name, config }: Saved): boolean {
  const isPoint = (sizes: unknown) => [sizes].flat().every((length) => length === 1);
  if (class_name === 'Dense') return true;
  if (/Transpose$/.test(class_name)) return isPoint(config.kernel_size) && isPoint(config.strides);
  return config.padding === 'valid' || isPoint(config.kernel_size);
}

/** The axis of a layer's channels, counted from the front. */
export const channelAxis = ({ config }: Saved, rank: number): number =>
  /channels_?first/i.test(String(config.data_format)) ? 1 : rank - 1;
