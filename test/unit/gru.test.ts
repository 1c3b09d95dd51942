/** GRU with the reset gate after the recurrent kernel, and that TensorFlow.js's own is unchanged. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { loadSafetensors, saveSafetensors } from '../../layers/files/index.ts';
import { GRU, GRUCell, gru, gruCell, loadModel, restoreBuiltIns, weightNormalization } from '../../layers/index.ts';
import { called, file, graph3, input3, output, values } from '../support/keras-files.ts';
import { modelOf } from '../support/layers.ts';
import { contentsOf } from '../support/safetensors-files.ts';

beforeAll(() => tf.setBackend('cpu'));

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const numbers = (tensor: unknown) => Array.from((tensor as tf.Tensor).dataSync());

/** PyTorch's documentation of nn.GRU, in float64, for tensors by the names of its state_dict: the outputs of all steps. */
function pytorchGru(tensors: Readonly<Record<string, number[]>>, x: number[][], units: number): number[][] {
  const [ofInput, ofState] = [tensors.weight_ih_l0!, tensors.weight_hh_l0!];
  const [inputBias, stateBias] = [tensors.bias_ih_l0, tensors.bias_hh_l0];
  const product = (weights: number[], bias: number[] | undefined, vector: number[], row: number) =>
    vector.reduce((sum, value, i) => sum + weights[row * vector.length + i]! * value, bias?.[row] ?? 0);
  let h: number[] = Array(units).fill(0);
  return x.map((step) => {
    h = h.map((old, i) => {
      const [r, z] = [0, units].map((gate) =>
        sigmoid(product(ofInput, inputBias, step, gate + i) + product(ofState, stateBias, h, gate + i)),
      ) as [number, number];
      const row = 2 * units + i;
      const n = Math.tanh(product(ofInput, inputBias, step, row) + r * product(ofState, stateBias, h, row));
      return (1 - z) * n + z * old;
    });
    return h;
  });
}

/** Sets all weights to numbers that differ. */
function fill(layer: { getWeights(): tf.Tensor[]; setWeights(weights: tf.Tensor[]): void }, seed = 1): void {
  tf.tidy(() => {
    layer.setWeights(layer.getWeights().map((w, i) => tf.tensor(values(w.shape, seed + i).data, w.shape)));
  });
}
const x = tf.tensor3d(values([2, 5, 3], 7).data, [2, 5, 3]);

describe('PyTorch', () => {
  const options = { units: 4, resetAfter: true, returnSequences: true, name: 'rnn' } as const;
  const tensorsOf = async (model: tf.LayersModel) => {
    const { tensors } = contentsOf(await saveSafetensors(model));
    return Object.fromEntries(Object.entries(tensors).map(([name, { values }]) => [name.replace('rnn.', ''), values]));
  };
  const rows = (x.arraySync() as number[][][])[0]!;

  test.each([true, false])('has the same outputs with what is written, useBias: %s', async (useBias) => {
    const model = modelOf([5, 3], gru({ ...options, useBias }));
    fill(model);
    const tensors = await tensorsOf(model);
    expect(Object.keys(tensors)).toEqual(
      useBias ? ['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0'] : ['weight_ih_l0', 'weight_hh_l0'],
    );
    const first = numbers(model.predict(x)).slice(0, 20);
    expect(first).toBeClose(pytorchGru(tensors, rows, 4).flat(), { atol: 1e-6 });
    const again = modelOf([5, 3], gru({ ...options, useBias }));
    await loadSafetensors(again, await saveSafetensors(model));
    expect(numbers(again.predict(x))).toEqual(numbers(model.predict(x)));
  });

  test('reads both directions and normalized kernels', async () => {
    for (const layer of [
      tf.layers.bidirectional({ layer: gru(options), mergeMode: 'concat', name: 'rnn' }),
      weightNormalization({ layer: gru(options), name: 'rnn' }),
    ]) {
      const model = modelOf([5, 3], layer);
      fill(model);
      const again = modelOf(
        [5, 3],
        (layer.constructor as unknown as typeof tf.serialization.Serializable).fromConfig(
          layer.constructor as never,
          layer.getConfig(),
        ) as unknown as tf.layers.Layer,
      );
      await loadSafetensors(again, await saveSafetensors(model));
      expect(numbers(again.predict(x))).toEqual(numbers(model.predict(x)));
    }
  });
});

