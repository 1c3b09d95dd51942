/** Saving and loading: through the disk and over http, training that goes on, and files that others wrote. */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as ours from '../../layers/index.ts';
import { folder } from '../support/folder.ts';
import { layerInputs } from '../support/layer-inputs.ts';
import { FIRST, LAYER_NAMES, SUBJECTS, titled } from '../support/layer-table.ts';
import { type Layer, lastPart, layerClass, makeLayer, modelWith } from '../support/layers.ts';
import { scratchFolder } from '../support/scratch.ts';
import { serve } from '../support/server.ts';

const MODELS = join(__dirname, '..', 'goldens', 'models');
const scratch = scratchFolder();
let served: Awaited<ReturnType<typeof serve>>;
beforeAll(async () => {
  served = await serve({}, { '/scratch/': scratch, '/models/': MODELS });
});
afterAll(() => void served.server.close());

const numbers = (tensor: tf.Tensor) => Array.from(tensor.dataSync());
/** `fetch` with objects of this realm, which Jest keeps apart: TensorFlow.js asks whether a list is `instanceof Array`. */
const fetchFunc = (async (url: string) => {
  const response = await fetch(url);
  const { ok, status, headers } = response;
  const bytes = Buffer.from(await response.arrayBuffer());
  return {
    ok,
    status,
    headers,
    json: async () => JSON.parse(`${bytes}`),
    arrayBuffer: async () => Uint8Array.from(bytes).buffer,
  };
}) as unknown as typeof fetch;
const overHttp = (path: string) => tf.loadLayersModel(`${served.url}/${path}/model.json`, { fetchFunc });

const json = (value: unknown) => JSON.parse(JSON.stringify(value));
const predictions = (model: tf.LayersModel, x: tf.Tensor) => numbers(model.predict(x) as tf.Tensor);
const named = FIRST.map((subject) => [subject.className, subject] as const);

describe('files', () => {
  test.each(titled(SUBJECTS))('%s: through the disk and over http', async (_, subject) => {
    const path = `${subject.className}-${SUBJECTS.indexOf(subject)}`;
    const model = modelWith(subject);
    const x = tf.tensor(layerInputs(subject).x, [...subject.shape]);
    await model.save(folder(join(scratch, path)));
    const fromDisk = await tf.loadLayersModel(folder(join(scratch, path)));
    for (const loaded of [fromDisk, await overHttp(`scratch/${path}`)]) {
      expect(predictions(loaded, x)).toEqual(predictions(model, x));
      expect(loaded.layers[0]!.constructor).toBe(layerClass(subject.className));
      expect(json(loaded.layers[0]!.getConfig())).toEqual(json(model.layers[0]!.getConfig()));
      loaded.dispose();
    }
  });
});

describe.each(named)('%s: training goes on after a reload as if never interrupted', (className, subject) => {
  const n = 2 * subject.shape[0]!;
  const shape = [n, ...subject.shape.slice(1)];
  const steps = async (model: tf.LayersModel, optimizer: tf.Optimizer | undefined, epochs: number) => {
    if (optimizer) model.compile({ optimizer, loss: 'meanSquaredError' });
    const x = tf.tensor(layerInputs({ shape }).x, shape);
    const targets = tf.tensor(layerInputs({ shape: [n, 3] }).dy, [n, 3]);
    await model.fit(x, targets, { epochs, batchSize: n / 2, shuffle: false, verbose: 0 });
  };
  const weights = (model: tf.LayersModel) => model.getWeights().map(numbers);

  test('with sgd, to the last bit', async () => {
    const path = folder(join(scratch, `${className}-sgd`));
    const [whole, first] = [modelWith(subject), modelWith(subject)];
    await steps(whole, tf.train.sgd(0.1), 3);
    await steps(first, tf.train.sgd(0.1), 1);
    const halfway = weights(first);
    await first.save(path);
    const second = await tf.loadLayersModel(path);
    expect(weights(second)).toEqual(halfway);
    await steps(second, tf.train.sgd(0.1), 2);
    expect(weights(second)).toEqual(weights(whole));
    for (const [i, values] of weights(second).entries()) expect(values).not.toEqual(halfway[i]);
  });

  test('with adam, whose state is saved too', async () => {
    const path = folder(join(scratch, `${className}-adam`));
    const [whole, first] = [modelWith(subject), modelWith(subject)];
    await steps(whole, tf.train.adam(0.1), 3);
    await steps(first, tf.train.adam(0.1), 1);
    await first.save(path, { includeOptimizer: true });
    for (const load of [tf.loadLayersModel, ours.loadModel]) {
      const second = await load(path);
      await steps(second, undefined, 2);
      for (const [i, values] of weights(second).entries()) {
        expect(values).toBeClose(weights(whole)[i]!, { ofMax: 1e-5 });
      }
    }
  });
});

