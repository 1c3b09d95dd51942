/** The wrapper WeightStandardization: kernels of mean 0 and variance 1, and nothing else of the layer changed. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import { saveSafetensors } from '../../layers/files/index.ts';
import {
  groupNormalization,
  removeWeightNormalization,
  removeWeightStandardization,
  WeightStandardization,
  weightStandardization,
} from '../../layers/index.ts';
import { values } from '../support/keras-files.ts';
import { WRAPPABLE } from '../support/wrapper-table.ts';

beforeAll(() => tf.setBackend('cpu'));

const numbers = (tensor: unknown) => Array.from((tensor as tf.Tensor).dataSync());
const fill = (layer: tf.layers.Layer) =>
  tf.tidy(() => {
    layer.setWeights(layer.getWeights().map((w, i) => tf.tensor(values(w.shape, i + 1).data, w.shape)));
  });
const inputOf = ({ shape, indices }: { readonly shape: readonly number[]; readonly indices?: number }) => {
  const { data } = values([...shape], 9);
  const whole = (value: number) => Math.floor(Math.abs(value) * (indices ?? 1)) % (indices ?? 1);
  return tf.tensor(indices ? data.map(whole) : data, [...shape]);
};

describe.each(Object.entries(WRAPPABLE))('of %s', (_, { layer, kernels, ...given }) => {
  const wrapped = () =>
    weightStandardization({ layer: layer as never, name: 'standard', inputShape: given.shape.slice(1) });
  const x = inputOf(given as never);

  test('each unit has mean 0 and variance 1, and the layer computes with that', () => {
    const wrapper = wrapped();
    const model = tf.sequential({ layers: [wrapper] });
    fill(wrapper);
    const effective = wrapper.effectiveKernels();
    expect(Object.keys(effective)).toEqual(Object.keys(kernels));
    for (const [name, kernel] of Object.entries(effective)) {
      const { shape, units } = kernels[name]!;
      expect(kernel.shape).toEqual(shape);
      const others = shape.map((_, axis) => axis).filter((axis) => !units.includes(axis));
      const { mean, variance } = tf.moments(kernel, others);
      expect(numbers(mean)).toBeClose(Array(mean.size).fill(0), { atol: 1e-6 });
      const isOne = others.reduce((size, axis) => size * shape[axis]!, 1) === 1;
      expect(numbers(variance)).toBeClose(Array(variance.size).fill(isOne ? 0 : 1), { atol: 1e-5 });
    }
    const plain = removeWeightStandardization(model);
    expect(plain.layers.map((one) => one.getClassName())).toEqual([layer.className]);
    expect(numbers(plain.predict(x))).toBeClose(numbers(model.predict(x)), { ofMax: 1e-5, atol: 1e-6 });
    expect(wrapper.weights.map(({ originalName }) => originalName.split('/')[0])).toEqual(
      wrapper.weights.map(() => 'standard'),
    );
    expect(wrapper.countParams()).toBe(plain.countParams());
  });
});

test('goes with group normalization, trains, and is saved and loaded', async () => {
  const model = tf.sequential({
    layers: [
      weightStandardization(tf.layers.conv2d({ filters: 4, kernelSize: 3 }), { inputShape: [6, 6, 2], epsilon: 1e-5 }),
      groupNormalization({ groups: 2 }),
      tf.layers.globalAveragePooling2d({}),
      tf.layers.dense({ units: 1 }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(0.05), loss: 'meanSquaredError' });
  const [x, y] = [tf.tensor(values([4, 6, 6, 2]).data, [4, 6, 6, 2]), tf.tensor(values([4, 1], 5).data, [4, 1])];
  const { history } = await model.fit(x, y, { epochs: 20, verbose: 0 });
  const losses = history.loss as number[];
  expect(losses.at(-1)).toBeLessThan(losses[0]! / 2);
  const before = tf.memory().numTensors;
  await model.fit(x, y, { epochs: 2, verbose: 0 });
  tf.tidy(() => numbers(model.predict(x)));
  expect(tf.memory().numTensors).toBe(before);
  const saved: tf.io.ModelArtifacts[] = [];
  await model.save(
    tf.io.withSaveHandler(async (artifacts) => {
      saved.push(artifacts);
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    }),
  );
  expect(saved[0]!.weightSpecs!.map(({ name }) => name.replace(/_[A-Z]\w*\d/, ''))).toContain(
    'weight_standardization/kernel',
  );
  const again = await tf.models.modelFromJSON(JSON.parse(JSON.stringify(saved[0]!.modelTopology)));
  again.setWeights(model.getWeights());
  expect(again.layers[0]).toBeInstanceOf(WeightStandardization);
  expect(again.layers[0]!.getConfig()).toMatchObject({ epsilon: 1e-5, layer: { className: 'Conv2D' } });
  expect(numbers(again.predict(x))).toEqual(numbers(model.predict(x)));
});

test('weights that are all equal become zeros, also without epsilon, and their gradients are finite', () => {
  const wrapper = weightStandardization({
    layer: tf.layers.dense({ units: 2, kernelInitializer: 'ones' }),
    epsilon: 0,
  });
  const x = tf.tensor([[1, 2, 3]]);
  expect(numbers(wrapper.apply(x))).toEqual([0, 0]);
  const { grads } = tf.variableGrads(() => tf.sum(wrapper.apply(x) as tf.Tensor) as tf.Scalar);
  const ofKernel = grads[wrapper.trainableWeights[0]!.name]!;
  expect(numbers(ofKernel).every(Number.isFinite)).toBe(true);
});

test('a frozen wrapper keeps the kernel, and a kernel far from 0 loses no digits', () => {
  const wrapper = weightStandardization({ layer: tf.layers.dense({ units: 1, useBias: false }) });
  wrapper.apply(tf.ones([1, 4]));
  const kernel = [1, 2, 3, 4];
  wrapper.setWeights([
    tf.tensor(
      kernel.map((value) => value + 1e4),
      [4, 1],
    ),
  ]);
  const { kernel: far } = wrapper.effectiveKernels();
  expect(numbers(far)).toBeClose(
    kernel.map((value) => (value - 2.5) / Math.sqrt(1.25)),
    { atol: 1e-3 },
  );
  wrapper.trainable = false;
  expect(wrapper.trainableWeights).toEqual([]);
});

test('what is wrong is refused by name', async () => {
  const layer = tf.layers.dense({ units: 2, inputShape: [3] });
  expect(() => weightStandardization({ layer, epsilon: -1 })).toThrow(/^WeightStandardization: epsilon must be/);
  expect(() => weightStandardization({ layer, gain: true } as never)).toThrow(
    /^WeightStandardization: unknown option 'gain'/,
  );
  expect(() => weightStandardization({ layer: tf.layers.reLU() }).apply(tf.ones([2, 3]))).toThrow(/has no kernel/);
  const model = tf.sequential({ layers: [weightStandardization({ layer, name: 'w' })] });
  expect(() => removeWeightNormalization(model)).toThrow(/has no layer wrapped in WeightNormalization/);
  await expect(saveSafetensors(model)).rejects.toThrow(
    /the layer 'w' \(WeightStandardization\) is no module of PyTorch itself; take the wrapper off with removeWeightStandardization/,
  );
});
