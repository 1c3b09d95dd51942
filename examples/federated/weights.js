/** What clients and server exchange: the weights of models as arrays, in the order of the model. */
import * as tf from '@tensorflow/tfjs';

/** All processes build the same model, and shuffle the digits in the same way. */
export const SEED = 1;

export const weightsOf = (model) => model.getWeights().map((weight) => weight.dataSync().slice());

/** Gives a model the weights. */
export function withWeights(model, weights) {
  tf.tidy(() => model.setWeights(model.weights.map(({ shape, dtype }, i) => tf.tensor(weights[i], shape, dtype))));
  return model;
}