interface Topology {
  class_name?: string;
  name?: string;
  config?: { name?: string; renorm?: boolean; layers?: Topology[]; layer?: Topology };
}
interface Expected {
  input: { shape: number[]; data: number[] };
  output: { shape: number[]; data: number[] };
  tolerance: { rtol: number; atol: number };
}

const readJson = (...path: string[]) => JSON.parse(readFileSync(join(MODELS, ...path), 'utf8'));
const layersOf = (model: { modelTopology: { model_config: Topology } }) =>
  model.modelTopology.model_config.config!.layers!;
/** The class as ours are called: TensorFlow Addons writes `Addons>InstanceNormalization`. */
const plain = (className = '') => className.replace('Addons>', '');
const isNormalization = ({ class_name }: Topology) => plain(class_name).endsWith('Normalization');

/** Why a folder is not loaded below. */
function leftOut(name: string): string | undefined {
  const layers = layersOf(readJson(name, 'model.json')).filter(isNormalization);
  if (layers.some(({ config }) => config!.renorm)) return 'batch renormalization';
  const other = layers.find(({ class_name }) => !(LAYER_NAMES as string[]).includes(plain(class_name)));
  return other && plain(other.class_name);
}

const folders = readdirSync(MODELS).sort();
const loadable = folders.filter((name) => !leftOut(name));

/** Loads a golden folder, whose model.json `change` may change first, and compares its predictions. */
async function checkGolden(
  name: string,
  modelFile: string,
  change: (model: never) => void = () => {},
): Promise<Layer[]> {
  const { input, output, tolerance } = readJson(name, 'expected.json') as Expected;
  const handler = folder(join(MODELS, name), modelFile);
  const load = async () => {
    const artifacts = await handler.load();
    change(artifacts as never);
    return artifacts;
  };
  const model = await tf.loadLayersModel({ load });
  const y = model.predict(tf.tensor(input.data, input.shape)) as tf.Tensor;
  expect(y.shape).toEqual(output.shape);
  expect(numbers(y)).toBeClose(output.data, tolerance);
  return model.layers.filter((layer) => layer.getClassName().endsWith('Normalization'));
}

function expectOurs(layers: Layer[]): void {
  expect(layers.length).toBeGreaterThan(0);
  for (const layer of layers) expect(layer.constructor).toBe(layerClass(layer.getClassName()));
}

describe('model folders of others', () => {
  test('all but those of other layers are loaded', () => {
    const reasons = Object.fromEntries(folders.map((name) => [name, leftOut(name)]).filter(([, reason]) => reason));
    expect(reasons).toEqual({
      'keras3-gan-critic-spectralnorm': 'SpectralNormalization',
      'graph-statistics': 'Normalization',
      'keras3-mlp-batchrenorm': 'batch renormalization',
      'tf_keras-gan-critic-spectralnorm': 'SpectralNormalization',
      'tf_keras-mlp-batchrenorm': 'batch renormalization',
      'tfa-cnn-weightnorm-data-init': 'WeightNormalization',
      'tfa-gan-critic-spectralnorm': 'SpectralNormalization',
      'tfa-mlp-weightnorm': 'WeightNormalization',
    });
  });

  test.each(loadable.filter((name) => name.startsWith('tf_keras')))('%s, by loadLayersModel alone', async (name) => {
    expectOurs(await checkGolden(name, 'model.json'));
  });

  test.each(loadable.filter((name) => name.startsWith('tf_keras')))('%s, over http', async (name) => {
    const { input, output, tolerance } = readJson(name, 'expected.json') as Expected;
    const model = await overHttp(`models/${name}`);
    expect(predictions(model, tf.tensor(input.data, input.shape))).toBeClose(output.data, tolerance);
    expectOurs(model.layers.filter((layer) => layer.getClassName().endsWith('Normalization')));
  });

  // TensorFlow.js knows neither Keras 3's topology nor the prefix of TensorFlow Addons; the layers' configs are untouched.
  test.each(loadable.filter((name) => name.startsWith('keras3')))(
    '%s, with the configs as Keras 3 writes them',
    async (name) => {
      const original = new Map(layersOf(readJson(name, 'model.json')).map((layer) => [layer.config!.name, layer]));
      const layers = await checkGolden(name, 'model-legacy.json', (model) => {
        for (const layer of layersOf(model).filter(isNormalization))
          layer.config = original.get(layer.config!.name)!.config!;
      });
      expectOurs(layers);
    },
  );

  test.each(loadable.filter((name) => name.startsWith('tfa')))(
    '%s, without the prefix of its classes',
    async (name) => {
      const layers = await checkGolden(name, 'model.json', (model) => {
        for (const layer of layersOf(model)) layer.class_name = plain(layer.class_name);
      });
      expectOurs(layers);
    },
  );

  test('what was loaded can be saved and loaded again', async () => {
    for (const name of loadable.filter((name) => name.startsWith('tf_keras'))) {
      const { input } = readJson(name, 'expected.json') as Expected;
      const x = tf.tensor(input.data, input.shape);
      const model = await tf.loadLayersModel(folder(join(MODELS, name)));
      await model.save(folder(join(scratch, name)));
      const again = await tf.loadLayersModel(folder(join(scratch, name)));
      expect(predictions(again, x)).toEqual(predictions(model, x));
    }
  });
});