describe('without resetAfter', () => {
  test.each([
    ['gru', () => tf.layers.gru({ units: 4, dropout: 0.5 }), () => gru({ units: 4, dropout: 0.5 })],
    ['gruCell', () => tf.layers.gruCell({ units: 4 }), () => gruCell({ units: 4 })],
  ])("%s is TensorFlow.js's, with its config and outputs", (_, theirs, ours) => {
    const [a, b] = [theirs(), ours()].map((layer) =>
      'cell' in layer ? layer : tf.layers.rnn({ cell: layer as never }),
    );
    const { name: _name, ...config } = theirs().getConfig();
    expect(ours().getConfig()).toMatchObject(config);
    a!.apply(x);
    b!.apply(x);
    b!.setWeights(a!.getWeights());
    expect(numbers(b!.apply(x))).toEqual(numbers(a!.apply(x)));
  });

  test('a saved GRU of TensorFlow.js is loaded as ours, and theirs again after restoreBuiltIns', async () => {
    const model = modelOf([5, 3], tf.layers.gru({ units: 2 }));
    const topology = model.toJSON(null, false);
    const remake = async () => (await tf.models.modelFromJSON(topology as never)).layers[1]!;
    expect(await remake()).toBeInstanceOf(GRU);
    restoreBuiltIns();
    expect(await remake()).not.toBeInstanceOf(GRU);
    for (const cls of [GRU, GRUCell]) tf.serialization.registerClass(cls as never);
    expect(await remake()).toBeInstanceOf(GRU);
  });
});

describe('Keras 3, as JSON', () => {
  test('is loaded by loadModel, saved by TensorFlow.js and loaded again', async () => {
    const layer = called(
      'GRU',
      { name: 'gru', units: 2, reset_after: true, recurrent_activation: 'sigmoid', seed: null },
      [output('x')],
    );
    const weights = {
      'gru/gru_cell/kernel': values([3, 6]),
      'gru/gru_cell/recurrent_kernel': values([2, 6], 2),
      'gru/gru_cell/bias': values([2, 6], 3),
    };
    const model = await loadModel(
      tf.io.fromMemory(await file('3.15.1', graph3('m', [input3('x', null, 5, 3), layer], 'gru'), weights)),
    );
    const plain = gru({ units: 2, resetAfter: true });
    plain.apply(x);
    plain.setWeights(Object.values(weights).map(({ data, shape }) => tf.tensor(data, shape)));
    expect(numbers(model.predict(x))).toEqual(numbers(plain.apply(x)));
    const saved: tf.io.ModelArtifacts[] = [];
    await model.save(
      tf.io.withSaveHandler(async (artifacts) => {
        saved.push(artifacts);
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      }),
    );
    const topology = saved[0]!.modelTopology as { model_config: { config: { layers: { config: object }[] } } };
    expect(JSON.stringify(topology)).toContain('"reset_after":true');
    expect(model.layers[1]!.getConfig()).toMatchObject({ resetAfter: true, recurrentActivation: 'sigmoid' });
  });
});

