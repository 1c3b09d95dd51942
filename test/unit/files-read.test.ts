/** Files of Keras, read without Python: what they predict, what is refused and what is said then. */
import { openAsBlob, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { unzipSync, zipSync } from 'fflate';
import { Hdf5File } from '../../layers/files/hdf5.ts';
import { loadModel, loadSafetensors, loadWeights } from '../../layers/files/index.ts';
import { loadModel as loadModelOfMainEntry } from '../../layers/index.ts';
import { artifactsOf } from '../support/keras-models.ts';
import {
  bytesOf,
  disposeAll,
  expectedOf,
  hdf5Of,
  loaded,
  pathOf,
  predict,
  wholeModels,
} from '../support/read-files.ts';
import { scratchFolder } from '../support/scratch.ts';

beforeAll(() => tf.setBackend('cpu'));

/** Within 1e-6 of the largest. */
function expectClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  const largest = Math.max(...expected.map(Math.abs));
  const errors = expected.map((y, i) => Math.abs(y - (actual[i] as number)));
  expect(Math.max(...errors)).toBeLessThan(1e-6 * largest);
}

/** A .keras file with some entries replaced; null: left out. */
function edited(name: string, entries: Readonly<Record<string, string | Uint8Array | null>>) {
  const files = unzipSync(bytesOf(name));
  for (const [entry, value] of Object.entries(entries)) {
    if (value === null) delete files[entry];
    else files[entry] = typeof value === 'string' ? new TextEncoder().encode(value) : Uint8Array.from(value);
  }
  return zipSync(files, { level: 0 });
}
const entryOf = (name: string, entry: string) => unzipSync(bytesOf(name))[entry] as Uint8Array;
const configOf = (name: string) => new TextDecoder().decode(entryOf(name, 'config.json'));

/** TensorFlow.js leaks four tensors for each LSTM cell within a stack of cells. */
const leakOf = (name: string) => (/recurrent/.test(name) ? 8 : /rnn/.test(name) ? 4 : 0);

describe('whole models', () => {
  test('are there in all forms', () => {
    expect(wholeModels).toHaveLength(32);
  });

  test.each(wholeModels)('%s predicts what it does in Keras', async (name) => {
    const before = tf.memory().numTensors;
    const model = await loadModel(pathOf(name));
    expectClose(predict(model, expectedOf(name)), expectedOf(name).y);
    disposeAll(model);
    expect(tf.memory().numTensors).toBe(before + leakOf(name));
  });

  test('have the weights that they had, by their sums', async () => {
    const { values } = JSON.parse(readFileSync(pathOf('3.15/cnn.json'), 'utf8'));
    const model = await loadModel(pathOf('3.15/cnn.keras'));
    const sums = model.getWeights().map((weight) => tf.tidy(() => weight.sum().dataSync()[0] as number));
    // TensorFlow.js lists all weights that are trained before all others.
    const ascending = (values: number[]) => values.sort((a, b) => a - b);
    expectClose(ascending(sums), ascending(values));
    disposeAll(model);
  });

  test('are trained on', async () => {
    const model = await loadModel(pathOf('3.15/spec.keras'));
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const { x, xshape } = expectedOf('3.15/spec.keras');
    const history = await model.fit(tf.tensor(x, xshape), tf.zeros([xshape[0] as number, 2]), {
      epochs: 3,
      verbose: 0,
    });
    const losses = history.history.loss as number[];
    expect(losses[2]).toBeLessThan(losses[0] as number);
  });
});

