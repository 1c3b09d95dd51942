/** Safetensors files that are broken, do not fit or are of a model that PyTorch has not; the plain mode; notes. */
import { existsSync, promises as fs, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import {
  type LoadSafetensorsOptions,
  loadSafetensors,
  pytorchNotes,
  saveSafetensors,
} from '../../layers/files/index.ts';
import * as tfn from '../../layers/index.ts';
import { FIRST, titled } from '../support/layer-table.ts';
import { fillWeights, makeLayer, modelOf } from '../support/layers.ts';
import { fileOf, MODULES } from '../support/pytorch-modules.ts';
import { uniforms } from '../support/random.ts';
import { contentsOf, fileWith } from '../support/safetensors-files.ts';
import { scratchFolder } from '../support/scratch.ts';
import { serve } from '../support/server.ts';

const { layers: l } = tf;
type Layer = tf.layers.Layer;
const scratch = scratchFolder();

const linear = (more = {}) => tf.sequential({ layers: [l.dense({ units: 2, inputShape: [3], name: 'fc', ...more })] });
const valuesOf = (model: tf.LayersModel) =>
  [...new Set(model.weights)].map((weight) => Array.from(weight.read().dataSync()));
const entry = (shape: number[], begin: number, dtype = 'F32', bytes = 4) => ({
  dtype,
  shape,
  data_offsets: [begin, begin + bytes * shape.reduce((a, b) => a * b, 1)],
});
/** Of `linear()`. */
const FC = { 'fc.weight': entry([2, 3], 0), 'fc.bias': entry([2], 24) };

/** What an attempt to load says; nothing of the model or of TensorFlow.js's memory may have changed. */
async function refusal(model: tf.LayersModel, file: Uint8Array, options?: LoadSafetensorsOptions): Promise<string> {
  const before = { values: valuesOf(model), tensors: tf.memory().numTensors };
  const message = await loadSafetensors(model, file, options).then(
    () => 'loaded',
    (error: Error) => error.message,
  );
  expect({ values: valuesOf(model), tensors: tf.memory().numTensors }).toEqual(before);
  return message;
}

describe('a file is refused', () => {
  const head = JSON.stringify(FC);
  test.each<[why: string, file: Uint8Array, says: RegExp]>([
    ['that is empty', new Uint8Array(), /begins with the length of its header in 8 bytes; the file has 0/],
    ['that is cut off in the header', fileWith(FC, 32).subarray(0, 50), /the file is incomplete/],
    ['that is cut off in the values', fileWith(FC, 31), /need 32 bytes of values, and the file has 31/],
    ['with more values than tensors', fileWith(FC, 33), /need 32 bytes of values, and the file has 33/],
    ['whose header is longer than 100 MB', fileWith(FC, 32, 100_000_001n), /at most 100000000/],
    [
      'whose header is longer by 4 GB',
      fileWith(FC, 32, BigInt(head.length) + 2n ** 32n),
      new RegExp(`its header has ${head.length + 2 ** 32} bytes, .*: the file is incomplete`),
    ],
    ['whose header ends a byte after the file', fileWith(head, 0, BigInt(head.length + 1)), /the file is incomplete/],
    ['whose header has no bytes', fileWith('', 0), /must be a JSON object; it begins with ""/],
    ['that begins like nothing known', new TextEncoder().encode('aPK{<HDF'), /or no safetensors file; get or write/],
    ['whose header begins with a byte order mark', fileWith(`\ufeff${head}`, 32), /must be a JSON object/],
    ['whose header is a long list', fileWith(`[${'1'.repeat(50)}]`), /it begins with "\[1{19}"/],
    ['whose header is longer than any file', fileWith(FC, 32, 2n ** 64n - 1n), /the file is incomplete/],
    ['that is a zip', new TextEncoder().encode('PK\x03\x04 and much more'), /seems to be a zip archive/],
    ['that is an HTML page', new TextEncoder().encode('<!doctype html><title>404</title>'), /an HTML page/],
    ['that is JSON', new TextEncoder().encode('{"modelTopology": {}}'), /seems to be JSON/],
    ['that is HDF5', Uint8Array.from(Buffer.from('\x89HDF\r\n\x1a\n and much more', 'latin1')), /an HDF5 file/],
    ['that is a pointer', new TextEncoder().encode('version https://git-lfs'), /a pointer of Git LFS/],
    ['whose header is no JSON', fileWith(`${head}}`, 32), /the header is no JSON/],
    ['whose header is no object', fileWith('[]'), /must be a JSON object; it begins with "\[\]"/],
    ['whose header begins with a space', fileWith(` ${head}`, 32), /must be a JSON object/],
    ['whose header is no UTF-8', fileWith(head, 32).fill(0xff, 12, 13), /not UTF-8/],
    [
      'with a name twice',
      fileWith(`{"a":${JSON.stringify(entry([1], 0))},"a":${JSON.stringify(entry([1], 0))}}`, 4),
      /the name "a" twice/,
    ],
    [
      'with a name twice after a brace in a text',
      fileWith(`{"__metadata__":{"note":"}}"},"a":1,"a":1}`),
      /the name "a" twice/,
    ],
    ['with a name twice, spelled in two ways', fileWith(`{"a":1,"\\u0061":2}`), /the name "a" twice/],
    ['with a key of a tensor twice', fileWith(`{"a":{"dtype":"F32","dtype":"F16"}}`), /the name "dtype" twice/],
    [
      'with a gap',
      fileWith({ 'fc.weight': entry([2, 3], 0), 'fc.bias': entry([2], 28) }, 36),
      /'fc.bias' leaves a gap before it: it begins at byte 28 of the values, not 24;/,
    ],
    ['with values before the first', fileWith({ 'fc.bias': entry([2], 4) }, 12), /leaves a gap before it/],
    [
      'with tensors that overlap',
      fileWith({ 'fc.weight': entry([2, 3], 0), 'fc.bias': entry([2], 20) }, 32),
      /'fc.bias' overlaps/,
    ],
    ['with two tensors at one place', fileWith({ a: entry([1], 0), b: entry([1], 0) }, 4), /'b' overlaps/],
    [
      'with offsets the wrong way round',
      fileWith({ a: { dtype: 'F32', shape: [1], data_offsets: [4, 0] } }, 4),
      /data_offsets for the 4 bytes/,
    ],
    [
      'with offsets for another shape',
      fileWith({ a: { dtype: 'F32', shape: [2], data_offsets: [0, 4] } }, 4),
      /for the 8 bytes of F32 \[2\]; received \[0,4\]/,
    ],
    [
      'with an offset that is no whole number',
      fileWith({ a: { dtype: 'F32', shape: [1], data_offsets: [0.5, 4.5] } }, 4),
      /two whole numbers/,
    ],
    [
      'with three offsets',
      fileWith({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4, 4] } }, 4),
      /two whole numbers; received \[0,4,4\]/,
    ],
    [
      'with a negative size',
      fileWith({ a: { dtype: 'F32', shape: [-1], data_offsets: [0, 4] } }, 4),
      /a shape of whole numbers; received \[-1\]/,
    ],
    [
      'with a size that overflows',
      fileWith({ a: { dtype: 'F32', shape: [2 ** 31, 2 ** 31, 4], data_offsets: [0, 0] } }),
      /data_offsets for the/,
    ],
    [
      'with sizes that are infinite together',
      fileWith({ a: { dtype: 'F32', shape: new Array(40).fill(2 ** 50), data_offsets: [0, 0] } }),
      /data_offsets for the/,
    ],
    [
      'with an unknown type',
      fileWith({ a: entry([1], 0, 'F31') }, 4),
      /a dtype of the format, such as F32; received "F31"/,
    ],
    ['with a list of types', fileWith({ a: entry([1], 0, ['F32'] as never) }, 4), /a dtype of the format.*\["F32"\]/],
    ['with a type from the prototype', fileWith({ a: entry([1], 0, 'toString') }, 4), /a dtype of the format/],
    ['with another key', fileWith({ a: { ...entry([1], 0), strides: [1] } }, 4), /nothing else; received "strides"/],
    ['with a tensor that is a number', fileWith({ a: 1 }), /must have a dtype, a shape and data_offsets; received 1/],
    ['with a tensor that is null', fileWith({ a: null }), /must have a dtype, a shape and data_offsets; received null/],
    [
      'with metadata some of which are no texts',
      fileWith({ __metadata__: { format: 'pt', epoch: 3 }, ...FC }, 32),
      /__metadata__ must be an object of texts/,
    ],
    [
      'with metadata that are no texts',
      fileWith({ __metadata__: { epoch: 3 }, ...FC }, 32),
      /__metadata__ must be an object of texts/,
    ],
  ])('%s', async (_, file, says) => {
    const message = await refusal(linear(), file);
    expect(message).toMatch(/^loadSafetensors: /);
    expect(message).toMatch(says);
  });
});

