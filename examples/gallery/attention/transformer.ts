/**
 * A transformer block that maps sequences to sequences. Its multi-head attention normalizes queries and keys, or does not; its
 * other normalizations are Layer or RMS.
 */
import * as tf from '@tensorflow/tfjs';
import {
  layerNormalization,
  type MultiHeadAttention,
  multiHeadAttention,
  qkNorm,
  rmsNormalization,
} from 'tfjs-normalizations';
import { minimize } from '../shared/training.ts';
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
  /** From the same inputs to what queries, keys and values are made of. */
  private readonly beforeAttention: tf.LayersModel;
  readonly attention: MultiHeadAttention;
  private readonly optimizer: tf.Optimizer;

  constructor({ attention, norm, learningRate, seed }: TransformerOptions) {
    let seeds = 100 * seed;
    const initializer = () => tf.initializers.glorotUniform({ seed: seeds++ });
    const dense = (units: number, more: { activation?: 'relu'; useBias?: boolean } = {}) =>
      tf.layers.dense({ units, kernelInitializer: initializer(), ...more });
    const normalization = () => (norm === 'rms' ? rmsNormalization() : layerNormalization());
    const apply = (layers: readonly tf.layers.Layer[], x: tf.SymbolicTensor) =>
      layers.reduce((x, layer) => layer.apply(x) as tf.SymbolicTensor, x);
    const add = (x: tf.SymbolicTensor, y: tf.SymbolicTensor) => tf.layers.add().apply([x, y]) as tf.SymbolicTensor;

    const input = tf.input({ shape: [LENGTH, SYMBOLS + LENGTH] });
    let x = apply([dense(WIDTH, { useBias: false })], input);
    const normalized = apply([normalization()], x);
    this.attention = multiHeadAttention({
      numHeads: HEADS,
      keyDim: HEAD_WIDTH,
      useBias: false,
      ...(attention === 'qk' && { queryKeyNorm: 'l2', sequenceLength: LENGTH }),
    });
    const attended = this.attention.apply([normalized, normalized]) as tf.SymbolicTensor;
    // One initializer with a seed would give queries and keys the same kernel.
    startKernels(this.attention, initializer);
    x = add(x, attended);
    x = add(x, apply([normalization(), dense(2 * WIDTH, { activation: 'relu' }), dense(WIDTH)], x));
    const output = apply([normalization(), dense(SYMBOLS)], x);

    this.model = tf.model({ inputs: input, outputs: output });
    this.beforeAttention = tf.model({ inputs: input, outputs: normalized });
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

  /** [batch, heads, length, width] each. */
  queriesAndKeys(inputs: tf.Tensor): [query: tf.Tensor4D, key: tf.Tensor4D] {
    return tf.tidy(() => {
      const x = this.beforeAttention.predict(inputs) as tf.Tensor3D;
      const project = (name: string) => {
        const kernel = tf.reshape(weightOf(this.attention, `${name}/kernel`).read(), [WIDTH, WIDTH]);
        const flat = tf.matMul(tf.reshape(x, [-1, WIDTH]), kernel);
        return tf.transpose(tf.reshape(flat, [-1, LENGTH, HEADS, HEAD_WIDTH]), [0, 2, 1, 3]) as tf.Tensor4D;
      };
      return [project('query'), project('key')];
    });
  }

  /** What goes into the softmax of the attention, [batch, heads, length, length]. */
  logits(inputs: tf.Tensor): tf.Tensor4D {
    return tf.tidy(() => {
      const [query, key] = this.queriesAndKeys(inputs);
      const g = this.scale();
      if (!g) return tf.div(tf.matMul(query, key, false, true), Math.sqrt(HEAD_WIDTH)) as tf.Tensor4D;
      const [qHat, kHat] = qkNorm(query, key, g);
      return tf.matMul(qHat, kHat, false, true) as tf.Tensor4D;
    });
  }

  /** The learned scale g of normalized queries and keys. */
  scale(): tf.Tensor | undefined {
    return this.attention.queryKeyNorm === 'l2' ? weightOf(this.attention, 'g').read() : undefined;
  }

  dispose(): void {
    this.model.dispose();
    this.optimizer.dispose();
  }
}

function weightOf(layer: tf.layers.Layer, name: string): tf.LayerVariable {
  const weight = layer.weights.find((weight) => weight.name.endsWith(`/${name}`));
  if (!weight) throw new Error(`no weight '${name}' among ${layer.weights.map(({ name }) => name).join(', ')}`);
  return weight;
}

function startKernels(
  layer: tf.layers.Layer,
  initializer: () => ReturnType<typeof tf.initializers.glorotUniform>,
): void {
  tf.tidy(() => {
    layer.setWeights(
      layer.weights.map((weight) => {
        if (!weight.name.endsWith('kernel')) return weight.read();
        return tf.reshape(initializer().apply([WIDTH, WIDTH]), weight.shape as number[]);
      }),
    );
  });
}

/** The mean entropy of the rows of softmax(logits), as a share of what it is at most: 1 is even attention, 0 a choice. */
export function attentionEntropy(logits: tf.Tensor4D): tf.Scalar {
  return tf.tidy(() => {
    const logs = tf.logSoftmax(logits);
    const entropy = tf.neg(tf.sum(tf.mul(tf.exp(logs), logs), -1));
    return tf.div(tf.mean(entropy), Math.log(logits.shape[3])) as tf.Scalar;
  });
}
