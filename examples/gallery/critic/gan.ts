/**
 * A generative adversarial network on points of the plane, whose critic has spectrally normalized layers or plain ones;
 * all else, weights and batches too, is the same.
 */
import * as tf from '@tensorflow/tfjs';
import { spectralNormalization } from 'tfjs-normalizations';
import { normals } from '../shared/random.ts';
import { minimize } from '../shared/training.ts';
import { type Shape, samplePoints } from './data.ts';

export const LOSSES = { hinge: 'Hinge', wasserstein: 'Wasserstein' } as const;
export type Loss = keyof typeof LOSSES;

export interface GanOptions {
  readonly spectral: boolean;
  readonly shape: Shape;
  readonly loss: Loss;
  readonly learningRate: number;
  /** Steps of the critic for each of the generator. */
  readonly criticSteps: number;
  readonly batch: number;
  readonly seed: number;
}

const WIDTH = 64;
const NOISE = 4;

function network(
  inputs: number,
  outputs: number,
  hidden: number,
  seed: number,
  wrap = (layer: tf.layers.Layer) => layer,
) {
  const model = tf.sequential();
  for (let i = 0; i <= hidden; i++) {
    const dense = tf.layers.dense({
      units: i < hidden ? WIDTH : outputs,
      kernelInitializer: tf.initializers.glorotUniform({ seed: seed + i }),
      ...(i === 0 && { inputShape: [inputs] }),
    });
    model.add(wrap(dense));
    if (i < hidden) model.add(tf.layers.leakyReLU({ alpha: 0.2 }));
  }
  return model;
}

/** What the critic minimizes, from its values of the data and of what was generated. */
const criticLosses: Readonly<Record<Loss, (real: tf.Tensor, fake: tf.Tensor) => tf.Scalar>> = {
  hinge: (real, fake) => tf.add(tf.mean(tf.relu(tf.sub(1, real))), tf.mean(tf.relu(tf.add(1, fake)))),
  wasserstein: (real, fake) => tf.sub(tf.mean(fake), tf.mean(real)),
};

export class Gan {
  readonly generator: tf.Sequential;
  readonly critic: tf.Sequential;
  private readonly optimizers: readonly [generator: tf.Optimizer, critic: tf.Optimizer];
  private batches = 0;
  readonly options: GanOptions;

  constructor(options: GanOptions) {
    const { spectral, learningRate, seed } = options;
    this.options = options;
    this.generator = network(NOISE, 2, 2, 1000 * seed);
    const wrap = (layer: tf.layers.Layer) => (spectral ? spectralNormalization({ layer }) : layer);
    this.critic = network(2, 1, 3, 1000 * seed + 500, wrap);
    const adam = () => tf.train.adam(learningRate, 0.5, 0.9);
    this.optimizers = [adam(), adam()];
  }

  /** One step of the generator after those of the critic. The losses are the caller's to dispose of. */
  step(): { critic: tf.Scalar; generator: tf.Scalar } {
    const { criticSteps } = this.options;
    const [generatorOptimizer, criticOptimizer] = this.optimizers;
    return tf.tidy(() => {
      let critic = tf.scalar(0);
      for (let i = 0; i < criticSteps; i++) {
        critic = minimize(criticOptimizer, this.critic, () => this.criticLoss());
      }
      const loss = () => tf.neg(tf.mean(this.judge(this.generate(this.noise()))));
      const generator = minimize(generatorOptimizer, this.generator, loss);
      return { critic, generator };
    });
  }

  private criticLoss(): tf.Scalar {
    const { shape, batch, loss } = this.options;
    const real = tf.tensor2d(samplePoints(shape, batch, this.nextSeed()), [batch, 2]);
    const fake = this.generate(this.noise());
    const [ofReal, ofFake] = tf.split(this.judge(tf.concat([real, fake])), 2);
    return criticLosses[loss](ofReal, ofFake);
  }

  /** Training mode: a step of power iteration goes with each call of a spectrally normalized critic. */
  private judge = (points: tf.Tensor): tf.Tensor => this.critic.apply(points, { training: true }) as tf.Tensor;
  private generate = (noise: tf.Tensor): tf.Tensor => this.generator.apply(noise) as tf.Tensor;
  private noise = () => noise(this.options.batch, this.nextSeed());
  private nextSeed = () => 1e6 * (this.options.seed + 1) + this.batches++;

  /** [count, 2], the same noise in each call. */
  samples(count: number): tf.Tensor2D {
    return tf.tidy(() => this.generator.predict(noise(count, 1)) as tf.Tensor2D);
  }

  /** What the critic says of the points [n, 2]: [n]. */
  values(points: tf.Tensor2D): tf.Tensor1D {
    return tf.tidy(() => tf.squeeze(this.critic.predict(points) as tf.Tensor2D, [1]) as tf.Tensor1D);
  }

  dispose(): void {
    for (const one of [this.generator, this.critic, ...this.optimizers]) one.dispose();
  }
}

const noise = (count: number, seed: number) => tf.tensor2d(normals(count * NOISE, seed), [count, NOISE]);