test('a header of at most 100 MB is read, and a longer one is not', async () => {
  const attempt = (length: number) => {
    const file = new Blob([Uint8Array.from(fileWith('{', 0, BigInt(length)))]);
    Object.defineProperty(file, 'size', { value: 2 ** 30 });
    return loadSafetensors(linear(), file);
  };
  await expect(attempt(100_000_000)).rejects.toThrow('the header is no JSON');
  await expect(attempt(100_000_001)).rejects.toThrow('its header has 100000001 bytes, and has 1073741824 itself');
});

test('tensors may stand in any order, be empty, and have the same text twice beside them', async () => {
  const header = { 'fc.bias': entry([2], 24), 'fc.weight': entry([2, 3], 0) };
  const texts = { __metadata__: { a: 'x', b: 'x' } };
  const values = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8).buffer);
  const [first, last] = [{ a: entry([0], 24) }, { z: entry([0], 24) }];
  for (const one of [
    { ...texts, ...header },
    { ...first, ...header },
    { ...header, ...last },
  ]) {
    const model = linear();
    await loadSafetensors(model, fileWith(one, values), { strict: false });
    expect(valuesOf(model)).toEqual([
      [1, 4, 2, 5, 3, 6],
      [7, 8],
    ]);
  }
});

describe('weights are refused', () => {
  const numbers = (...values: number[]) => new Uint8Array(new Float32Array(values).buffer);
  const doubles = (...values: number[]) => new Uint8Array(new Float64Array(values).buffer);
  const bias = (dtype: string, values: Uint8Array, bytes: number) =>
    fileWith(
      { 'fc.weight': entry([2, 3], 0), 'fc.bias': entry([2], 24, dtype, bytes) },
      Uint8Array.from([...numbers(1, 2, 3, 4, 5, 6), ...values]),
    );
  test.each<[why: string, file: Uint8Array, says: RegExp]>([
    [
      'that are missing',
      fileWith({ 'fc.weight': FC['fc.weight'] }, 24),
      /^loadSafetensors: the file has no 'fc.bias', which the model needs; call the layers .*: 'module'}; strict: false/,
    ],
    [
      'that are left over',
      fileWith({ ...FC, 'fc2.weight': entry([1], 32) }, 36),
      /^loadSafetensors: the file has 'fc2.weight', which the model does not take; call .*: 'module'}; strict: false/,
    ],
    [
      'that are many more than are taken',
      fileWith({ ...FC, ...Object.fromEntries([...'abcdefg'].map((name) => [name, entry([0], 32)])) }, 32),
      /the file has 'a', 'b', 'c', 'd', 'e' and 2 more, which the model does not take/,
    ],
    [
      'that are five more than are taken',
      fileWith({ ...FC, ...Object.fromEntries([...'abcde'].map((name) => [name, entry([0], 32)])) }, 32),
      /the file has 'a', 'b', 'c', 'd', 'e', which the model does not take/,
    ],
    [
      'of other names',
      fileWith({ 'net.0.weight': FC['fc.weight'], 'net.0.bias': FC['fc.bias'] }, 32),
      /no 'fc.weight', 'fc.bias', which the model needs; the file has 'net.0.weight', 'net.0.bias', which .* mode: 'plain'/,
    ],
    [
      'of another shape',
      fileWith({ ...FC, 'fc.weight': entry([3, 2], 0) }, 32),
      /'fc.weight' must have the shape \[2,3\] for this model; the file has \[3,2\]/,
    ],
    [
      'that are not a number',
      bias('F32', numbers(1, Number.NaN), 4),
      /'fc.bias' holds NaN as value 1, where weights are finite/,
    ],
    [
      'that are infinite in 16 bits',
      bias('F16', Uint8Array.of(0, 0x3c, 0, 0xfc), 2),
      /'fc.bias' holds -Infinity as value 1, where weights are finite/,
    ],
    [
      'that are not a number in 16 bits',
      bias('F16', Uint8Array.of(1, 0x7c, 0, 0), 2),
      /'fc.bias' holds NaN as value 0/,
    ],
    ['that are infinite', bias('F32', numbers(Number.POSITIVE_INFINITY, 1), 4), /'fc.bias' holds Infinity as value 0/],
    ['that are larger than floats', bias('F64', doubles(1, 1e300), 8), /'fc.bias' holds 1e\+300 as value 1/],
    [
      'that no float is',
      bias('I64', new Uint8Array(new BigInt64Array([1n, 2n ** 24n + 1n]).buffer), 8),
      /16777217 as value 1, which a weight of float32 cannot hold exactly/,
    ],
    [
      'of 8-bit floats',
      bias('F8_E4M3', new Uint8Array(2), 1),
      /the type F8_E4M3, which cannot be read; convert it to one of BOOL, U8/,
    ],
    ['of complex numbers', bias('C64', new Uint8Array(16), 8), /the type C64/],
  ])('%s', async (_, file, says) => {
    expect(await refusal(linear(), file)).toMatch(says);
  });

  test('that are there twice, and differ', async () => {
    const shared = l.dense({ units: 2, name: 'shared', inputShape: [2], useBias: false });
    const inner = tf.sequential({ name: 'inner', layers: [shared] });
    const x = tf.input({ shape: [2] });
    const model = tf.model({ inputs: x, outputs: inner.apply(shared.apply(x)) as tf.SymbolicTensor });
    const file = (last: number) =>
      fileWith(
        { 'shared.weight': entry([2, 2], 0), 'inner.shared.weight': entry([2, 2], 16) },
        numbers(1, 2, 3, 4, 1, 2, 3, last),
      );
    expect(await refusal(model, file(5))).toMatch(/'shared.weight' and 'inner.shared.weight' are one weight/);
    expect(await loadSafetensors(model, file(4))).toEqual({ missing: [], unexpected: [] });
    expect(valuesOf(model)).toEqual([[1, 3, 2, 4]]);
    expect(Object.keys(contentsOf(await saveSafetensors(model)).tensors)).toEqual(['shared.weight']);
  });

  test('that the layer computes without, if they say something else', async () => {
    const model = modelOf([2], tfn.batchNormalization({ scale: false, name: 'norm' }));
    const saved = contentsOf(await saveSafetensors(model));
    expect(saved.tensors['norm.weight']!.values).toEqual([1, 1]);
    const keys = ['weight', 'bias', 'running_mean', 'running_var'];
    const header = Object.fromEntries(keys.map((key, i) => [`norm.${key}`, entry([2], 8 * i)]));
    expect(await refusal(model, fileWith(header, numbers(1, 2, 0, 0, 0, 0, 1, 1)))).toMatch(
      /'norm.weight' holds 2 as value 1, where the layer, which has no such weight, computes with 1/,
    );
    await loadSafetensors(model, fileWith(header, numbers(1, 1, 3, 4, 0, 0, 1, 1)));
    expect(valuesOf(model)[0]).toEqual([3, 4]);
  });

  test('unless strict is false', async () => {
    const model = linear();
    const file = fileWith({ 'fc.bias': entry([2], 0), 'head.bias': entry([1], 8) }, numbers(5, 6, 7));
    const report = await loadSafetensors(model, file, { strict: false });
    expect(report).toEqual({ missing: ['fc.weight'], unexpected: ['head.bias'] });
    expect(valuesOf(model)[1]).toEqual([5, 6]);
  });

  test('that are not finite when they are saved', async () => {
    const model = linear();
    model.layers[0]!.setWeights([tf.fill([3, 2], Number.NaN), tf.zeros([2])]);
    const path = join(scratch, 'diverged.safetensors');
    await expect(saveSafetensors(model, path)).rejects.toThrow(/^saveSafetensors: the weight 'fc\/kernel' holds NaN/);
    expect(existsSync(path)).toBe(false);
  });
});

