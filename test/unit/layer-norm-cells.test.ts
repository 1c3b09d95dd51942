/** Cells of LSTM and GRU with layer normalization: in rnn, bidirectional, stacks, with masks, dropout, training and saved models. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import {
  gru,
  gruCell,
  type LayerNormGRUCellArgs,
  type LayerNormLSTMCellArgs,
  layerNormGRUCell,
  layerNormLSTMCell,
} from '../../layers/index.ts';
import { values } from '../support/keras-files.ts';
import { modelOf } from '../support/layers.ts';

beforeAll(() => tf.setBackend('cpu'));

const UNITS = 3;
const FEATURES = 4;
const STEPS = 5;
const numbers = (tensor: unknown) => Array.from((tensor as tf.Tensor).dataSync());
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const x = tf.tensor3d(values([2, STEPS, FEATURES], 7).data, [2, STEPS, FEATURES]);

type Layer = tf.layers.Layer;
const rnnOf = (cell: Layer | Layer[], more = {}) =>
  tf.layers.rnn({ cell: cell as never, returnSequences: true, ...more });
const fill = (layer: { getWeights(): tf.Tensor[]; setWeights(weights: tf.Tensor[]): void }) =>
  tf.tidy(() => {
    layer.setWeights(layer.getWeights().map((w, i) => tf.tensor(values(w.shape, i + 1).data, w.shape)));
  });

/** LN of some of the values, with gamma and beta. */
function normalized(z: number[], gamma: number[], beta: number[], epsilon: number): number[] {
  const mean = z.reduce((a, b) => a + b) / z.length;
  const variance = z.reduce((sum, value) => sum + (value - mean) ** 2, 0) / z.length;
  return z.map((value, i) => ((value - mean) / Math.sqrt(variance + epsilon)) * gamma[i]! + beta[i]!);
}
const product = (vector: number[], kernel: number[]): number[] =>
  Array.from({ length: kernel.length / vector.length }, (_, j) =>
    vector.reduce((sum, value, i) => sum + value * kernel[(i * kernel.length) / vector.length + j]!, 0),
  );
const part = (z: number[], i: number, size = UNITS) => z.slice(i * size, (i + 1) * size);
const both = <T>(f: (start: number, end: number) => T[]) => [...f(0, 2 * UNITS), ...f(2 * UNITS, 3 * UNITS)];

type Weights = Readonly<Record<string, number[]>>;

function lstm(w: Weights, steps: number[][], { normEpsilon = 1e-3, normalizedCarry = true }): number[][] {
  let [h, c] = [Array(UNITS).fill(0) as number[], Array(UNITS).fill(0) as number[]];
  return steps.map((step) => {
    const ofInput = normalized(product(step, w.kernel!), w['kernel_norm/gamma']!, w['kernel_norm/beta']!, normEpsilon);
    const ofState = normalized(
      product(h, w.recurrent_kernel!),
      w['recurrent_norm/gamma']!,
      w['recurrent_norm/beta']!,
      normEpsilon,
    );
    const gates = ofInput.map((value, i) => value + ofState[i]! + (w.bias?.[i] ?? 0));
    const [i, f, g, o] = [0, 1, 2, 3].map((k) => part(gates, k)) as [number[], number[], number[], number[]];
    const next = c.map((old, k) => sigmoid(f[k]!) * old + sigmoid(i[k]!) * Math.tanh(g[k]!));
    const inner = normalized(next, w['state_norm/gamma']!, w['state_norm/beta']!, normEpsilon);
    h = inner.map((value, k) => sigmoid(o[k]!) * Math.tanh(value));
    c = normalizedCarry ? inner : next;
    return h;
  });
}

function gatedUnit(w: Weights, steps: number[][], { normEpsilon = 1e-3 }): number[][] {
  let h: number[] = Array(UNITS).fill(0);
  const norms = (z: number[], name: string) =>
    both((start, end) => {
      const [gamma, beta] = [w[`${name}/gamma`]!, w[`${name}/beta`]!].map((all) => all.slice(start, end));
      return normalized(z.slice(start, end), gamma!, beta!, normEpsilon);
    });
  return steps.map((step) => {
    const ofInput = norms(product(step, w.kernel!), 'kernel_norm').map((value, i) => value + (w.bias?.[i] ?? 0));
    const ofState = norms(product(h, w.recurrent_kernel!), 'recurrent_norm');
    h = h.map((old, k) => {
      const [z, r] = [0, UNITS].map((at) => sigmoid(ofInput[at + k]! + ofState[at + k]!)) as [number, number];
      const n = Math.tanh(ofInput[2 * UNITS + k]! + r * ofState[2 * UNITS + k]!);
      return (1 - z) * old + z * n;
    });
    return h;
  });
}

