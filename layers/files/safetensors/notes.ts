/** What a PyTorch model must be like, beside its weights, to compute what a model of layers computes. */
import type { LayersModel, layers } from '@tensorflow/tfjs-layers';
import { checkCall, optionNames } from '../../../kernels/functions/checks.ts';
import { type Call, callsOf, classOf, innermost, orderForImages } from './features.ts';
import { checkModel } from './model.ts';

const WHO = 'pytorchNotes';

/**
 * What to look at in a PyTorch model that is to compute the same with the weights of {@link saveSafetensors}, or whose weights
 * {@link loadSafetensors} is to read: where the defaults of PyTorch differ, where its padding does, and which weights come in another
 * order. A file of weights does not say these things. Activations and the order of the modules are not among them.
 *
 * @param model a model of layers, built
 * @param options `channelsLast`, as in {@link SafetensorsOptions}
 * @returns sentences, each of which begins with the name of its layer
 * @throws if model is no model of layers, or an option is unknown
 * @example
 * ```js
 * const model = tf.sequential({layers: [batchNormalization({inputShape: [8, 8, 3], name: 'norm'})]});
 * pytorchNotes(model).length; // 1
 * ```
 */
export function pytorchNotes(model: LayersModel, options?: { readonly channelsLast?: boolean }): string[];
export function pytorchNotes(
  model: LayersModel,
  options: { readonly channelsLast?: boolean } = {},
  ...more: unknown[]
): string[] {
  checkCall(WHO, options, optionNames('channelsLast'), more);
  checkModel(WHO, model);
  const seen = new Set<layers.Layer>();
  return callsOf(WHO, model, options.channelsLast ?? false).flatMap((call) => {
    if (seen.has(call.layer)) return [];
    seen.add(call.layer);
    return notesOn(call, options.channelsLast ?? false).map((note) => `'${call.layer.name}' ${note}`);
  });
}

/** The members of layers that matter here; each layer has some of them. */
interface Described {
  readonly axis?: number | number[];
  readonly epsilon?: number;
  readonly epsilonPlacement?: string;
  readonly momentum?: number;
  readonly padding?: string;
  readonly strides?: number | readonly number[];
  readonly kernelSize?: readonly number[];
  readonly poolSize?: number | readonly number[];
  readonly dilationRate?: number | readonly number[];
  readonly goBackwards?: boolean;
  readonly mergeMode?: string | null;
  readonly maskZero?: boolean;
}

function notesOn(call: Call, channelsLast: boolean): string[] {
  const layer = innermost(call.layer) as unknown as Described;
  const name = classOf(call.layer);
  const [x, y] = [call.inputs[0], call.outputs[0]];
  const notes: string[] = [];
  const isDense = name === 'Dense';
  if (x?.order && call.layer.weights.length > 0)
    notes.push('takes flattened images: its weights are saved for channels first');
  if (isDense && y?.order) notes.push('gives what is reshaped to images: its weights are saved for channels first');
  if (orderForImages(call) && !x?.order)
    notes.push('makes images of features with channels last: reshape so, and permute');
  if (/Conv|Pooling/.test(name) && layer.padding === 'same') notes.push(...paddingNotes(name, layer, call));
  if (/^(Batch|Layer|Group|Instance|RMS)Normalization$/.test(name))
    notes.push(...normalizationNotes(name, layer, call, channelsLast));
  if (['GRU', 'LSTM', 'SimpleRNN'].includes(name) || 'forwardLayer' in call.layer) notes.push('needs batch_first=True');
  if (layer.goBackwards) notes.push('reads its inputs from the last to the first: flip them');
  if ('forwardLayer' in call.layer && layer.mergeMode !== 'concat') {
    notes.push(`joins both directions by mergeMode '${layer.mergeMode}', where PyTorch concatenates them`);
  }
  if (name === 'Masking' || layer.maskZero)
    notes.push('makes a mask, which modules of PyTorch do not pass on: pack the sequences');
  if ('effectiveKernels' in call.layer && (name === 'Embedding' || /Transpose$/.test(name))) {
    const isSpectral = 'reparameterize' in call.layer;
    const wrapper = isSpectral ? 'spectral_norm' : 'weight_norm';
    // spectral_norm takes dim=1 for transposed convolutions by itself.
    if (!isSpectral || name === 'Embedding') notes.push(`needs ${wrapper}(..., dim=1)`);
  }
  return notes;
}

