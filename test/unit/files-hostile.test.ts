/** Files of Keras that are damaged or meant to do harm, and files of other kinds: what is said of them, and that nothing is left. */
import { afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { unzipSync, zipSync } from 'fflate';
import type { File, Group } from 'h5wasm';
import { callLibrary, loadHdf5 } from '../../layers/files/hdf5-library.ts';
import { writeHdf5 } from '../../layers/files/hdf5-write.ts';
import { loadWeights, saveKeras } from '../../layers/files/index.ts';
import { featureNormalization } from '../../layers/index.ts';
import { bytesOf, disposeAll, expectedOf, hdf5Of, loaded, predict } from '../support/read-files.ts';

const KERAS = '3.15/spec.keras';
const H5 = '3.15/spec.h5';

beforeAll(() => tf.setBackend('cpu'));

const text = (words: string) => new TextEncoder().encode(words);
const entries = (): Record<string, Uint8Array> => unzipSync(bytesOf(KERAS));
/** An archive with the entries of a good one, but for some. */
const archive = (others: Record<string, Uint8Array>, level: 0 | 6 = 0) =>
  zipSync({ ...entries(), ...others }, { level });

/** Numbers of 32 bits in a copy of a file. */
function patched(bytes: Uint8Array, ...patches: [at: number, value: number][]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const view = new DataView(copy.buffer);
  for (const [at, value] of patches) view.setUint32(at, value, true);
  return copy;
}

/** Where bytes occur in others, from `from` on. */
function placeOf(bytes: Uint8Array, wanted: ArrayLike<number>, from = 0): number {
  for (let at = from; at < bytes.length; at++) {
    if (Array.from(wanted).every((byte, i) => bytes[at + i] === byte)) return at;
  }
  throw new Error('it is not there');
}

/** A file after which a good one loads, and during which nothing is printed. */
let printed: ReturnType<typeof jest.spyOn>[];
beforeEach(() => {
  printed = (['log', 'warn', 'error'] as const).map((name) => jest.spyOn(console, name).mockImplementation(() => {}));
});
afterEach(async () => {
  for (const spy of printed) {
    expect(spy).not.toHaveBeenCalled();
    spy.mockRestore();
  }
  const model = await loaded(bytesOf(H5));
  if (typeof model === 'string') throw new Error(model);
  expect(predict(model, expectedOf(H5))).toBeClose(expectedOf(H5).y, { rtol: 1e-5, atol: 1e-6, what: 'y' });
  disposeAll(model);
});

describe('a file of another kind', () => {
  test.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /it is empty/],
    ['an HTML page', text('\n <!DOCTYPE html>'), /it is an HTML page/],
    ['a model.json', text('{"modelTopology": {}}'), /the file is JSON, as a model.json is/],
    ['a pointer of Git LFS', text('version https://git-lfs.github.com/spec/v1\n'), /git lfs pull/],
    ['gzip', Uint8Array.of(0x1f, 0x8b, 8, 0), /compressed by gzip/],
    ['an old file of PyTorch', Uint8Array.of(0x80, 2, 0x8a), /a pickle of Python/],
    ['a newer file of PyTorch', Uint8Array.of(0x80, 5, 0x95), /a pickle of Python/],
    ['what begins almost as one', Uint8Array.of(0x80, 6, 0x95), /like no kind of file that is known/],
    ['TensorFlow Lite', text('....TFL3'), /a model of TensorFlow Lite/],
    ['safetensors', text('\x08\0\0\0\0\0\0\0{"a": 1}'), /a file of safetensors/],
    ['a text', text('Hello'), /like no kind of file that is known/],
    ['PyTorch', zipSync({ 'archive/data.pkl': text('x') }), /it is a checkpoint of PyTorch/],
    ['a SavedModel', zipSync({ 'model/saved_model.pb': text('x') }), /it is a zipped SavedModel/],
    ['a zipped folder', zipSync({ 'model/config.json': text('{}') }), /zip its contents alone/],
    [
      'another archive',
      zipSync({ a: text('x'), b: text('y') }),
      /a zip archive of 2 files \('a', 'b'\), none of which/,
    ],
    ['PyTorch, not in a folder', zipSync({ 'data.pkl': text('x') }), /it is a checkpoint of PyTorch/],
    ['a SavedModel, not in a folder', zipSync({ 'saved_model.pb': text('x') }), /it is a zipped SavedModel/],
    [
      'an archive whose names are almost those of models',
      zipSync({ 'data.pkl.txt': text('a'), 'saved_model.pbtxt': text('b'), 'model/config.json5': text('c') }),
      /a zip archive of 3 files \('data.pkl.txt', 'saved_model.pbtxt', 'model\/config.json5'\), none of which/,
    ],
    [
      'an archive of many files with long names',
      zipSync({ ['a'.repeat(50)]: text('a'), b: text('b'), c: text('c'), d: text('d') }),
      /a zip archive of 4 files \('a{40}', 'b', 'c', \.\.\.\), none of which/,
    ],
    ['an empty archive', zipSync({}), /a zip archive of 0 files/],
  ])('%s', async (_, bytes, message) => {
    const said = await loaded(bytes);
    expect(said).toMatch(/^loadModel: /);
    expect(said).toMatch(message);
  });
});

