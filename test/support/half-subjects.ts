/**
 * All public functions and layers, as a table of what is tried where textures hold 16-bit floats: each with inputs that such
 * floats hold exactly, so that float32 on the same numbers is what is right.
 */
import * as tf from '@tensorflow/tfjs';
import * as ours from '../../layers/index.ts';
import { normals } from './random.ts';

/** The largest 16-bit float. */
export const LARGEST = 65504;

/** The nearest 16-bit float; what is too large stays at the largest. */
export function toHalf(value: number): number {
  if (value === 0 || Number.isNaN(value)) return value;
  const magnitude = Math.abs(value);
  const unit = 2 ** (Math.max(Math.floor(Math.log2(magnitude)), -14) - 10);
  return Math.sign(value) * Math.min(Math.round(magnitude / unit) * unit, LARGEST);
}

export interface HalfCase {
  readonly subject: string;
  /** Of the activations. */
  readonly std: number;
  /** In deviations. */
  readonly mean: number;
  /** The first example, and the first channel of all, are constant. */
  readonly dead?: boolean;
  /** A batch of one. */
  readonly single?: boolean;
  /** Of the gradients that arrive, those of normal numbers by default: with `std` gradients of x are about 1. */
  readonly upstream: number;
}

/** Values as large as activations, parameters near 1 or around 0, or unit vectors. */
export type Like =
  | 'activations'
  | 'kernel'
  | 'scale'
  | 'shift'
  | 'mean'
  | 'variance'
  | 'direction'
  | 'values'
  | 'logits';

type Given = Readonly<Record<string, tf.Tensor>>;
export interface FunctionSubject {
  readonly inputs: Readonly<Record<string, readonly [like: Like, ...shape: number[]]>>;
  /** y, and what else comes out. */
  readonly f: (given: Given) => { readonly y: tf.Tensor } & Given;
}
export interface LayerSubject {
  readonly layer: () => tf.layers.Layer;
  readonly shape: readonly number[];
  /** Whether positions are masked; the second of every three. */
  readonly masked?: boolean;
  /** What are as large as activations: the inputs, or the kernel of a wrapped layer. */
  readonly kernels?: true;
  /** Of the gradients that arrive, whatever the case says. */
  readonly upstream?: number;
  /** The smallest deviation that it is for. */
  readonly least?: number;
  /** Only for mean 0 and deviation 1: beyond, matrix products of inputs and kernels overflow, or sums of gradients times inputs. */
  readonly isOrdinary?: true;
  /** The number of inputs, if not one. */
  readonly inputs?: number;
}

const image = [4, 5, 3, 6] as const;
const perChannel = { gamma: ['scale', 6], beta: ['shift', 6] } as const;
const onImage = { x: ['activations', ...image], ...perChannel } as const;
const rows = { x: ['activations', 6, 33], gamma: ['scale', 33], beta: ['shift', 33] } as const;
const heads = {
  q: ['activations', 2, 2, 5, 8],
  k: ['activations', 2, 2, 5, 8],
  v: ['values', 2, 2, 5, 7],
  g: ['logits'],
} as const;
const only = (y: tf.Tensor) => ({ y });
/** Query i may attend to the keys before it: the first to none. */
const before = () =>
  tf.linalg
    .bandPart(tf.ones([1, 5, 5]), 4, 0)
    .sub(tf.eye(5))
    .cast('bool');