describe('a file', () => {
  const name = '3.15/spec.keras';
  const bytes = bytesOf(name);
  let server: ReturnType<typeof createServer>;
  let root: string;

  beforeAll(async () => {
    server = createServer(({ url }, response) => {
      if (url === '/page.keras') response.end('<!doctype html><title>Not found</title>');
      else if (url === '/half.keras') {
        response.writeHead(200, { 'content-length': bytes.length });
        response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy());
      } else if (url === '/model.keras' || url === '/download?file=1') response.end(bytes);
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const padded = new Uint8Array(bytes.length + 3);
  padded.set(bytes, 3);
  test.each([
    ['a path', () => pathOf(name)],
    ['a file URL', () => new URL(`file://${pathOf(name)}`)],
    ['a URL', () => `${root}/model.keras`],
    ['a URL without an ending', () => `${root}/download?file=1`],
    ['bytes', () => bytes],
    ['bytes within others', () => padded.subarray(3)],
    ['an ArrayBuffer', () => buffer],
    ['a Blob', () => new Blob([buffer])],
    ['a File', () => new File([buffer], 'model.bin')],
  ])('as %s', async (_, source) => {
    const model = await loadModel(source());
    expectClose(predict(model, expectedOf(name)), expectedOf(name).y);
    model.dispose();
  });

  test('may be compressed', async () => {
    const model = await loadModel(zipSync(unzipSync(bytes)));
    expectClose(predict(model, expectedOf(name)), expectedOf(name).y);
    model.dispose();
  });

  test('may have what other programs for archives add: fields, comments, and the longest one at its end', async () => {
    const extra = { 28789: new Uint8Array(5) };
    const entries = Object.entries(unzipSync(bytes)).map(([name, data]) => [name, [data, { extra, comment: 'mine' }]]);
    const archive = zipSync(Object.fromEntries(entries), { level: 0 });
    const commented = new Uint8Array(archive.length + 0xffff);
    commented.set(archive);
    new DataView(commented.buffer).setUint16(archive.length - 2, 0xffff, true);
    const model = await loadModel(commented);
    expectClose(predict(model, expectedOf(name)), expectedOf(name).y);
    model.dispose();
  });

  test('may have no metadata', async () => {
    const model = await loadModel(edited(name, { 'metadata.json': null }));
    expectClose(predict(model, expectedOf(name)), expectedOf(name).y);
    model.dispose();
  });

  test('is what the main entry loads, too', async () => {
    const { modelTopology, weightSpecs, bytes } = artifactsOf('keras3-mlp-rmsnorm');
    const weightData = new Uint8Array(bytes).buffer;
    const model = await loadModel({ load: async () => ({ modelTopology, weightSpecs, weightData }) });
    expect(model.layers.map((layer) => layer.getClassName())).toContain('RMSNormalization');
    model.dispose();
  });

  test('tells its progress: growing shares up to 1', async () => {
    const model = await loadModel(bytes);
    for (const [source, load] of [
      [`${root}/model.keras`, loadModel],
      [bytes, loadModel],
      [`${root}/model.keras`, (source: string | Uint8Array, options: object) => loadWeights(model, source, options)],
    ] as const) {
      const shares: number[] = [];
      (await load(source, { onProgress: (share: number) => shares.push(share) }))?.dispose();
      expect(shares).toEqual([...shares].sort((a, b) => a - b));
      expect(shares.length).toBeGreaterThan(5);
      expect(shares.at(-1)).toBeCloseTo(1, 6);
    }
  });

  test.each<[what: string, length: number | undefined, shares: number[]]>([
    ['its length is known', bytes.length, [0.125, 0.25, 0.375, 0.5]],
    ['the server compresses it and tells the shorter length', bytes.length / 2, [0.25, 0.5, 0.5, 0.5]],
    ['its length is not told', undefined, []],
    ['its length is told to be none', 0, []],
  ])('tells how much of it has arrived, where %s', async (_, length, expected) => {
    const quarter = Math.ceil(bytes.length / 4);
    const stream = new ReadableStream({
      start(controller) {
        for (let at = 0; at < bytes.length; at += quarter) controller.enqueue(bytes.slice(at, at + quarter));
        controller.close();
      },
    });
    const headers = length === undefined ? {} : { 'content-length': String(length) };
    const shares: number[] = [];
    const options = {
      fetchFunc: async () => new Response(stream, { headers }),
      onProgress: (share: number) => shares.push(share),
    };
    (await loadModel('https://example.com/model.keras', options)).dispose();
    expect(shares.slice(0, expected.length)).toBeClose(expected, { ofMax: 1e-3 });
    expect(shares[expected.length]).toBeGreaterThan(0.5);
  });

  test("may come by the user's own fetch, which gives bytes alone", async () => {
    const fetchFunc = (async () => ({ ok: true, arrayBuffer: async () => buffer })) as unknown as typeof fetch;
    const model = await loadModel('https://example.com/model.keras', { fetchFunc, onProgress: () => {} });
    expectClose(predict(model, expectedOf(name)), expectedOf(name).y);
    model.dispose();
  });

  test('that is not there, is a page, or arrives by half', async () => {
    expect(await loaded(`${root}/none.keras`)).toMatch(
      /^loadModel: 'http.*none.keras' could not be loaded \(status 404\)/,
    );
    expect(await loaded(`${root}/page.keras`)).toMatch(/it is an HTML page, perhaps that of a server/);
    expect(await loaded(pathOf('none.keras'))).toMatch(
      /^loadModel: the file '.*none.keras' could not be read \(ENOENT/,
    );
    expect(await loaded('http://127.0.0.1:1/model.h5')).toMatch(
      /^loadModel: 'http:\/\/127.0.0.1:1\/model.h5' could not be/,
    );
    expect(await loaded(`${root}/half.keras`)).toMatch(
      /^loadModel: 'http.*half.keras' could not be loaded \(terminated/,
    );
  });
});

describe('a file that has changed since it was chosen', () => {
  const folder = scratchFolder();
  const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [1] })] });

  /** As pages are given it: its bytes are read when they are asked for. */
  async function changed(): Promise<Blob> {
    const path = join(folder, 'chosen.keras');
    writeFileSync(path, bytesOf('3.15/spec.keras'));
    const blob = await openAsBlob(path);
    writeFileSync(path, 'other');
    return blob;
  }

  test.each<[who: string, load: (blob: Blob) => Promise<unknown>]>([
    ['loadModel', (blob) => loadModel(blob)],
    ['loadWeights', (blob) => loadWeights(model, blob)],
    ['loadSafetensors', (blob) => loadSafetensors(model, blob)],
  ])('%s', async (who, load) => {
    for (const [file, name] of [
      ['Blob', undefined],
      ["file 'chosen.keras'", 'chosen.keras'],
    ]) {
      const blob = Object.assign(await changed(), { name });
      const error = await load(blob).catch((error: Error) => error);
      const rule = `the ${file} must stay as it was when it was chosen`;
      expect(String(error)).toMatch(new RegExp(`: ${who}: ${rule}; it could not be read \\(.+\\); choose it again$`));
      expect((error as Error).cause).toMatchObject({ name: 'NotReadableError' });
    }
  });

  test('among those of a model.json', async () => {
    const message = "Failed to weights data from file of path 'weights.bin'.";
    // What tf.io.browserFiles gives, which only pages have, rejects with texts.
    const error = await loadModel({ load: () => Promise.reject(message) }).catch((error: Error) => error);
    expect(error).toMatchObject({
      message: `loadModel: ${message} Files must stay as they were when they were chosen: choose them again.`,
      cause: message,
    });
  });
});