describe('an archive', () => {
  const good = bytesOf(KERAS);
  const central = placeOf(good, [0x50, 0x4b, 1, 2]);
  const end = placeOf(good, [0x50, 0x4b, 5, 6]);

  test.each<[string, Uint8Array, RegExp]>([
    ['cut off', good.subarray(0, good.length - 30), /its end is missing/],
    ['of which half is there', good.subarray(0, good.length / 2), /its end is missing/],
    ['whose directory is elsewhere', patched(good, [end + 16, 0xfffffff0]), /entry 0 of 3 is missing/],
    ['whose directory is its last byte', patched(good, [end + 16, good.length - 1]), /entry 0 of 3 is missing/],
    ['with more after it than a comment', new Uint8Array([...good, ...new Uint8Array(2 ** 16)]), /its end is missing/],
    [
      'with an entry that is elsewhere',
      patched(good, [central + 42, 0x7fffffff]),
      /the entry 'metadata.json' is missing/,
    ],
    ['with an entry of 4 GB', patched(good, [central + 20, 0xfffffffe]), /the entry 'metadata.json' is cut off/],
    ['in the form for more than 4 GB', patched(good, [central + 20, 0xffffffff]), /it has more than 4 GB/],
    ['with an entry that becomes 4 GB', patched(good, [central + 24, 0xffffffff]), /it has more than 4 GB/],
    ['with an entry beyond 4 GB', patched(good, [central + 42, 0xffffffff]), /it has more than 4 GB/],
    [
      'with an entry that is compressed by another method',
      patched(good, [central + 10, 0x0000000c]),
      /the entry 'metadata.json' is compressed by method 12/,
    ],
    [
      'that claims more than it holds',
      patched(good, [central + 24, 0x7fffffff]),
      /'metadata.json' of 64 bytes claims to hold 2147483647/,
    ],
    [
      'that claims one byte more than it holds',
      patched(good, [central + 24, 65]),
      /'metadata.json' of 64 bytes claims to hold 65/,
    ],
    ['that claims one byte less', patched(good, [central + 24, 63]), /the entry 'metadata.json' has changed/],
    ['with an entry above it', archive({ '../../evil': text('x') }), /it has an entry '..\/..\/evil'/],
    ['without config.json', zipSync({ 'model.weights.h5': bytesOf(H5) }), /none of which is config.json/],
    ['without weights', zipSync({ 'config.json': text('{}') }), /no model.weights.h5, but config.json/],
    [
      'whose config is no JSON',
      archive({ 'config.json': text('{"class_name": ') }),
      /the config of the model is no JSON/,
    ],
    [
      'whose config is no model',
      archive({ 'config.json': text('[1, 2]') }),
      /must have a class_name and a config; received \[1,2\]/,
    ],
    [
      'whose config never ends',
      archive({ 'config.json': text('['.repeat(1e6)) }),
      /the config of the model is no JSON/,
    ],
    ['whose weights are no HDF5', archive({ 'model.weights.h5': new Uint8Array(5000) }), /the HDF5 file is damaged/],
  ])('%s', async (_, bytes, message) => {
    const said = await loaded(bytes);
    expect(said).toMatch(/^loadModel: /);
    expect(said).toMatch(message);
  });

  test('with two entries of one name', async () => {
    const twice = zipSync({ 'config.jsom': text('{}'), ...entries() }, { level: 0 });
    for (let at = twice.indexOf(0x6d); at !== -1; at = twice.indexOf(0x6d, at + 1)) {
      if (new TextDecoder().decode(twice.subarray(at - 10, at + 1)) === 'config.jsom') twice[at] = 0x6e;
    }
    expect(await loaded(twice)).toMatch(/it has two entries 'config.json'/);
  });

  test('with a compressed entry that has changed', async () => {
    const compressed = archive({}, 6);
    const data = placeOf(compressed, text('config.json')) + 'config.json'.length;
    // 7 begins a block of a type that deflate has not.
    compressed[data] = 7;
    expect(await loaded(compressed)).toMatch(/the entry 'config.json' cannot be inflated: invalid block type/);
  });

  test('with a byte of a weight that has changed', async () => {
    const at = placeOf(good, entries()['model.weights.h5']!.subarray(0, 64)) + 9000;
    expect(await loaded(patched(good, [at, 0x12345678]))).toMatch(/the entry 'model.weights.h5' has changed/);
  });

  test('that would become a thousand times as large', async () => {
    const bomb = archive({ 'config.json': new Uint8Array(5e7) }, 6);
    expect(bomb.length).toBeLessThan(2e5);
    const center = placeOf(bomb, text('config.json'), placeOf(bomb, [0x50, 0x4b, 1, 2]));
    // What it is said to hold is at most what deflate can make of it; more is refused before anything is inflated.
    expect(await loaded(patched(bomb, [center - 46 + 24, 0xf0000000]))).toMatch(
      /'config.json' of \d+ bytes claims to hold 4026531840/,
    );
    expect(await loaded(bomb)).toMatch(/the config of the model is no JSON/);
  });

  test('with a layer of a billion units', async () => {
    const config = new TextDecoder().decode(entries()['config.json']).replace('"units": 2', '"units": 1000000000');
    expect(await loaded(archive({ 'config.json': text(config) }))).toMatch(/^loadModel: /);
  });
});