describe('configs in other spellings', () => {
  const load = (className: string, config: tf.serialization.ConfigDict) => {
    const [cls, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
    return fromConfig(cls, config) as Layer;
  };

  test.each([
    'float32',
    'mixed_float16',
    { module: 'keras', className: 'DTypePolicy', config: { name: 'float32' }, registeredName: null },
    { className: 'Policy', config: { name: 'mixed_bfloat16' } },
  ] as tf.serialization.ConfigDictValue[])('the dtype %j', (dtype) => {
    for (const className of LAYER_NAMES) {
      const groups = className === 'GroupNormalization' ? 2 : null;
      const layer = load(className, { dtype, groups, batchInputShape: [null, 4] });
      const model = tf.sequential({ layers: [layer] });
      expect((model.predict(tf.ones([2, 4])) as tf.Tensor).dtype).toBe('float32');
      expect([layer.getConfig().dtype, model.inputs[0]!.dtype]).toEqual(['float32', 'float32']);
    }
  });

  test('a first layer keeps the integers that it takes', () => {
    const layer = load('LayerNormalization', { dtype: 'int32', batchInputShape: [null, 4] });
    const model = tf.sequential({ layers: [layer] });
    expect([layer.getConfig().dtype, model.inputs[0]!.dtype]).toEqual(['int32', 'int32']);
    expect((model.predict(tf.ones([2, 4])) as tf.Tensor).dtype).toBe('float32');
  });

  test('null stands for what is not set, as TensorFlow.js saves undefined and Infinity', () => {
    for (const className of LAYER_NAMES) {
      const config = makeLayer({ className, options: { name: 'x' } }).getConfig();
      // No steps are a choice, not an absence.
      const { rampSteps: _, ...others } = config;
      const nothing = Object.fromEntries(Object.keys(others).map((key) => [key, null]));
      expect(
        json(
          load(className, {
            ...nothing,
            name: 'x',
            ...(className === 'RMSNormalization' ? { center: true } : {}),
          }).getConfig(),
        ),
      ).toEqual(json(config));
    }
  });

  test('nested objects in the spelling of Keras 3', () => {
    const nested = (className: string, config: object) => ({
      module: 'keras',
      className,
      config,
      registeredName: null,
    });
    const layer = load('LayerNormalization', {
      betaInitializer: nested('RandomNormal', { mean: 2, stddev: 0.1, seed: null }),
      gammaRegularizer: nested('L2', { l2: 0.5 }),
      gammaConstraint: nested('MaxNorm', { maxValue: 3, axis: 0 }),
    } as unknown as tf.serialization.ConfigDict);
    expect(json(layer.getConfig())).toMatchObject({
      betaInitializer: { className: 'RandomNormal', config: { mean: 2, stddev: 0.1 } },
      gammaRegularizer: { className: 'L1L2', config: { l1: 0, l2: 0.5 } },
      gammaConstraint: { className: 'MaxNorm', config: { maxValue: 3, axis: 0 } },
    });
  });

  test("Keras 3's extra keys of BatchNormalization", () => {
    const layer = load('BatchNormalization', {
      synchronized: false,
      renorm: false,
      renormClipping: null,
      renormMomentum: 0.99,
      axis: [3],
    });
    expect(layer.getConfig()).toMatchObject({ axis: 3, momentum: 0.99 });
    expect(Object.keys(layer.getConfig()).filter((key) => key.startsWith('renorm'))).toEqual([]);
  });

  test('the number of channels that TensorFlow Addons saves as groups of InstanceNormalization', () => {
    expect(load('InstanceNormalization', { groups: 7, epsilon: 0.5 }).getConfig()).toMatchObject({ epsilon: 0.5 });
  });

  test.each([
    ["keras_contrib's", { gammaConstraint: null }, 'outside'],
    ["TensorFlow Addons's, which has groups", { gammaConstraint: null, groups: 7 }, 'inside'],
    ['ours', { gammaConstraint: null, epsilonPlacement: 'inside' }, 'inside'],
    ['one of a few options', { epsilon: 0.5 }, 'inside'],
  ])('where epsilon of InstanceNormalization stands: a config that is %s', (_, config, epsilonPlacement) => {
    expect(load('InstanceNormalization', config)).toMatchObject({ epsilonPlacement });
  });
});

describe("the form of RMSNormalization that Keras's layer has", () => {
  const keras = { center: false, epsilonPlacement: 'inside' } as const;

  test('is saved without options that Keras lacks, and loads back', () => {
    const layer = ours.rmsNormalization({ ...keras, axis: [1, 2], epsilon: 0.5, name: 'r' });
    const config = json(layer.getConfig());
    expect(config).toEqual({ name: 'r', trainable: true, axis: [1, 2], epsilon: 0.5 });
    const again = ours.RMSNormalization.fromConfig<Layer>(ours.RMSNormalization, config);
    expect(again).toMatchObject({ ...keras, scale: true, axis: [1, 2], epsilon: 0.5 });
    expect(json(again.getConfig())).toEqual(config);
    again.build([2, 3, 4]);
    expect(again.weights.map((weight) => lastPart(weight.originalName))).toEqual(['scale']);
  });

  test.each([
    { center: true },
    { scale: false },
    { epsilonPlacement: 'outside' as const },
    { epsilonPlacement: 'floor' as const },
    { gammaInitializer: 'zeros' },
    { gammaRegularizer: 'l2' },
    { gammaConstraint: 'nonNeg' },
  ])('with %j it needs our options, which are saved', (option) => {
    const layer = ours.rmsNormalization({ ...keras, ...option });
    const config = json(layer.getConfig());
    expect(Object.keys(config)).toEqual(expect.arrayContaining(['center', 'scale', 'epsilonPlacement']));
    const again = ours.RMSNormalization.fromConfig(ours.RMSNormalization, config);
    expect(json(again.getConfig())).toEqual(config);
  });
});

describe('built-in classes', () => {
  const BUILT_IN = ['BatchNormalization', 'LayerNormalization'];
  const classOf = (name: string) => tf.serialization.SerializationMap.getMap().classNameMap[name]![0];

  test('the package stands for them in files, not in tf.layers', () => {
    for (const name of BUILT_IN) expect(classOf(name)).toBe(layerClass(name));
    expect(tf.layers.batchNormalization()).not.toBeInstanceOf(ours.BatchNormalization);
    expect(tf.layers.layerNormalization()).not.toBeInstanceOf(ours.LayerNormalization);
  });

  test('a model with layers of TensorFlow.js, saved, loads into ours with the same predictions', async () => {
    const built = tf.sequential();
    built.add(tf.layers.dense({ units: 5, inputShape: [4] }));
    built.add(tf.layers.batchNormalization({ epsilon: 0.1, momentum: 0.5 }));
    built.add(tf.layers.layerNormalization());
    const x = tf.tensor(layerInputs({ shape: [6, 4] }).x, [6, 4]);
    built.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    await built.fit(x, tf.ones([6, 5]), { epochs: 2, verbose: 0 });
    const path = folder(join(scratch, 'built-in'));
    await built.save(path);
    const loaded = await tf.loadLayersModel(path);
    expectOurs(loaded.layers.slice(1));
    expect(predictions(loaded, x)).toBeClose(predictions(built, x), { ofMax: 1e-5 });
  });

  test('restoreBuiltIns gives the names back', async () => {
    const name = 'tf_keras-cnn-batchnorm';
    const before = await tf.loadLayersModel(folder(join(MODELS, name)));
    ours.restoreBuiltIns();
    try {
      const [layer] = await checkGolden(name, 'model.json');
      expect(layer!.constructor).toBe(tf.layers.batchNormalization().constructor);
      expect(classOf('LayerNormalization')).toBe(tf.layers.layerNormalization().constructor);
      for (const other of LAYER_NAMES.filter((name) => !BUILT_IN.includes(name)))
        expect(classOf(other)).toBe(layerClass(other));
      expectOurs(before.layers.filter(({ name }) => name.startsWith('batch'))); // loaded models keep their layers
      ours.restoreBuiltIns();
      expect(classOf('BatchNormalization')).toBe(tf.layers.batchNormalization().constructor);
    } finally {
      for (const name of BUILT_IN) tf.serialization.registerClass(layerClass(name));
    }
    expectOurs(await checkGolden(name, 'model.json'));
  });
});

describe('files that are broken', () => {
  type File = {
    modelTopology: { config: { layers: { config: Record<string, unknown> }[] } };
    weightsManifest: { weights: { name: string; shape: number[] }[] }[];
  };

  /** A saved model of a layer, its files changed before it is loaded. */
  async function loadChanged(change: {
    json?: (file: File) => void;
    text?: (text: string) => string;
    bytes?: (bytes: Buffer) => Buffer;
  }): Promise<tf.LayersModel> {
    const path = join(scratch, 'broken');
    await mkdir(path, { recursive: true });
    await modelWith({ className: 'BatchNormalization', options: { name: 'norm' }, shape: [2, 4] }).save(folder(path));
    const [file, bytes] = [await readFile(join(path, 'model.json'), 'utf8'), await readFile(join(path, 'weights.bin'))];
    const parsed = JSON.parse(file) as File;
    change.json?.(parsed);
    const text = JSON.stringify(parsed);
    await writeFile(join(path, 'model.json'), change.text?.(text) ?? text);
    await writeFile(join(path, 'weights.bin'), change.bytes?.(bytes) ?? bytes);
    return tf.loadLayersModel(folder(path));
  }
  const weightsOf = (file: File) => file.weightsManifest[0]!.weights;

  test('unchanged they load', async () => {
    expect((await loadChanged({})).layers[0]).toBeInstanceOf(ours.BatchNormalization);
  });

  test('truncated weights', async () => {
    await expect(loadChanged({ bytes: (bytes) => bytes.subarray(0, 12) })).rejects.toThrow();
    await expect(loadChanged({ bytes: () => Buffer.alloc(0) })).rejects.toThrow();
  });

  test('a truncated model.json', async () => {
    await expect(loadChanged({ text: (text) => text.slice(0, text.length / 2) })).rejects.toThrow();
  });

  test('a weight of another shape', async () => {
    const json = (file: File) => {
      for (const weight of weightsOf(file)) if (weight.name.startsWith('norm')) weight.shape = [2];
    };
    await expect(loadChanged({ json })).rejects.toThrow();
  });

  test('a weight that is missing, and one too many', async () => {
    const rename = (file: File) => {
      weightsOf(file)[0]!.name = 'norm/delta';
    };
    await expect(loadChanged({ json: rename })).rejects.toThrow('norm/delta');
    const remove = (file: File) => {
      weightsOf(file).pop();
    };
    await expect(loadChanged({ json: remove })).rejects.toThrow('1 of 6 weights are not set');
  });

  test('a config with a wrong value or of another class', async () => {
    const set = (values: Record<string, unknown>) => ({
      json: (file: File) => void Object.assign(file.modelTopology.config.layers[0]!.config, values),
    });
    await expect(loadChanged(set({ epsilon: -1 }))).rejects.toThrow('BatchNormalization: epsilon must be');
    await expect(loadChanged(set({ momentum: '2' }))).rejects.toThrow('BatchNormalization: momentum');
    await expect(loadChanged(set({ axis: 3 }))).rejects.toThrow('BatchNormalization: axis must lie within');
    await expect(loadChanged(set({ groups: 2 }))).rejects.toThrow("BatchNormalization: unknown option 'groups'");
    await expect(loadChanged(set({ units: 3 }))).rejects.toThrow("BatchNormalization: unknown option 'units'");
  });
});