test.each([
  ['by as many rows as are read at once', 2 ** 20, undefined],
  ['by whole chunks', 3 * 2 ** 18, [2, 3 * 2 ** 18]],
])('weights of more than 16 MB are read %s', async (_, columns, chunks) => {
  const rows = new Float32Array(5 * columns);
  for (let row = 0; row < 5; row++) rows.fill(row + 1, row * columns, (row + 1) * columns);
  const shares: number[] = [];
  const large = await hdf5Of((file) => {
    const given = { name: 'large', data: rows, shape: [5, columns], dtype: '<f4' };
    file.create_dataset(chunks ? { ...given, chunks } : given);
  });
  const file = await Hdf5File.open('test', large);
  const values = file.read('large', 'float32', (share) => shares.push(share));
  file.close();
  expect(shares).toEqual([0.8, 1]);
  expect(Buffer.compare(Buffer.from(values.buffer), Buffer.from(rows.buffer))).toBe(0);
});

describe('weights alone', () => {
  const fill = (model: tf.LayersModel) => model.setWeights(model.getWeights().map((weight) => tf.onesLike(weight)));

  test.each([
    ['2.13/counted.keras', '2.13/counted.weights.h5'],
    ['2.13/counted.keras', '2.13/counted-legacy.h5'],
    ['2.13/counted.keras', '2.13/counted.h5'],
    ['2.13/counted.h5', '2.13/counted.keras'],
    ['2.13/counted.h5', '2.13/split-legacy.h5'],
    ['2.13/nested.keras', '2.13/nested.weights.h5'],
    ['2.13/nested.keras', '2.13/nested-legacy.h5'],
    ['2.13/recurrent.keras', '2.13/recurrent.weights.h5'],
    ['2.13/recurrent.keras', '2.13/recurrent-legacy.h5'],
    ['2.15/nested.keras', '2.15/nested.keras'],
    ['3.15/rnn.keras', '3.15/rnn.keras'],
    ['3.15/gru.keras', '3.15/gru.weights.h5'],
    ['3.15/grouped.keras', '3.15/grouped.weights.h5'],
    ['2.15/gru.keras', '2.15/gru-legacy.h5'],
    ['3.15/spec.h5', '3.15/spec.keras'],
    ['3.15/cnn.keras', '3.15/cnn.h5'],
  ])('of a model as %s, from %s', async (model, file) => {
    const made = await loadModel(pathOf(model));
    fill(made);
    const before = tf.memory().numTensors;
    await loadWeights(made, pathOf(file));
    expect(tf.memory().numTensors).toBe(before);
    expectClose(predict(made, expectedOf(model)), expectedOf(model).y);
    made.dispose();
  });

  test('as Keras 3 saves them, into a model that was built here under other names', async () => {
    const model = tf.sequential();
    model.add(tf.layers.dense({ units: 2, inputShape: [3] }));
    model.add(tf.layers.dense({ units: 4 }));
    model.add(tf.layers.dropout({ rate: 0.5 }));
    model.add(tf.layers.batchNormalization());
    model.add(tf.layers.dense({ units: 3 }));
    model.add(tf.layers.batchNormalization({ scale: false }));
    for (const weights of [entryOf('2.15/counted.keras', 'model.weights.h5'), bytesOf('2.13/counted-legacy.h5')]) {
      fill(model);
      await loadWeights(model, weights);
      const expected = expectedOf('2.13/counted.keras');
      expectClose(predict(model, expected), expected.y);
    }
    model.dispose();
  });

  test('of 16 and 64 bits, big-endian, in chunks and compressed', async () => {
    const model = await loadModel(pathOf('2.13/counted.keras'));
    const values = () => model.getWeights().map((weight) => [...weight.dataSync()]);
    const expected = values();
    fill(model);
    await loadWeights(model, pathOf('2.13/forms.weights.h5'));
    for (const [i, weight] of values().entries())
      expect(weight).toBeClose(expected[i] as number[], { rtol: 2 ** -7, atol: 0, what: `weight ${i}` });
    model.dispose();
  });

  test('are all set, or none', async () => {
    const model = tf.sequential({
      layers: [tf.layers.dense({ units: 2, inputShape: [3], kernelInitializer: 'ones' })],
    });
    const before = tf.memory().numTensors;
    await expect(loadWeights(model, pathOf('2.13/counted.weights.h5'))).rejects.toThrow(
      "loadWeights: the file has the weight '_layer_checkpoint_dependencies/batch_normalization/vars/0', which no layer of the model takes",
    );
    await expect(loadWeights(model, pathOf('2.13/counted-legacy.h5'))).rejects.toThrow(
      /loadWeights: the model has 1 layers with weights, and the file 5, of which it does not have/,
    );
    const wide = tf.sequential({ layers: [tf.layers.dense({ units: 5, inputShape: [3] })] });
    await expect(loadWeights(wide, pathOf('2.13/counted.weights.h5'))).rejects.toThrow(
      /loadWeights: the layer '.*' needs the weight 'kernel' of shape \[3,5\], and the file has it of shape \[3,2\] at '_layer_/,
    );
    wide.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect([...(model.getWeights()[0] as tf.Tensor).dataSync()]).toEqual([1, 1, 1, 1, 1, 1]);
    model.dispose();
  });

  test('are no model', async () => {
    expect(await loaded(pathOf('2.13/counted.weights.h5'))).toMatch(
      /holds no model, .* give it these with loadWeights/,
    );
  });
});

