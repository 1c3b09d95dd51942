/** Replacement of normalizations, and the table of what a model normalizes with. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as ours from '../../layers/index.ts';
import { describeNormalizations, replaceNormalization } from '../../layers/models/surgery/index.ts';
import { lastPart, makeLayer, modelOf } from '../support/layers.ts';
import { inputFor, KERNELS, type Layer, mobileNet, predict, train } from '../support/surgery-models.ts';

const { layers: l } = tf;
beforeAll(() => tf.setBackend('cpu'));

const SAME = { ofMax: 3e-6, atol: 1e-6 };
const valuesOf = (layer: Pick<Layer, 'weights'>) =>
  Object.fromEntries(layer.weights.map((weight) => [lastPart(weight.originalName), [...weight.read().dataSync()]]));

/** A batch normalization among other layers, with options of its own. */
const withNorm = (norm: Layer) =>
  train(
    modelOf(
      [6, 6, 2],
      l.conv2d({ filters: 6, kernelSize: 3, useBias: false }),
      norm,
      l.reLU(),
      l.flatten(),
      l.dense({ units: 2 }),
    ),
  );

describe('replaceNormalization', () => {
  const KEPT = [
    'BatchRenormalization',
    'BatchNormalization',
    'BatchInstanceNormalization',
    'MeanOnlyBatchNormalization',
  ];
  const OTHER = [
    'GroupNormalization',
    'LayerNormalization',
    'RMSNormalization',
    'InstanceNormalization',
    'SwitchableNormalization',
    'FilterResponseNormalization',
    'DynamicTanh',
    'DynamicErf',
  ];
  const WITHOUT_EPSILON = ['MeanOnlyBatchNormalization', 'DynamicTanh', 'DynamicErf'];

  test.each([...KEPT, ...OTHER])('BatchNormalization by %s', async (to) => {
    const model = withNorm(ours.batchNormalization({ name: 'norm', epsilon: 0.02, gammaRegularizer: 'l1l2' }));
    const x = inputFor(model);
    const before = predict(model, x);
    const tensors = tf.memory().numTensors;
    const { model: made, changed, left } = await replaceNormalization(model, { to });
    expect(left).toEqual([]);
    expect(changed).toEqual([
      {
        layer: 'norm',
        className: 'BatchNormalization',
        message: expect.stringMatching(KEPT.includes(to) ? 'predicts as before' : 'predicts otherwise'),
      },
    ]);
    const [old, norm] = [model.getLayer('norm'), made.getLayer('norm')];
    expect(norm.getClassName()).toBe(to);
    const [own, kept] = [valuesOf(norm), valuesOf(old)];
    if (to !== 'MeanOnlyBatchNormalization') expect(own.gamma ?? own.scale).toEqual(kept.gamma);
    expect(own.beta).toEqual(kept.beta);
    if (KEPT.includes(to)) expect(predict(made, x)).toBeClose(before, SAME);
    else expect([...predict(made, x)].every(Number.isFinite)).toBe(true);
    if (!['RMSNormalization', ...WITHOUT_EPSILON].includes(to)) expect(norm.getConfig().epsilon).toBe(0.02);
    if (to !== 'MeanOnlyBatchNormalization')
      expect(norm.getConfig().gammaRegularizer).toEqual(old.getConfig().gammaRegularizer);
    expect(predict(model, x)).toEqual(before);
    made.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    await made.fit(x, tf.zeros([3, 2]), { verbose: 0 });
    expect(predict(made, x)).not.toEqual(before);
    expect(tensors).toBeLessThan(tf.memory().numTensors);
  });

  test.each([
    ['BatchRenormalization', 'BatchNormalization'],
    ['MeanOnlyBatchNormalization', 'BatchNormalization'],
    ['MeanOnlyBatchNormalization', 'BatchRenormalization'],
    ['InstanceNormalization', 'GroupNormalization'],
  ] as const)('%s by %s predicts as before', async (from, to) => {
    const model = withNorm(makeLayer({ className: from, options: { name: 'norm' } }));
    const { model: made, changed } = await replaceNormalization(model, { from, to });
    expect(changed[0]!.message).toMatch('predicts as before');
    expect(predict(made, inputFor(model))).toBeClose(predict(model, inputFor(model)), SAME);
  });

  for (const [kind, [shape, make]] of Object.entries(KERNELS)) {
    const isWrapped = /normalized|conv3d transposed/.test(kind);
    test(`mean-only after ${kind}: ${isWrapped ? 'is left' : 'the layer before is wrapped, and predictions stay'}`, async () => {
      const model = train(modelOf(shape, make(), ours.batchNormalization({ name: 'norm' }), l.reLU()));
      const { model: made, changed, left } = await replaceNormalization(model, { to: 'MeanOnlyBatchNormalization' });
      expect([changed.length, left.length]).toEqual(isWrapped ? [0, 1] : [1, 0]);
      expect(predict(made, inputFor(model))).toBeClose(predict(model, inputFor(model)), SAME);
      if (!isWrapped) expect(JSON.stringify(made.toJSON(undefined, false))).toContain('"WeightNormalization"');
    });
  }

  test('options of its own, and groups that divide the channels where none are given', async () => {
    const model = withNorm(ours.batchNormalization({ name: 'norm' }));
    const groupsOf = async (to: Parameters<typeof replaceNormalization>[1]['to']) =>
      (await replaceNormalization(model, { to })).model.getLayer('norm').getConfig().groups;
    expect(await groupsOf('GroupNormalization')).toBe(6);
    expect(await groupsOf({ className: 'GroupNormalization', config: { groups: 3 } })).toBe(3);
    const wide = train(modelOf([4, 40], ours.batchNormalization({ name: 'norm' })));
    expect(
      (await replaceNormalization(wide, { to: 'GroupNormalization' })).model.getLayer('norm').getConfig().groups,
    ).toBe(20);
  });

  test('an epsilon that is larger than variance and epsilon were: no claim that it predicts as before', async () => {
    const model = withNorm(ours.batchNormalization({ name: 'norm', epsilon: 1e-3 }));
    const replaced = async (epsilon: number) => {
      const { changed } = await replaceNormalization(model, {
        to: { className: 'BatchRenormalization', config: { epsilon } },
      });
      return changed[0]!.message;
    };
    expect(await replaced(0.1)).toMatch('predicts as before');
    expect(await replaced(100)).toMatch('predicts otherwise');
  });

  test('within timeDistributed, with the sizes of one step', async () => {
    const norm = ours.batchNormalization({ axis: 1, epsilon: 0.02 });
    const model = train(modelOf([3, 4], l.timeDistributed({ layer: norm, name: 'td' }), l.dense({ units: 2 })));
    const before = predict(model, inputFor(model));
    const { model: same } = await replaceNormalization(model, { to: 'BatchRenormalization' });
    expect(predict(same, inputFor(model))).toBeClose(before, SAME);
    // Groups where none are given: of 4 channels, not of 3 steps.
    const { model: grouped, changed } = await replaceNormalization(model, { to: 'GroupNormalization' });
    expect(changed).toHaveLength(1);
    const { layer } = grouped.getLayer('td') as unknown as { layer: ours.GroupNormalization };
    expect(4 % layer.groups).toBe(0);
  });

  test('in models within, and a whole network', async () => {
    const { model, changed, left } = await replaceNormalization(mobileNet(), { to: 'BatchRenormalization' });
    expect([changed.length, left]).toEqual([4, []]);
    expect(predict(model, inputFor(model))).toBeClose(predict(mobileNet(), inputFor(model)), SAME);
    const inner = modelOf([4], l.dense({ units: 4 }), ours.batchNormalization({ name: 'norm' }));
    const nested = await replaceNormalization(train(modelOf([4], inner)), { to: 'LayerNormalization' });
    expect(nested.changed[0]!.layer).toBe(`${inner.name}/norm`);
  });

  test('leaves, with the reason', async () => {
    const to = { className: 'GroupNormalization', config: { groups: 4 } };
    const undivided = await replaceNormalization(withNorm(ours.batchNormalization()), { to });
    expect(undivided.left[0]!.message).toMatch(/groups .*must divide|divide the channels/);
    const first = await replaceNormalization(train(modelOf([4], ours.batchNormalization())), {
      to: 'MeanOnlyBatchNormalization',
    });
    expect(first.left[0]!.message).toMatch(/its scale has no place: the layer before/);
    const listed = modelOf([4, 3], ours.layerNormalization({ axis: [1, 2] }));
    const { left } = await replaceNormalization(listed, { from: 'LayerNormalization', to: 'InstanceNormalization' });
    expect(left).toHaveLength(1);
  });

  test('refuses classes that are no normalization, and unknown options', async () => {
    const model = withNorm(ours.batchNormalization());
    await expect(replaceNormalization(model, { to: 'Dense' })).rejects.toThrow(
      /must be one of BatchNormalization, .*received "Dense"/,
    );
    await expect(replaceNormalization(model, { from: 'Batch', to: 'LayerNormalization' })).rejects.toThrow(
      'received "Batch"',
    );
    await expect(replaceNormalization(model, {} as never)).rejects.toThrow('to must be one of');
    await expect(replaceNormalization(model, { to: 'LayerNormalization', groups: 1 } as never)).rejects.toThrow(
      "unknown option 'groups'",
    );
    await expect(replaceNormalization(model, { to: { className: 'LayerNormalization', config: [] } })).rejects.toThrow(
      'must be an object',
    );
  });
});

