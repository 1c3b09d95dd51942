/** Recalibration, adaptation and merging: statistics are exactly those of all data at once. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as ours from '../../layers/index.ts';
import { adapt, mergeStatistics, recalibrate } from '../../layers/models/surgery/index.ts';
import { lastPart, modelOf } from '../support/layers.ts';
import { normals } from '../support/random.ts';
import { inputFor, type Layer, predict, train } from '../support/surgery-models.ts';

const { layers: l } = tf;
beforeAll(() => tf.setBackend('cpu'));

/** Within a millionth, of the value or of 1. */
const EXACT = { rtol: 1e-6, atol: 1e-6 };

type Moments = { mean: number[]; variance: number[] };

/** The moments of the last axis in 64-bit floats, two passes; of the positions that count. */
function moments(x: tf.Tensor, counts: (position: number) => boolean = () => true): Moments {
  const c = x.shape.at(-1)!;
  const values = x.dataSync();
  const columns = Array.from({ length: c }, (_, i) =>
    Array.from(values).filter((_, at) => at % c === i && counts(Math.floor(at / c))),
  );
  const mean = columns.map((column) => column.reduce((a, b) => a + b, 0) / column.length);
  const variance = columns.map((column, i) => column.reduce((sum, v) => sum + (v - mean[i]!) ** 2, 0) / column.length);
  return { mean, variance };
}

const weightOf = (layer: Pick<Layer, 'weights'>, name: string): number[] =>
  Array.from(
    layer.weights
      .find(({ originalName }) => lastPart(originalName) === name)!
      .read()
      .dataSync(),
  );

const stateOf = (layer: Layer): Moments => ({
  mean: weightOf(layer, 'moving_mean'),
  variance: weightOf(layer, 'moving_variance'),
});

function expectMoments(actual: Moments, expected: Moments): void {
  expect(actual.mean).toBeClose(expected.mean, EXACT);
  expect(actual.variance).toBeClose(expected.variance, EXACT);
}

