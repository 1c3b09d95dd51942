/** What a training by hand needs from models and optimizers, and TensorFlow.js does not give as it is. */
import * as tf from '@tensorflow/tfjs';

export const variablesOf = (model: tf.LayersModel): tf.Variable[] =>
  model.trainableWeights.map((weight) => weight.read() as tf.Variable);

/** One step of this model alone, whatever else the loss depends on. The loss is the caller's to dispose of. */
export const minimize = (optimizer: tf.Optimizer, model: tf.LayersModel, loss: () => tf.Tensor): tf.Scalar =>
  tf.tidy(() => optimizer.minimize(loss as () => tf.Scalar, true, variablesOf(model)) as tf.Scalar);

/** TensorFlow.js has no schedules, but Adam looks its rate up in every step. */
export const setRate = (optimizer: tf.Optimizer, learningRate: number): void =>
  void Object.assign(optimizer, { learningRate });