describe('an HDF5 file', () => {
  const good = bytesOf(H5);
  const heap = placeOf(good, text('GCOL'));
  /** A heap of 32 bytes with free space alone, which counts its own header. */
  const heapOf = (free: number) => [
    ...good.subarray(heap, heap + 8),
    32,
    ...new Array(15).fill(0),
    free,
    ...new Array(7).fill(0),
  ];

  test.each<[string, Uint8Array, RegExp]>([
    ['cut off', good.subarray(0, good.length - 5000), /the HDF5 file is damaged/],
    ['of which only the beginning is there', good.subarray(0, 100), /the HDF5 file is damaged/],
    [
      'with a text of 2^64 - 1 bytes',
      patched(good, [heap + 24, 0xffffffff], [heap + 28, 0xffffffff]),
      /an object in the heap at \d+ has 18446744073709552000 bytes/,
    ],
    [
      'with free space of no size',
      patched(good, [heap + 16, 0], [heap + 24, 0], [heap + 28, 0]),
      /an object in the heap at \d+ has 0 bytes/,
    ],
    ['with a heap beyond its end', patched(good, [heap + 8, 0x7fffffff]), /the heap at \d+ is cut off/],
    [
      'with a text of more than 4 GB',
      patched(good, [heap + 28, 1]),
      /an object in the heap at \d+ has 42949\d{5} bytes/,
    ],
    ['with addresses of 4 bytes', patched(good, [12, 0x00040400]), /its addresses have 4,4 bytes, not 8/],
    ['of a later form with addresses of 4 bytes', patched(good, [8, 0x00080402]), /its addresses have 4,8 bytes/],
    [
      'with free space that is smaller than its own header, at its very end',
      Uint8Array.from([...good, ...heapOf(8)]),
      /an object in the heap at \d+ has 8 bytes/,
    ],
    [
      'with a heap after its end that goes on',
      Uint8Array.from([...good, ...good.subarray(heap, heap + 8), 255, 255, 255, 127, 0, 0, 0, 0]),
      /the heap at \d+ is cut off/,
    ],
  ])('%s', async (_, bytes, message) => {
    const said = await loaded(bytes);
    expect(said).toMatch(/^loadModel: /);
    expect(said).toMatch(message);
  });

  test.each([
    ['only seems to have a heap at its end', [...good.subarray(heap, heap + 8)]],
    ['ends with a heap', heapOf(16)],
  ])('that %s is sound', async (_, end) => {
    const model = await loaded(Uint8Array.from([...good, ...end]));
    expect(model).not.toEqual(expect.any(String));
    disposeAll(model as tf.LayersModel);
  });

  test('in which the library reads anything, and does not say so', async () => {
    expect(await loaded(patched(good, [heap, 0]))).toMatch(/^loadModel: the HDF5 file is damaged .*\(bad global heap/);
  });

  test.each(['one after another', 'at once'])(
    'which traps the library and overwrites its memory, and good files %s',
    async (how) => {
      const library = await (await import('h5wasm')).ready;
      const read = jest.spyOn(library, 'get_dataset_data').mockImplementationOnce(() => {
        library.HEAPU8.fill(255, 1024, 2 ** 18);
        throw new WebAssembly.RuntimeError('memory access out of bounds');
      });
      const first = loaded(good);
      if (how === 'one after another') await first;
      const others = await Promise.all([loaded(bytesOf(KERAS)), loaded(good)]);
      expect(await first).toMatch(/^loadModel: the HDF5 file is damaged .*\(memory access out of bounds\)/);
      for (const model of others) {
        if (typeof model === 'string') throw new Error(model);
        disposeAll(model);
      }
      read.mockRestore();
    },
  );

  test('in which the library throws, and takes nothing of its stack', async () => {
    const { module } = await loadHdf5('test');
    const library = module as unknown as {
      _at(address: number): void;
      ccall: (...args: unknown[]) => void;
      get_attribute_metadata(file: bigint, path: string, name: string): unknown;
    };
    const addresses: number[] = [];
    library._at = (address) => addresses.push(address);
    for (let i = 0; i < 2; i++) {
      // A text is put on the stack.
      library.ccall('at', null, ['string'], ['']);
      const call = () => library.get_attribute_metadata(0n, '/', 'none');
      expect(() => callLibrary(module, 2 ** 30, call)).toThrow('not defined');
    }
    expect(addresses[1]).toBe(addresses[0]);
  });

  test('for which the library wants more memory than it may have', async () => {
    const { module } = await loadHdf5('test');
    const before = module.HEAPU8.length;
    expect(callLibrary(module, before + 2 ** 20, () => module._malloc(before))).toBe(0);
    expect(module.HEAPU8.length).toBe(before);
    module._free(callLibrary(module, 4 * before, () => module._malloc(before)));
    expect(module.HEAPU8.length).toBeGreaterThan(before);
  });

  test('for which there is no memory, so that the next one need not wait for it', async () => {
    const { module } = await loadHdf5('test');
    const write = jest.spyOn(module.FS, 'writeFile').mockImplementationOnce(() => {
      throw new Error('no memory');
    });
    expect(await loaded(good)).toMatch(/no memory/);
    write.mockRestore();
    const model = await loaded(good);
    if (typeof model === 'string') throw new Error(model);
    disposeAll(model);
  });

  test.each([1, 2])('that %i datasets would make larger than 2 GB is not written', async (count) => {
    const values = { byteLength: 2 ** 31 / count } as Float32Array;
    const datasets = Array.from({ length: count }, (_, i) => ({ path: `layers/${i}`, shape: [1], values }));
    await expect(writeHdf5('saveKeras', 'layers', datasets)).rejects.toThrow(
      'saveKeras: the weights have 2147483648 bytes, and an HDF5 file 2 GB at most here; use model.save',
    );
  });

  test('of which the library could write only a part', async () => {
    const { module } = await loadHdf5('test');
    const read = jest.spyOn(module.FS, 'readFile').mockReturnValueOnce(new Uint8Array(3));
    const datasets = [{ path: 'layers/0', shape: [2], values: new Float32Array(2) }];
    await expect(writeHdf5('saveKeras', 'layers', datasets)).rejects.toThrow(
      'saveKeras: h5wasm could write only 3 of 8 bytes; free some memory',
    );
    read.mockRestore();
  });

  test('that was not closed when writing failed', async () => {
    const library = await (await import('h5wasm')).ready;
    const write = jest.spyOn(library, 'create_dataset').mockImplementationOnce(() => {
      throw new Error('no memory');
    });
    const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2] })] });
    await expect(saveKeras(model)).rejects.toThrow('no memory');
    write.mockRestore();
    const { module } = await loadHdf5('test');
    expect(module.FS.streams.slice(3).some(Boolean)).toBe(false);
    expect((await saveKeras(model)).length).toBeGreaterThan(1000);
    model.dispose();
  });

  test.each([
    ['NaN', Number.NaN],
    ['-Infinity', Number.NEGATIVE_INFINITY],
  ])('with a weight that is %s, which is named', async (name, value) => {
    const weights = entries()['model.weights.h5'] as Uint8Array;
    const model = await loaded(bytesOf(KERAS));
    if (typeof model === 'string') throw new Error(model);
    const kernel = model.getLayer('dense_5').getWeights()[0] as tf.Tensor;
    const values = kernel.dataSync();
    const at = placeOf(weights, new Uint8Array(Float32Array.from(values).buffer));
    const broken = Uint8Array.from(weights);
    new DataView(broken.buffer).setFloat32(at + 12, value, true);
    const message = `the weight 'dense_5/kernel' of the layer 'dense_5' has the value ${name} at index 3`;
    expect(await loaded(archive({ 'model.weights.h5': broken }))).toContain(message);
    // A model that is there keeps its weights.
    await expect(loadWeights(model, broken)).rejects.toThrow(`loadWeights: ${message}`);
    expect([...(model.getLayer('dense_5').getWeights()[0] as tf.Tensor).dataSync()]).toEqual([...values]);
    disposeAll(model);
  });
});