export const FUNCTIONS: Readonly<Record<string, FunctionSubject>> = {
  batchNorm: { inputs: onImage, f: ({ x, ...p }) => ({ ...ours.batchNorm(x!, p) }) },
  'batchNorm with given statistics': {
    inputs: { ...onImage, mean: ['mean', 6], variance: ['variance', 6] },
    f: ({ x, ...p }) => only(ours.batchNorm(x!, p as ours.BatchNormOptions).y),
  },
  layerNorm: { inputs: rows, f: ({ x, ...p }) => only(ours.layerNorm(x!, p)) },
  'layerNorm of images': {
    inputs: { x: ['activations', ...image] },
    f: ({ x }) => only(ours.layerNorm(x!, { axis: [1, 2, 3] })),
  },
  rmsNorm: { inputs: rows, f: ({ x, ...p }) => only(ours.rmsNorm(x!, p)) },
  'rmsNorm, inside': { inputs: rows, f: ({ x, ...p }) => only(ours.rmsNorm(x!, { ...p, epsilonPlacement: 'inside' })) },
  'rmsNorm, floor': { inputs: rows, f: ({ x, ...p }) => only(ours.rmsNorm(x!, { ...p, epsilonPlacement: 'floor' })) },
  instanceNorm: { inputs: onImage, f: ({ x, ...p }) => only(ours.instanceNorm(x!, p)) },
  groupNorm: { inputs: onImage, f: ({ x, ...p }) => only(ours.groupNorm(x!, { ...p, groups: 2 })) },
  weightNorm: {
    inputs: { v: ['kernel', 40, 5], g: ['scale', 5] },
    f: ({ v, g }) => only(ours.weightNorm(v!, { g })),
  },
  spectralNorm: {
    inputs: { w: ['kernel', 12, 7], u: ['direction', 1, 7], v: ['direction', 1, 12] },
    f: ({ w, u, v }) => {
      const { kernel, sigma } = ours.spectralNorm(w!, { u: u!, v: v!, powerIterations: 3 });
      return { y: kernel, sigma };
    },
  },
  qkNorm: {
    inputs: { q: ['activations', 3, 4, 8], k: ['activations', 3, 5, 8], g: ['scale'] },
    f: ({ q, k, g }) => {
      const [qHat, kHat] = ours.qkNorm(q!, k!, g!);
      return only(tf.concat([qHat, kHat], 1));
    },
  },
  qkAttention: { inputs: heads, f: ({ q, k, v, g }) => only(ours.qkAttention(q!, k!, v!, g!)) },
  'qkAttention, causal': {
    inputs: heads,
    f: ({ q, k, v, g }) => only(ours.qkAttention(q!, k!, v!, g!, { causal: true })),
  },
  'qkAttention of a query without keys': {
    inputs: heads,
    f: ({ q, k, v, g }) => only(ours.qkAttention(q!, k!, v!, g!, { mask: before() })),
  },
};

const rhoInitializer = { className: 'Constant', config: { value: 0.625 } };
const dense = () => tf.layers.dense({ units: 5, useBias: false, kernelInitializer: 'zeros' });
const alike = { shape: image };
const matrix = { shape: [24, 12] };