describe('recalibrate', () => {
  const make = () =>
    train(
      modelOf(
        [6, 6, 2],
        l.conv2d({ filters: 4, kernelSize: 3, activation: 'relu' }),
        ours.batchNormalization({ name: 'first' }),
        l.conv2d({ filters: 3, kernelSize: 3 }),
        ours.batchNormalization({ name: 'second' }),
        l.flatten(),
        l.dense({ units: 2 }),
      ),
    );
  const data = () => tf.tensor(normals(11, 50 * 72, 3, 2), [50, 6, 6, 2]);
  const upTo = (model: tf.LayersModel, name: string) =>
    tf.model({ inputs: model.inputs, outputs: model.getLayer(name).input as tf.SymbolicTensor });

  test('layer after layer, each by those that are recalibrated before it; the model stays', async () => {
    const [model, x] = [make(), data()];
    const before = predict(model, x);
    const { model: exact, changed, left } = await recalibrate(model, x, { batchSize: 7 });
    expect([changed.map(({ layer }) => layer), left]).toEqual([['first', 'second'], []]);
    for (const name of ['first', 'second']) {
      const seen = upTo(exact, name).predict(x, { batchSize: 50 }) as tf.Tensor;
      expectMoments(stateOf(exact.getLayer(name)), moments(seen));
    }
    expect(predict(model, x)).toEqual(before);
  });

  const SOURCES: Record<string, (x: tf.Tensor) => Parameters<typeof recalibrate>[1]> = {
    'a list of batches': (x) => tf.split(x, [20, 30]),
    'a list of {xs, ys}': (x) => tf.split(x, [20, 30]).map((xs) => ({ xs, ys: 0 })),
    'a tf.data.Dataset': (x) => tf.data.array(x.arraySync() as tf.TensorContainer[]).batch(16) as never,
    'a tf.data.Dataset of {xs, ys}': (x) =>
      tf.data
        .zip({ xs: tf.data.array(x.arraySync() as never), ys: tf.data.array(Array(50).fill(0)) })
        .batch(9) as never,
    'a function that starts an iteration': (x) =>
      function* () {
        for (let i = 0; i < 50; i += 10) yield x.slice([i], [10]);
      },
    'a function that starts an asynchronous one': (x) =>
      async function* () {
        yield x.slice([0], [1]);
        yield x.slice([1], [49]);
      },
  };
  test.each(Object.entries(SOURCES))('%s gives the same, and nothing leaks', async (_, sourceOf) => {
    const [model, x] = [make(), data()];
    const expected = (await recalibrate(model, x)).model;
    const source = sourceOf(x);
    const before = tf.memory().numTensors;
    const { model: exact } = await recalibrate(model, source);
    for (const name of ['first', 'second'])
      expectMoments(stateOf(exact.getLayer(name)), stateOf(expected.getLayer(name)));
    exact.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test('batches of any sizes, also of nothing', async () => {
    const model = modelOf([1], ours.batchNormalization());
    const batches = [[], [1], [2, 3, 6], []].map((values) => tf.tensor2d(values, [values.length, 1]));
    const { model: exact, changed } = await recalibrate(model, batches);
    expect(changed).toHaveLength(1);
    expect(stateOf(exact.layers[1]!)).toEqual({ mean: [3], variance: [3.5] });
  });

  test('is told how far it is', async () => {
    const seen: unknown[] = [];
    await recalibrate(make(), data(), { batchSize: 25, onProgress: (progress) => seen.push(progress) });
    expect(seen).toEqual(
      ['first', 'second'].flatMap((layer, index) => [1, 2].map((batches) => ({ layer, index, layers: 2, batches }))),
    );
  });

  test('at a mean of 1e4 nothing is lost', async () => {
    const x = tf.tensor(normals(5, 4000, 1e4, 1), [1000, 4]);
    const { model } = await recalibrate(modelOf([4], ours.batchNormalization()), x, { batchSize: 13 });
    const { mean, variance } = stateOf(model.layers[1]!);
    expect(mean).toBeClose(moments(x).mean, { rtol: 1e-6 });
    expect(variance).toBeClose(moments(x).variance, { rtol: 1e-6 });
  });

  test('all kinds of layers that keep statistics', async () => {
    const x = inputFor(modelOf([5, 5, 3], l.reLU()), 8);
    const kinds: Layer[] = [
      ours.batchNormalization(),
      ours.batchNormalization({ renorm: true }),
      ours.batchRenormalization(),
      ours.meanOnlyBatchNormalization(),
      ours.batchInstanceNormalization(),
      ours.switchableNormalization(),
      ours.featureNormalization(),
      l.timeDistributed({ layer: ours.batchNormalization() }),
    ];
    const expected = moments(x);
    for (const layer of kinds) {
      const { model, changed } = await recalibrate(modelOf([5, 5, 3], layer), x, { batchSize: 3 });
      expect(changed).toHaveLength(1);
      const values = Object.fromEntries(
        model.layers[1]!.weights.map(({ originalName }) => [
          lastPart(originalName),
          weightOf(model.layers[1]!, lastPart(originalName)),
        ]),
      );
      const stddev = expected.variance.map((v) => Math.sqrt(v + 1e-3));
      const wanted: Record<string, number[]> = { moving_stddev: stddev, renorm_stddev: stddev, count: [200] };
      for (const [name, own] of Object.entries(values)) {
        const of =
          wanted[name] ?? (/mean$/.test(name) ? expected.mean : /variance$/.test(name) ? expected.variance : own);
        if (!/^(mean|variance)_weights$/.test(name)) expect(own).toBeClose(of, EXACT);
      }
    }
  });

  test('another axis, and shared and nested layers, which see all of their calls', async () => {
    const shared = ours.batchNormalization({ axis: 1, name: 'shared' });
    const inner = modelOf([3, 4], shared);
    const [a, b] = [tf.input({ shape: [3, 4] }), tf.input({ shape: [3, 4] })];
    const sum = l.add().apply([inner.apply(a), inner.apply(b)] as tf.SymbolicTensor[]) as tf.SymbolicTensor;
    const model = tf.model({ inputs: [a, b], outputs: sum });
    const data = [1, 2].map((seed) => tf.tensor(normals(seed, 120, seed, 1), [10, 3, 4]));
    const { model: exact, changed } = await recalibrate(model, data, { batchSize: 4 });
    expect(changed[0]!.layer).toBe(`${inner.name}/shared`);
    const layer = (exact.getLayer(inner.name) as tf.LayersModel).getLayer('shared');
    expectMoments(stateOf(layer), moments(tf.concat(data).transpose([0, 2, 1])));
  });

  test('a mask restricts the statistics, as in training', async () => {
    const model = modelOf([4, 3], l.masking({ maskValue: 0 }), ours.batchNormalization({ name: 'norm' }));
    const values = normals(3, 96);
    for (let i = 0; i < values.length; i++) if (Math.floor(i / 3) % 4 > 1) values[i] = 0;
    const x = tf.tensor(values, [8, 4, 3]);
    const { model: exact } = await recalibrate(model, x, { batchSize: 3 });
    expectMoments(
      stateOf(exact.getLayer('norm')),
      moments(x, (position) => position % 4 < 2),
    );
  });

  test('leaves, with the reason', async () => {
    const frozen = ours.batchNormalization({ name: 'frozen' });
    const back = ours.featureNormalization({ name: 'back', invert: true });
    const model = modelOf([2], frozen, back, ours.batchNormalization({ name: 'norm' }));
    frozen.trainable = false;
    const { changed, left } = await recalibrate(model, tf.ones([4, 2]));
    expect(changed.map(({ layer }) => layer)).toEqual(['norm']);
    expect(left.map(({ layer, message }) => `${layer}: ${message}`)).toEqual([
      expect.stringMatching(/^frozen: it is frozen/),
      expect.stringMatching(/^back: it goes the way back/),
    ]);
    const nan = await recalibrate(modelOf([1], ours.batchNormalization()), tf.tensor([[1], [Number.NaN]]));
    expect(nan.left[0]!.message).toMatch(/not finite/);
    expect(stateOf(nan.model.layers[1]!)).toEqual({ mean: [0], variance: [1] });
  });

  test('refuses data that are none, that end, or do not fit', async () => {
    const model = modelOf([2], ours.batchNormalization());
    const once = (function* () {
      yield tf.ones([1, 2]);
    })();
    for (const [data, message] of [
      [[], 'the data hold no batch'],
      [once, 'can be gone through only once'],
      [3, 'must be a tensor, an iterable of batches or a tf.data.Dataset; received 3'],
      [[[1, 2]], 'a batch must be a tensor'],
    ] as const) {
      await expect(recalibrate(model, data as never)).rejects.toThrow(message);
    }
    await expect(recalibrate(model, tf.ones([2, 2]), { batchSize: 0 })).rejects.toThrow(
      'batchSize must be a positive integer',
    );
    const [wide, empty] = [tf.ones([2, 3]), tf.ones([0, 2])];
    const before = tf.memory().numTensors;
    await expect(recalibrate(model, wide)).rejects.toThrow(
      /^recalibrate: the model does not predict on the data \(.*expected .* to have shape.*\); give what it takes$/,
    );
    await expect(recalibrate(model, [empty])).rejects.toThrow('the data hold no batch');
    expect(tf.memory().numTensors).toBe(before); // nothing is left of the model that was begun
    const inputs = ['a', 'b'].map((name) => tf.input({ shape: [2], name }));
    const two = tf.model({ inputs, outputs: l.add().apply(inputs) as tf.SymbolicTensor });
    await expect(recalibrate(two, [tf.ones([4, 2]), tf.ones([3, 2])])).rejects.toThrow(
      'all inputs must have as many examples; received 4, 3 for a, b',
    );
  });
});

test('recalibrate leaves no tensor of a model that it could not finish', async () => {
  const model = modelOf([2], ours.batchNormalization());
  const [fits, other] = [tf.ones([2, 2]), tf.ones([2, 3])];
  const before = tf.memory().numTensors;
  for (const data of [other, [fits, other], []]) await expect(recalibrate(model, data)).rejects.toThrow('recalibrate:');
  const stop = () => {
    throw new Error('stop');
  };
  await expect(recalibrate(model, fits, { onProgress: stop })).rejects.toThrow('stop');
  expect(tf.memory().numTensors).toBe(before);
});

describe('adapt', () => {
  test.each([
    [{}, [0, 1]],
    [{ axis: null }, [0, 1, 2]],
    [{ axis: 1 }, [0, 2]],
    [{ axis: [1, 2] }, [0]],
  ] as const)('%j', async (options, reduced) => {
    const x = tf.tensor(normals(9, 24 * 20, 2, 3), [20, 4, 6]);
    const norm = ours.featureNormalization(options as object);
    await adapt(norm, x, { batchSize: 6 });
    const { mean, variance } = tf.moments(x, [...reduced]);
    expect(weightOf(norm, 'mean')).toBeClose(mean.dataSync(), { rtol: 1e-5, atol: 1e-5 });
    expect(weightOf(norm, 'variance')).toBeClose(variance.dataSync(), { rtol: 1e-5, atol: 1e-5 });
    expect(weightOf(norm, 'count')).toEqual([480 / mean.size]);
  });

  test('refuses other layers, given statistics, and data that are not finite', async () => {
    await expect(adapt(ours.batchNormalization() as never, tf.ones([1, 1]))).rejects.toThrow(
      'must be a FeatureNormalization',
    );
    const given = ours.featureNormalization({ mean: 0, variance: 1 });
    await expect(adapt(given, tf.ones([1, 1]))).rejects.toThrow('has mean and variance as options');
    await expect(adapt(ours.featureNormalization(), tf.tensor([[Number.NaN]]))).rejects.toThrow('not finite');
  });
});

describe('mergeStatistics', () => {
  const make = () =>
    modelOf(
      [4],
      ours.batchNormalization({ name: 'norm' }),
      ours.spectralNormalization({ name: 'spectral', layer: l.dense({ units: 3 }) }),
      l.reshape({ targetShape: [1, 3] }),
      l.bidirectional({ layer: l.lstm({ units: 2 }) as never, mergeMode: 'concat' }),
      ours.batchRenormalization({ name: 'renorm', epsilon: 1e-2 }),
    );

  test('what clients with other data have seen is what one would have with all of it', async () => {
    // Not identically distributed: each client has a mean and a spread of its own.
    const shards = [
      [40, 5, 1],
      [7, -3, 0.1],
      [120, 1000, 4],
    ].map(([n, mean, std], i) => tf.tensor(normals(i, n! * 4, mean, std), [n!, 4]));
    const one = modelOf([4], ours.batchNormalization());
    const clients = await Promise.all(shards.map(async (x) => (await recalibrate(one, x)).model));
    const { model } = await mergeStatistics(
      clients,
      shards.map(({ shape }) => shape[0]!),
    );
    const { model: atOnce } = await recalibrate(one, tf.concat(shards));
    expectMoments(stateOf(model.layers[1]!), stateOf(atOnce.layers[1]!));
    expectMoments(stateOf(model.layers[1]!), moments(tf.concat(shards)));
  });

  test('weights are averaged by count, those that cannot be are of the largest; the models stay', async () => {
    const models = [train(make(), 1), train(make(), 2), train(make(), 3)];
    const before = models.map((model) => model.getWeights().map((weight) => [...weight.dataSync()]));
    const { model, changed, left } = await mergeStatistics(models, [1, 3, 0]);
    expect(models.map((model) => model.getWeights().map((weight) => [...weight.dataSync()]))).toEqual(before);
    for (const [i, { originalName }] of models[0]!.weights.entries()) {
      const [a, b] = [before[0]![i]!, before[1]![i]!];
      const name = lastPart(originalName);
      const merged = [...model.weights[i]!.read().dataSync()];
      if (/^vector_/.test(name)) expect(merged).toEqual(b);
      else if (!/moving|step/.test(name))
        expect(merged).toBeClose(
          a.map((v, k) => (v + 3 * b[k]!) / 4),
          EXACT,
        );
    }
    const stddev = (i: number) => weightOf(models[i]!.getLayer('renorm'), 'moving_stddev').map((v) => v * v - 1e-2);
    const mean = (i: number) => weightOf(models[i]!.getLayer('renorm'), 'moving_mean');
    const expected = stddev(0).map((v, k) => {
      const [m, n] = [mean(0)[k]!, mean(1)[k]!];
      const all = (m + 3 * n) / 4;
      return Math.sqrt((v + (m - all) ** 2 + 3 * (stddev(1)[k]! + (n - all) ** 2)) / 4 + 1e-2);
    });
    expect(weightOf(model.getLayer('renorm'), 'moving_stddev')).toBeClose(expected, EXACT);
    expect(changed.map(({ layer }) => layer)).toEqual(expect.arrayContaining(['norm', 'spectral', 'renorm']));
    expect(left).toEqual([
      expect.objectContaining({ layer: 'spectral', message: expect.stringMatching(/vector_u, vector_v/) }),
    ]);
  });

  test('both pairs of batch normalization with renorm, and the counts of FeatureNormalization', async () => {
    const models = [0, 1].map(() =>
      modelOf([1], ours.batchNormalization({ renorm: true }), ours.featureNormalization()),
    );
    const set = (model: tf.LayersModel, own: Record<string, number>) =>
      model.setWeights(
        model.weights.map(({ originalName, shape, dtype }) =>
          tf.fill(shape as number[], own[lastPart(originalName)] ?? 1, dtype),
        ),
      );
    set(models[0]!, { moving_mean: 0, renorm_mean: 0, moving_variance: 1, mean: 0, variance: 1, count: 10 });
    set(models[1]!, { moving_mean: 2, renorm_mean: 4, moving_variance: 3, mean: 4, variance: 1, count: 30 });
    const { model } = await mergeStatistics(models, [1, 1]);
    const read = (name: string) => weightOf(model, name)[0];
    expect(['moving_mean', 'moving_variance', 'renorm_mean', 'mean', 'variance', 'count'].map(read)).toEqual([
      1, 3, 2, 3, 4, 40,
    ]);
    expect(read('renorm_stddev')).toBeCloseTo(Math.sqrt(1 + 4), 5);
  });

  describe('refuses models that are', () => {
    const dense = (options: object, units = 4) => l.dense({ units, ...options });
    const connected = (isCrossed: boolean) => () => {
      const x = tf.input({ shape: [4] });
      const [a, b] = [dense({}), dense({})];
      const first = a.apply(x) as tf.SymbolicTensor;
      const second = b.apply(first) as tf.SymbolicTensor;
      const outputs = dense({}).apply(isCrossed ? first : second) as tf.SymbolicTensor;
      return tf.model({ inputs: x, outputs: isCrossed ? [outputs, second] : [outputs, first] });
    };
    const CASES: Readonly<Record<string, readonly [() => tf.LayersModel, () => tf.LayersModel, RegExp]>> = {
      'of another activation': [
        () => modelOf([4], dense({ activation: 'relu' })),
        () => modelOf([4], dense({ activation: 'tanh' })),
        /activation is "tanh" in place of "relu"; make both the same/,
      ],
      'of another epsilon, in a model within': [
        () => modelOf([4], modelOf([4], ours.batchNormalization({ name: 'norm' })) as unknown as Layer),
        () => modelOf([4], modelOf([4], ours.batchNormalization({ epsilon: 0.5 })) as unknown as Layer),
        /layer '.+\/norm': epsilon is 0.5 in place of 0.001/,
      ],
      'connected otherwise': [connected(false), connected(true), /it takes the results of other layers/],
    };
    test.each(Object.entries(CASES))('%s', async (_, [first, second, message]) => {
      await expect(mergeStatistics([first(), second()], [1, 1])).rejects.toThrow(message);
    });

    test('but not those that differ in what has no effect on predictions', async () => {
      const models = [
        { rate: 0.1, momentum: 0.9, kernelInitializer: 'zeros', kernelRegularizer: undefined },
        { rate: 0.5, momentum: 0.5, kernelInitializer: 'ones', kernelRegularizer: 'l1l2' },
      ].map(({ rate, momentum, ...options }) =>
        modelOf([4], dense(options), l.dropout({ rate }), ours.batchNormalization({ momentum })),
      );
      expect((await mergeStatistics(models, [1, 1])).changed).toHaveLength(2);
    });
  });

  test('refuses models that differ, counts that are none, and weights that are not finite', async () => {
    const [a, b] = [make(), make()];
    await expect(mergeStatistics([], [])).rejects.toThrow('models must be a list of at least one');
    await expect(mergeStatistics([a, modelOf([4], l.reLU())], [1, 1])).rejects.toThrow(
      /models\[1\] differs from models\[0\] at layer 1/,
    );
    for (const counts of [[1], [1, -1], [0, 0], [1, Number.NaN], [Number.MAX_VALUE, Number.MAX_VALUE]]) {
      await expect(mergeStatistics([a, b], counts)).rejects.toThrow(
        'counts must be a number of at least 0 for each of the 2 models',
      );
    }
    b.setWeights(b.weights.map(({ shape, dtype }) => tf.fill(shape as number[], Number.NaN, dtype)));
    await expect(mergeStatistics([a, b], [1, 1])).rejects.toThrow(
      /is not finite in one of the models; give this one the count 0/,
    );
    expect((await mergeStatistics([a, b], [1, 0])).model.getWeights()[0]!.dataSync()).toEqual(
      a.getWeights()[0]!.dataSync(),
    );
  });
});
