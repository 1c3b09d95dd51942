/** The command `tfjs-normalizations`: what it writes, what it says, and what it refuses. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { zipSync } from 'fflate';
import { convert } from '../../layers/files/command/convert.ts';
import { loadFile } from '../../layers/files/command/formats.ts';
import { inspect } from '../../layers/files/command/inspect.ts';
import { lineOf, UsageError } from '../../layers/files/command/messages.ts';
import { isPartOf, readingFrom, readModelJson, writingTo } from '../../layers/files/command/model-json.ts';
import { progress } from '../../layers/files/command/progress.ts';
import { sizeOf } from '../../layers/files/command/tables.ts';
import { saveSafetensors } from '../../layers/files/index.ts';
import * as tfn from '../../layers/index.ts';
import { graphFiles, LOOKALIKES } from '../support/graphs.ts';
import { contentsOf, fileWith } from '../support/safetensors-files.ts';
import { scratchFolder } from '../support/scratch.ts';

const MODELS = join(__dirname, '..', 'goldens', 'models');
const KERAS3 = join(MODELS, 'keras3-cnn-batchnorm', 'model.json');
const scratch = scratchFolder();
const at = (name: string) => join(scratch, name);

const OPTIONS = { model: undefined, force: false, plain: false, channelsLast: false, modules: {} };
let written = { out: '', err: '' };
beforeEach(() => {
  written = { out: '', err: '' };
  const keep = (stream: 'out' | 'err') => (text: string | Uint8Array) => {
    written[stream] += text;
    return true;
  };
  jest.spyOn(process.stdout, 'write').mockImplementation(keep('out'));
  jest.spyOn(process.stderr, 'write').mockImplementation(keep('err'));
});
afterEach(() => {
  jest.restoreAllMocks();
  tf.env().set('PROD', false);
});

const valuesOf = (model: tf.LayersModel) => model.weights.map((weight) => Array.from(weight.read().dataSync()));
const model = () =>
  tf.sequential({
    name: 'net',
    layers: [
      tf.layers.dense({ units: 3, inputShape: [2], name: 'fc' }),
      tfn.switchableNormalization({ name: 'norm' }),
      tfn.batchNormalization({ name: 'batch' }),
    ],
  });

describe('convert', () => {
  test('a model.json to safetensors and back, with other numbers in between', async () => {
    await convert(KERAS3, at('a.safetensors'), OPTIONS);
    expect(written.out).toBe(`${at('a.safetensors')}: 265 parameters of functional\n`);
    expect(written.err).toBe("in PyTorch 'batch_normalization' needs eps=0.001, momentum=0.01\n");
    const original = await loadFile(KERAS3);
    const trained = await loadFile(KERAS3);
    trained.setWeights(trained.getWeights().map((weight) => tf.add(weight, 1)));
    await saveSafetensors(trained, at('trained.safetensors'));
    await convert(at('trained.safetensors'), at('b.json'), { ...OPTIONS, model: KERAS3 });
    const again = await loadFile(at('b.json'));
    expect(valuesOf(again)).toEqual(valuesOf(trained));
    expect(valuesOf(again)).not.toEqual(valuesOf(original));
  });

  test("to names of the user's own, and to plain names", async () => {
    await model().save(writingTo(at('net.json')));
    await convert(at('net.json'), at('plain.safetensors'), { ...OPTIONS, plain: true });
    expect(Object.keys(contentsOf(readFileSync(at('plain.safetensors'))).tensors)).toContain('norm/mean_weights');
    expect(written.err).toBe('');
    const modules = { conv2d: 'features.0', dense: 'head' };
    await convert(KERAS3, at('named.safetensors'), { ...OPTIONS, modules });
    const names = Object.keys(contentsOf(readFileSync(at('named.safetensors'))).tensors);
    expect(names).toEqual(expect.arrayContaining(['features.0.weight', 'head.bias', 'conv2d_1.bias']));
  });

  test('into a folder that is made', async () => {
    await convert(KERAS3, at('new/folder/a.json'), OPTIONS);
    expect(readdirSync(at('new/folder'))).toEqual(['a.json', 'a.weights.bin']);
  });

  test('to Keras', async () => {
    await convert(KERAS3, at('a.keras'), OPTIONS);
    expect(readFileSync(at('a.keras')).subarray(0, 2).toString()).toBe('PK');
  });

  test('from Keras, and weights into its models', async () => {
    await convert(KERAS3, at('k1.keras'), OPTIONS);
    await convert(at('k1.keras'), at('k2.json'), OPTIONS);
    expect(valuesOf(await loadFile(at('k2.json')))).toEqual(valuesOf(await loadFile(KERAS3)));
    await convert(KERAS3, at('k.safetensors'), { ...OPTIONS, plain: true });
    await convert(at('k.safetensors'), at('k3.keras'), { ...OPTIONS, plain: true, model: at('k1.keras') });
    expect(valuesOf(await loadFile(at('k3.keras')))).toEqual(valuesOf(await loadFile(KERAS3)));
  });

  test('replaces files only when it is told to, and never leaves half of one', async () => {
    writeFileSync(at('old.safetensors'), 'old');
    writeFileSync(at('old.weights.bin'), 'old');
    await expect(convert(KERAS3, at('old.safetensors'), OPTIONS)).rejects.toThrow(
      `old.safetensors is in ${scratch} already; --force replaces it`,
    );
    await expect(convert(KERAS3, at('old.json'), OPTIONS)).rejects.toThrow(/old.weights.bin is in .* already/);
    const refused = { ...OPTIONS, force: true, modules: { nothing: 'a' } };
    await expect(convert(KERAS3, at('old.safetensors'), refused)).rejects.toThrow(/modules names the layer 'nothing'/);
    expect(readFileSync(at('old.safetensors'), 'utf8')).toBe('old');
    await convert(KERAS3, at('old.safetensors'), { ...OPTIONS, force: true });
    await convert(KERAS3, at('old.json'), { ...OPTIONS, force: true });
    expect(valuesOf(await loadFile(at('old.json')))).toEqual(valuesOf(await loadFile(KERAS3)));
    expect(readdirSync(scratch).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  beforeAll(() => {
    for (const name of ['a folder.keras', 'blocked/a.keras.partial']) mkdirSync(at(name), { recursive: true });
  });
  test.each<[what: string, from: string, to: string, more: object, says: RegExp, isUsage?: boolean]>([
    ['a name without a format', 'a.txt', 'b.json', {}, /a.txt ends in none of .json, .keras/, true],
    ['to h5', KERAS3, at('a.h5'), {}, /.h5 files are read only; write .*a.keras/, true],
    ['weights without a model', 'a.safetensors', at('c.json'), {}, /holds weights alone; --model FILE/, true],
    ['weights to weights', 'a.safetensors', at('b.safetensors'), { model: KERAS3 }, /there is nothing to do/, true],
    ['a model with another', KERAS3, at('c.json'), { model: KERAS3 }, /--model is for weights alone/, true],
    [
      'a folder as the target',
      KERAS3,
      at('a folder.keras'),
      { force: true },
      /a folder.keras is a folder; name a file, as in .*a folder.keras.model.keras$/,
    ],
    [
      'a folder where none can be made',
      KERAS3,
      join(KERAS3, 'sub', 'a.json'),
      {},
      /a.json cannot be written: its folder cannot be made \(E.*choose another$/,
    ],
    [
      'a place where nothing can be written',
      KERAS3,
      at('blocked/a.keras'),
      {},
      /a.keras: the file cannot be written \(E.*choose another place$/,
    ],
    [
      'into a file',
      KERAS3,
      join(KERAS3, 'where.json'),
      {},
      /model.json is no folder; choose another place for where.json/,
    ],
  ])('refuses %s', async (_, from, to, more, says, isUsage = false) => {
    const error = await convert(from, to, { ...OPTIONS, ...more }).catch((error: Error) => error);
    expect((error as Error).message).toMatch(says);
    expect(error instanceof UsageError).toBe(isUsage);
  });

  test('refuses weights that do not fit, and writes nothing', async () => {
    writeFileSync(at('other.safetensors'), fileWith({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }, 4));
    const options = { ...OPTIONS, model: KERAS3 };
    await expect(convert(at('other.safetensors'), at('d.json'), options)).rejects.toThrow(
      /other.safetensors: the file has no/,
    );
    expect(existsSync(at('d.json'))).toBe(false);
  });
});

describe('model.json', () => {
  test('has its weights in parts that are put together', async () => {
    const path = at('parts.json');
    const given = model();
    await given.save(writingTo(path));
    const json = JSON.parse(readFileSync(path, 'utf8'));
    const bytes = readFileSync(at('parts.weights.bin'));
    mkdirSync(at('in'));
    writeFileSync(at('in/1.bin'), bytes.subarray(0, 13));
    writeFileSync(at('in/2.bin'), bytes.subarray(13));
    json.weightsManifest[0].paths = ['in/1.bin', './in/../in/2.bin'];
    writeFileSync(path, JSON.stringify(json));
    const fractions: number[] = [];
    const source = readingFrom(path, await readModelJson(path), (fraction) => fractions.push(fraction));
    const again = await tfn.loadModel(source);
    expect(valuesOf(again)).toEqual(valuesOf(given));
    expect(fractions).toEqual([13 / bytes.length, 1]);
  });

  test('has its weights in files of 64 MB at most, which are no longer those of another model', async () => {
    const path = at('large.json');
    const size = 2 ** 24 + 1;
    const weightData = new Uint8Array(4 * size);
    weightData.fill(1, 2 ** 26);
    const weightSpecs = [{ name: 'w', shape: [size], dtype: 'float32' as const }];
    const { modelArtifactsInfo } = (await writingTo(path).save!({
      modelTopology: {},
      weightSpecs,
      weightData: weightData.buffer,
    })) as tf.io.SaveResult;
    expect(modelArtifactsInfo.modelTopologyType).toBe('JSON');
    const parts = ['large.weights-1of2.bin', 'large.weights-2of2.bin'];
    expect(parts.map((name) => statSync(at(name)).size)).toEqual([2 ** 26, 4]);
    expect([...readFileSync(at('large.weights-2of2.bin'))]).toEqual([1, 1, 1, 1]);
    expect(JSON.parse(readFileSync(path, 'utf8')).weightsManifest).toEqual([{ paths: parts, weights: weightSpecs }]);
    expect(parts.map((name) => isPartOf(name, path))).toEqual([true, true]);
  });

  test('without weights has no file of them', async () => {
    await writingTo(at('none.json')).save!({ modelTopology: {} });
    expect(JSON.parse(readFileSync(at('none.json'), 'utf8')).weightsManifest).toEqual([{ paths: [], weights: [] }]);
    expect(readdirSync(scratch).filter((name) => name.startsWith('none'))).toEqual(['none.json']);
  });

  test.each([
    ['a.weights.bin', true],
    ['a.weights-12of34.bin', true],
    ['a.weights-xof3.bin', false],
    ['a.weights-1ofx.bin', false],
    ['a.weights.bin.old', false],
    ['a.weights.old.bin', false],
    ['b.weights.bin', false],
  ])('%s is one of its files: %p', (name, isPart) => {
    expect(isPartOf(name, '/folder/a.json')).toBe(isPart);
    expect(isPartOf(name, '/folder/a.json.keras')).toBe(false);
  });

  test.each(['../weights.bin', '/etc/hostname', 'in/../../weights.bin', '', 5])('does not read %p', async (name) => {
    writeFileSync(
      at('leaving.json'),
      JSON.stringify({ modelTopology: {}, weightsManifest: [{ paths: [name], weights: [] }] }),
    );
    await expect(loadFile(at('leaving.json'))).rejects.toThrow(
      /leaving.json: the weights must be in the folder of the model; the file names/,
    );
  });
});

describe('what is no model', () => {
  const h5 = (folder: string) => readFileSync(join(__dirname, '..', 'goldens', 'keras-files', folder));
  const half = (bytes: Uint8Array) => bytes.subarray(0, bytes.length / 2);
  const zip = zipSync({ 'a.txt': new Uint8Array(3) });
  const json = readFileSync(KERAS3, 'utf8');

  test.each<[what: string, name: string, content: string | Uint8Array | undefined | null, says: RegExp]>([
    ['nothing', 'none.keras', undefined, /is not there; check the name of the file and of its folder$/],
    ['a folder', 'folder.json', null, /is a folder; give the file in it$/],
    ['an empty file', 'empty.h5', '', /is empty; get or write it again$/],
    ['a page', 'page.json', '<html>', /: the file is no JSON \(.*\); give the model.json of TensorFlow.js$/],
    [
      'other JSON',
      'other.json',
      '{"a": 1}',
      /: the file has no modelTopology, .*; give the model.json of TensorFlow.js$/,
    ],
    ['JSON that is null', 'null.json', 'null', /: the file has no modelTopology/],
    [
      'a model without its weights',
      'ohne Größe.json',
      json,
      /: its weights are in the file 'group1-shard1of1.bin', which is not beside it; put it there/,
    ],
    [
      'a zip of other files',
      'zip.keras',
      zip,
      /: the file is no .keras file: it is a zip archive of 1 files \('a.txt'\)/,
    ],
    [
      'half of a zip',
      'half.keras',
      half(zip),
      /: the archive is damaged, its end is missing; get the file or save the model again$/,
    ],
    [
      'text',
      'text.keras',
      'text',
      /: the file is neither a .keras nor an .h5 file: .*; save the model as a .keras file$/,
    ],
    ['text that is called .h5', 'text.h5', 'text', /: the file is neither a .keras nor an .h5 file/],
    [
      'weights of Keras alone',
      'weights.h5',
      h5('3.15/gru.weights.h5'),
      /: the HDF5 file holds no model, but weights at most/,
    ],
    [
      'half a file of safetensors',
      'half.safetensors',
      fileWith({}, 0).subarray(0, 9),
      /: the file .*; get or write the file again$/,
    ],
  ])('%s', async (_, name, content, says) => {
    if (content === null) mkdirSync(at(name));
    else if (content !== undefined) writeFileSync(at(name), content);
    const isWeights = name.endsWith('.safetensors');
    const options = isWeights ? { ...OPTIONS, model: KERAS3 } : OPTIONS;
    const target = at('made/from it.json');
    for (const attempt of [() => inspect(at(name), options), () => convert(at(name), target, options)]) {
      const error: unknown = await attempt().catch((error: Error) => error);
      // Of a model that can be listed `inspect` prints why it is refused.
      const said = error instanceof Error ? error.message : written.out.trim().split('\n').at(-1);
      expect(said).toMatch(says);
      expect(said).toContain(at(name));
    }
    expect(existsSync(at('made'))).toBe(false);
  });
});

describe('inspect', () => {
  test('a model', async () => {
    await model().save(writingTo(at('mine.json')));
    await inspect(at('mine.json'), OPTIONS);
    expect(
      written.out
        .replaceAll(scratch, '')
        .split('\n')
        .map((line) => line.trimEnd()),
    ).toEqual([
      '/mine.json: net, 3 layers, 37 parameters, 2.3 KB',
      'layer  class                    output     parameters  weights',
      'fc     Dense                    [null, 3]  9           kernel float32[2, 3]  bias float32[3]',
      'norm   SwitchableNormalization  [null, 3]  16          gamma float32[3]  beta float32[3]  mean_weights float32[2]  variance_weights float32[2]  moving_mean float32[3]  moving_variance float32[3]',
      'batch  BatchNormalization       [null, 3]  12          gamma float32[3]  beta float32[3]  moving_mean float32[3]  moving_variance float32[3]',
      '',
      'normalization  kind                     epsilon  parameters  draws      frozen  statistics      advice',
      expect.stringMatching(
        /^norm {11}SwitchableNormalization {2}0\.00001 {2}16 \(43 %\) .* no {6}as initialized {2}train or recalibrate it/,
      ),
      expect.stringMatching(
        /^batch {10}BatchNormalization {7}0\.001 {4}12 \(32 %\) .*; cannot be folded: the layer before, 'norm'/,
      ),
      '',
      'as .keras:        yes',
      "as .safetensors:  no, the layer 'norm' (SwitchableNormalization) is no module of PyTorch; save it with --plain",
      '',
    ]);
  });

  test('a graph model', async () => {
    for (const [name, data] of Object.entries(graphFiles())) writeFileSync(at(name), data);
    await inspect(at('model.json'), OPTIONS);
    expect(written.out).toMatch(/model\.json: a graph model of \d+ nodes/);
    expect(written.out.match(/UnitNormalization {2}\d+ operations are one/g)).toHaveLength(2);
    expect(written.out).not.toMatch(/no normalization is spelled out|and leaves/);
    for (const [name, data] of Object.entries(graphFiles(LOOKALIKES['a mean that is doubled'])))
      writeFileSync(at(name), data);
    await inspect(at('model.json'), OPTIONS);
    expect(written.out).toMatch(/^and leaves .*\n.*Rsqrt.* is no normalization/m);
  });

  test('a model with classes of other libraries, in models within', async () => {
    await inspect(join(MODELS, 'tfa-cnn-instancenorm', 'model.json'), OPTIONS);
    expect(written.out).toMatch(/InstanceNormalization, saved as Addons>InstanceNormalization/);
    await inspect(join(MODELS, 'graph-nested-deep', 'model.json'), OPTIONS);
    expect(written.out).toMatch(/^middle\/inner\/dense +Dense /m);
  });

  test('what to look at in PyTorch, unless names are plain', async () => {
    await inspect(KERAS3, OPTIONS);
    expect(written.out).toMatch(
      /^as .safetensors: {2}yes\nin PyTorch 'batch_normalization' needs eps=0.001, momentum=0.01$/m,
    );
    expect(tf.env().getBool('PROD')).toBe(true);
    written.out = '';
    await inspect(KERAS3, { ...OPTIONS, plain: true });
    expect(written.out).toMatch(/^as .safetensors: {2}yes\n$/m);
  });

  test('a model that Keras has not', async () => {
    const lstm = tf.layers.lstm({ units: 2, inputShape: [3, 2], name: 'memory' });
    await tf.sequential({ layers: [lstm] }).save(writingTo(at('memory.json')));
    await inspect(at('memory.json'), OPTIONS);
    expect(written.out).toMatch(
      /^as .keras: {8}no, the layer 'memory' \(LSTM\) has the recurrentActivation hardSigmoid/m,
    );
    // It has no normalization either.
    expect(written.out).not.toMatch(/^normalization/m);
  });

  test('a normalization that has all parameters', async () => {
    const alone = tf.sequential({ layers: [tfn.layerNormalization({ inputShape: [2], name: 'alone' })] });
    await alone.save(writingTo(at('alone.json')));
    await inspect(at('alone.json'), OPTIONS);
    expect(written.out).toMatch(/^alone +LayerNormalization +0\.001 +4 \(100 %\) +\d+ \(100 %\) /m);
  });

  test('a file of Keras', async () => {
    await model().save(writingTo(at('k.json')));
    await convert(at('k.json'), at('k.keras'), OPTIONS);
    await inspect(at('k.keras'), OPTIONS);
    expect(written.out).toMatch(/^norm +SwitchableNormalization +\[null, 3\]/m);
    expect(written.out).toMatch(/^as .keras: +yes$/m);
  });

  test('a model that is refused, with the reason', async () => {
    await model().save(writingTo(at('strange.json')));
    const text = readFileSync(at('strange.json'), 'utf8').replaceAll('SwitchableNormalization', 'Strange');
    writeFileSync(at('strange.json'), text);
    await inspect(at('strange.json'), OPTIONS);
    expect(written.out).toMatch(/^norm +Strange$/m);
    expect(written.out).toMatch(/^is refused: .*strange.json: .*Strange.*$/m);
  });

  test('weights, and whether a model takes them', async () => {
    await saveSafetensors(await loadFile(KERAS3), at('w.safetensors'));
    await inspect(at('w.safetensors'), { ...OPTIONS, model: KERAS3 });
    expect(written.out).toMatch(/w.safetensors: 13 tensors, 2.17 KB, format: pt/);
    expect(written.out).toMatch(/^conv2d.weight +F32 +\[4, 3, 3, 3\] +432 bytes$/m);
    expect(written.out).toMatch(/^batch_normalization seems to be a batch normalization$/m);
    expect(written.out).toMatch(/model.json: yes$/m);
    await model().save(writingTo(at('batch.json')));
    await inspect(at('w.safetensors'), { ...OPTIONS, model: at('batch.json'), plain: true });
    expect(written.out).toMatch(/batch.json: no, the file has no 'fc\/kernel', .*and \d+ more, which the model needs/);
  });

  test('weights that are normalized', async () => {
    const entry = (shape: number[]) => ({ dtype: 'F32', shape, data_offsets: [0, 0] });
    const names = ['a.weight_g', 'b.parametrizations.weight.original0', 'c.weight_u', 'd.parametrizations.weight.0._u'];
    // Names that are almost those of normalizations, and a kernel.
    const others = ['f.running_mean_old', 'g.my_moving_mean', 'h.weight_g2', 'i.weight_u2', 'j.weights', 'k.my_scale'];
    const header = Object.fromEntries([
      ...[...names, 'block/e/gamma', ...others].map((name) => [name, entry([0])]),
      ['l.weight', entry([0, 2])],
    ]);
    writeFileSync(at('kinds.safetensors'), fileWith(header));
    await inspect(at('kinds.safetensors'), OPTIONS);
    expect(written.out.split('\n').filter((line) => line.includes('seems'))).toEqual([
      'a seems to be weight normalized',
      'b seems to be weight normalized',
      'c seems to be spectrally normalized',
      'd seems to be spectrally normalized',
      'block/e seems to be a normalization of layers, groups, instances or root mean squares, or a PReLU',
    ]);
  });
});

test('a bar is drawn on a terminal, after a while, and taken away', () => {
  const { isTTY } = process.stderr;
  const clock = jest.spyOn(Date, 'now').mockReturnValue(0);
  const bar = progress('reading');
  bar.report(0.1);
  clock.mockReturnValue(1000);
  process.stderr.isTTY = false;
  bar.report(0.2);
  expect(written.err).toBe('');
  process.stderr.isTTY = true;
  bar.report(0.5);
  bar.done();
  process.stderr.isTTY = isTTY;
  expect(written.err).toMatch(/^\rreading \[#{15} {15}\] 50%\r +\r$/);
});

test('a bar is drawn anew only when it has grown, and not before half a second', () => {
  const { isTTY } = process.stderr;
  const clock = jest.spyOn(Date, 'now').mockReturnValue(10_000);
  process.stderr.isTTY = true;
  const bar = progress('reading');
  clock.mockReturnValue(10_499);
  bar.report(0.1);
  expect(written.err).toBe('');
  clock.mockReturnValue(10_500);
  bar.report(0.5);
  bar.report(0.5);
  process.stderr.isTTY = isTTY;
  expect(written.err.match(/50%/g)).toHaveLength(1);
});

test.each([
  [0, '0 bytes'],
  [999, '999 bytes'],
  [1000, '1 KB'],
  [1_234_567, '1.23 MB'],
  [5e12, '5000 GB'],
])('%d bytes are %s', (bytes, text) => {
  expect(sizeOf(bytes)).toBe(text);
});

test.each<[what: string, error: unknown, line: string]>([
  [
    'a package that Node does not find',
    Object.assign(new Error("Cannot find package 'fflate' imported from a.js"), { code: 'ERR_MODULE_NOT_FOUND' }),
    'the package fflate is missing; npm install @tensorflow/tfjs h5wasm fflate',
  ],
  [
    'a package that a reader of files asks for',
    new Error("loadModel: the package h5wasm could not be loaded (Cannot find package 'h5wasm')"),
    'the package h5wasm is missing; npm install @tensorflow/tfjs h5wasm fflate',
  ],
  ['words alone', new Error("Cannot find package 'x' in the list"), "Cannot find package 'x' in the list"],
  ['another code', Object.assign(new Error('gone'), { code: 'ERR_MODULE_NOT_FOUND' }), 'gone'],
  ['several lines', new Error(' one  \n\n  two\nthree\n'), 'one two three'],
  [
    'options',
    new Error("save it with mode: 'plain', or channelsLast: true"),
    'save it with --plain, or --channels-last',
  ],
  ['what is no error', 'text', 'text'],
])('%s: in one line', (_, error, line) => {
  expect(lineOf(error)).toBe(line);
});
