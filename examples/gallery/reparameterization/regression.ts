/** A small network that learns a surface by gradient descent, with or without weight normalization of its layers. */
import * as tf from '@tensorflow/tfjs';
import { removeWeightNormalization, WeightNormalization, weightNormalization } from 'tfjs-normalizations';
import { random } from '../shared/random.ts';
import { minimize } from '../shared/training.ts';

const UNITS = 32;
const POINTS = 256;
export const RANGE = 1.5;

export interface RegressionOptions {
  /** The length of each unit's weights is learned as a parameter of its own. */
  readonly normalized: boolean;
  /** The first batch sets lengths and biases, so that each layer starts with outputs of mean 0 and variance 1. */
  readonly dataInit: boolean;
  /** Factor on the usual initial weights. */
  readonly scale: number;
  /** Added to the input, so that it is not centred. */
  readonly offset: number;
  readonly learningRate: number;
  readonly seed: number;
}

/** Waves, which the network learns from some of their points. */
export const surface = (x: number, y: number) => Math.sin(2 * x + 1.5 * Math.sin(2 * y));

/** Points in the square [-RANGE, RANGE]^2, [count, 2], and the heights of the surface there. */
export function samplePoints(seed: number): { points: Float32Array; heights: Float32Array } {
  const { uniform } = random(seed);
  const points = Float32Array.from({ length: 2 * POINTS }, () => RANGE * (2 * uniform() - 1));
  return { points, heights: heightsAt(points) };
}

export const heightsAt = (points: Float32Array): Float32Array =>
  Float32Array.from({ length: points.length / 2 }, (_, i) => surface(points[2 * i], points[2 * i + 1]));

export class Regression {
  readonly model: tf.Sequential;
  private readonly optimizer: tf.Optimizer;
  private readonly data: { x: tf.Tensor2D; y: tf.Tensor2D };
  readonly options: RegressionOptions;

  constructor(options: RegressionOptions) {
    const { normalized, dataInit, scale, learningRate, seed } = options;
    this.options = options;
    this.model = tf.sequential();
    for (let i = 0; i < 3; i++) {
      const layer = tf.layers.dense({
        units: i < 2 ? UNITS : 1,
        activation: i < 2 ? 'tanh' : 'linear',
        kernelInitializer: tf.initializers.varianceScaling({
          scale: scale ** 2,
          mode: 'fanIn',
          distribution: 'normal',
          seed: 10 * seed + i,
        }),
        ...(i === 0 && { inputShape: [2] }),
      });
      this.model.add(normalized ? weightNormalization({ layer, dataInit }) : layer);
    }
    this.optimizer = tf.train.momentum(learningRate, 0.9);
    const { points, heights } = samplePoints(seed);
    this.data = { x: this.inputs(points), y: tf.tensor2d(heights, [POINTS, 1]) };
  }

  /** As the network takes them, [count, 2]. */
  inputs(points: Float32Array): tf.Tensor2D {
    const shifted = points.map((value) => value + this.options.offset);
    return tf.tensor2d(shifted, [points.length / 2, 2]);
  }

  /** One step on all points; the loss is the caller's to dispose of. */
  step(): tf.Scalar {
    const { x, y } = this.data;
    const predicted = () => this.model.apply(x, { training: true }) as tf.Tensor;
    return minimize(this.optimizer, this.model, () => tf.losses.meanSquaredError(y, predicted()));
  }

  predict(points: Float32Array): tf.Tensor2D {
    return tf.tidy(() => this.model.predict(this.inputs(points)) as tf.Tensor2D);
  }

  /** Of each unit of the second layer, the norm of the weights it works with. */
  async norms(): Promise<Float32Array> {
    const norms = tf.tidy(() => tf.norm(kernelOf(this.model.layers[1]), 2, 0));
    return read(norms);
  }

  /** The lengths that weight normalization has learned for the same units. */
  async lengths(): Promise<Float32Array | undefined> {
    const layer = this.model.layers[1];
    return layer instanceof WeightNormalization ? ((await layer.getWeights()[0].data()) as Float32Array) : undefined;
  }

  dispose(): void {
    this.model.dispose();
    this.optimizer.dispose();
    // TensorFlow.js forgets the learning rate of this optimizer.
    tf.dispose((this.optimizer as unknown as { c: tf.Scalar }).c);
    tf.dispose(this.data);
  }
}

const kernelOf = (layer: tf.layers.Layer): tf.Tensor =>
  layer instanceof WeightNormalization ? layer.effectiveKernels().kernel : layer.getWeights()[0];

/** The values, once the tensor is no more. */
async function read(tensor: tf.Tensor): Promise<Float32Array> {
  const values = (await tensor.data()) as Float32Array;
  tensor.dispose();
  return values;
}

/** The same network of plain layers: of which classes, with how many parameters, and how far its predictions are off. */
export async function removed(regression: Regression, points: Float32Array) {
  const plain = removeWeightNormalization(regression.model);
  const difference = tf.tidy(() => {
    const [before, after] = [regression.model, plain].map(
      (model) => model.predict(regression.inputs(points)) as tf.Tensor,
    );
    return tf.max(tf.abs(tf.sub(after, before)));
  });
  const classes = plain.layers.map((layer) => layer.getClassName());
  const parameters = plain.countParams();
  plain.dispose();
  return { classes, parameters, difference: (await read(difference))[0] };
}
