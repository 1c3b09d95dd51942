/**
 * Options and configs that are anything: each is refused by an error that names the layer, or makes a layer whose config
 * survives and whose outputs and gradients of finite data are finite.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import * as ours from '../../layers/index.ts';
import { anything, madeOrRefused } from '../support/anything.ts';
import type { Layer } from '../support/layers.ts';
import { normals } from '../support/random.ts';

beforeAll(() => tf.setBackend('cpu'));

/** With a momentum outside [0, 1], which TensorFlow.js accepts in a saved layer, a moving variance may fall below 0. */
const diverges = (layer: object): boolean =>
  'momentum' in layer && typeof layer.momentum === 'number' && (layer.momentum < 0 || layer.momentum > 1);

type LayerClass = tf.serialization.SerializableConstructor<Layer> & (new (options?: unknown) => Layer);

interface Fuzzed {
  readonly cls: unknown;
  /** Options without which there is no layer. */
  readonly required?: () => object;
  /** Options that the default config does not name. */
  readonly more?: readonly string[];
  /** How many inputs of the same shape the layer takes. Default: 1. */
  readonly inputs?: number;
}
const scaled = () => ({ sequenceLength: 8 });
const around = () => ({ layer: tf.layers.dense({ units: 3 }) });

/** Every layer of the package but the recurrent ones, whose options TensorFlow.js checks. */
const FUZZED: Readonly<Record<string, Fuzzed>> = {
  BatchNormalization: { cls: ours.BatchNormalization, more: ['renorm', 'renormClipping', 'renormMomentum'] },
  InstanceNormalization: { cls: ours.InstanceNormalization },
  LayerNormalization: { cls: ours.LayerNormalization },
  RMSNormalization: { cls: ours.RMSNormalization },
  GroupNormalization: { cls: ours.GroupNormalization, required: () => ({ groups: 2 }) },
  WeightNormalization: { cls: ours.WeightNormalization, required: around },
  SpectralNormalization: { cls: ours.SpectralNormalization, required: around },
  BatchInstanceNormalization: { cls: ours.BatchInstanceNormalization },
  SwitchableNormalization: { cls: ours.SwitchableNormalization },
  BatchRenormalization: { cls: ours.BatchRenormalization },
  MeanOnlyBatchNormalization: { cls: ours.MeanOnlyBatchNormalization },
  AdaptiveInstanceNormalization: { cls: ours.AdaptiveInstanceNormalization, inputs: 2 },
  AdaptiveLayerNormalization: { cls: ours.AdaptiveLayerNormalization, inputs: 2 },
  AdaptiveLayerNormalizationZero: { cls: ours.AdaptiveLayerNormalizationZero, inputs: 2 },
  AddLayerNormalization: { cls: ours.AddLayerNormalization, inputs: 2 },
  AddRMSNormalization: { cls: ours.AddRMSNormalization, inputs: 2 },
  ConditionalBatchNormalization: { cls: ours.ConditionalBatchNormalization, inputs: 2 },
  FeaturewiseLinearModulation: { cls: ours.FeaturewiseLinearModulation, inputs: 2 },
  SpatiallyAdaptiveNormalization: { cls: ours.SpatiallyAdaptiveNormalization, inputs: 3 },
  MultiHeadAttention: { cls: ours.MultiHeadAttention, required: () => ({ numHeads: 2, keyDim: 3 }), inputs: 2 },
  QKNormalization: { cls: ours.QKNormalization, required: scaled, inputs: 2 },
  QKNormAttention: { cls: ours.QKNormAttention, required: scaled, inputs: 3 },
  Normalization: { cls: ours.FeatureNormalization },
  UnitNormalization: { cls: ours.UnitNormalization },
  WeightStandardization: { cls: ours.WeightStandardization, required: around },
  ScaleNormalization: { cls: ours.ScaleNormalization },
  PixelNormalization: { cls: ours.PixelNormalization },
  GlobalResponseNormalization: { cls: ours.GlobalResponseNormalization },
  FilterResponseNormalization: { cls: ours.FilterResponseNormalization },
  DynamicTanh: { cls: ours.DynamicTanh },
  DynamicErf: { cls: ours.DynamicErf },
  'Addons>FilterResponseNormalization': { cls: ours.AddonsFilterResponseNormalization },
  'Addons>TLU': { cls: ours.AddonsTLU },
  'Addons>WeightNormalization': { cls: ours.AddonsWeightNormalization, required: around },
  'Addons>SpectralNormalization': { cls: ours.AddonsSpectralNormalization, required: around },
};
const table = Object.entries(FUZZED);

test('every layer is among them', () => {
  const recurrent: unknown[] = [ours.GRU, ours.GRUCell, ours.LayerNormGRUCell, ours.LayerNormLSTMCell];
  const isLayer = (value: unknown) => typeof value === 'function' && value.prototype instanceof tf.layers.Layer;
  const layers = (Object.values(ours) as unknown[]).filter((value) => isLayer(value) && !recurrent.includes(value));
  expect(new Set(Object.values(FUZZED).map(({ cls }) => cls))).toEqual(new Set(layers));
});

const json = (value: unknown) => JSON.parse(JSON.stringify(value));
const classOf = (fuzzed: Fuzzed) => fuzzed.cls as LayerClass;
const optionsOf = ({ cls, required, more = [] }: Fuzzed) => {
  const { name: _, ...config } = new (cls as LayerClass)(required?.()).getConfig();
  return [...Object.keys(config), ...more].filter((key) => key !== 'trainable');
};

