/**
 * Model files that were cut off, mixed up or edited: what `loadModel` says of them names the layer or the weight, and what it
 * loads all the same is whole. `tf.loadLayersModel` refuses broken weights of our layers, too.
 */
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import { loadModel, spectralNormalization } from '../../layers/index.ts';
import { folder } from '../support/folder.ts';
import { fillWeights, makeLayer } from '../support/layers.ts';
import { normals } from '../support/random.ts';

const MODELS = join(__dirname, '..', 'goldens', 'models');
const numbers = (tensor: tf.Tensor) => Array.from(tensor.dataSync());

/** A model of ours with most of our layers, one of them within a model, as its artifacts. */
async function ownArtifacts(): Promise<tf.io.ModelArtifacts> {
  const make = (className: string, options: object = {}) => makeLayer({ className, options: { ...options } });
  const inner = tf.sequential({ layers: [tf.layers.dense({ units: 4, inputShape: [4] }), make('LayerNormalization')] });
  const input = tf.input({ shape: [4] });
  const layers = [
    make('BatchNormalization', { name: 'batch' }),
    inner as unknown as tf.layers.Layer,
    spectralNormalization({ layer: tf.layers.dense({ units: 4 }), name: 'spectral' }),
    make('GroupNormalization', { groups: 2 }),
    make('BatchRenormalization'),
    make('RMSNormalization', { name: 'rms' }),
  ];
  const output = layers.reduce((x, layer) => layer.apply(x) as tf.SymbolicTensor, input);
  const sum = tf.layers.add().apply([input, output]) as tf.SymbolicTensor;
  const model = tf.model({ inputs: input, outputs: sum });
  for (const layer of layers) if (!('layers' in layer)) fillWeights(layer);
  let saved: tf.io.ModelArtifacts | undefined;
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      saved = { ...artifacts, modelTopology: JSON.parse(JSON.stringify(artifacts.modelTopology)) };
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    }),
  );
  model.dispose();
  return saved!;
}

const SOURCES: Record<string, () => Promise<tf.io.ModelArtifacts>> = {
  ours: ownArtifacts,
  'Keras 3': () => folder(join(MODELS, 'keras3-cnn-layernorm-axes')).load(),
  'Keras 2': () => folder(join(MODELS, 'tf_keras-cnn-groupnorm')).load(),
};

const LOADERS = { loadModel, loadLayersModel: tf.loadLayersModel };
type Loader = (typeof LOADERS)[keyof typeof LOADERS];

/** What became of a file: the message of the error, or what the model predicts. */
async function load(loader: Loader, artifacts: tf.io.ModelArtifacts): Promise<string | number[]> {
  const before = tf.memory().numTensors;
  let model: tf.LayersModel;
  try {
    model = await loader({ load: async () => artifacts });
  } catch (error) {
    // TensorFlow.js keeps what it had made.
    if (loader === loadModel) expect(tf.memory().numTensors).toBe(before);
    return (error as Error).message;
  }
  const [input] = model.inputs;
  const shape = input!.shape.map((size) => size ?? 2);
  const y = tf.tidy(() => {
    const x = tf.tensor(
      normals(
        4,
        shape.reduce((a, b) => a * b, 1),
      ),
      shape,
    );
    return numbers([model.predict(x) as tf.Tensor].flat()[0]!);
  });
  model.dispose();
  expect(tf.memory().numTensors).toBe(before);
  return y;
}

type Specs = tf.io.WeightsManifestEntry[];
const specsOf = ({ weightSpecs }: tf.io.ModelArtifacts): Specs => structuredClone(weightSpecs!);
const bytesOf = (data: tf.io.ModelArtifacts['weightData']) => {
  const parts = [data!].flat().map((part) => new Uint8Array(part));
  return Uint8Array.from(parts.flatMap((part) => [...part]));
};

