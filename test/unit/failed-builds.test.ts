/** Builds that fail, and those after them. Layers of one input are in errors.test.ts. */
import { expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as ours from '../../layers/index.ts';

type Shape = number[] | number[][];

let fails = true;
/** Ones, or an error. */
const given = tf.initializers.ones();
const { apply } = given;
given.apply = (...args) => {
  if (fails) throw new Error('no value today');
  return apply.apply(given, args);
};

const steps = [2, 5, 3];
const image = [2, 4, 4, 2];
const both = [
  [2, 3, 4],
  [2, 3, 4],
];
const separable = () => tf.layers.separableConv2d({ filters: 2, kernelSize: 2, biasInitializer: given });
const LAYERS: [string, () => tf.layers.Layer, Shape][] = [
  [
    'ConditionalBatchNormalization',
    () => ours.conditionalBatchNormalization({ biasInitializer: given }),
    [
      [2, 3, 4],
      [2, 5],
    ],
  ],
  ['MultiHeadAttention', () => ours.multiHeadAttention({ numHeads: 1, keyDim: 2, biasInitializer: given }), both],
  ['QKNormalization', () => ours.qkNormalization({ scaleInitializer: given }), both],
  ['TLU', () => new ours.AddonsTLU({ affine: true, alphaInitializer: given }), [2, 3, 4]],
  ['GRUCell', () => ours.gruCell({ units: 2, biasInitializer: given }), [2, 3]],
  ['LayerNormGRUCell', () => ours.layerNormGRUCell({ units: 2, normBetaInitializer: given }), [2, 3]],
  ['LayerNormLSTMCell', () => ours.layerNormLSTMCell({ units: 2, normBetaInitializer: given }), [2, 3]],
  ['GRU', () => ours.gru({ units: 2, biasInitializer: given }), steps],
  [
    'a recurrent layer of a cell',
    () => tf.layers.rnn({ cell: ours.layerNormGRUCell({ units: 2, normGammaInitializer: given }) }),
    steps,
  ],
  [
    'a wrapper of a dense layer',
    () => ours.weightNormalization({ layer: tf.layers.dense({ units: 2, biasInitializer: given }) }),
    [2, 3],
  ],
  ['a wrapper of two kernels', () => ours.spectralNormalization({ layer: separable() }), image],
  [
    'a wrapper of a recurrent layer',
    () => ours.weightNormalization({ layer: tf.layers.lstm({ units: 2, recurrentInitializer: given }) }),
    steps,
  ],
];

test.each(LAYERS)(
  'a build that fails leaves no weight, and the layer can be built again: %s',
  (_, make, inputShape) => {
    const layer = make();
    const before = tf.memory().numTensors;
    fails = true;
    expect(() => layer.build(inputShape)).toThrow('no value today');
    expect(layer.weights).toEqual([]);
    expect(layer.built).toBe(false);
    expect(tf.memory().numTensors).toBe(before);
    fails = false;
    layer.build(inputShape);
    const right = make();
    right.build(inputShape);
    expect(layer.built).toBe(right.built);
    expect(layer.weights.map(({ shape }) => shape)).toEqual(right.weights.map(({ shape }) => shape));
    for (const weight of [...layer.weights, ...right.weights]) weight.dispose();
    expect(tf.memory().numTensors).toBe(before);
  },
);

test('a wrapper that cannot be built leaves its layer as it was', () => {
  const shapes = ({ weights }: tf.layers.Layer) => weights.map(({ shape }) => shape);
  fails = false;
  const unbuilt = separable();
  const built = separable();
  built.build(image);
  const before = [shapes(built), tf.memory().numTensors];
  for (const layer of [unbuilt, built]) {
    const wrapper = ours.weightNormalization({ layer, dataInit: true });
    expect(() => wrapper.build(image)).toThrow('dataInit is for layers with one kernel');
    expect([wrapper.built, unbuilt.built, built.built]).toEqual([false, false, true]);
    expect([shapes(built), tf.memory().numTensors]).toEqual(before);
  }
  unbuilt.build(image);
  const x = tf.ones(image);
  for (const layer of [unbuilt, built]) expect((layer.apply(x) as tf.Tensor).shape).toEqual([2, 3, 3, 2]);
});

test('weights of another shape, given to a layer that a wrapper builds, leave none', () => {
  const layer = tf.layers.dense({ units: 2, weights: [tf.ones([4, 2]), tf.ones([2])] });
  const before = tf.memory().numTensors;
  const wrapper = ours.spectralNormalization({ layer });
  expect(() => wrapper.build([2, 3])).toThrow('not compatible with provided weight shape');
  expect([layer.built, layer.weights.length, tf.memory().numTensors]).toEqual([false, 0, before]);
  wrapper.build([2, 4]);
  expect(layer.weights.map(({ shape }) => shape)).toEqual([[4, 2], [2]]);
});
