/** What a layer costs at published sizes: time, in turns with what it is compared with, so that both meet the same machine. */
import * as tf from '@tensorflow/tfjs';
import { median } from '../../benchmark/race.js';
import { variablesOf } from '../shared/training.ts';
import type { Effect } from './claim.ts';

/** Sizes of networks that were published. */
export const SHAPES = {
  /** BERT base: 128 tokens of 768 features. */
  transformer: [4, 128, 768],
  /** The first blocks of ResNet-50: 56 x 56 positions of 64 channels. */
  vision: [4, 56, 56, 64],
  /** A dense layer on 512 features. */
  dense: [64, 512],
} as const;

const ROUNDS = 31;
/** Calls in a round that are not counted. */
const WARM_UP = 2;

interface Timed {
  readonly make: () => tf.layers.Layer;
  readonly shape: readonly number[];
  /** A training call with all gradients, or a prediction. */
  readonly training: boolean;
}

type Call = () => tf.Tensor;

/** By how many percent the first takes longer than the second. */
export const slower =
  (one: () => tf.layers.Layer, other: () => tf.layers.Layer, shape: readonly number[], training: boolean): Effect =>
  async ({ seed, frame }) => {
    const timed = [one, other].map((make) => prepare({ make, shape, training }, seed));
    const x = tf.randomNormal([...shape], 0, 1, 'float32', seed);
    try {
      return await ratio(timed[0].call(x), timed[1].call(x), frame);
    } finally {
      x.dispose();
      for (const { dispose } of timed) dispose();
    }
  };

/** By how many percent the first call takes longer than the second, by the median of calls in turns. */
export async function ratio(one: Call, other: Call, frame: () => Promise<void>): Promise<number> {
  const ratios: number[] = [];
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    // Whoever comes second finds a warmer cache, or a colder one.
    const turns = round % 2 === 0 ? [one, other] : [other, one];
    const times: number[] = [];
    for (const call of turns) times.push(await timeOf(call));
    const [first, second] = round % 2 === 0 ? times : times.reverse();
    if (round >= 0) ratios.push(first / second);
    await frame();
  }
  return 100 * (median(ratios) - 1);
}

/** Processor time where it can be had, in Node: other processes hardly change it. */
const now = (): number => {
  const usage = (globalThis as { process?: { cpuUsage?(): { user: number; system: number } } }).process?.cpuUsage?.();
  return usage ? (usage.user + usage.system) / 1000 : performance.now();
};

async function timeOf(call: Call): Promise<number> {
  const start = now();
  const result = call();
  await result.data();
  const end = now();
  result.dispose();
  return end - start;
}

function prepare({ make, shape, training }: Timed, seed: number) {
  const model = modelOf(make, shape);
  const call = (x: tf.Tensor): Call => {
    if (!training) return () => tf.tidy(() => first(model.apply(x, { training: false }) as tf.Tensor));
    const dy = tf.tidy(() => {
      const y = model.apply(x) as tf.Tensor;
      return tf.randomNormal(y.shape, 0, 1, 'float32', seed + 1);
    });
    disposables.push(dy);
    return () =>
      tf.tidy(() => {
        const variables = variablesOf(model);
        const f = (x: tf.Tensor) => tf.sum(tf.mul(model.apply(x, { training: true }) as tf.Tensor, dy));
        const { grads } = tf.engine().gradients(() => f(x) as tf.Scalar, [x, ...variables]) as { grads: tf.Tensor[] };
        return first(grads[0]);
      });
  };
  const disposables: tf.Tensor[] = [];
  return {
    call,
    dispose() {
      tf.dispose(disposables);
      model.dispose();
    },
  };
}

const modelOf = (make: () => tf.layers.Layer, shape: readonly number[]) =>
  tf.sequential({ layers: [tf.layers.inputLayer({ inputShape: shape.slice(1) }), make()] });

/** One number: to read it means to wait for the whole. */
const first = (x: tf.Tensor): tf.Tensor => tf.slice(tf.reshape(x, [-1]), [0], [1]);

/** How many numbers a layer learns for inputs of this shape. */
export function parameters(make: () => tf.layers.Layer, shape: readonly number[]): number {
  const model = modelOf(make, shape);
  const count = model.trainableWeights.reduce((sum, { shape }) => sum + tf.util.sizeFromShape(shape as number[]), 0);
  model.dispose();
  return count;
}
