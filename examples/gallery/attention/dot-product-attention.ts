/** The usual attention, softmax(q k^T / sqrt(width)) v, as a layer of ordinary ops. */
import * as tf from '@tensorflow/tfjs';

export class DotProductAttention extends tf.layers.Layer {
  static readonly className = 'DotProductAttention';

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const [query, key, value] = inputs as tf.Tensor[];
      const logits = tf.div(tf.matMul(query, key, false, true), Math.sqrt(query.shape[query.rank - 1] as number));
      return tf.matMul(tf.softmax(logits), value);
    });
  }

  override computeOutputShape(shapes: tf.Shape | tf.Shape[]): tf.Shape {
    const [query, , value] = shapes as tf.Shape[];
    return [...query.slice(0, -1), value[value.length - 1]];
  }
}
tf.serialization.registerClass(DotProductAttention);
