/** The largest singular value of each layer of a critic, out of its weights alone: the layers' own estimates take no part. */
import * as tf from '@tensorflow/tfjs';
import { SpectralNormalization } from 'tfjs-normalizations';

/** 2^8 steps of power iteration. */
const SQUARINGS = 8;

/** Power iteration of all starts at once: the matrix W W^T, or W^T W, is squared again and again. */
export function largestSingularValue(w: tf.Tensor2D): tf.Scalar {
  return tf.tidy(() => {
    const [rows, columns] = w.shape;
    const gram = rows > columns ? tf.matMul(w, w, true, false) : tf.matMul(w, w, false, true);
    let power = gram;
    for (let i = 0; i < SQUARINGS; i++) {
      const unit = tf.div(power, tf.sqrt(tf.sum(tf.square(power)))) as tf.Tensor2D;
      power = tf.matMul(unit, unit);
    }
    const trace = tf.sum(tf.mul(power, tf.eye(gram.shape[0])));
    return tf.sqrt(tf.div(tf.sum(tf.mul(power, gram)), trace)) as tf.Scalar;
  });
}

/** One number for each layer with weights: of a spectrally normalized one, that of the kernel it works with. */
export function singularValues(model: tf.Sequential): tf.Tensor1D {
  return tf.tidy(() => {
    const layers = model.layers.filter(({ weights }) => weights.length > 0);
    return tf.stack(layers.map((layer) => largestSingularValue(effectiveKernel(layer)))) as tf.Tensor1D;
  });
}

const effectiveKernel = (layer: tf.layers.Layer) =>
  (layer instanceof SpectralNormalization ? layer.effectiveKernels().kernel : layer.getWeights()[0]) as tf.Tensor2D;
