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

/** The channels of a kernel of one shape: how many there are, and to which each value belongs, by its place in row-major order. */
interface Channels {
  readonly inputs: number;
  readonly outputs: number;
  readonly input: (place: number) => number;
  readonly output: (place: number) => number;
}

/** A kernel of a layer. */
interface Kernel {
  readonly name: string;
  readonly channels: (shape: readonly number[]) => Channels;
}

/** The sizes of the last two axes. */
const lastOf = (shape: readonly number[]) => shape.slice(-2) as [number, number];

/** [..., inputs, outputs] */
const plain: Kernel['channels'] = (shape) => {
  const [inputs, outputs] = lastOf(shape);
  const input = (place: number) => Math.floor(place / outputs) % inputs;
  return { inputs, outputs, input, output: (place) => place % outputs };
};

/** [..., outputs, inputs] */
const transposed: Kernel['channels'] = (shape) => {
  const { inputs, outputs, input, output } = plain(shape);
  return { inputs: outputs, outputs: inputs, input: output, output: input };
};

/** [height, width, inputs, multiplier]; each input has `multiplier` outputs. */
const depthwise: Kernel['channels'] = (shape) => {
  const [inputs, multiplier] = lastOf(shape);
  const outputs = inputs * multiplier;
  return { inputs, outputs, input: plain(shape).input, output: (place) => place % outputs };
};

/** The kernels of a layer between its input and its output, one after the other. */
const KERNELS: Readonly<Record<string, readonly [Kernel, ...Kernel[]]>> = {
  Dense: [{ name: 'kernel', channels: plain }],
  Conv1D: [{ name: 'kernel', channels: plain }],
  Conv2D: [{ name: 'kernel', channels: plain }],
  Conv3D: [{ name: 'kernel', channels: plain }],
  Conv2DTranspose: [{ name: 'kernel', channels: transposed }],
  Conv3DTranspose: [{ name: 'kernel', channels: transposed }],
  DepthwiseConv2D: [{ name: 'depthwise_kernel', channels: depthwise }],
  SeparableConv2D: [
    { name: 'depthwise_kernel', channels: depthwise },
    { name: 'pointwise_kernel', channels: plain },
  ],
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

/** The kernels of a layer with their values, one after the other. */
const kernelsOf = ({ className, shapes, values }: Kernels) =>
  (KERNELS[className] as readonly Kernel[]).map(({ name, channels }) => ({
    name,
    kernel: values.get(name) as Float64Array,
    ...channels(shapes.get(name) as readonly number[]),
  }));
type OneKernel = ReturnType<typeof kernelsOf>[number];

/** The number of channels of the layer's output. */
export const outputsOf = (layer: Kernels): number => (kernelsOf(layer).at(-1) as OneKernel).outputs;

/** The number of channels of the layer's input. */
export const inputsOf = (layer: Kernels): number => (kernelsOf(layer)[0] as OneKernel).inputs;

const biasOf = ({ values }: Kernels, channel: number): number => values.get('bias')?.[channel] ?? 0;

/** The weights with which the layer also does what comes after it: scale (K x + bias) + shift. */
export function followedBy(layer: Kernels, { scale, shift }: Affine): Values {
  const { name, kernel, output } = kernelsOf(layer).at(-1) as OneKernel;
  const scaled = kernel.map((w, place) => w * (scale[output(place)] as number));
  const bias = shift.map((b, c) => b + (scale[c] as number) * biasOf(layer, c));
  return new Map([...layer.values, [name, scaled], ['bias', bias]]);
}

/** The weights with which the layer also does what comes before it: K (scale x + shift) + bias, where nothing is padded. */
export function precededBy(layer: Kernels, { scale, shift }: Affine): Values {
  const [{ name, kernel, input }] = kernelsOf(layer) as [OneKernel];
  const scaled = kernel.map((w, place) => w * (scale[input(place)] as number));
  const passed = kernelsOf(layer).reduce(throughKernel, shift);
  const bias = passed.map((b, c) => b + biasOf(layer, c));
  return new Map([...layer.values, [name, scaled], ['bias', bias]]);
}

/** What a kernel makes of an input that has one value for each channel, everywhere. */
function throughKernel(values: Float64Array, { kernel, outputs, input, output }: OneKernel): Float64Array {
  const sums = new Float64Array(outputs);
  for (const [place, w] of kernel.entries()) {
    const to = output(place);
    sums[to] = (sums[to] as number) + w * (values[input(place)] as number);
  }
  return sums;
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
  config.data_format === 'channels_first' ? 1 : rank - 1;
