/** What saveKeras refuses, before anything is written, and its ways to write. That Keras opens the files is test/package/keras. */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { unzipSync } from 'fflate';
import { kerasFile, loadModel, saveKeras } from '../../layers/files/index.ts';
import { RULES } from '../../layers/files/keras/classes.ts';
import {
  adaptiveLayerNormalizationZero,
  batchNormalization,
  conditionalBatchNormalization,
  layerNormalization,
  multiHeadAttention,
  restoreBuiltIns,
  switchableNormalization,
  weightNormalization,
} from '../../layers/index.ts';
import { subjects } from '../support/keras/models.ts';
import { modelOf } from '../support/layers.ts';
import { scratchFolder } from '../support/scratch.ts';

const { layers: l } = tf;
type Layer = tf.layers.Layer;
type Symbolic = tf.SymbolicTensor;

const image = [4, 4, 2];
const sequence = [6, 3];
const gates = { recurrentActivation: 'sigmoid' } as const;

class Doubled extends l.Layer {
  static readonly className: string = 'Doubled';
  override call(x: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.mul([x].flat()[0]!, 2);
  }
}
/** A class of a user that has the name of the one that it is derived from. */
class LikeOurs extends (switchableNormalization().constructor as new () => Layer) {}

class Halves extends (tf.initializers.zeros().constructor as new () => ReturnType<typeof tf.initializers.zeros>) {
  static readonly className = 'Halves';
}
class OwnModel extends tf.LayersModel {}

const modelEnds = (): [Symbolic, Symbolic] => {
  const input = tf.input({ shape: [3] });
  return [input, l.dense({ units: 2 }).apply(input) as Symbolic];
};
const attention = (options: object) => {
  const input = tf.input({ shape: [4, 6] });
  const layer = multiHeadAttention({ numHeads: 4, keyDim: 2, ...options });
  return tf.model({ inputs: input, outputs: layer.apply([input, input]) as Symbolic });
};

beforeAll(() => tf.setBackend('cpu'));