describe.each(Object.entries(SOURCES))('a file of %s', (name, read) => {
  let artifacts: tf.io.ModelArtifacts;
  let bytes: Uint8Array;
  let predicted: number[];
  beforeAll(async () => {
    await tf.setBackend('cpu');
    artifacts = await read();
    bytes = bytesOf(artifacts.weightData);
    predicted = (await load(loadModel, artifacts)) as number[];
  });
  const loaders = Object.entries(LOADERS).filter(([loader]) => loader === 'loadModel' || name !== 'Keras 3');

  test('as it was saved', () => {
    expect(predicted.length).toBeGreaterThan(0);
    expect(predicted.every(Number.isFinite)).toBe(true);
  });

  describe.each(loaders)('%s', (loaderName, loader) => {
    const refused = async (changed: Partial<tf.io.ModelArtifacts>, ...parts: string[]) => {
      const result = await load(loader, { ...artifacts, ...changed });
      expect(typeof result).toBe('string');
      if (loaderName !== 'loadModel') return;
      expect(result).toMatch(/^loadModel: /);
      for (const part of parts) expect(result).toContain(part);
    };

    test('weights that were cut off', async () => {
      for (const length of [0, 1, 4, bytes.length >> 1, bytes.length - 4, bytes.length - 1]) {
        await refused(
          { weightData: bytes.slice(0, length).buffer },
          `the weights are ${bytes.length} bytes, of which ${length} are there`,
        );
      }
    });

    test('weights in another order, with their data', async () => {
      const specs = specsOf(artifacts);
      let at = 0;
      const parts = specs.map((spec) => {
        const start = at;
        at += 4 * spec.shape.reduce((a, b) => a * b, 1);
        return { spec, data: bytes.slice(start, at) };
      });
      parts.reverse();
      const weightData = Uint8Array.from(parts.flatMap(({ data }) => [...data])).buffer;
      const result = await load(loader, { ...artifacts, weightSpecs: parts.map(({ spec }) => spec), weightData });
      expect(result).toEqual(predicted);
    });

    test.each(['int32', 'bool', 'string', 'complex64', 'float99'])('weights of dtype %s', async (dtype) => {
      for (const i of specsOf(artifacts).keys()) {
        const specs = specsOf(artifacts);
        specs[i]!.dtype = dtype as 'int32';
        await refused({ weightSpecs: specs });
      }
    });

    test('a weight of another shape, missing, twice, or of another name', async () => {
      for (const [i, { name, shape }] of specsOf(artifacts).entries()) {
        const other = specsOf(artifacts);
        other[i]!.shape = [...shape.slice(0, -1), (shape.at(-1) ?? 1) + 1];
        const renamed = specsOf(artifacts);
        renamed[i]!.name = `${name}s`;
        const layer = name.split('/')[0]!;
        await refused({ weightSpecs: other });
        await refused({ weightSpecs: renamed }, layer);
        await refused({ weightSpecs: specsOf(artifacts).filter((_, k) => k !== i) });
        await refused({ weightSpecs: specsOf(artifacts).map((spec, k, all) => (k === i ? all[(i + 1) % 3]! : spec)) });
      }
    });
  });

  test('a topology with anything changed', async () => {
    const replacement = fc.oneof(
      fc.constantFrom<unknown>(null, [], {}, '', 'batch', 'relu', -1, 0, 7, true, 1e300, 'float64'),
      fc.jsonValue({ maxDepth: 1 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(), replacement, fc.boolean(), async (place, value, isRemoved) => {
        const modelTopology = JSON.parse(JSON.stringify(artifacts.modelTopology));
        const places = placesIn(modelTopology);
        const [owner, key] = places[place % places.length]!;
        if (!isRemoved) (owner as Record<string, unknown>)[key] = value;
        else if (Array.isArray(owner)) owner.splice(Number(key), 1);
        else delete (owner as Record<string, unknown>)[key];
        const result = await load(loadModel, { ...artifacts, modelTopology }).catch((error: Error) => {
          // A model can be loaded, and its input or the option of one of TensorFlow.js's layers be none.
          expect(error.message).toBeTruthy();
          return predicted;
        });
        if (typeof result === 'string') expect(result).toMatch(/^loadModel: /);
      }),
      { numRuns: 150, seed: 8 },
    );
    tf.disposeVariables();
  });
});

type Owner = Record<string, unknown> | unknown[];

/** Every key in an object and in those within it, but options of initializers: some of them TensorFlow.js never ends with. */
function placesIn(owner: Owner): [Owner & Record<string, unknown>, string][] {
  return Object.entries(owner).flatMap(([key, value]) => {
    const isOpen = typeof value === 'object' && value !== null && !/initializer/.test(key);
    return [[owner as Owner & Record<string, unknown>, key], ...(isOpen ? placesIn(value as Owner) : [])];
  });
}
