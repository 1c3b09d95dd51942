/** What there is to see of a transformer: how large its logits are, how even its attention is, and what it answers. */
import * as tf from '@tensorflow/tfjs';
import { type Attended, softmaxRows } from './maps.ts';
import { type Examples, LENGTH, tensors } from './tasks.ts';
import { attentionEntropy, type Transformer } from './transformer.ts';

export interface Examined {
  /** The largest |logit| of all. */
  readonly largest: number;
  /** From 0, where each query takes one key, to 1, where it takes all alike. */
  readonly entropy: number;
  /** The share of symbols that are right. */
  readonly accuracy: number;
  /** The scale of normalized queries and keys. */
  readonly g?: number | undefined;
  /** The first of the sequences, with the attention's weights, [heads, length, length], rows of sum 1. */
  readonly shown: Attended & { readonly weights: Float32Array };
}

export async function examine(transformer: Transformer, examples: Examples): Promise<Examined> {
  const found = tf.tidy(() => {
    const { inputs } = tensors(examples);
    const logits = transformer.logits(inputs);
    return {
      largest: tf.max(tf.abs(logits)),
      entropy: attentionEntropy(logits),
      logits: tf.slice(logits, 0, 1),
      predictions: transformer.predict(inputs),
    };
  });
  const [largest, entropy, logits, predictions, g] = await Promise.all([
    found.largest.data(),
    found.entropy.data(),
    found.logits.data(),
    found.predictions.data(),
    transformer.scale()?.data(),
  ]);
  tf.dispose(found);
  const { symbols, solved } = examples;
  const predicted = Array.from(predictions);
  const wanted = solved.flat();
  return {
    largest: largest[0],
    entropy: entropy[0],
    accuracy: predicted.reduce((right, symbol, i) => right + Number(symbol === wanted[i]), 0) / wanted.length,
    g: g?.[0],
    shown: {
      symbols: symbols[0],
      solved: solved[0],
      predicted: predicted.slice(0, LENGTH),
      logits: logits as Float32Array,
      weights: softmaxRows(logits as Float32Array, LENGTH),
      g: g?.[0],
    },
  };
}