describe('refused', () => {
  const folder = scratchFolder();

  const CASES: Record<string, [make: () => tf.LayersModel, message: string | RegExp]> = {
    'the default of recurrent layers': [
      () => modelOf(sequence, l.lstm({ units: 2, name: 'memory' })),
      "the layer 'memory' (LSTM) has the recurrentActivation hardSigmoid, which in Keras 3 is another function; use 'sigmoid'",
    ],
    'it in a cell of a cell': [
      () => modelOf(sequence, l.rnn({ cell: [l.gruCell({ units: 2, ...gates }), l.lstmCell({ units: 2 })] })),
      'recurrentActivation hardSigmoid',
    ],
    'it within Bidirectional': [
      () => modelOf(sequence, l.bidirectional({ layer: l.gru({ units: 2 }) as tf.RNN, mergeMode: 'sum' })),
      'recurrentActivation hardSigmoid',
    ],
    'an activation without a name in Keras': [
      () => modelOf([3], l.dense({ units: 2, activation: 'gelu_new' as 'relu' })),
      "gelu_new, which Keras has under no name; use 'gelu'",
    ],
    'attention with fewer heads of keys, of two widths': [
      () => {
        const [query, value] = [tf.input({ shape: [4, 6] }), tf.input({ shape: [5, 3] })];
        const layer = multiHeadAttention({ numHeads: 4, keyDim: 2, numKeyValueHeads: 2 });
        return tf.model({ inputs: [query, value], outputs: layer.apply([query, value]) as Symbolic });
      },
      'takes queries and values of the same width',
    ],
    'attention with fewer heads of keys, and values of another width': [
      () => attention({ numKeyValueHeads: 2, valueDim: 3 }),
      'has numKeyValueHeads and valueDim, outputShape or attentionAxes, which Keras has not together',
    ],
    'attention with fewer heads of keys, and outputs of another shape': [
      () => attention({ numKeyValueHeads: 2, outputShape: 5 }),
      'has numKeyValueHeads and valueDim, outputShape or attentionAxes',
    ],
    'attention that normalizes queries and keys': [() => attention({ queryKeyNorm: 'rms' }), 'has queryKeyNorm'],
    'a regularizer of what a layer gives': [
      () => modelOf(sequence, l.timeDistributed({ layer: l.dense({ units: 2, activityRegularizer: 'l1l2' }) })),
      'has an activityRegularizer, which TensorFlow.js ignores and Keras obeys',
    ],
    'an initializer of a user': [
      () => modelOf([3], l.dense({ units: 2, kernelInitializer: new Halves() })),
      'has the kernelInitializer Halves, which Keras does not know',
    ],
    'a model of a class of a user': [
      () => {
        const [input, output] = modelEnds();
        return new OwnModel({ inputs: input, outputs: output });
      },
      'is of a class of your own, which Keras does not know; make it by tf.model',
    ],
    'an argument of a call': [
      () => {
        const input = tf.input({ shape: [3] });
        return tf.model({ inputs: input, outputs: l.reLU().apply(input, { scale: 2 }) as Symbolic });
      },
      'is called with the argument scale, which a file of Keras does not hold',
    ],
    'a class of a user': [() => modelOf([3], new Doubled({})), '(Doubled) is of a class of your own'],
    'a class derived from ours': [() => modelOf(image, new LikeOurs()), 'is of a class of your own'],
    CenterCrop: [() => modelOf(image, l.centerCrop({ height: 2, width: 2 })), 'use cropping2D'],
    Resizing: [() => modelOf(image, l.resizing({ height: 2, width: 2 })), 'resize images before the model'],
    RandomWidth: [() => modelOf(image, l.randomWidth({ factor: 0.2 })), 'Keras 3 does not have; leave it out'],
    ThresholdedReLU: [() => modelOf([3], l.thresholdedReLU()), 'Keras 3 does not have; use reLU'],
    'UpSampling2D, bilinear': [
      () => modelOf(image, l.upSampling2d({ interpolation: 'bilinear' })),
      "has the interpolation bilinear, in Keras another one; use 'nearest'",
    ],
    'a stateful layer': [
      () => {
        const input = tf.input({ batchShape: [2, 6, 3] });
        const output = l.gru({ units: 2, stateful: true, ...gates }).apply(input) as Symbolic;
        return tf.model({ inputs: input, outputs: output });
      },
      'is stateful',
    ],
    'Bidirectional of a layer that goes backwards': [
      () =>
        modelOf(
          sequence,
          l.bidirectional({ layer: l.gru({ units: 2, goBackwards: true, ...gates }) as tf.RNN, mergeMode: 'sum' }),
        ),
      'goBackwards: true',
    ],
    'a slash in a name': [() => modelOf([3], l.dense({ units: 2, name: 'a/b' })), "has a '/' in its name"],
    'training in the graph': [
      () => {
        const input = tf.input({ shape: [3] });
        return tf.model({ inputs: input, outputs: batchNormalization().apply(input, { training: true }) as Symbolic });
      },
      'is called with training: true in the graph, which Keras overrules',
    ],
    'a layer that two models hold': [
      () => {
        const shared = l.dense({ units: 3, name: 'shared' });
        return modelOf([3], shared, modelOf([3], shared));
      },
      "the layer 'shared' (Dense) is shared by",
    ],
    'axes in another order': [
      () => modelOf(image, layerNormalization({ axis: [3, 1] })),
      'has the axes [3,1], whose weights Keras orders otherwise',
    ],
    'epsilon 0': [() => modelOf([3], batchNormalization({ epsilon: 0 })), 'has epsilon 0'],
    'weight normalization that waits for a batch': [
      () => modelOf([3], weightNormalization({ layer: l.dense({ units: 2 }), dataInit: true })),
      'train it on one batch first',
    ],
    'a mean of masked positions': [
      () => modelOf(sequence, l.masking(), l.globalAveragePooling1d()),
      '(GlobalAveragePooling1D) has a mask, which it uses otherwise in Keras',
    ],
    'a model that is given a mask': [
      () => modelOf(sequence, l.masking(), modelOf(sequence, l.dense({ units: 2 }))),
      'has a mask, which it uses otherwise in Keras',
    ],
    'a sum of masked sequences': [
      () => {
        const input = tf.input({ shape: sequence });
        const masked = l.masking().apply(input) as Symbolic;
        return tf.model({ inputs: input, outputs: l.add().apply([masked, input]) as Symbolic });
      },
      '(Add) has a mask',
    ],
    'a mask that ends, and that TensorFlow.js hands on': [
      () => modelOf(sequence, l.masking(), l.permute({ dims: [2, 1] }), l.gru({ units: 2, ...gates })),
      'is given a mask by TensorFlow.js that it has not in Keras',
    ],
    'a mask that ends in TensorFlow.js alone': [
      () => modelOf(sequence, l.masking(), l.leakyReLU(), l.gru({ units: 2, ...gates })),
      'has a mask in Keras, which TensorFlow.js does not bring so far',
    ],
    'conditional batch normalization of masked sequences': [
      () => {
        const inputs = [tf.input({ shape: sequence }), tf.input({ shape: [2] })] as const;
        const masked = l.masking().apply(inputs[0]) as Symbolic;
        const outputs = conditionalBatchNormalization().apply([masked, inputs[1]]) as Symbolic;
        return tf.model({ inputs: [...inputs], outputs });
      },
      '(ConditionalBatchNormalization) has a mask, which it uses otherwise in Keras',
    ],
    'the gate of a masked sequence': [
      () => {
        const input = tf.input({ shape: sequence });
        const masked = l.masking().apply(input) as Symbolic;
        const [, gate] = adaptiveLayerNormalizationZero().apply([masked, input]) as [Symbolic, Symbolic];
        return tf.model({ inputs: input, outputs: l.gru({ units: 2, ...gates }).apply(gate) as Symbolic });
      },
      'is given a mask by TensorFlow.js that it has not in Keras',
    ],
    'masked sequences of Bidirectional': [
      () =>
        modelOf(
          sequence,
          l.masking(),
          l.bidirectional({ layer: l.gru({ units: 2, returnSequences: true, ...gates }) as tf.RNN, mergeMode: 'sum' }),
        ),
      'repeats outputs where masked',
    ],
    'a weight that is NaN': [
      () => {
        const model = modelOf([2], l.dense({ units: 1, name: 'broken' }));
        model.setWeights([tf.tensor([[1], [Number.NaN]]), tf.tensor([0])]);
        return model;
      },
      /the weight 'broken\/kernel.*' of the layer 'broken' holds a value that is not finite/,
    ],
    'a model that is disposed of': [
      () => {
        const model = modelOf([1], l.dense({ units: 1 }));
        model.dispose();
        return model;
      },
      'is disposed of',
    ],
    'a model without a shape': [() => tf.sequential(), 'is not built'],
    'what is no model': [() => l.dense({ units: 1 }) as unknown as tf.LayersModel, 'model must be a model of layers'],
  };

  test.each(Object.entries(CASES))('%s', async (_, [make, message]) => {
    const path = join(folder, 'model.keras');
    await expect(saveKeras(make(), path)).rejects.toThrow(message);
    expect(existsSync(path)).toBe(false);
  });

  test.each([['model.h5'], ['model'], ['downloads://.keras'], ['model.keras.zip'], [3], [['model.keras']]])(
    'the destination %p',
    async (destination) => {
      const model = modelOf([1], l.dense({ units: 1 }));
      const message = 'the destination must be a name that ends in .keras';
      await expect(saveKeras(model, destination as string)).rejects.toThrow(message);
      expect(() => kerasFile(destination as string)).toThrow(message);
    },
  );
});