describe('resetAfter', () => {
  test('dropout drops the same values in all steps, others in the next call, and none in inference', () => {
    const layer = gru({ units: 3, resetAfter: true, dropout: 0.5, returnSequences: true });
    const ones = tf.ones([1, 6, 4]);
    layer.apply(ones);
    fill(layer);
    // With this recurrent kernel of zeros a step depends on its input alone, which is the same in all.
    const [kernel, recurrent, bias] = layer.getWeights();
    layer.setWeights([kernel!, tf.zerosLike(recurrent!), tf.zerosLike(bias!)]);
    const before = tf.memory().numTensors;
    const candidates = () => tf.tidy(() => numbers(layer.apply(ones, { training: true })));
    const calls = Array.from({ length: 8 }, candidates);
    expect(new Set(calls.map(String)).size).toBeGreaterThan(1);
    expect(tf.memory().numTensors).toBe(before);
    let compared = 0;
    for (const y of calls) {
      // y_t = z y_(t-1) + (1 - z) n with constant z and n: the differences shrink by the same factor.
      for (let unit = 0; unit < 3; unit++) {
        const at = (t: number) => (t < 0 ? 0 : y[3 * t + unit]!);
        const difference = (t: number) => at(t) - at(t - 1);
        const checked = [0, 1, 2].every((t) => Math.abs(difference(t)) > 1e-3);
        if (checked) expect(difference(2) / difference(1)).toBeCloseTo(difference(1) / difference(0), 2);
        compared += Number(checked);
      }
    }
    expect(compared).toBeGreaterThan(8);
    expect(numbers(layer.apply(ones))).toEqual(numbers(layer.apply(ones)));
  });

  test('gradients are those of central differences', () => {
    const layer = gru({ units: 3, resetAfter: true, returnSequences: true });
    layer.apply(x);
    fill(layer);
    const dy = tf.tensor(values([2, 5, 3], 3).data, [2, 5, 3]);
    const f = (x: tf.Tensor) => tf.sum(tf.mul(layer.apply(x) as tf.Tensor, dy)) as tf.Scalar;
    const variables = layer.trainableWeights.map((weight) => weight.read() as tf.Variable);
    const { grads } = tf.variableGrads(() => f(x), variables);
    for (const variable of variables) {
      const value = Float32Array.from(variable.dataSync());
      const differences = Array.from(value, (_, i) => {
        const [ahead, behind] = [1e-2, -1e-2].map((step) =>
          tf.tidy(() => {
            variable.assign(
              tf.tensor(
                value.map((v, j) => (i === j ? v + step : v)),
                variable.shape,
              ),
            );
            return f(x).dataSync()[0]!;
          }),
        ) as [number, number];
        return (ahead - behind) / 2e-2;
      });
      tf.tidy(() => variable.assign(tf.tensor(value, variable.shape)));
      expect(numbers(grads[variable.name])).toBeClose(differences, { atol: 2e-3, ofMax: 1e-3 });
    }
  });

  test('trains by fit, keeps its states, and goes on from them', async () => {
    const model = tf.sequential({
      layers: [
        gru({ units: 4, resetAfter: true, stateful: true, batchInputShape: [2, 5, 3] }),
        tf.layers.dense({ units: 1 }),
      ],
    });
    model.compile({ optimizer: tf.train.adam(0.05), loss: 'meanSquaredError' });
    const { history } = await model.fit(x, tf.ones([2, 1]), { epochs: 20, verbose: 0, batchSize: 2 });
    const losses = history.loss as number[];
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 2);
    model.resetStates();
    const first = numbers(model.predict(x));
    expect(numbers(model.predict(x))).not.toEqual(first);
    model.resetStates();
    expect(numbers(model.predict(x))).toEqual(first);
  });

  test('what is wrong is refused by name', () => {
    expect(() => gru({ units: 2, resetAfter: 1 as never })).toThrow(
      'GRUCell: resetAfter must be true or false; received 1',
    );
    expect(() => gru({ units: 2, reset_after: true } as never)).toThrow(
      /^GRU: unknown option 'reset_after'; it is called resetAfter here/,
    );
    expect(() => gruCell({ units: 2, resetafter: true } as never)).toThrow(/^GRUCell: unknown option 'resetafter'/);
    expect(() => gru(4 as never)).toThrow(/^GRU: the options must be one object/);
  });
});