export const LAYERS: Readonly<Record<string, LayerSubject>> = {
  BatchNormalization: { layer: () => ours.batchNormalization({ momentum: 0.5 }), ...alike },
  'BatchNormalization with a variance that 16 bits do not hold': {
    layer: () =>
      ours.batchNormalization({ movingVarianceInitializer: { className: 'Constant', config: { value: 2e6 } } }),
    ...alike,
    least: 300,
  },
  'BatchNormalization of one channel': { layer: () => ours.batchNormalization({ momentum: 0.5 }), shape: [40, 1] },
  'BatchNormalization without parameters': {
    layer: () => ours.batchNormalization({ momentum: 0.5, center: false, scale: false }),
    shape: [40, 1],
  },
  'BatchNormalization of axis 1': {
    layer: () => ours.batchNormalization({ momentum: 0.5, axis: 1 }),
    shape: [4, 3, 5, 6],
  },
  'BatchNormalization, masked': {
    layer: () => ours.batchNormalization({ momentum: 0.5 }),
    shape: [4, 9, 6],
    masked: true,
  },
  'BatchNormalization, renorm': {
    layer: () =>
      ours.batchNormalization({
        momentum: 0.5,
        renorm: true,
        renormMomentum: 0.5,
        renormClipping: { rmax: 3, rmin: 0.3, dmax: 5 },
      }),
    ...alike,
  },
  InstanceNormalization: { layer: () => ours.instanceNormalization(), ...alike },
  LayerNormalization: { layer: () => ours.layerNormalization(), ...matrix },
  // Without variance y is x / sqrt(epsilon): a large epsilon keeps that, and sums of it, within 65504.
  'LayerNormalization, rmsScaling': {
    layer: () => ours.layerNormalization({ rmsScaling: true, epsilon: 0.5 }),
    ...matrix,
    upstream: 1,
  },
  RMSNormalization: { layer: () => ours.rmsNormalization(), ...matrix },
  GroupNormalization: { layer: () => ours.groupNormalization({ groups: 3 }), ...alike },
  UnitNormalization: { layer: () => ours.unitNormalization(), ...matrix },
  FeatureNormalization: { layer: () => ours.featureNormalization(), ...matrix },
  MeanOnlyBatchNormalization: { layer: () => ours.meanOnlyBatchNormalization({ momentum: 0.5 }), ...alike },
  BatchRenormalization: { layer: () => ours.batchRenormalization({ momentum: 0.5, rampSteps: null }), ...alike },
  'BatchRenormalization with a ramp': {
    layer: () => ours.batchRenormalization({ momentum: 0.5, rampSteps: { rmax: [0, 4], dmax: [0, 4] } }),
    ...matrix,
  },
  BatchInstanceNormalization: {
    layer: () => ours.batchInstanceNormalization({ momentum: 0.5, rhoInitializer }),
    ...alike,
  },
  'BatchInstanceNormalization as it starts': {
    layer: () => ours.batchInstanceNormalization({ momentum: 0.5 }),
    ...alike,
  },
  'BatchInstanceNormalization of single positions': {
    layer: () => ours.batchInstanceNormalization({ momentum: 0.5 }),
    shape: [7, 1, 1, 12],
  },
  'BatchInstanceNormalization of axis 1': {
    layer: () => ours.batchInstanceNormalization({ momentum: 0.5, axis: 1, rhoInitializer }),
    shape: [4, 3, 5, 6],
  },
  'BatchInstanceNormalization of a matrix': {
    layer: () => ours.batchInstanceNormalization({ momentum: 0.5 }),
    ...matrix,
  },
  SwitchableNormalization: { layer: () => ours.switchableNormalization({ momentum: 0.5 }), ...alike },
  'SwitchableNormalization of axis 1': {
    layer: () => ours.switchableNormalization({ momentum: 0.5, axis: 1 }),
    shape: [4, 3, 5, 6],
  },
  'SwitchableNormalization of single positions': {
    layer: () => ours.switchableNormalization({ momentum: 0.5 }),
    shape: [7, 1, 1, 12],
  },
  'SwitchableNormalization without the batch': {
    layer: () => ours.switchableNormalization({ useBatchStatistics: false }),
    ...alike,
  },
  'SwitchableNormalization of a matrix': { layer: () => ours.switchableNormalization({ momentum: 0.5 }), ...matrix },
  WeightNormalization: {
    layer: () => ours.weightNormalization({ layer: dense() }),
    shape: [8, 12],
    kernels: true,
    upstream: 1,
  },
  SpectralNormalization: {
    layer: () => ours.spectralNormalization({ layer: dense(), powerIterations: 3 }),
    shape: [8, 12],
    kernels: true,
  },
  'SpectralNormalization, Keras': {
    layer: () => ours.spectralNormalization({ layer: dense(), powerIterations: 3, reparameterize: false }),
    shape: [8, 12],
    kernels: true,
  },
  // Powers and products of several inputs as large as activations do not fit, whatever computes them.
  AdaptiveInstanceNormalization: {
    layer: () => ours.adaptiveInstanceNormalization(),
    shape: image,
    isOrdinary: true,
    inputs: 2,
  },
  AdaptiveLayerNormalization: {
    layer: () => ours.adaptiveLayerNormalization(),
    ...matrix,
    isOrdinary: true,
    inputs: 3,
  },
  AdaptiveLayerNormalizationZero: {
    layer: () => ours.adaptiveLayerNormalizationZero(),
    ...matrix,
    isOrdinary: true,
    inputs: 4,
  },
  ConditionalBatchNormalization: {
    layer: () => ours.conditionalBatchNormalization({ momentum: 0.5 }),
    ...alike,
    isOrdinary: true,
    inputs: 3,
  },
  FeaturewiseLinearModulation: {
    layer: () => ours.featurewiseLinearModulation(),
    ...alike,
    isOrdinary: true,
    inputs: 3,
  },
  SpatiallyAdaptiveNormalization: {
    layer: () => ours.spatiallyAdaptiveNormalization({ momentum: 0.5 }),
    ...alike,
    isOrdinary: true,
    inputs: 3,
  },
  AddLayerNormalization: { layer: () => ours.addLayerNormalization(), ...matrix, isOrdinary: true, inputs: 2 },
  AddRMSNormalization: { layer: () => ours.addRMSNormalization(), ...matrix, isOrdinary: true, inputs: 2 },
  WeightStandardization: {
    layer: () => ours.weightStandardization({ layer: dense() }),
    shape: [8, 12],
    kernels: true,
  },
  ScaleNormalization: { layer: () => ours.scaleNormalization(), ...matrix },
  PixelNormalization: { layer: () => ours.pixelNormalization(), ...matrix },
  GlobalResponseNormalization: { layer: () => ours.globalResponseNormalization(), ...alike, isOrdinary: true },
  FilterResponseNormalization: { layer: () => ours.filterResponseNormalization(), ...alike },
  DynamicTanh: { layer: () => ours.dynamicTanh(), ...matrix, isOrdinary: true },
  DynamicErf: { layer: () => ours.dynamicErf(), ...matrix, isOrdinary: true },
  GRU: { layer: () => ours.gru({ units: 4, resetAfter: true }), shape: [2, 3, 8], isOrdinary: true },
  GRUCell: {
    layer: () => tf.layers.rnn({ cell: ours.gruCell({ units: 4, resetAfter: true }) }),
    shape: [2, 3, 8],
    isOrdinary: true,
  },
  LayerNormLSTMCell: {
    layer: () => tf.layers.rnn({ cell: ours.layerNormLSTMCell({ units: 4 }) }),
    shape: [2, 3, 8],
    isOrdinary: true,
  },
  LayerNormGRUCell: {
    layer: () => tf.layers.rnn({ cell: ours.layerNormGRUCell({ units: 4 }) }),
    shape: [2, 3, 8],
    isOrdinary: true,
  },
  QKNormalization: { layer: () => ours.qkNormalization({ sequenceLength: 5 }), shape: [2, 2, 5, 8], inputs: 2 },
  MultiHeadAttention: {
    layer: () => ours.multiHeadAttention({ numHeads: 2, keyDim: 4 }),
    shape: [2, 5, 8],
    isOrdinary: true,
    inputs: 2,
  },
  QKNormAttention: {
    layer: () => ours.qkNormAttention({ sequenceLength: 5, causal: true }),
    shape: [2, 2, 5, 8],
    inputs: 3,
  },
};

/** Inputs of a case as 16-bit floats. */
export function halfValues(like: Like, shape: readonly number[], seed: number, args: HalfCase): Float32Array {
  const size = shape.reduce((a, b) => a * b, 1);
  const { std, dead = false } = args;
  const mean = args.mean * std;
  const channels = shape.at(-1) ?? 1;
  const example = size / (shape[0] ?? 1);
  const random = (mean: number, std: number) => normals(seed, size, mean, std);
  const values: Record<Like, () => Float32Array> = {
    kernel: () => random(mean, std),
    activations: () => random(mean, std).map((v, i) => (dead && (i % channels === 0 || i < example) ? mean + std : v)),
    scale: () => random(1, 0.3),
    shift: () => random(0, 0.3),
    mean: () => random(mean, std),
    variance: () => random(1, 0.1).map((v) => v * Math.min(std * std, 40000)),
    direction: () => random(0, 1 / Math.sqrt(size)),
    values: () => random(0, 1),
    logits: () => random(4, 0.5),
  };
  return values[like]().map(toHalf);
}