describe('written', () => {
  const x = tf.tensor([[1, 2, 3]]);
  let model: tf.LayersModel;
  let expected: ArrayLike<number>;
  beforeAll(() => {
    model = modelOf([3], l.dense({ units: 2 }), batchNormalization());
    expected = (model.predict(x) as tf.Tensor).dataSync();
  });
  const expectSame = async (source: string | Uint8Array) => {
    const again = await loadModel(source);
    expect((again.predict(x) as tf.Tensor).dataSync()).toBeClose(expected, { ofMax: 1e-6 });
  };

  test('to bytes', async () => expectSame(await saveKeras(model)));

  test('as Keras writes files: not compressed, with the version, the date and who wrote it', async () => {
    const bytes = await saveKeras(model);
    const entries = unzipSync(bytes);
    expect(Object.keys(entries)).toEqual(['metadata.json', 'config.json', 'model.weights.h5']);
    expect(Buffer.from(bytes).includes(Buffer.from(entries['config.json']!))).toBe(true);
    expect(JSON.parse(new TextDecoder().decode(entries['metadata.json']))).toEqual({
      keras_version: expect.stringMatching(/^3\./),
      date_saved: expect.stringMatching(/^\d{4}-\d\d-\d\d@\d\d:\d\d:\d\d$/),
      saved_by_tfjs_normalizations: true,
    });
  });

  const [folder, emptyFolder] = [scratchFolder(), scratchFolder()];

  test('to a path, by saveKeras and by model.save', async () => {
    await saveKeras(model, join(folder, 'a.keras'));
    await expectSame(join(folder, 'a.keras'));
    const { numTensors } = tf.memory();
    const { modelArtifactsInfo } = await model.save(kerasFile(join(folder, 'b.keras')));
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(modelArtifactsInfo.modelTopologyType).toBe('JSON');
    await expectSame(join(folder, 'b.keras'));
  });

  test('nowhere, where a file cannot be: nothing is left', async () => {
    mkdirSync(join(emptyFolder, 'a.keras'));
    await expect(saveKeras(model, join(emptyFolder, 'a.keras'))).rejects.toThrow(
      /^saveKeras: the file cannot be written \(E.*place$/,
    );
    await expect(saveKeras(model, join(emptyFolder, 'no', 'a.keras'))).rejects.toThrow(
      /^saveKeras: the file cannot be written \(ENOENT.*place$/,
    );
    await expect(model.save(kerasFile(`file://${emptyFolder}/b.keras`))).resolves.toBeDefined();
    expect(readdirSync(emptyFolder).sort()).toEqual(['a.keras', 'b.keras']);
    await expect(saveKeras(model, 'downloads://a.keras')).rejects.toThrow(
      'saveKeras: "downloads://a.keras" is for pages; give a path',
    );
  });

  test('to a download of a page', async () => {
    const link = { click: jest.fn() };
    Object.assign(globalThis, { document: { createElement: () => link } });
    const makeUrl = jest.spyOn(URL, 'createObjectURL').mockReturnValue('blob:file');
    try {
      await saveKeras(model, 'downloads://a.keras');
      expect(link).toEqual({ click: link.click, download: 'a.keras', href: 'blob:file' });
      expect(link.click).toHaveBeenCalledTimes(1);
      await expectSame(new Uint8Array(await (makeUrl.mock.calls[0]![0] as Blob).arrayBuffer()));
    } finally {
      makeUrl.mockRestore();
      Reflect.deleteProperty(globalThis, 'document');
    }
  });

  test('two at once', async () => {
    const files = await Promise.all([saveKeras(model), saveKeras(model)]);
    for (const file of files) await expectSame(file);
  });

  test('with the model as it was, and no tensor more', async () => {
    const { numTensors } = tf.memory();
    await saveKeras(model);
    expect(tf.memory().numTensors).toBe(numTensors);
    expect((model.predict(x) as tf.Tensor).dataSync()).toBeClose(expected, {});
  });

  test("with TensorFlow.js's own classes and ours, whichever are registered", async () => {
    const { classNameMap } = tf.serialization.SerializationMap.getMap();
    const before = { ...classNameMap };
    restoreBuiltIns();
    try {
      await saveKeras(modelOf([3], batchNormalization(), l.batchNormalization()));
    } finally {
      Object.assign(classNameMap, before);
    }
  });
});

test('every class of layers is written or refused', () => {
  const classes = Object.values(tf.serialization.SerializationMap.getMap().classNameMap).map(([cls]) => cls);
  const isLayer = ({ prototype }: (typeof classes)[number]) => (prototype as object) instanceof l.Layer;
  const isModel = ({ prototype }: (typeof classes)[number]) => (prototype as object) instanceof tf.LayersModel;
  const names = classes.filter((cls) => isLayer(cls) && !isModel(cls)).map(({ className }) => className);
  const models = ['Model', 'Functional', 'Sequential'];
  expect(new Set(names).size).toBeGreaterThan(60);
  expect(names.filter((name) => !models.includes(name) && !Object.hasOwn(RULES, name))).toEqual([]);
});

describe('comes back with the same predictions', () => {
  const SUBJECTS = subjects(2);
  test.each(Object.keys(SUBJECTS))('%s', async (name) => {
    const { model, inputs, outputs } = SUBJECTS[name]!();
    const again = await loadModel(await saveKeras(model));
    const [expected, actual] = [model, again].map((one) =>
      [one.predict(inputs.length > 1 ? inputs : inputs[0]!)].flat().map((output) => output.dataSync()),
    ) as [tf.TypedArray[], tf.TypedArray[]];
    expect(actual).toHaveLength(expected.length);
    for (const [i, values] of actual.entries())
      expect(values).toBeClose(expected[i]!, { ofMax: 1e-6, what: `${outputs[i]}:` });
    again.dispose();
  });
});