describe('describeNormalizations', () => {
  test('a layer without an epsilon has none', async () => {
    const [row] = await describeNormalizations(modelOf([4], ours.dynamicTanh()));
    expect(row).toMatchObject({ className: 'DynamicTanh', epsilon: undefined });
  });

  test('has a row for each, in models within, too', async () => {
    const inner = modelOf(
      [3, 4],
      ours.layerNormalization({ name: 'ln' }),
      l.timeDistributed({ name: 'td', layer: ours.batchNormalization() }),
    );
    const model = modelOf(
      [3, 4],
      inner,
      l.flatten(),
      ours.weightNormalization({ name: 'wn', layer: l.dense({ units: 6 }) }),
      ours.batchNormalization({ name: 'bn', epsilon: 0.01 }),
      l.dense({ units: 2, activation: 'relu' }),
      ours.batchNormalization({ name: 'last', scale: false }),
    );
    model.getLayer('bn').trainable = false;
    const tensors = tf.memory().numTensors;
    const rows = await describeNormalizations(model);
    expect(tf.memory().numTensors).toBe(tensors);
    const table = rows.map(({ layer, className, shape, epsilon, parameters, frozen, statistics }) => ({
      layer,
      className,
      shape,
      epsilon,
      parameters,
      frozen,
      statistics,
    }));
    expect(table).toEqual([
      {
        layer: `${inner.name}/ln`,
        className: 'LayerNormalization',
        shape: [null, 3, 4],
        epsilon: 1e-3,
        parameters: 8,
        frozen: false,
        statistics: 'none',
      },
      {
        layer: `${inner.name}/td`,
        className: 'TimeDistributed(BatchNormalization)',
        shape: [null, 3, 4],
        epsilon: 1e-3,
        parameters: 16,
        frozen: false,
        statistics: 'as initialized',
      },
      {
        layer: 'wn',
        className: 'WeightNormalization(Dense)',
        shape: [null, 6],
        epsilon: undefined,
        parameters: 6,
        frozen: false,
        statistics: 'none',
      },
      {
        layer: 'bn',
        className: 'BatchNormalization',
        shape: [null, 6],
        epsilon: 0.01,
        parameters: 24,
        frozen: true,
        statistics: 'as initialized',
      },
      {
        layer: 'last',
        className: 'BatchNormalization',
        shape: [null, 2],
        epsilon: 1e-3,
        parameters: 6,
        frozen: false,
        statistics: 'as initialized',
      },
    ]);
    const all = model.countParams();
    for (const { parameters, shareOfParameters, draws, shareOfDraws } of rows) {
      expect(shareOfParameters).toBe(parameters / all);
      expect(draws).toBeGreaterThan(0);
      expect(shareOfDraws).toBeGreaterThan(0);
      expect(shareOfDraws).toBeLessThan(1);
    }
    expect(rows.map(({ advice }) => advice.replace(/^train or .*?; /, ''))).toEqual([
      '',
      expect.stringMatching(/^cannot be folded/),
      '',
      'can be folded',
      expect.stringMatching(/cannot be folded: the layer before, '.*', has the activation relu; its own result/),
    ]);
  });

  test.each([
    [Number.NaN, 'not finite', /^recalibrate it: its statistics are not finite/],
    [-1, 'negative variance', /^recalibrate it: its variance is negative/],
    [2, 'plausible', /^can be folded/],
  ] as const)('a variance of %p: %s', async (variance, statistics, advice) => {
    const model = modelOf([2], l.dense({ units: 2 }), ours.batchNormalization());
    model.setWeights([...model.getWeights().slice(0, -1), tf.fill([2], variance)]);
    const [row] = await describeNormalizations(model);
    expect(row!.statistics).toBe(statistics);
    expect(row!.advice).toMatch(advice);
  });

  test('counts the same whatever the sizes, and models that only take their own', async () => {
    const rows = async (size: number | null) => {
      const model = modelOf(
        [size as number, size as number, 2],
        l.conv2d({ filters: 2, kernelSize: 3 }),
        ours.batchNormalization(),
        l.globalAveragePooling2d({}),
      );
      return (await describeNormalizations(model))[0]!.shareOfDraws;
    };
    expect(await rows(64)).toBe(await rows(null));
    const fixed = modelOf([40, 40, 1], ours.batchNormalization(), l.flatten(), l.dense({ units: 1 }));
    expect((await describeNormalizations(fixed))[0]!.draws).toBeGreaterThan(0);
  });
});
