/**
 * A transformer block that maps sequences to sequences. Its attention is ours, on normalized queries and keys, or the usual
 * one; its other normalizations are Layer or RMS.
 */
import * as tf from '@tensorflow/tfjs';
import { layerNormalization, QKNormAttention, qkNorm, qkNormAttention, rmsNormalization } from 'tfjs-normalizations';
import { minimize } from '../shared/training.ts';
import { DotProductAttention } from './dot-product-attention.ts';
import { LENGTH, SYMBOLS } from './tasks.ts';

const HEADS = 2;
const HEAD_WIDTH = 16;
const WIDTH = HEADS * HEAD_WIDTH;

export interface TransformerOptions {
  readonly attention: 'dot' | 'qk';
  readonly norm: 'layer' | 'rms';
  readonly learningRate: number;
  readonly seed: number;
}

export class Transformer {
  private readonly model: tf.LayersModel;
  /** From the same inputs to queries and keys, [batch, heads, length, width] each. */
  private readonly probe: tf.LayersModel;
  readonly attention: tf.layers.Layer;
  private readonly optimizer: tf.Optimizer;

  constructor({ attention, norm, learningRate, seed }: TransformerOptions) {
    let seeds = 100 * seed;
    const dense = (units: number, more: { activation?: 'relu'; useBias?: boolean } = {}) =>
      tf.layers.dense({ units, kernelInitializer: tf.initializers.glorotUniform({ seed: seeds++ }), ...more });
    const normalization = () => (norm === 'rms' ? rmsNormalization() : layerNormalization());
    const apply = (layers: readonly tf.layers.Layer[], x: tf.SymbolicTensor) =>
      layers.reduce((x, layer) => layer.apply(x) as tf.SymbolicTensor, x);
    const add = (x: tf.SymbolicTensor, y: tf.SymbolicTensor) => tf.layers.add().apply([x, y]) as tf.SymbolicTensor;
    const heads = () => [
      dense(WIDTH, { useBias: false }),
      tf.layers.reshape({ targetShape: [LENGTH, HEADS, HEAD_WIDTH] }),
      tf.layers.permute({ dims: [2, 1, 3] }),
    ];

    const input = tf.input({ shape: [LENGTH, SYMBOLS + LENGTH] });
    let x = apply([dense(WIDTH, { useBias: false })], input);
    const normalized = apply([normalization()], x);
    const [query, key, value] = [heads(), heads(), heads()].map((layers) => apply(layers, normalized));
    this.attention = attention === 'qk' ? qkNormAttention({ sequenceLength: LENGTH }) : new DotProductAttention();
    const attended = this.attention.apply([query, key, value]) as tf.SymbolicTensor;
    const merge = [tf.layers.permute({ dims: [2, 1, 3] }), tf.layers.reshape({ targetShape: [LENGTH, WIDTH] })];
    x = add(x, apply([...merge, dense(WIDTH)], attended));
    x = add(x, apply([normalization(), dense(2 * WIDTH, { activation: 'relu' }), dense(WIDTH)], x));
    const output = apply([normalization(), dense(SYMBOLS)], x);

    this.model = tf.model({ inputs: input, outputs: output });
    this.probe = tf.model({ inputs: input, outputs: [query, key] });
    this.optimizer = tf.train.adam(learningRate, 0.9, 0.98);
  }

  /** One step on a batch; the loss is the caller's to dispose of. */
  step(inputs: tf.Tensor, targets: tf.Tensor): tf.Scalar {
    return minimize(this.optimizer, this.model, () => {
      const logits = this.model.apply(inputs, { training: true }) as tf.Tensor;
      return tf.losses.softmaxCrossEntropy(targets, logits);
    });
  }

  /** The symbols that it gives for each place, [batch, length]. */
  predict(inputs: tf.Tensor): tf.Tensor2D {
    return tf.tidy(() => tf.argMax(this.model.predict(inputs) as tf.Tensor, -1) as tf.Tensor2D);
  }

  /** What goes into the softmax of the attention, [batch, heads, length, length]. */
  logits(inputs: tf.Tensor): tf.Tensor4D {
    return tf.tidy(() => {
      const [query, key] = this.probe.predict(inputs) as [tf.Tensor4D, tf.Tensor4D];
      const g = this.scale();
      if (!g) return tf.div(tf.matMul(query, key, false, true), Math.sqrt(HEAD_WIDTH)) as tf.Tensor4D;
      const [qHat, kHat] = qkNorm(query, key, g);
      return tf.matMul(qHat, kHat, false, true) as tf.Tensor4D;
    });
  }

  /** The learned scale g of normalized queries and keys. */
  scale(): tf.Tensor | undefined {
    return this.attention instanceof QKNormAttention ? this.attention.getWeights()[0] : undefined;
  }

  dispose(): void {
    this.model.dispose();
    this.optimizer.dispose();
  }
}

/** The mean entropy of the rows of softmax(logits), as a share of what it is at most: 1 is even attention, 0 a choice. */
export function attentionEntropy(logits: tf.Tensor4D): tf.Scalar {
  return tf.tidy(() => {
    const logs = tf.logSoftmax(logits);
    const entropy = tf.neg(tf.sum(tf.mul(tf.exp(logs), logs), -1));
    return tf.div(tf.mean(entropy), Math.log(logits.shape[3])) as tf.Scalar;
  });
}
