/** Instance normalization as one writes it without this package: what ours is measured against. */
import * as tf from '@tensorflow/tfjs';
import type { MakeNormalization } from './model.ts';

class PlainInstanceNormalization extends tf.layers.Layer {
  static readonly className = 'PlainInstanceNormalization';
  readonly epsilon: number;
  private gamma!: tf.LayerVariable;
  private beta!: tf.LayerVariable;

  constructor({ name, epsilon }: { name: string; epsilon: number }) {
    super({ name });
    this.epsilon = epsilon;
  }

  override build(inputShape: tf.Shape): void {
    const channels = [inputShape[3] as number];
    this.gamma = this.addWeight('gamma', channels, 'float32', tf.initializers.ones());
    this.beta = this.addWeight('beta', channels, 'float32', tf.initializers.zeros());
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const x = Array.isArray(inputs) ? inputs[0] : inputs;
      const { mean, variance } = tf.moments(x, [1, 2], true);
      const xHat = tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, this.epsilon)));
      return tf.add(tf.mul(xHat, this.gamma.read()), this.beta.read());
    });
  }
}

export const plainInstanceNormalization: MakeNormalization = (options) => new PlainInstanceNormalization(options);