describe('an HDF5 file whose weights are', () => {
  const dense = () =>
    tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2], kernelInitializer: 'ones', name: 'fc' })] });
  type Given = Parameters<File['create_dataset']>[0];
  const KERNEL = { data: [5, -6], shape: [2, 1], dtype: '<f4' };
  const BIAS = { data: [7], shape: [1], dtype: '<f4' };
  const datasets = (file: File, place: string, given: readonly object[]) => {
    const group = place.split('/').reduce<Group>((parent, name) => parent.create_group(name), file);
    for (const [i, one] of given.entries()) group.create_dataset({ name: String(i), ...one } as Given);
    return group;
  };
  const valuesOf = (model: tf.LayersModel) => model.getWeights().map((weight) => [...weight.dataSync()]);

  test.each(['<i1', '<i2', '<i4', '<q', '<f4', '<f8'])('%s', async (dtype) => {
    const model = dense();
    const kernel = { ...KERNEL, data: dtype === '<q' ? [5n, -6n] : [5, -6], dtype };
    await loadWeights(model, await hdf5Of((file) => datasets(file, 'layers/dense/vars', [kernel, BIAS])));
    expect(valuesOf(model)).toEqual([[5, -6], [7]]);
    model.dispose();
  });

  test.each(['<B', '<H', '<I', '<Q'])('%s, where there is no sign', async (dtype) => {
    const model = dense();
    const most = dtype === '<B' ? 255 : 2 ** 15;
    const kernel = { data: dtype === '<Q' ? [1n, BigInt(most)] : [1, most], shape: [2, 1], dtype };
    await loadWeights(model, await hdf5Of((file) => datasets(file, 'layers/dense/vars', [kernel, BIAS])));
    expect(valuesOf(model)).toEqual([[1, most], [7]]);
    model.dispose();
  });

  test.each<[what: string, fill: (file: File) => void, says: string]>([
    [
      'texts',
      (file) => datasets(file, 'layers/dense/vars', [{ data: ['a', 'b'], shape: [2, 1], dtype: 'S5' }, BIAS]),
      "at 'layers/dense/vars/0' (it holds a type of HDF5's class 3 and 5 bytes, not numbers)",
    ],
    ['not there', () => {}, 'the HDF5 file holds no weights as Keras saves them, but nothing; save the model'],
    [
      'in other groups',
      (file) => {
        for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) file.create_group(name);
      },
      'the HDF5 file holds no weights as Keras saves them, but a, b, c, d, e; save the model',
    ],
    [
      'of another layer',
      (file) => datasets(file, 'layers/gru/vars', [KERNEL, BIAS]),
      "the layer 'fc' has 2 weights, and the file 0 in 'layers/dense/vars'",
    ],
    [
      'fewer',
      (file) => datasets(file, 'layers/dense/vars', [KERNEL]),
      "the layer 'fc' has 2 weights, and the file 1 in 'layers/dense/vars'",
    ],
    [
      'of another name',
      (file) => {
        const group = datasets(file, 'layers/dense/vars', [KERNEL]);
        group.create_dataset({ name: 'bias', ...BIAS } as Given);
      },
      "needs the weight 'bias' of shape [1], and the file does not have it at 'layers/dense/vars/1'",
    ],
    [
      'in groups that hold themselves',
      (file) => {
        datasets(file, 'layers/dense/vars', [KERNEL, BIAS]);
        (file.get('/layers') as Group).create_group('loop').create_hard_link('/layers/loop', 'again');
      },
      "the HDF5 file is damaged: 'layers/loop/again/again",
    ],
  ])('%s', async (_, fill, says) => {
    const model = dense();
    const before = tf.memory().numTensors;
    const bytes = await hdf5Of(fill);
    await expect(loadWeights(model, bytes)).rejects.toThrow(`loadWeights: `);
    await expect(loadWeights(model, bytes)).rejects.toThrow(says);
    expect(valuesOf(model)).toEqual([[1, 1], [0]]);
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });

  test('for one layer twice, and for another not at all', async () => {
    const model = tf.sequential({
      layers: ['a', 'b'].map((name) => tf.layers.dense({ units: 1, inputShape: [1], useBias: false, name })),
    });
    const bytes = await hdf5Of((file) => {
      file.create_attribute('layer_names', ['a', 'a']);
      const group = file.create_group('a');
      group.create_attribute('weight_names', ['a/kernel:0']);
      group.create_group('a').create_dataset({ name: 'kernel:0', data: [3], shape: [1, 1], dtype: '<f4' } as Given);
    });
    await expect(loadWeights(model, bytes)).rejects.toThrow(
      "loadWeights: the file has no values for the weight 'b/kernel'; save the model again",
    );
    model.dispose();
  });

  test('no integers, where the model counts', async () => {
    const model = tf.sequential({ layers: [featureNormalization({ inputShape: [1] })] });
    const file = (count: object) =>
      hdf5Of((file) => datasets(file, 'layers/normalization/vars', [BIAS, BIAS, { shape: [], ...count }]));
    await expect(loadWeights(model, await file({ data: [1.5], dtype: '<f4' }))).rejects.toThrow(
      "at 'layers/normalization/vars/2' (it holds 1.5, which is no integer of 32 bits)",
    );
    await expect(loadWeights(model, await file({ data: [2n ** 31n], dtype: '<q' }))).rejects.toThrow(
      'it holds 2147483648, which is no integer',
    );
    await loadWeights(model, await file({ data: [2n ** 31n - 1n], dtype: '<q' }));
    expect(valuesOf(model)).toEqual([[7], [7], [2 ** 31 - 1]]);
    model.dispose();
  });
});
