/** Multi-head attention with its gradients, and in a transformer that trains. */
import * as tf from '@tensorflow/tfjs';
import * as library from '../../layers/index.ts';
import { type MultiHeadCase, multiHeadInputs } from '../support/multi-head-oracle.ts';
import { normals } from '../support/random.ts';
import { takeAll, withTensors } from './tensors.ts';

/** y, the attention weights, and the gradients of sum(y dy) by [query, value, key, ...weights]. */
export const multiHead = (args: MultiHeadCase) =>
  withTensors(async (make) => {
    const {
      batch,
      queries,
      keys,
      heads,
      keyValueHeads,
      keyDim,
      valueDim,
      useBias,
      causal,
      norm,
      mask,
      padding,
      widths,
    } = args;
    const { tensors, dy } = multiHeadInputs(args);
    const layer = library.multiHeadAttention({
      ...{ numHeads: heads, numKeyValueHeads: keyValueHeads, keyDim, valueDim, useBias, outputShape: widths[3] },
      ...(norm ? { queryKeyNorm: norm } : {}),
      ...(norm === 'l2' ? { scaleInitializer: 'ones' } : {}),
    } as never);
    const given = tensors.map(({ shape, values }) => make(values, shape));
    const attentionMask = mask && make(Float32Array.from(mask), [batch, queries, keys]);
    const ofKeys = padding && make(Float32Array.from(padding), [batch, keys]);
    const kwargs = { useCausalMask: causal, ...(ofKeys ? { mask: [null, ofKeys, null] } : {}) };
    const inputs = [...given.slice(0, 3), ...(attentionMask ? [attentionMask] : [])];
    tf.dispose(layer.apply(inputs, kwargs as never) as tf.Tensor);
    layer.setWeights(given.slice(3));
    const variables = layer.getWeights(true);
    const apply = (...tensors: tf.Tensor[]) =>
      layer.apply([...tensors.slice(0, 3), ...inputs.slice(3)], kwargs as never) as tf.Tensor;
    const upstream = make(dy, [batch, queries, widths[3]]);
    const { value: y, grads } = tf.valueAndGrads(apply)([...given.slice(0, 3), ...variables], upstream);
    const [again, weights] = layer.apply(inputs, { ...kwargs, returnAttentionScores: true } as never) as tf.Tensor[];
    again!.dispose();
    const named = Object.fromEntries(grads.map((grad, i) => [`gradient ${i}`, grad]));
    layer.dispose();
    return takeAll({ y, weights, ...named } as Record<string, tf.Tensor>);
  });

/**
 * The losses of a small causal transformer, one of each step: two blocks that normalize first, of grouped queries with normalized queries
 * and keys. All weights come from seeds, so that they are the same on every backend.
 */
export async function transformer({
  norm,
  steps,
}: {
  readonly norm?: 'l2' | 'rms';
  readonly steps: number;
}): Promise<number[]> {
  const tokens = tf.input({ shape: [6, 8] });
  let seed = 0;
  const kernel = () => ({ kernelInitializer: tf.initializers.randomNormal({ seed: ++seed, stddev: 0.3 }) });
  let x = tf.layers.dense({ units: 8, useBias: false, ...kernel() }).apply(tokens) as tf.SymbolicTensor;
  const add = (a: tf.SymbolicTensor, b: unknown) =>
    tf.layers.add().apply([a, b as tf.SymbolicTensor]) as tf.SymbolicTensor;
  for (let block = 0; block < 2; block++) {
    const normalized = library.layerNormalization().apply(x) as tf.SymbolicTensor;
    const attention = library.multiHeadAttention({
      ...{ numHeads: 4, numKeyValueHeads: 2, keyDim: 4, ...kernel() },
      ...(norm ? { queryKeyNorm: norm } : {}),
      ...(norm === 'l2' ? { sequenceLength: 6 } : {}),
    });
    x = add(x, attention.apply([normalized, normalized], { useCausalMask: true }));
    const hidden = tf.layers
      .dense({ units: 16, activation: 'relu', ...kernel() })
      .apply(library.rmsNormalization().apply(x));
    x = add(x, tf.layers.dense({ units: 8, ...kernel() }).apply(hidden as tf.SymbolicTensor));
  }
  const outputs = tf.layers.dense({ units: 8, activation: 'softmax', ...kernel() }).apply(x) as tf.SymbolicTensor;
  const model = tf.model({ inputs: tokens, outputs });
  model.compile({ optimizer: tf.train.sgd(0.3), loss: 'categoricalCrossentropy' });
  const ids = Array.from(normals(5, 24), (value) => Math.floor(Math.abs(value * 5)) % 8);
  const [inputs, targets] = tf.tidy(() => {
    const oneHot = (ids: number[]) => tf.cast(tf.oneHot(tf.tensor2d(ids, [4, 6], 'int32'), 8), 'float32');
    return [oneHot(ids), oneHot([...ids.slice(1), 0])];
  }) as [tf.Tensor, tf.Tensor];
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) losses.push((await model.trainOnBatch(inputs, targets)) as number);
  model.optimizer.dispose();
  model.dispose();
  tf.dispose([inputs, targets]);
  return losses;
}