/** A layer that PyTorch has not. */
class Shift extends l.Layer {
  static readonly className = 'Shift';
  override build(): void {
    this.addWeight('shift', [1], 'float32', tf.initializers.zeros());
    this.built = true;
  }
  override call(x: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return ([x].flat() as tf.Tensor[])[0]!;
  }
}

describe('a model that PyTorch has not is refused, by its layer', () => {
  const image = [4, 4, 2];
  test.each<[what: string, make: () => tf.LayersModel, says: RegExp]>([
    [
      'GRU',
      () => modelOf([3, 2], l.gru({ units: 2, name: 'rnn' })),
      /the layer 'rnn' \(GRU\) has the reset gate before the recurrent kernel.*make it by gru\(\{resetAfter: true\}\)/,
    ],
    [
      'GRU with hardSigmoid',
      () => modelOf([3, 2], tfn.gru({ units: 2, resetAfter: true, recurrentActivation: 'hardSigmoid', name: 'rnn' })),
      /'rnn' \(GRU\) has the recurrentActivation 'hardSigmoid', and PyTorch's sigmoid; make it with/,
    ],
    [
      'LSTM with hardSigmoid',
      () => modelOf([3, 2], l.lstm({ units: 2, name: 'rnn' })),
      /'rnn' \(LSTM\) has the recurrentActivation 'hardSigmoid', and PyTorch's sigmoid; make it with/,
    ],
    [
      'RNN with another activation',
      () => modelOf([3, 2], l.simpleRNN({ units: 2, activation: 'elu' })),
      /the activation 'elu', and PyTorch's tanh or relu/,
    ],
    [
      'stacked cells',
      () => modelOf([3, 2], l.rnn({ cell: [l.lstmCell({ units: 2 }), l.lstmCell({ units: 2 })] })),
      /\(RNN\) is no module of PyTorch/,
    ],
    [
      'convLstm2d',
      () => modelOf([2, 4, 4, 1], l.convLstm2d({ filters: 1, kernelSize: 2 })),
      /\(ConvLSTM2D\) is no module of PyTorch/,
    ],
    [
      'RMS with beta',
      () => modelOf([2], tfn.rmsNormalization()),
      /adds beta, which PyTorch's RMSNorm has not; make it with center: false/,
    ],
    [
      'layer normalization with rmsScaling',
      () => modelOf([2], tfn.layerNormalization({ rmsScaling: true })),
      /rmsScaling/,
    ],
    [
      'switchable normalization',
      () => modelOf(image, tfn.switchableNormalization()),
      /\(SwitchableNormalization\) is no module of PyTorch/,
    ],
    [
      "Keras's spectral normalization",
      () => modelOf([2], tfn.spectralNormalization({ layer: l.dense({ units: 2 }), reparameterize: false })),
      /has Keras's form.*removeSpectralNormalization/,
    ],
    [
      'renormalization',
      () => modelOf([2], tfn.batchNormalization({ renorm: true })),
      /the weight 'moving_stddev', which PyTorch has not/,
    ],
    ['PReLU with alphas everywhere', () => modelOf(image, l.prelu()), /an alpha for each of \[4,4,2\].*use sharedAxes/],
    [
      'a layer of the user',
      () => modelOf([2], new Shift()),
      /\(Shift\) is no module of PyTorch; save it with mode: 'plain'/,
    ],
    [
      'groups of flattened features',
      () => modelOf(image, l.flatten(), tfn.groupNormalization({ groups: 2 })),
      /flattened features, which PyTorch has in other groups/,
    ],
    [
      'flattened steps',
      () => modelOf([3, 4, 4, 2], l.timeDistributed({ layer: l.flatten() }), l.dense({ units: 1 })),
      /flattens or reshapes each step of a sequence.*channelsLast: true/,
    ],
    [
      'a model that flattens steps',
      () => {
        const step = modelOf([4, 4, 2], l.conv2d({ filters: 2, kernelSize: 2 }), l.flatten());
        return modelOf([3, 4, 4, 2], l.timeDistributed({ layer: step }), l.dense({ units: 1 }));
      },
      /flattens or reshapes each step of a sequence/,
    ],
    [
      'features that become two kinds of images',
      () => {
        const x = tf.input({ shape: [3] });
        const features = l.dense({ units: 8 }).apply(x);
        const images = [
          [2, 2, 2],
          [1, 2, 4],
        ].map((targetShape) => l.reshape({ targetShape }).apply(features));
        return tf.model({ inputs: x, outputs: images as tf.SymbolicTensor[] });
      },
      /\(Reshape\) takes flattened features, which PyTorch has in another order/,
    ],
    [
      'flattened features with others',
      () => {
        const [x, vector] = [tf.input({ shape: image }), tf.input({ shape: [32] })];
        const sum = l.add().apply([l.flatten().apply(x) as tf.SymbolicTensor, vector]) as tf.SymbolicTensor;
        return tf.model({ inputs: [x, vector], outputs: l.dense({ units: 1 }).apply(sum) as tf.SymbolicTensor });
      },
      /\(Add\) joins features, which PyTorch has in another order/,
    ],
    [
      'flattened features repeated',
      () => modelOf(image, l.flatten(), l.repeatVector({ n: 2 }), l.dense({ units: 1 })),
      /\(RepeatVector\) takes flattened features, which PyTorch has in another order/,
    ],
    [
      'two orders',
      () => {
        const dense = l.dense({ units: 2, name: 'shared' });
        const [x, vector] = [tf.input({ shape: image }), tf.input({ shape: [32] })];
        const outputs = [dense.apply(l.flatten().apply(x)), dense.apply(vector)] as tf.SymbolicTensor[];
        return tf.model({ inputs: [x, vector], outputs });
      },
      /'shared' is called on features that PyTorch has in two orders/,
    ],
    [
      'a disposed one',
      () => {
        const model = linear();
        model.dispose();
        return model;
      },
      /has been disposed of/,
    ],
  ])('%s', async (_, make, says) => {
    const model = make();
    await expect(saveSafetensors(model)).rejects.toThrow(says);
    await expect(loadSafetensors(model, fileWith({}))).rejects.toThrow(says);
  });

  test('unless channels are last in PyTorch, too', async () => {
    const model = modelOf(image, l.flatten(), tfn.groupNormalization({ groups: 2 }), l.dense({ units: 1, name: 'fc' }));
    const { tensors } = contentsOf(await saveSafetensors(model, undefined, { channelsLast: true }));
    expect(tensors['fc.weight']!.values).toEqual(valuesOf(model)[2]);
  });
});

