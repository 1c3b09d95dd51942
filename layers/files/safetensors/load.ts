/** Gives a model the weights of a safetensors file. */
import { tensor, tidy } from '@tensorflow/tfjs-core';
import type { LayersModel, LayerVariable } from '@tensorflow/tfjs-layers';
import { fail } from '../../../kernels/core/errors.ts';
import { checkBoolean, checkCall, optionNames } from '../../../kernels/functions/checks.ts';
import type { FileSource, ReadOptions } from '../source.ts';
import { READABLE, valuesOf } from './dtypes.ts';
import type { Entry, Plan } from './entries.ts';
import { type Bytes, type Header, readHeader, type StoredTensor } from './header.ts';
import { fromFile } from './layout.ts';
import { planOf, type SafetensorsOptions } from './model.ts';
import { openBytes } from './places.ts';

const WHO = 'loadSafetensors';
const OPTIONS = optionNames('mode', 'modules', 'channelsLast', 'onProgress', 'strict', 'requestInit', 'fetchFunc');

/** Options of {@link loadSafetensors}. */
export interface LoadSafetensorsOptions extends SafetensorsOptions, Omit<ReadOptions, 'onProgress'> {
  /**
   * Whether it is an error if the file lacks a weight of the model, or has one that the model does not take. false: such weights stay
   * as they are. Default: true.
   */
  readonly strict?: boolean;
}

/** What {@link loadSafetensors} left as it was, which is nothing unless `strict` is false. */
export interface SafetensorsReport {
  /** Names that the model asked for, and the file has not. */
  readonly missing: readonly string[];
  /** Names of the file that the model does not take. */
  readonly unexpected: readonly string[];
}

/**
 * Gives a model the weights of a safetensors file, as PyTorch (`safetensors.torch.save_file(model.state_dict(), ...)`), the Hugging
 * Face hub and {@link saveSafetensors} have them.
 *
 * The file is checked as a whole, and all weights are read, before the first one is set. Numbers of 16 and 64 bits and integers become
 * those of the model; what it cannot hold is an error.
 *
 * In mode 'pytorch', which is the default, the tensors are found by the names of the layers, as in `conv.weight` or, in a model
 * within, `encoder.conv.weight`, and brought from PyTorch's layouts to TensorFlow.js's. {@link pytorchNotes} tells what the two models
 * must have in common beside the weights.
 *
 * @param model a model of layers, built, as it will be used: the weights are written to its layers
 * @param source a URL, in Node a path, a `File` or `Blob`, or the bytes
 * @param options those of {@link LoadSafetensorsOptions}
 * @returns the names that were left out, where `strict` is false
 * @throws if the file is damaged or none of safetensors; a weight is missing, left over, of another shape, not finite or of a type that
 *   cannot be read; a layer is no module of PyTorch; or an option is wrong. The model is then as it was
 * @example
 * ```js
 * const model = tf.sequential({layers: [tf.layers.dense({units: 2, inputShape: [3], name: 'fc'})]});
 * const bytes = await saveSafetensors(model);
 * await loadSafetensors(model, bytes); // {missing: [], unexpected: []}
 * ```
 */
export async function loadSafetensors(
  model: LayersModel,
  source: FileSource,
  options?: LoadSafetensorsOptions,
): Promise<SafetensorsReport>;
export async function loadSafetensors(
  model: LayersModel,
  source: FileSource,
  options: LoadSafetensorsOptions = {},
  ...more: unknown[]
): Promise<SafetensorsReport> {
  checkCall(WHO, options, OPTIONS, more);
  const strict = checkBoolean(WHO, 'strict', options.strict ?? true);
  const plan = planOf(WHO, model, options);
  const { onProgress = () => {} } = options;
  // Of a download, one half is for the file to arrive. A path is read as it is needed.
  let start = 0;
  const arrived = (share: number) => {
    start = 0.5;
    onProgress(share / 2);
  };
  const bytes = await openBytes(WHO, source, { ...options, onProgress: arrived });
  try {
    const { found, ...report } = matchTensors(plan, await readHeader(WHO, bytes), strict);
    const values = await readWeights(found, bytes, (share) => onProgress(start + (1 - start) * share));
    tidy(() => {
      const write = (weight: LayerVariable, value: Values) => {
        weight.write(tensor(value, weight.shape as number[], weight.dtype));
      };
      for (const [weight, value] of values) write(weight, value);
      // What the file has not, and is so once the others have been loaded.
      for (const [weight, value] of values.size > 0 ? plan.settings : [])
        write(weight, arrayFor(weight.dtype, [value]));
    });
    return report;
  } finally {
    await bytes.close?.();
  }
}

type Known = Exclude<Entry, { readonly role: 'ignored' }>;
interface Found {
  readonly entry: Known;
  /** More than one where the file has the tensor under several names. */
  readonly tensors: readonly (readonly [name: string, tensor: StoredTensor])[];
}