const SHAPES = [
  [4, 6],
  [2, 3, 4],
  [2, 3, 3, 4],
  [3, 1, 2],
];
/** Ordinary values, equal ones, and large ones. */
const DATA: ((size: number) => Float32Array)[] = [
  (size) => normals(3, size),
  (size) => new Float32Array(size).fill(2),
  (size) => new Float32Array(size),
  (size) => normals(3, size, 1e6, 1e3),
];

/** Whether initial weights, or statistics given as options, are such that float32 may have no number for the result. */
function isExtreme(layer: Layer): boolean {
  const { mean, variance } = layer.getConfig();
  const given: unknown[] = ([mean, variance] as unknown[][]).flat(9);
  const values = [...layer.getWeights().flatMap((weight) => [...weight.dataSync()]), ...given];
  return values.some((value) => typeof value === 'number' && !(Math.abs(value) < 1e12));
}

/** Calls the layer in training and in inference, and differentiates it. */
function exercise(layer: Layer, shape: number[], data: Float32Array, inputs: number): void {
  const x = tf.tensor(data, shape);
  const call = (x: tf.Tensor, training: boolean) =>
    layer.apply(inputs === 1 ? x : new Array(inputs).fill(x), { training }) as tf.Tensor | tf.Tensor[];
  const first = (y: tf.Tensor | tf.Tensor[]) => [y].flat()[0] as tf.Tensor;
  call(x, false);
  if (isExtreme(layer)) return;
  for (const training of [true, false]) {
    const outputs = [call(x, training)].flat() as tf.Tensor[];
    const dx = tf.grad((x: tf.Tensor) => first(call(x, training)))(x);
    for (const tensor of [...outputs, dx]) {
      const wrong = tensor.dataSync().find((value) => !Number.isFinite(value));
      if (wrong !== undefined) throw new Error(`${wrong} of finite data`);
    }
  }
  for (const weight of layer.getWeights()) expect(weight.dataSync().every(Number.isFinite)).toBe(true);
}

function checkLayer(who: string, { cls, inputs = 1 }: Fuzzed, layer: Layer, shape: number[], data: Float32Array): void {
  const config = json(layer.getConfig());
  const again = (cls as LayerClass).fromConfig(cls as LayerClass, structuredClone(config)) as Layer;
  expect(json(again.getConfig())).toEqual(config);
  const before = tf.memory().numTensors;
  try {
    tf.tidy(() => exercise(layer, shape, data, inputs));
  } catch (error) {
    const { message } = error as Error;
    if (!message.startsWith(`${who}: `) && !message.includes(layer.name)) throw error;
  }
  for (const weight of layer.weights) weight.dispose();
  expect(tf.memory().numTensors).toBe(before);
}

const shapeAndData = fc.tuple(fc.constantFrom(...SHAPES), fc.constantFrom(...DATA));
const sizeOf = (shape: number[]) => shape.reduce((a, b) => a * b, 1);

describe.each(table)('%s', (who, fuzzed) => {
  test.each([null, 5, 'text', [], () => 1, 10n])('instead of options: %p', (args) => {
    expect(madeOrRefused(who, () => new (classOf(fuzzed))(args))).toBeUndefined();
  });

  test('any option', () => {
    const options = fc.dictionary(fc.constantFrom(...optionsOf(fuzzed)), anything, { minKeys: 1, maxKeys: 2 });
    fc.assert(
      fc.property(options, shapeAndData, (options, [shape, make]) => {
        // A number of steps may be as large as anybody wants it, and takes as long.
        const few =
          typeof options.powerIterations === 'number' && options.powerIterations > 3 ? { powerIterations: 3 } : {};
        const layer = madeOrRefused(who, () => new (classOf(fuzzed))({ ...fuzzed.required?.(), ...options, ...few }));
        if (layer && !diverges(layer)) checkLayer(who, fuzzed, layer, shape, make(sizeOf(shape)));
      }),
      { numRuns: 150, seed: 5 },
    );
  });

  test('any change to a config', () => {
    const config = json(new (classOf(fuzzed))(fuzzed.required?.()).getConfig());
    fc.assert(
      fc.property(fc.nat(), anything, fc.boolean(), shapeAndData, (place, value, isRemoved, [shape, make]) => {
        const changed = structuredClone(config);
        const [owner, key] = placesIn(changed)[place % placesIn(changed).length]!;
        if (isRemoved) delete owner[key];
        else owner[key] = key === 'powerIterations' && typeof value === 'number' ? Math.min(value, 3) : value;
        const cls = classOf(fuzzed);
        const layer = madeOrRefused(who, () => cls.fromConfig(cls, changed) as Layer);
        if (layer && !diverges(layer)) checkLayer(who, fuzzed, layer, shape, make(sizeOf(shape)));
      }),
      { numRuns: 150, seed: 6 },
    );
  });

  test('the config that fromConfig is given stays as it is', () => {
    const config = json(new (classOf(fuzzed))(fuzzed.required?.()).getConfig());
    const given = structuredClone(config);
    const cls = classOf(fuzzed);
    cls.fromConfig(cls, given);
    expect(given).toEqual(config);
  });
});

type Place = readonly [owner: Record<string, unknown>, key: string];

/** Every key in an object and in those within it, but the options of TensorFlow.js, which are its to check. */
function placesIn(owner: Record<string, unknown>, isShallow = false): Place[] {
  return Object.entries(owner).flatMap(([key, value]): Place[] => {
    if (key === 'name' || key === 'trainable') return [];
    const isOpen = !isShallow && typeof value === 'object' && value !== null;
    return [[owner, key], ...(isOpen ? placesIn(value as Record<string, unknown>, key === 'layer') : [])];
  });
}