describe('the values of a layer, in the file', () => {
  /** The tensor with this name, and what the weight `name` of the model has, as a tensor. */
  const savedOf = async (model: tf.LayersModel, name: string, options = {}) =>
    contentsOf(await saveSafetensors(model, undefined, options)).tensors[name]!;
  const kernelOf = (layer: Layer) => layer.getWeights()[0] as tf.Tensor;
  const numbersOf = (tensor: tf.Tensor) => Array.from(tensor.dataSync());
  const plain = (layer: Layer) => numbersOf(tf.transpose(kernelOf(layer)));
  const fc = (units = 2, name = 'fc') => l.dense({ units, name, useBias: false });

  test('within TimeDistributed', async () => {
    const td = l.timeDistributed({ layer: l.dense({ units: 2 }), name: 'fc' });
    const model = modelOf([3, 4], td);
    expect(await savedOf(model, 'fc.weight')).toEqual({ dtype: 'F32', shape: [2, 4], values: plain(td) });
  });

  test('within TimeDistributed, of images', async () => {
    const norm = tfn.layerNormalization({ axis: [1, 2, 3] });
    const td = l.timeDistributed({ layer: norm, name: 'norm' });
    const model = modelOf([2, 3, 4, 5], td);
    td.setWeights(td.getWeights().map((weight) => tf.range(0, weight.size).reshape(weight.shape)));
    const values = numbersOf(tf.transpose(kernelOf(td) as tf.Tensor3D, [2, 0, 1]));
    expect(await savedOf(model, 'norm.weight')).toEqual({ dtype: 'F32', shape: [5, 3, 4], values });
  });

  test('after channels that come first are flattened', async () => {
    const layer = fc(1);
    const model = modelOf([2, 3, 4], l.flatten({ dataFormat: 'channelsFirst' }), layer);
    // The weight of each feature is its place in the image.
    const places = tf.range(0, 24).reshape([2, 3, 4]);
    const features = (model.layers[1] as Layer).apply(places.expandDims()) as tf.Tensor;
    layer.setWeights([features.reshape([24, 1])]);
    expect((await savedOf(model, 'fc.weight')).values).toEqual(numbersOf(places.transpose([2, 0, 1])));
  });

  test('after convolutions with channels first, which PyTorch flattens alike', async () => {
    const layer = fc();
    const model = modelOf(
      [2, 4, 4],
      l.conv2d({ filters: 3, kernelSize: 2, dataFormat: 'channelsFirst' }),
      l.flatten(),
      layer,
    );
    expect((await savedOf(model, 'fc.weight')).values).toEqual(plain(layer));
  });

  test('after convolutions, where PyTorch has channels last, too', async () => {
    const layer = fc();
    const model = modelOf([4, 4, 2], l.conv2d({ filters: 3, kernelSize: 2 }), l.flatten(), layer);
    expect((await savedOf(model, 'fc.weight', { channelsLast: true })).values).toEqual(plain(layer));
    expect((await savedOf(model, 'fc.weight')).values).not.toEqual(plain(layer));
  });

  test('of the layer next to flattened images, or to what becomes images, alone', async () => {
    const [first, second] = [fc(8), fc(8, 'next')];
    const flattened = modelOf([2, 2, 2], l.flatten(), first, second);
    expect((await savedOf(flattened, 'next.weight')).values).toEqual(plain(second));
    expect((await savedOf(flattened, 'fc.weight')).values).not.toEqual(plain(first));
    const [third, last] = [fc(8), fc(8, 'last')];
    const reshaped = modelOf([8], third, last, l.reshape({ targetShape: [2, 2, 2] }));
    expect((await savedOf(reshaped, 'fc.weight')).values).toEqual(plain(third));
    expect((await savedOf(reshaped, 'last.weight')).values).not.toEqual(plain(last));
  });

  test('of layers that take vectors one after the other', async () => {
    const [a, b] = [tf.input({ shape: [2] }), tf.input({ shape: [2] })];
    const joined = l.concatenate().apply([a, b]) as tf.SymbolicTensor;
    const norm = tfn.groupNormalization({ groups: 2, name: 'norm' });
    const model = tf.model({ inputs: [a, b], outputs: norm.apply(joined) as tf.SymbolicTensor });
    expect((await savedOf(model, 'norm.weight')).values).toEqual([1, 1, 1, 1]);
  });
});

