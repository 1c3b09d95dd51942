/** Writes the weights of a model to a safetensors file. */
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { fail, show } from '../../../kernels/core/errors.ts';
import { checkCall, optionNames } from '../../../kernels/functions/checks.ts';
import { memorySink, openSink } from '../sink.ts';
import type { Dtype } from './dtypes.ts';
import type { Entry } from './entries.ts';
import { byteLengthOf, headerBytes, type NewTensor } from './header.ts';
import { toFile } from './layout.ts';
import { planOf, type SafetensorsOptions } from './model.ts';

const WHO = 'saveSafetensors';
const OPTIONS = optionNames('mode', 'modules', 'channelsLast', 'onProgress');

/**
 * Writes the weights of a model to a safetensors file, which PyTorch and the Hugging Face hub read.
 *
 * In mode 'pytorch', which is the default, it holds what a PyTorch model saves whose modules are called as the layers are, in PyTorch's
 * layouts: `model.load_state_dict(safetensors.torch.load_file(path))`. {@link pytorchNotes} tells what the two models must have in
 * common beside the weights. A weight that several layers share is there once.
 *
 * | layer | module |
 * |---|---|
 * | dense, conv1d, conv2d, conv3d, conv2dTranspose, conv3dTranspose | `Linear`, `Conv1d`, ..., `ConvTranspose3d` |
 * | depthwiseConv2d | `Conv2d` with `groups` of the input channels |
 * | separableConv2d | two `Conv2d` called `depthwise` (without a bias) and `pointwise` |
 * | embedding, prelu (one alpha for each channel, or one) | `Embedding`, `PReLU` |
 * | lstm (`recurrentActivation: 'sigmoid'`), gru (`resetAfter: true`), simpleRNN, bidirectional | `LSTM`, `GRU`, `RNN` |
 * | batch, layer, group, instance (`affine=True`) and RMS normalization | `BatchNorm2d`, `LayerNorm`, ... |
 * | weightNormalization, spectralNormalization | `parametrizations.weight_norm` (`dim=1` for transposed convolutions and embeddings), `spectral_norm` |
 *
 * The variance of batch normalization is copied: PyTorch's is the unbiased one, n / (n - 1) of ours in training. The weights of a dense
 * layer after a flatten of images, or before a reshape to images, are brought to PyTorch's order, where channels come first;
 * `channelsLast: true` leaves them as they are.
 *
 * @param model a model of layers, built
 * @param destination a path in Node, or `downloads://name.safetensors` in a page. Default: none
 * @param options those of {@link SafetensorsOptions}
 * @returns the bytes of the file, if there is no destination
 * @throws if a layer is no module of PyTorch, a weight is not finite, two weights have one name, or an option is wrong; nothing is
 *   written then
 * @example
 * ```js
 * const model = tf.sequential({layers: [tf.layers.dense({units: 2, inputShape: [3], name: 'fc'})]});
 * const bytes = await saveSafetensors(model);
 * bytes.length; // 200
 * ```
 */
export async function saveSafetensors(
  model: LayersModel,
  destination?: undefined,
  options?: SafetensorsOptions,
): Promise<Uint8Array>;
export async function saveSafetensors(
  model: LayersModel,
  destination: string,
  options?: SafetensorsOptions,
): Promise<void>;
export async function saveSafetensors(
  model: LayersModel,
  destination?: string,
  options: SafetensorsOptions = {},
  ...more: unknown[]
): Promise<unknown> {
  checkCall(WHO, options, OPTIONS, more);
  const { onProgress, mode = 'pytorch' } = options;
  const { entries } = planOf(WHO, model, options);
  if (destination !== undefined && typeof destination !== 'string') {
    fail(WHO, `the destination must be a path or a name, or undefined for the bytes; received ${show(destination)}`);
  }
  const written = entries.filter(isWritten);
  const tensors = written.map(
    (entry): NewTensor => ({ name: entry.names[0] as string, dtype: dtypeOf(entry), shape: entry.layout.shape }),
  );
  checkNames(tensors);
  await checkFinite(written);
  // Programs of Hugging Face ask for the format.
  const head = headerBytes(tensors, { format: mode === 'pytorch' ? 'pt' : 'tfjs' });
  const sizes = tensors.map(({ dtype, shape }) => byteLengthOf(dtype, shape));
  const total = sizes.reduce((sum, size) => sum + size, head.length);
  const memory = destination === undefined ? memorySink(total) : undefined;
  const sink = memory ?? (await openSink(WHO, destination as string, total));
  try {
    await sink.write(head);
    let done = head.length;
    for (const [i, entry] of written.entries()) {
      await sink.write(bytesOf(await valuesOf(entry)));
      done += sizes[i] as number;
      onProgress?.(done / total);
    }
    await sink.finish();
  } catch (error) {
    await sink.abandon();
    throw error;
  }
  return memory?.bytes;
}

type Written = Exclude<Entry, { readonly role: 'ignored' }>;
const isWritten = (entry: Entry): entry is Written =>
  entry.role === 'value' || entry.role === 'addend' || (entry.role === 'constant' && entry.isWritten);

const DTYPES: Readonly<Record<string, Dtype>> = { float32: 'F32', int32: 'I32', bool: 'BOOL' };
const dtypeOf = (entry: Written): Dtype =>
  entry.role === 'constant'
    ? 'F32'
    : (DTYPES[entry.weight.dtype] ?? fail(WHO, `there is no type for ${entry.weight.dtype}`));

function checkNames(tensors: readonly NewTensor[]): void {
  const taken = new Set<string>();
  for (const { name } of tensors) {
    if (taken.has(name)) fail(WHO, `two tensors would be called '${name}'; give the layers or modules different names`);
    taken.add(name);
  }
}

async function checkFinite(entries: readonly Written[]): Promise<void> {
  for (const entry of entries) {
    if (entry.role !== 'value') continue;
    const values = await entry.weight.read().data();
    const at = values.findIndex((value) => !Number.isFinite(value));
    if (at >= 0) {
      const { originalName } = entry.weight;
      fail(
        WHO,
        `the weight '${originalName}' holds ${values[at]}, as after a training that diverged; nothing was written`,
      );
    }
  }
}

/** The values as they lie in the file. */
async function valuesOf(entry: Written): Promise<Float32Array | Int32Array | Uint8Array> {
  const size = entry.layout.shape.reduce((product, size) => product * size, 1);
  if (entry.role !== 'value') return new Float32Array(size).fill(entry.role === 'constant' ? entry.constant : 0);
  const values = await entry.weight.read().data();
  return values instanceof Float32Array ? toFile(values, entry.layout) : values;
}

/** Little-endian bytes, as those of every machine that runs TensorFlow.js. */
const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array | Int32Array | Uint8Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