/** Epsilon and momentum where PyTorch starts from others. */
function normalizationNotes(name: string, layer: Described, { inputs }: Call, channelsLast: boolean): string[] {
  const { epsilon, momentum = 1, epsilonPlacement } = layer;
  const notes: string[] = [];
  const isBatch = name === 'BatchNormalization';
  const arguments_ = [`eps=${epsilon}`, ...(isBatch ? [`momentum=${Number((1 - momentum).toPrecision(6))}`] : [])];
  if (epsilon !== 1e-5 || (isBatch && momentum !== 0.9)) notes.push(`needs ${arguments_.join(', ')}`);
  if (epsilonPlacement === 'outside') notes.push('adds epsilon to the root, and PyTorch to the mean below the root');
  const [{ shape } = { shape: [] }] = inputs;
  const rank = shape.length + 1;
  const axes = [layer.axis ?? -1].flat().map((axis) => (axis < 0 ? axis + rank : axis));
  const isLast = name === 'LayerNormalization' || name === 'RMSNormalization';
  if (isLast && !channelsLast && rank > 3 && axes.length < rank - 1) {
    notes.push('normalizes some axes of images, and PyTorch the last ones: permute before and after it');
  }
  return notes;
}

const listOf = (value: number | readonly number[] | undefined, count: number): number[] =>
  Array.isArray(value) ? [...value] : Array.from({ length: count }, () => (value as number | undefined) ?? 1);

/** TensorFlow pads by as much as is needed, and by one more at the end where it is odd; PyTorch by the same on both sides. */
function paddingNotes(name: string, layer: Described, { inputs, outputs }: Call): string[] {
  const axes = inputs[0]?.axes.slice(1) ?? [];
  const count = axes.length;
  const sizes = listOf(layer.kernelSize ?? layer.poolSize, count);
  const strides = listOf(layer.strides, count);
  const rates = listOf(layer.dilationRate, count);
  const isTransposed = name.endsWith('Transpose');
  const totals = axes.map((axis, i): number => {
    const [size, stride, rate] = [sizes[i], strides[i], rates[i]] as [number, number, number];
    if (isTransposed) return Math.max(size - stride, 0);
    // The same for images of any size.
    if (stride === 1) return (size - 1) * rate;
    const [length, steps] = [inputs[0]?.shape[axis] ?? Number.NaN, outputs[0]?.shape[axis] ?? Number.NaN];
    return Math.max((steps - 1) * stride + (size - 1) * rate + 1 - length, 0);
  });
  if (totals.some(Number.isNaN)) return ["pads by padding 'same', which depends on the size of the image"];
  const sides = totals.map((total) => [Math.floor(total / 2), Math.ceil(total / 2)] as const);
  const isEven = sides.every(([before, after]) => before === after);
  const before = sides.map(([before]) => before).join(', ');
  /** As torch.nn.functional.pad takes them: from the last axis to the first. */
  const pads = [...sides].reverse().flat().join(', ');
  if (isTransposed) {
    if (!isEven)
      return [`crops its outputs by (${pads}): compute them without padding, and pad them by the negative numbers`];
    const more = sizes.map((size, i) => Math.max((strides[i] as number) - size, 0)).join(', ');
    return [`needs padding=(${before}), output_padding=(${more})`];
  }
  if (/Pooling/.test(name)) {
    if (sides.every(([before]) => before === 0)) return isEven ? [] : ['needs ceil_mode=True'];
    const isAverage = name.startsWith('Average');
    if (isEven) return [`needs padding=(${before})${isAverage ? ', count_include_pad=False' : ''}`];
    return isAverage
      ? [`pads by (${pads}) and leaves the padding out of account, which PyTorch does only with as much on both sides`]
      : [`needs padding by (${pads}) before it, as by functional.pad with value=-inf`];
  }
  return [
    isEven ? `needs padding=(${before})` : `needs padding by (${pads}) before it, as by ZeroPad2d or functional.pad`,
  ];
}