/** The weights of a layer by what the cell calls them. */
const weightsOf = (layer: Layer): Weights =>
  Object.fromEntries(
    layer.weights.map((weight) => [
      weight.originalName.replace(/^.*?\/(?=(\w+_norm\/)?\w+$)/, '').replace(/_\d+$/, ''),
      numbers(weight.read()),
    ]),
  );

type Options = Partial<LayerNormLSTMCellArgs & LayerNormGRUCellArgs>;
const CELLS = {
  LayerNormLSTMCell: {
    make: (options: Options = {}): Layer => layerNormLSTMCell({ units: UNITS, ...options }),
    oracle: lstm,
    shapes: [[FEATURES, 12], [UNITS, 12], [12], [12], [12], [12], [12], [UNITS], [UNITS]],
    more: [{ normalizedCarry: false }] as Options[],
  },
  LayerNormGRUCell: {
    make: (options: Options = {}): Layer => layerNormGRUCell({ units: UNITS, ...options }),
    oracle: gatedUnit,
    shapes: [[FEATURES, 9], [UNITS, 9], [9], [9], [9], [9], [9]],
    more: [] as Options[],
  },
};

describe.each(Object.entries(CELLS))('%s', (className, { make, oracle, shapes, more }) => {
  test.each<[Options]>([[{}], [{ useBias: false, normEpsilon: 0.1 }], ...more.map((one) => [one] as [Options])])(
    'is the formula in float64, with %j',
    (options) => {
      const layer = rnnOf(make(options));
      layer.apply(x);
      fill(layer);
      const rows = x.arraySync() as number[][][];
      const expected = rows.flatMap((row) => oracle(weightsOf(layer), row, options as object).flat());
      expect(numbers(layer.apply(x))).toBeClose(expected, { atol: 2e-5, ofMax: 2e-5 });
    },
  );

  test('has these weights, which start as in TensorFlow Addons', () => {
    const layer = rnnOf(make());
    layer.apply(x);
    expect(layer.getWeights().map(({ shape }) => shape)).toEqual(shapes);
    const weights = weightsOf(layer);
    expect(new Set(weights['kernel_norm/gamma'])).toEqual(new Set([1]));
    expect(new Set(weights['recurrent_norm/beta'])).toEqual(new Set([0]));
    const isLstm = className === 'LayerNormLSTMCell';
    expect(weights.bias).toEqual(
      Array.from({ length: weights.bias!.length }, (_, i) => (isLstm && i >= UNITS && i < 2 * UNITS ? 1 : 0)),
    );
    expect(layer.countParams()).toBe(shapes.reduce((sum, shape) => sum + shape.reduce((a, b) => a * b), 0));
  });

  test('gradients are those of central differences', () => {
    const layer = rnnOf(make());
    layer.apply(x);
    fill(layer);
    const dy = tf.tensor(values([2, STEPS, UNITS], 3).data, [2, STEPS, UNITS]);
    const f = () => tf.sum(tf.mul(layer.apply(x) as tf.Tensor, dy)) as tf.Scalar;
    const variables = layer.trainableWeights.map((weight) => weight.read() as tf.Variable);
    const { grads } = tf.variableGrads(f, variables);
    const w = weightsOf(layer);
    const rows = x.arraySync() as number[][][];
    const dys = values([2, STEPS, UNITS], 3).data;
    const loss = (weights: Weights) =>
      rows.flatMap((row) => oracle(weights, row, {}).flat()).reduce((sum, y, i) => sum + y * dys[i]!, 0);
    for (const [i, [name, value]] of Object.entries(w).entries()) {
      const differences = value.map((_, k) => {
        const [ahead, behind] = [1e-5, -1e-5].map((step) =>
          loss({ ...w, [name]: value.map((v, j) => (j === k ? v + step : v)) }),
        ) as [number, number];
        return (ahead - behind) / 2e-5;
      });
      const gradient = numbers(grads[variables[i]!.name]);
      expect(gradient).toBeClose(differences, { atol: 1e-4, ofMax: 1e-3, what: name });
    }
  });

  test('in bidirectional the second layer goes the other way, and a copy of the whole is made from its config', () => {
    const make2 = () => tf.layers.bidirectional({ layer: rnnOf(make()), mergeMode: 'concat' });
    const layer = make2();
    const y = layer.apply(x) as tf.Tensor;
    expect(y.shape).toEqual([2, STEPS, 2 * UNITS]);
    fill(layer);
    const [forward, backward] = [false, true].map((goBackwards, i) => {
      const single = rnnOf(make(), { goBackwards });
      single.apply(x);
      single.setWeights(layer.getWeights().slice(i * shapes.length, (i + 1) * shapes.length));
      const out = single.apply(x) as tf.Tensor;
      return goBackwards ? tf.reverse(out, 1) : out;
    });
    expect(numbers(layer.apply(x))).toEqual(numbers(tf.concat([forward!, backward!], -1)));
    const [cls, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap.Bidirectional!;
    const again = fromConfig(cls, JSON.parse(JSON.stringify(layer.getConfig()))) as Layer;
    again.apply(x);
    again.setWeights(layer.getWeights());
    expect(numbers(again.apply(x))).toEqual(numbers(layer.apply(x)));
  });

  test('masked steps repeat the state, and a stack of cells works', () => {
    const model = modelOf(
      [STEPS, FEATURES],
      tf.layers.masking(),
      rnnOf([make(), gruCell({ units: 2, resetAfter: true })]),
    );
    const zeros = tf.mul(x, tf.tensor([1, 1, 0, 1, 0]).reshape([1, STEPS, 1]));
    const y = (model.predict(zeros) as tf.Tensor).arraySync() as number[][][];
    for (const row of y) {
      expect(row[2]).toEqual(row[1]);
      expect(row[4]).toEqual(row[3]);
      expect(row[3]).not.toEqual(row[2]);
    }
  });

  test('a dropout of 1 drops nothing, as in TensorFlow.js', () => {
    const [whole, none] = [make({ dropout: 1, recurrentDropout: 1 }), make({})].map((cell) => rnnOf(cell));
    const expected = numbers(none!.apply(x));
    whole!.apply(x);
    whole!.setWeights(none!.getWeights());
    expect(numbers(whole!.apply(x, { training: true }))).toEqual(expected);
  });

  test('trains by fit, is saved and loaded, and leaves nothing', async () => {
    const model = modelOf(
      [STEPS, FEATURES],
      rnnOf(make({ dropout: 0.1, recurrentDropout: 0.1 }), { returnSequences: false }),
      tf.layers.dense({ units: 1 }),
    );
    const optimizer = tf.train.adam(0.05);
    model.compile({ optimizer, loss: 'meanSquaredError' });
    const y = tf.tensor([[1], [-1]]);
    const { history } = await model.fit(x, y, { epochs: 80, verbose: 0 });
    const before = tf.memory().numTensors;
    await model.fit(x, y, { epochs: 2, verbose: 0 });
    tf.tidy(() => numbers(model.predict(x)));
    expect(tf.memory().numTensors).toBe(before);
    const losses = history.loss as number[];
    // Dropout makes single losses jump.
    expect(Math.min(...losses.slice(-20))).toBeLessThan(losses[0]! / 2);
    const saved: tf.io.ModelArtifacts[] = [];
    await model.save(
      tf.io.withSaveHandler(async (artifacts) => {
        saved.push(artifacts);
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      }),
    );
    const { modelTopology, weightSpecs } = saved[0]!;
    expect(JSON.stringify(modelTopology)).toContain(`"class_name":"${className}"`);
    expect(weightSpecs!.map(({ name }) => name).filter((name) => name.includes('_norm/'))).toHaveLength(
      className === 'LayerNormLSTMCell' ? 6 : 4,
    );
    const copy = await tf.models.modelFromJSON(JSON.parse(JSON.stringify(modelTopology)));
    copy.setWeights(model.getWeights());
    expect(numbers(copy.predict(x))).toEqual(numbers(model.predict(x)));
    optimizer.dispose();
  });

  test('its config is equal before and after build, and names every option', () => {
    const none = { recurrentActivation: undefined } as unknown as Options; // is left out
    const cell = make({ normEpsilon: 0.5, normGammaInitializer: 'zeros', dropout: 0.25, ...none });
    const before = JSON.stringify(cell.getConfig());
    rnnOf(cell).apply(x);
    expect(JSON.stringify(cell.getConfig())).toBe(before);
    expect(cell.getConfig()).toMatchObject({
      units: UNITS,
      normEpsilon: 0.5,
      dropout: 0.25,
      normGammaInitializer: { className: 'Zeros' },
      normBetaInitializer: { className: 'Zeros' },
      recurrentActivation: 'sigmoid',
    });
  });

  test('what is wrong is refused by name', () => {
    const message = (options: object) => () => make(options as Options);
    expect(message({ normEpsilon: -1 })).toThrow(`${className}: normEpsilon must be a finite number of at least 0`);
    expect(message({ epsilon: 1 })).toThrow(`${className}: unknown option 'epsilon'`);
    expect(message({ resetAfter: true })).toThrow(`${className}: unknown option 'resetAfter'`);
    expect(message({ normGammaInitializer: 'one' })).toThrow(
      `${className}: normGammaInitializer must be an initializer`,
    );
  });
});

test('a cell of GRU with resetAfter is what the layer is', () => {
  const layer = rnnOf(gruCell({ units: 2, resetAfter: true }));
  expect((layer.apply(x) as tf.Tensor).shape).toEqual([2, STEPS, 2]);
  const plain = gru({ units: 2, resetAfter: true, returnSequences: true });
  plain.apply(x);
  plain.setWeights(layer.getWeights());
  expect(numbers(plain.apply(x))).toEqual(numbers(layer.apply(x)));
});