describe('calls that are wrong', () => {
  test.each<[what: string, call: () => Promise<unknown>, says: RegExp]>([
    ['no model', () => saveSafetensors(l.dense({ units: 1 }) as never), /model must be a model of layers/],
    [
      'an unknown mode',
      () => saveSafetensors(linear(), undefined, { mode: 'torch' as never }),
      /mode must be one of 'pytorch', 'plain'; received "torch"/,
    ],
    [
      'an unknown option',
      () => loadSafetensors(linear(), fileWith({}), { prefix: '' } as never),
      /unknown option 'prefix'/,
    ],
    [
      'a layer that is not there',
      () => saveSafetensors(linear(), undefined, { modules: { fc2: 'a' } }),
      /modules names the layer 'fc2', which the model has not; its layers with weights are \["fc"\]/,
    ],
    [
      'modules that are no names',
      () => saveSafetensors(linear(), undefined, { modules: { fc: 1 } as never }),
      /modules must be an object of names/,
    ],
    [
      'modules that are null',
      () => saveSafetensors(linear(), undefined, { modules: null as never }),
      /modules must be an object of names.*received null/,
    ],
    [
      'modules that are a text',
      () => saveSafetensors(linear(), undefined, { modules: 'stem' as never }),
      /modules must be an object of names.*received "stem"/,
    ],
    [
      'a progress that is no function',
      () => saveSafetensors(linear(), undefined, { onProgress: 1 as never }),
      /onProgress must be a function/,
    ],
    [
      'a source that is none',
      () => loadSafetensors(linear(), 5 as never),
      /loadSafetensors: the file must be a URL, a path, a File, a Blob or bytes; received 5/,
    ],
    [
      'a path where nothing is',
      () => loadSafetensors(linear(), join(scratch, 'nothing')),
      /loadSafetensors: ENOENT.*check the path/,
    ],
    ['a path of a folder', () => loadSafetensors(linear(), scratch), /is no file; give the path of the file itself/],
    [
      'a path in no folder',
      () => saveSafetensors(linear(), join(scratch, 'no', 'where')),
      /saveSafetensors: the file cannot be written \(ENOENT.*choose another place/,
    ],
    [
      'a destination that is no path',
      () => saveSafetensors(linear(), 5 as never),
      /the destination must be a path or a name/,
    ],
    [
      'two tensors of one name',
      () =>
        saveSafetensors(modelOf([2], l.dense({ units: 1, name: 'a' }), l.dense({ units: 1, name: 'b' })), undefined, {
          modules: { b: 'a' },
        }),
      /two tensors would be called 'a.weight'/,
    ],
  ])('%s', async (_, call, says) => {
    await expect(call()).rejects.toThrow(says);
  });
});

test('modules rename a layer, a model within and all that is in it', async () => {
  const model = MODULES['flattened-in-a-model']!();
  const modules = { encoder: 'backbone.stem', 'encoder.norm': 'bn1', head: '' };
  const { tensors } = contentsOf(await saveSafetensors(model, undefined, { modules }));
  expect(Object.keys(tensors).filter((name) => name.endsWith('weight'))).toEqual([
    'backbone.stem.conv.weight',
    'bn1.weight',
    'hidden.weight',
    'out.weight',
  ]);
});

describe('sources', () => {
  const file = fileOf('linear');
  const path = join(scratch, 'linear.safetensors');
  let served: Awaited<ReturnType<typeof serve>>;
  beforeAll(async () => {
    writeFileSync(path, file);
    served = await serve({}, { '/': scratch });
  });
  afterAll(() => {
    served.server.close();
    served.server.closeAllConnections();
  });
  const url = (name: string) => `${served.url}/${name}`;

  test.each<[what: string, source: () => unknown]>([
    ['bytes', () => file],
    ['bytes that begin anywhere', () => Uint8Array.from([0, ...file]).subarray(1)],
    ['a Buffer that begins anywhere', () => Buffer.from([0, ...file]).subarray(1)],
    ['a buffer', () => Uint8Array.from(file).buffer],
    ['a Blob', () => new Blob([Uint8Array.from(file)])],
    ['a path', () => path],
    ['a file URL', () => pathToFileURL(path)],
    ['a file URL as text', () => pathToFileURL(path).href],
    ['a URL', () => url('linear.safetensors')],
  ])('%s', async (_, source) => {
    const model = MODULES.linear!();
    const fractions: number[] = [];
    const given = source() as Uint8Array;
    await loadSafetensors(model, given, { onProgress: (fraction) => fractions.push(fraction) });
    const expected = contentsOf(file).tensors;
    expect(valuesOf(model)[1]).toEqual(expected['fc.bias']!.values);
    // Of a download the first half is for the file to arrive.
    const whole = [12 / 15, 1];
    const isDownload = typeof given === 'string' && /^http/.test(given);
    const read = isDownload ? whole.map((share) => 0.5 + share / 2) : whole;
    expect(fractions.slice(-2)).toEqual(read);
    expect(fractions.slice(0, -2).at(-1)).toBe(isDownload ? 0.5 : undefined);
  });

  test('a file that arrives by a few bytes at a time', async () => {
    const opened = await fs.open(path, 'r');
    const readAll = opened.read.bind(opened) as (...args: [Uint8Array, number, number, number]) => Promise<unknown>;
    const read = (into: Uint8Array, at: number, length: number, position: number) =>
      readAll(into, at, Math.min(length, 7), position);
    const open = jest.spyOn(fs, 'open').mockResolvedValue(Object.assign(opened, { read }) as typeof opened);
    const model = MODULES.linear!();
    await loadSafetensors(model, path);
    open.mockRestore();
    expect(valuesOf(model)[1]).toEqual(contentsOf(file).tensors['fc.bias']!.values);
  });

  test("a URL by the user's own fetch, with what it is to be asked with", async () => {
    const fetchFunc = jest.fn(async () => new Response(Uint8Array.from(file)));
    const requestInit = { headers: { authorization: 'me' } };
    await loadSafetensors(MODULES.linear!(), 'https://example.com/a.safetensors', { fetchFunc, requestInit });
    expect(fetchFunc.mock.calls).toEqual([['https://example.com/a.safetensors', requestInit]]);
  });

  test('a URL where nothing is', async () => {
    await expect(loadSafetensors(linear(), url('nothing'))).rejects.toThrow(/could not be loaded \(status 404\)/);
  });

  test.each<[what: string, read: () => Promise<{ bytesRead: number }>, says: RegExp]>([
    ['that fails', () => Promise.reject(new Error('EIO')), /'.*linear.safetensors' could not be read \(EIO\); copy it/],
    ['that ends early', async () => ({ bytesRead: 0 }), /'.*linear.safetensors' became shorter while it was read/],
  ])('a disk %s, and the file is closed', async (_, read, says) => {
    const opened = await fs.open(path, 'r');
    const close = jest.spyOn(opened, 'close');
    const open = jest.spyOn(fs, 'open').mockResolvedValue(Object.assign(opened, { read }));
    await expect(loadSafetensors(linear(), path)).rejects.toThrow(says);
    open.mockRestore();
    expect(close).toHaveBeenCalledTimes(1);
  });
});

test('a page has no files to write to', async () => {
  Object.assign(globalThis, { location: {} });
  try {
    await expect(saveSafetensors(linear(), 'a.safetensors')).rejects.toThrow(
      `saveSafetensors: there are no files in a page to write "a.safetensors" to; write 'downloads://name'`,
    );
  } finally {
    Reflect.deleteProperty(globalThis, 'location');
  }
});

test('saving tells its progress, and fills the header up to a multiple of 8 bytes', async () => {
  const fractions: number[] = [];
  const bytes = await saveSafetensors(linear(), undefined, { onProgress: (fraction) => fractions.push(fraction) });
  expect(fractions).toEqual([(bytes.length - 8) / bytes.length, 1]);
  const [length, text] = [bytes.length - 32 - 8, new TextDecoder().decode(bytes.subarray(8, -32))];
  expect([length % 8, length - text.trimEnd().length < 8]).toEqual([0, true]);
});

test('a disk that is full when the file is closed leaves nothing, and is told', async () => {
  const path = join(scratch, 'full.safetensors');
  const opened = await fs.open(`${path}.partial`, 'w');
  const close = opened.close.bind(opened);
  const fails = () => close().then(() => Promise.reject(new Error('ENOSPC')));
  jest.spyOn(opened, 'close').mockImplementationOnce(fails);
  const open = jest.spyOn(fs, 'open').mockResolvedValue(opened);
  await expect(saveSafetensors(linear(), path)).rejects.toThrow(
    'saveSafetensors: the file cannot be written (ENOSPC); choose another place',
  );
  open.mockRestore();
  expect([existsSync(path), existsSync(`${path}.partial`)]).toEqual([false, false]);
});

test('a file at a path has the same bytes, and is there only when it is complete', async () => {
  const model = linear();
  const path = join(scratch, 'saved.safetensors');
  await saveSafetensors(model, path);
  expect(new Uint8Array(readFileSync(path))).toEqual(await saveSafetensors(model));
  expect(existsSync(`${path}.partial`)).toBe(false);
  const stop = () => {
    throw new Error('stop');
  };
  await expect(saveSafetensors(model, join(scratch, 'other'), { onProgress: stop })).rejects.toThrow('stop');
  expect([existsSync(join(scratch, 'other')), existsSync(join(scratch, 'other.partial'))]).toEqual([false, false]);
});

test('weights are copies of the bytes', async () => {
  const [model, file] = [MODULES.linear!(), fileOf('linear')];
  await loadSafetensors(model, file);
  const before = valuesOf(model);
  file.fill(0);
  expect(valuesOf(model)).toEqual(before);
});

test('integers and booleans become weights', async () => {
  const header = { 'fc.weight': entry([2, 3], 0, 'I8', 1), 'fc.bias': entry([2], 6, 'BOOL', 1) };
  const model = linear();
  await loadSafetensors(model, fileWith(header, Uint8Array.from([1, 2, 3, 255, 254, 128, 1, 0])));
  expect(valuesOf(model)).toEqual([
    [1, -1, 2, -2, 3, -128],
    [1, 0],
  ]);
});

/** Each value in two bytes at least, so that the order of bytes counts. */
test.each<[dtype: string, values: ArrayBufferView, expected: number[]]>([
  ['U16', Uint16Array.of(1, 0x8002), [1, 0x8002]],
  ['I16', Int16Array.of(1, -2), [1, -2]],
  ['U32', Uint32Array.of(1, 0x80000000), [1, 2 ** 31]],
  ['I32', Int32Array.of(1, -2), [1, -2]],
  ['U64', BigUint64Array.of(1n, 2n ** 63n), [1, 2 ** 63]],
  ['I64', BigInt64Array.of(1n, -2n), [1, -2]],
  ['BF16', Uint16Array.of(0x3f80, 0xc049), [1, -3.140625]],
  ['F64', Float64Array.of(0.1, -2), [Math.fround(0.1), -2]],
])('%s becomes float32', async (dtype, { buffer, byteLength }, expected) => {
  const header = { 'fc.weight': entry([2, 1], 0, dtype, byteLength / 2) };
  const model = modelOf([1], l.dense({ units: 2, useBias: false, name: 'fc' }));
  await loadSafetensors(model, fileWith(header, new Uint8Array(buffer as ArrayBuffer)));
  expect(valuesOf(model)).toEqual([expected]);
});

test('a weight of no values is loaded, and is all there is', async () => {
  const model = modelOf([0], l.dense({ units: 2, useBias: false, name: 'fc' }));
  const fractions: number[] = [];
  const file = fileWith({ 'fc.weight': entry([2, 0], 0) });
  await loadSafetensors(model, file, { onProgress: (fraction) => fractions.push(fraction) });
  expect(fractions).toEqual([1]);
});

test('float16 of every kind', async () => {
  const halves = [0, 0x8000, 1, 0x3ff, 0x400, 0x3c00, 0xbc01, 0x7bff];
  const model = modelOf([4], l.dense({ units: 2, useBias: false, name: 'fc' }));
  const file = fileWith({ 'fc.weight': entry([2, 4], 0, 'F16', 2) }, new Uint8Array(new Uint16Array(halves).buffer));
  await loadSafetensors(model, file);
  const values = [0, -0, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, 1, -(1 + 2 ** -10), 65504];
  expect(valuesOf(model)[0]).toEqual([0, 4, 1, 5, 2, 6, 3, 7].map((i) => values[i]));
});

describe("mode 'plain'", () => {
  const plain = { mode: 'plain' } as const;
  test.each(titled(FIRST))('%s comes back exactly', async (_, { className, options, shape }) => {
    const make = () => {
      const layer = makeLayer({ className, options: { ...options, name: 'layer' } });
      const model = modelOf(shape.slice(1), layer);
      fillWeights(layer);
      return model;
    };
    const model = make();
    const bytes = await saveSafetensors(model, undefined, plain);
    const again = make();
    again.setWeights(again.getWeights().map(({ shape }) => tf.zeros(shape)));
    await loadSafetensors(again, bytes, plain);
    expect(valuesOf(again)).toEqual(valuesOf(model));
    expect(contentsOf(bytes).metadata).toEqual({ format: 'tfjs' });
    model.dispose();
    again.dispose();
  });

  test('whole numbers, flags and what is shared are there once', async () => {
    const make = () => {
      const shared = l.dense({ units: 2, name: 'shared' });
      const x = tf.input({ shape: [2] });
      const twice = shared.apply(shared.apply(x)) as tf.SymbolicTensor;
      const inner = modelOf([2], shared, tfn.featureNormalization({ name: 'features' }));
      return tf.model({ inputs: x, outputs: inner.apply(twice) as tf.SymbolicTensor });
    };
    const model = make();
    model.weights.find(({ dtype }) => dtype === 'int32')!.write(tf.scalar(2 ** 30 + 1, 'int32'));
    const bytes = await saveSafetensors(model, undefined, plain);
    const { tensors } = contentsOf(bytes);
    expect(Object.keys(tensors).sort()).toEqual([
      'features/count',
      'features/mean',
      'features/variance',
      'shared/bias',
      'shared/kernel',
    ]);
    expect(tensors['features/count']).toEqual({ dtype: 'I32', shape: [], values: [2 ** 30 + 1] });
    const again = make();
    await loadSafetensors(again, bytes, plain);
    expect(valuesOf(again)).toEqual(valuesOf(model));
  });

  test('a kernel that the model has with and without its wrapper is written under the first name, and read under each', async () => {
    const make = () => {
      const dense = l.dense({ units: 1, name: 'fc', useBias: false });
      const x = tf.input({ shape: [2] });
      const outputs = [dense, tfn.spectralNormalization({ layer: dense, name: 'spectral' })].map((one) => one.apply(x));
      return tf.model({ inputs: x, outputs: outputs as tf.SymbolicTensor[] });
    };
    const model = make();
    expect(model.weights.map(({ originalName }) => originalName)).toContain('spectral/kernel');
    const { tensors } = contentsOf(await saveSafetensors(model, undefined, plain));
    expect(Object.keys(tensors)).toEqual(['fc/kernel', 'spectral/vector_u', 'spectral/vector_v']);
    const kernel = { dtype: 'F32', shape: [2, 1], data_offsets: [0, 8] };
    const values = new Uint8Array(Float32Array.of(5, 6).buffer);
    for (const name of ['fc/kernel', 'spectral/kernel']) {
      const again = make();
      await loadSafetensors(again, fileWith({ [name]: kernel }, values), { ...plain, strict: false });
      expect(valuesOf(again)[0]).toEqual([5, 6]);
    }
  });

  test('a count takes whole numbers alone, of whatever type', async () => {
    const model = modelOf([1], tfn.featureNormalization({ name: 'f' }));
    const load = (count: number) =>
      loadSafetensors(
        model,
        fileWith({ 'f/count': entry([], 0, 'F64', 8) }, new Uint8Array(Float64Array.of(count).buffer)),
        { ...plain, strict: false },
      );
    await expect(load(1.5)).rejects.toThrow(
      "'f/count' holds 1.5 as value 0, which a weight of int32 cannot hold exactly",
    );
    await load(2);
    expect(valuesOf(model)).toEqual([[0], [1], [2]]);
  });

  test('two weights of one name are refused', async () => {
    const inner = (name: string) =>
      tf.sequential({ name, layers: [l.dense({ units: 2, inputShape: [2], name: 'fc' })] }) as unknown as Layer;
    await expect(saveSafetensors(modelOf([2], inner('a'), inner('b')), undefined, plain)).rejects.toThrow(
      /two weights are called 'fc\/kernel'; give the layers/,
    );
  });
});

test('what starts from the first batch is started when it is loaded, and not when nothing is', async () => {
  const make = () =>
    modelOf([4], tfn.weightNormalization({ layer: l.dense({ units: 3 }), dataInit: true, name: 'fc' }));
  const waiting = make();
  const unchanged = valuesOf(waiting);
  await loadSafetensors(waiting, fileWith({}), { strict: false });
  expect(valuesOf(waiting)).toEqual(unchanged);
  const model = make();
  await loadSafetensors(model, fileOf('weight-norm-linear'));
  const before = valuesOf(model);
  model.layers[1]!.apply(tf.randomNormal([8, 4]), { training: true });
  expect(valuesOf(model)).toEqual(before);
});

describe('notes', () => {
  const image = [4, 5, 2];
  const pooling = (kind: 'maxPooling2d' | 'averagePooling2d', height: number) => () =>
    modelOf(image, l[kind]({ poolSize: [height, 1], strides: 1, padding: 'same', name: 'pool' }));
  test.each<[what: string, model: () => tf.LayersModel, notes: string[]]>([
    ['nothing to say', () => MODULES.linear!(), []],
    [
      'padding',
      MODULES['conv2d-same']!,
      ["'conv' needs padding by (0, 1, 1, 1) before it, as by ZeroPad2d or functional.pad"],
    ],
    ['even padding', MODULES['conv2d-same-even']!, ["'conv' needs padding=(1, 1)"]],
    ['transposed', MODULES['conv-transpose2d-same']!, ["'conv' needs padding=(1, 0), output_padding=(0, 1)"]],
    [
      'transposed, cropped',
      MODULES['conv-transpose2d-same-odd']!,
      ["'conv' crops its outputs by (1, 2, 0, 1): compute them without padding, and pad them by the negative numbers"],
    ],
    [
      'batch normalization',
      () => modelOf(image, tfn.batchNormalization({ name: 'norm' })),
      ["'norm' needs eps=0.001, momentum=0.01"],
    ],
    [
      'RMS normalization',
      () => modelOf([5], tfn.rmsNormalization({ center: false, name: 'norm' })),
      ["'norm' needs eps=0.000001", "'norm' adds epsilon to the root, and PyTorch to the mean below the root"],
    ],
    [
      'channels alone',
      () => modelOf(image, tfn.layerNormalization({ epsilon: 1e-5, name: 'norm' })),
      ["'norm' normalizes some axes of images, and PyTorch the last ones: permute before and after it"],
    ],
    [
      'recurrent',
      () => modelOf([3, 2], l.bidirectional({ layer: l.simpleRNN({ units: 2 }), mergeMode: 'sum', name: 'rnn' })),
      [
        "'rnn' needs batch_first=True",
        "'rnn' joins both directions by mergeMode 'sum', where PyTorch concatenates them",
      ],
    ],
    [
      'masks',
      () => modelOf([3], l.embedding({ inputDim: 4, outputDim: 2, maskZero: true, name: 'tokens' })),
      ["'tokens' makes a mask, which modules of PyTorch do not pass on: pack the sequences"],
    ],
    [
      'padding of images of any size',
      () => modelOf([null, null, 2], l.conv2d({ filters: 1, kernelSize: [3, 2], padding: 'same', name: 'conv' })),
      ["'conv' needs padding by (0, 1, 1, 1) before it, as by ZeroPad2d or functional.pad"],
    ],
    [
      'padding that depends on the size',
      () =>
        modelOf([null, 8, 2], l.conv2d({ filters: 1, kernelSize: 3, strides: [2, 1], padding: 'same', name: 'conv' })),
      ["'conv' pads by padding 'same', which depends on the size of the image"],
    ],
    [
      'padding with holes',
      () => modelOf(image, l.conv2d({ filters: 1, kernelSize: 3, dilationRate: 2, padding: 'same', name: 'conv' })),
      ["'conv' needs padding=(2, 2)"],
    ],
    ['padding of pooling', pooling('maxPooling2d', 3), ["'pool' needs padding=(1, 0)"]],
    ['padding of averages', pooling('averagePooling2d', 3), ["'pool' needs padding=(1, 0), count_include_pad=False"]],
    [
      'uneven padding of pooling',
      pooling('maxPooling2d', 4),
      ["'pool' needs padding by (0, 0, 1, 2) before it, as by functional.pad with value=-inf"],
    ],
    [
      'uneven padding of averages',
      pooling('averagePooling2d', 4),
      [
        "'pool' pads by (0, 0, 1, 2) and leaves the padding out of account, which PyTorch does only with as much on both sides",
      ],
    ],
    ['pooling without padding', () => modelOf(image, l.maxPooling2d({ poolSize: [2, 1], padding: 'same' })), []],
    [
      'momentum',
      () => modelOf(image, tfn.batchNormalization({ epsilon: 1e-5, momentum: 0.5, name: 'norm' })),
      ["'norm' needs eps=0.00001, momentum=0.5"],
    ],
    [
      "PyTorch's defaults",
      () =>
        modelOf(
          image,
          tfn.batchNormalization({ epsilon: 1e-5, momentum: 0.9 }),
          tfn.groupNormalization({ groups: 2, epsilon: 1e-5 }),
        ),
      [],
    ],
    ['all axes of images', () => modelOf(image, tfn.layerNormalization({ axis: [-3, 2, -1], epsilon: 1e-5 })), []],
    [
      'all axes but one',
      () => modelOf(image, tfn.layerNormalization({ axis: [-3, 2], epsilon: 1e-5, name: 'norm' })),
      ["'norm' normalizes some axes of images, and PyTorch the last ones: permute before and after it"],
    ],
    ['channels of sequences', () => modelOf([3, 2], tfn.layerNormalization({ epsilon: 1e-5 })), []],
    [
      'channels alone, by their root mean square',
      () =>
        modelOf(
          image,
          tfn.rmsNormalization({ center: false, epsilon: 1e-5, epsilonPlacement: 'inside', name: 'norm' }),
        ),
      ["'norm' normalizes some axes of images, and PyTorch the last ones: permute before and after it"],
    ],
    [
      'backwards',
      () => modelOf([3, 2], l.simpleRNN({ units: 2, goBackwards: true, name: 'rnn' })),
      ["'rnn' needs batch_first=True", "'rnn' reads its inputs from the last to the first: flip them"],
    ],
    [
      'both directions, as in PyTorch',
      () => modelOf([3, 2], l.bidirectional({ layer: l.simpleRNN({ units: 2 }), mergeMode: 'concat', name: 'rnn' })),
      ["'rnn' needs batch_first=True"],
    ],
    [
      'steps that are left out',
      () => modelOf([3, 2], l.masking({ name: 'mask' })),
      ["'mask' makes a mask, which modules of PyTorch do not pass on: pack the sequences"],
    ],
    [
      'dim of embeddings',
      () => {
        const tokens = () => l.embedding({ inputDim: 4, outputDim: 2 });
        const x = tf.input({ shape: [3] });
        const outputs = [
          tfn.weightNormalization({ layer: tokens(), name: 'a' }).apply(x),
          tfn.spectralNormalization({ layer: tokens(), name: 'b' }).apply(x),
        ] as tf.SymbolicTensor[];
        return tf.model({ inputs: x, outputs });
      },
      ["'a' needs weight_norm(..., dim=1)", "'b' needs spectral_norm(..., dim=1)"],
    ],
    [
      'no dim, as in PyTorch',
      () =>
        modelOf(
          image,
          tfn.spectralNormalization({ layer: l.conv2dTranspose({ filters: 2, kernelSize: 2 }) }),
          tfn.weightNormalization({ layer: l.dense({ units: 2 }) }),
        ),
      [],
    ],
    [
      'a layer that is called twice, once',
      () => {
        const norm = tfn.batchNormalization({ name: 'norm' });
        return modelOf(image, norm, l.reLU(), norm);
      },
      ["'norm' needs eps=0.001, momentum=0.01"],
    ],
    [
      'dim',
      () =>
        modelOf(
          image,
          tfn.weightNormalization({ layer: l.conv2dTranspose({ filters: 2, kernelSize: 2 }), name: 'up' }),
        ),
      ["'up' needs weight_norm(..., dim=1)"],
    ],
    [
      'flattened images',
      () => modelOf(image, l.flatten(), l.dense({ units: 2, name: 'fc' })),
      ["'fc' takes flattened images: its weights are saved for channels first"],
    ],
    [
      'images of inputs',
      () => modelOf([8], l.reshape({ targetShape: [2, 2, 2], name: 'images' })),
      ["'images' makes images of features with channels last: reshape so, and permute"],
    ],
    [
      'images of features',
      () => modelOf([3], l.dense({ units: 8, name: 'fc' }), l.reshape({ targetShape: [2, 2, 2] })),
      ["'fc' gives what is reshaped to images: its weights are saved for channels first"],
    ],
  ])('%s', (_, model, notes) => {
    expect(pytorchNotes(model())).toEqual(notes);
  });

  test('nothing of orders where channels are last, too', () => {
    const norm = tfn.layerNormalization({ epsilon: 1e-5 });
    const model = modelOf(image, norm, l.flatten(), l.dense({ units: 2 }));
    expect(pytorchNotes(model)).toHaveLength(2);
    expect(pytorchNotes(model, { channelsLast: true })).toEqual([]);
  });

  test('pooling', () => {
    expect(pytorchNotes(MODULES['max-pool-same']!()).map((note) => note.replace(/^'.*?'/, "''"))).toEqual([
      "'' needs ceil_mode=True",
    ]);
  });
});

test('2000 broken files load whole or not at all', async () => {
  const names = ['linear', 'spectral-norm-conv2d', 'lstm-bidirectional', 'batch-norm2d'];
  const subjects = names.map((name) => ({ file: fileOf(name), model: MODULES[name]!() }));
  const next = uniforms(7);
  const upTo = (count: number) => Math.floor(next() * count);
  const before = tf.memory().numTensors;
  const outcomes = { loaded: 0, refused: 0 };
  for (let i = 0; i < 2000; i++) {
    const { file, model } = subjects[i % subjects.length]!;
    const header = new DataView(file.buffer, file.byteOffset).getUint32(0, true);
    let broken = Uint8Array.from(file);
    for (let changes = 1 + upTo(3); changes > 0; changes--) {
      const at = upTo(next() < 0.8 ? 8 + header : broken.length);
      const kind = upTo(5);
      if (kind === 0) broken[at] = upTo(256);
      else if (kind === 1) broken[at] = 0x20 + upTo(96);
      else if (kind === 2) broken = broken.slice(0, at);
      else if (kind === 3)
        broken = Uint8Array.from([...broken.subarray(0, at), ...broken.subarray(upTo(broken.length))]);
      else broken.copyWithin(at, upTo(broken.length), upTo(broken.length));
    }
    const values = valuesOf(model);
    try {
      await loadSafetensors(model, broken);
      outcomes.loaded++;
    } catch (error) {
      expect((error as Error).message).toMatch(/^loadSafetensors: /);
      expect(valuesOf(model)).toEqual(values);
      outcomes.refused++;
    }
  }
  expect(tf.memory().numTensors).toBe(before);
  expect(outcomes.loaded).toBeGreaterThan(20);
  expect(outcomes.refused).toBeGreaterThan(1000);
});