describe('refused before any weight is read, by the name of the layer', () => {
  /** With weights that are none, which nothing must notice. */
  const unread = (name: string, config: string) =>
    edited(name, { 'config.json': config, 'model.weights.h5': entryOf('3.15/spec.keras', 'model.weights.h5') });

  test('attention with a gate', async () => {
    const config = configOf('attention/mha-causal.keras').replace('"use_gate": false', '"use_gate": true');
    expect(await loaded(unread('attention/mha-causal.keras', config))).toMatch(
      /^loadModel: the layer 'multi_head_attention' \(MultiHeadAttention\) has use_gate true/,
    );
  });

  test('Lambda, whose code is not run', async () => {
    const lambda = {
      class_name: 'Lambda',
      config: { name: 'code', function: { class_name: '__lambda__', config: { code: '4wEA' } } },
    };
    const config = JSON.parse(configOf('2.15/counted.keras'));
    config.config.layers.push(lambda);
    expect(await loaded(unread('2.15/counted.keras', JSON.stringify(config)))).toMatch(
      /^loadModel: the layer 'code' \(Lambda\) is of a class/,
    );
  });

  test('a mask that would get lost', async () => {
    const config = JSON.parse(configOf('3.15/rnn.keras'));
    const lstm = config.config.layers.find((layer: { class_name: string }) => layer.class_name === 'SimpleRNN');
    lstm.config.zero_output_for_mask = true;
    expect(await loaded(unread('3.15/rnn.keras', JSON.stringify(config)))).toMatch(
      /^loadModel: the layer 'simple_rnn' \(SimpleRNN\) gives zeros/,
    );
  });

  test('a quantized layer', async () => {
    const policy =
      '{"module": "keras", "class_name": "QuantizedDTypePolicy", "config": {"name": "int8_from_float32"}, "registered_name": null}';
    const config = configOf('3.15/spec.keras').replace(/"dtype": \{[^{}]*\{[^{}]*\}[^{}]*\}/, `"dtype": ${policy}`);
    expect(config).toContain('int8_from_float32');
    expect(await loaded(unread('3.15/spec.keras', config))).toMatch(/^loadModel: a layer is quantized/);
  });
});

describe('the main entry names the import', () => {
  test.each([
    ['a path', pathOf('3.15/spec.keras')],
    ['a URL', 'http://127.0.0.1:1/model.H5?x#y'],
    ['bytes', bytesOf('3.15/spec.keras')],
    ['a buffer', new ArrayBuffer(3)],
    ['a Blob', new Blob([])],
    ['a File', new File([], 'model.keras')],
  ])('for %s', async (_, source) => {
    await expect(loadModelOfMainEntry(source as string)).rejects.toThrow(
      /^loadModel: .*import \{ loadModel \} from 'tfjs-normalizations\/files'/,
    );
  });
});
