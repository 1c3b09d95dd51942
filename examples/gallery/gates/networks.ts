/** The networks: two convolutions, each with a normalization that has gates to learn, or for comparison has none. */
import * as tf from '@tensorflow/tfjs';
import {
  type BatchInstanceNormalization,
  batchInstanceNormalization,
  instanceNormalization,
  type SwitchableNormalization,
  switchableNormalization,
} from 'tfjs-normalizations';
import { CLASSES, imageTensor, oneHot, SIZE } from '../shared/digits.ts';
import { setRate, variablesOf } from '../shared/training.ts';
import { CHANNELS, type Pictures, type Question } from './pictures.ts';

export const kinds = ['BatchInstanceNormalization', 'SwitchableNormalization', 'InstanceNormalization'] as const;
export type Kind = (typeof kinds)[number];

/** Halfway, so that rho may go both ways; the layer's own default is 1. */
const HALF = tf.initializers.constant({ value: 0.5 });
const normalizations: Readonly<Record<Kind, () => tf.layers.Layer>> = {
  BatchInstanceNormalization: () => batchInstanceNormalization({ rhoInitializer: HALF }),
  SwitchableNormalization: () => switchableNormalization(),
  InstanceNormalization: () => instanceNormalization(),
};
const GATES = /rho|mean_weights|variance_weights/;

export interface Network {
  readonly kind: Kind;
  readonly question: Question;
  readonly model: tf.Sequential;
  /** The normalizations, in order. */
  readonly layers: readonly tf.layers.Layer[];
  readonly optimizer: tf.Optimizer;
  /** Of the gates, which learn at a rate of their own. */
  readonly gateOptimizer: tf.Optimizer;
}

export function buildNetwork(kind: Kind, question: Question, seed: number): Network {
  const initializer = (layer: number) => tf.initializers.heNormal({ seed: 10 * seed + layer });
  const conv = (kernelSize: number, strides: number, layer: number) =>
    tf.layers.conv2d({
      filters: 16,
      kernelSize,
      strides,
      padding: 'same',
      useBias: false,
      kernelInitializer: initializer(layer),
      ...(layer === 0 && { inputShape: [SIZE, SIZE, CHANNELS] }),
    });
  const layers = [normalizations[kind](), normalizations[kind]()];
  const model = tf.sequential({
    layers: [
      conv(5, 3, 0),
      layers[0],
      tf.layers.reLU(),
      conv(3, 2, 1),
      layers[1],
      tf.layers.reLU(),
      tf.layers.flatten(),
      tf.layers.dense({ units: CLASSES, kernelInitializer: initializer(2) }),
    ],
  });
  return { kind, question, model, layers, optimizer: tf.train.adam(), gateOptimizer: tf.train.adam() };
}

export function disposeOf({ model, optimizer, gateOptimizer }: Network): void {
  for (const part of [model, optimizer, gateOptimizer]) part.dispose();
}

/** One step of training. Returns the loss. */
export async function trainStep(
  network: Network,
  pictures: Pictures,
  learningRate: number,
  gateRate: number,
): Promise<number> {
  const { model, question, optimizer, gateOptimizer } = network;
  setRate(optimizer, learningRate);
  setRate(gateOptimizer, gateRate);
  const loss = tf.tidy(() => {
    const [images, labels] = [imageTensor(pictures.pixels, CHANNELS), oneHot(pictures.labels[question])];
    const { value, grads } = tf.variableGrads(
      () => tf.losses.softmaxCrossEntropy(labels, model.apply(images, { training: true }) as tf.Tensor) as tf.Scalar,
      variablesOf(model),
    );
    const named = (areGates: boolean) =>
      Object.fromEntries(Object.entries(grads).filter(([name]) => GATES.test(name) === areGates));
    optimizer.applyGradients(named(false));
    gateOptimizer.applyGradients(named(true));
    return value;
  });
  const [value] = await loss.data();
  loss.dispose();
  return value;
}

/** The class that the network takes each picture for. */
export async function classify({ model }: Network, { pixels }: Pictures): Promise<Int32Array> {
  const classes = tf.tidy(() => tf.argMax(model.predictOnBatch(imageTensor(pixels, CHANNELS)) as tf.Tensor, -1));
  const found = (await classes.data()) as Int32Array;
  classes.dispose();
  return found;
}

export const rhos = ({ layers }: Network): number[][] =>
  layers.map((layer) => (layer as BatchInstanceNormalization).gates().rho);

export const sourceWeights = ({ layers }: Network) => layers.map((layer) => (layer as SwitchableNormalization).gates());
