/** Whole training steps of the networks of models.js: without normalization, with ours, and with TensorFlow.js's. */
import * as tf from '@tensorflow/tfjs';
import { models } from './models.js';
import { asyncCalls, race } from './race.js';
import { normalizations } from './workloads.js';

/** The plain formula as a layer: what TensorFlow.js's users write where it has no layer. */
class Composed extends tf.layers.Layer {
  static className = 'Composed';
  constructor(formula) {
    super({});
    this.formula = formula;
  }
  build(inputShape) {
    const shape = inputShape.slice(-1);
    this.gamma = this.addWeight('gamma', shape, 'float32', tf.initializers.ones());
    this.beta = this.addWeight('beta', shape, 'float32', tf.initializers.zeros());
    super.build(inputShape);
  }
  call(inputs) {
    const [x] = [inputs].flat();
    return tf.tidy(() => this.formula(x, this.gamma.read(), this.beta.read()));
  }
}

/**
 * The median times of a training step on the backend in use, in microseconds: of the network without normalization, with
 * ours, and with TensorFlow.js's.
 *
 * @param {{model: string, effort: object, only?: string[]}} what a name in models.js, the effort of `race`, and which of
 *   the three
 * @returns {Promise<{without?: number, ours?: number, theirs?: number}>}
 */
export async function stepTimes({ model, effort, only = ['without', 'ours', 'theirs'] }) {
  const { norm, shape, targets, make } = models[model];
  const { layer, builtIn, composed } = normalizations[norm];
  const x = tf.randomNormal(shape, 0, 1, 'float32', 1);
  const labels = tf.tidy(() => tf.oneHot(tf.mod(tf.range(0, targets[0], 1, 'int32'), tf.scalar(10, 'int32')), 10));
  const normalizationsOf = {
    without: () => [],
    ours: () => [layer()],
    theirs: () => [builtIn ? builtIn() : new Composed(composed)],
  };
  const networks = only.map((whose) => [whose, make(normalizationsOf[whose])]);
  const steps = {};
  for (const [whose, network] of networks) {
    network.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
    steps[whose] = asyncCalls(() => network.trainOnBatch(x, labels));
  }
  try {
    return await race(steps, effort);
  } finally {
    for (const [, network] of networks) network.dispose();
    tf.dispose([x, labels]);
  }
}