/** Which tensors of the file go where. Types and shapes have to fit; `strict`: names, too. */
export function matchTensors(
  { entries }: Plan,
  { tensors }: Header,
  strict: boolean,
): SafetensorsReport & { readonly found: readonly Found[] } {
  const missing: string[] = [];
  const unexpected = new Set(tensors.keys());
  const found: Found[] = [];
  for (const entry of entries) {
    const names = entry.names.filter((name) => unexpected.delete(name));
    if (entry.role === 'ignored') continue;
    if (names.length > 0)
      found.push({ entry, tensors: names.map((name) => [name, tensors.get(name) as StoredTensor]) });
    else if (entry.role !== 'constant') missing.push(entry.names[0] as string);
  }
  for (const { entry, tensors } of found) for (const [name, tensor] of tensors) checkTensor(name, tensor, entry);
  const report = { missing, unexpected: [...unexpected] };
  if (strict) refuseRest(report, tensors.size);
  return { ...report, found };
}

function checkTensor(name: string, { dtype, shape }: StoredTensor, { layout }: Known): void {
  if (String(shape) !== String(layout.shape)) {
    fail(
      WHO,
      `the tensor '${name}' must have the shape [${layout.shape}] for this model; the file has [${shape}]; make the layers of the ` +
        'same sizes',
    );
  }
  if (!READABLE.includes(dtype)) {
    fail(
      WHO,
      `the tensor '${name}' has the type ${dtype}, which cannot be read; convert it to one of ${READABLE.join(', ')}`,
    );
  }
}

function refuseRest({ missing, unexpected }: SafetensorsReport, count: number): void {
  if (missing.length === 0 && unexpected.length === 0) return;
  const lacks = missing.length > 0 ? `the file has no ${listed(missing)}, which the model needs` : '';
  const rest = unexpected.length > 0 ? `the file has ${listed(unexpected)}, which the model does not take` : '';
  const other = missing.length > 0 && unexpected.length === count ? ", set mode: 'plain' for a file of that mode" : '';
  fail(
    WHO,
    `${[lacks, rest].filter((text) => text !== '').join('; ')}; call the layers as the modules are called, or name the modules with ` +
      `modules: {layer: 'module'}${other}; strict: false leaves out what does not fit`,
  );
}

function listed(names: readonly string[]): string {
  const [shown, more] = [names.slice(0, 5).map((name) => `'${name}'`), names.length - 5];
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** The values of weights as they are to be set. */
async function readWeights(
  found: readonly Found[],
  bytes: Bytes,
  onProgress: (fraction: number) => void,
): Promise<Map<LayerVariable, Values>> {
  const values = new Map<LayerVariable, Values>();
  const total = found.reduce(
    (sum, { tensors }) => sum + tensors.reduce((sum, [, { byteLength }]) => sum + byteLength, 0),
    0,
  );
  let done = 0;
  for (const { entry, tensors } of found) {
    let stored: Values | undefined;
    for (const [name, tensor] of tensors) {
      const again = checkedValues(name, tensor, await bytes.read(tensor.offset, tensor.byteLength), entry);
      if (stored?.some((value, i) => value !== again[i])) {
        fail(
          WHO,
          `'${tensors[0]?.[0]}' and '${name}' are one weight of the model, and differ in the file; write the file again`,
        );
      }
      stored = again;
      done += tensor.byteLength;
      onProgress(total === 0 ? 1 : done / total);
    }
    if (!stored || entry.role === 'constant') continue;
    const own = fromFile(stored, entry.layout);
    const sum = values.get(entry.weight);
    values.set(entry.weight, sum ? own.map((value, i) => value + (sum[i] as number)) : own);
  }
  return values;
}

/** The values of a tensor, in an array of its own, if its weight can hold them. */
function checkedValues(name: string, { dtype }: StoredTensor, bytes: Uint8Array, entry: Known): Values {
  const given = valuesOf(dtype, bytes);
  const weightType = entry.role === 'constant' ? 'float32' : entry.weight.dtype;
  const values = arrayFor(weightType, given);
  const refuse = (i: number, why: string) =>
    fail(
      WHO,
      `the tensor '${name}' holds ${given[i]} as value ${i}, ${why}; write the file anew (the model was not changed)`,
    );
  /** Whether a value may be rounded: one number with a fraction for another. Shorter floats are floats as they are. */
  const isRounded = weightType === 'float32' && dtype === 'F64';
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!Number.isFinite(value)) refuse(i, 'where weights are finite numbers of float32');
    if (value !== given[i] && !isRounded) refuse(i, `which a weight of ${weightType} cannot hold exactly`);
    if (entry.role === 'constant' && value !== entry.constant) {
      refuse(i, `where the layer, which has no such weight, computes with ${entry.constant}; make it with the weight`);
    }
  }
  return values;
}

type Values = Float32Array | Int32Array | Uint8Array;
const arrayFor = (dtype: string, values: ArrayLike<number>): Values =>
  dtype === 'int32' ? Int32Array.from(values) : dtype === 'bool' ? Uint8Array.from(values) : Float32Array.from(values);
