/** Query-key attention: with its gradients, trained in a model, and saved. */
import * as tf from '@tensorflow/tfjs';
import * as library from '../../layers/index.ts';
import { type AttentionCase, attentionInputs } from '../support/attention-inputs.ts';
import { normals } from '../support/random.ts';
import { takeAll, withTensors } from './tensors.ts';

/** y and the gradients of sum(y dy); `penalty`: those of the sum of squares of the gradient of the queries. */
export const attend = (args: AttentionCase & { readonly penalty?: boolean }) =>
  withTensors(async (make) => {
    const { leading, queries, keys, width, depth, causal = false, penalty = false } = args;
    const values = attentionInputs(args);
    const query = make(values.query, [...leading, queries, width]);
    const key = make(values.key, [...leading, keys, width]);
    const value = make(values.value, [...leading, keys, depth]);
    const dy = make(values.dy, [...leading, queries, depth]);
    const g = make(Float32Array.of(values.g), []);
    const mask = args.mask && make(Float32Array.from(args.mask.values), [...args.mask.shape]);
    const f = (query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, g: tf.Tensor) =>
      library.qkAttention(query, key, value, g, { causal, mask });
    const ofQuery = (query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, g: tf.Tensor) =>
      tf.sum(tf.square(tf.grad((query: tf.Tensor) => tf.sum(tf.mul(f(query, key, value, g), dy)))(query)));
    const { value: y, grads } = penalty
      ? tf.valueAndGrads(ofQuery)([query, key, value, g])
      : tf.valueAndGrads(f)([query, key, value, g], dy);
    const [dquery, dkey, dvalue, dg] = grads;
    return takeAll({ y, dquery, dkey, dvalue, dg });
  });

const saved = (model: tf.LayersModel) =>
  model.toJSON(undefined, false) as unknown as Parameters<typeof tf.models.modelFromJSON>[0];

/**
 * A model in which 2 heads look up, for each query, the value of the nearest key: trained by `fit`, and loaded again from its
 * topology and weights.
 */
export async function trainAttention({
  causal,
  masked,
  dropout,
}: {
  causal: boolean;
  masked: boolean;
  dropout: number;
}) {
  const [examples, queries, keys, width] = [24, 4, causal ? 4 : 6, 8];
  const attention = library.qkNormAttention({ sequenceLength: 6, causal, dropout });
  const q = tf.input({ shape: [2, queries, width] });
  const k = tf.input({ shape: [2, keys, width] });
  const mask = tf.input({ shape: [keys] });
  const dense = tf.layers.dense({
    units: width,
    useBias: false,
    kernelInitializer: tf.initializers.glorotUniform({ seed: 7 }),
  });
  const inputs = masked ? [q, k, mask] : [q, k];

  const projected = dense.apply(q) as tf.SymbolicTensor;
  const outputs = attention.apply(masked ? [projected, k, k, mask] : [projected, k, k]) as tf.SymbolicTensor;
  const model = tf.model({ inputs, outputs });
  model.compile({ optimizer: tf.train.adam(0.02), loss: 'meanSquaredError' });
  const keyValues = normals(5, examples * 2 * keys * width);
  const nearest = normals(6, examples * 2 * queries * width, 0, 0.1);
  for (let i = 0; i < nearest.length; i++) {
    const [head, at] = [Math.floor(i / (queries * width)), i % (queries * width)];
    nearest[i]! += keyValues[head * keys * width + at]!;
  }
  const x = [
    tf.tensor(nearest, [examples, 2, queries, width]),
    tf.tensor(keyValues, [examples, 2, keys, width]),
    ...(masked
      ? [
          tf.tensor(
            new Float32Array(examples * keys).map((_, i) => (i % keys < queries ? 1 : 0)),
            [examples, keys],
          ),
        ]
      : []),
  ];
  const y = tf.slice(x[1]!, [0, 0, 0, 0], [examples, 2, queries, width]);
  const predict = async (model: tf.LayersModel) => {
    const out = model.predict(x) as tf.Tensor;
    const data = await out.data();
    out.dispose();
    return data;
  };
  const before = (attention.getWeights()[0] as tf.Tensor).dataSync()[0];
  const { history } = await model.fit(x, y, { epochs: 10, batchSize: 8, shuffle: false, verbose: 0 });
  const after = (attention.getWeights()[0] as tf.Tensor).dataSync()[0];
  const predictions = await predict(model);
  const copy = (await tf.models.modelFromJSON(saved(model))) as tf.LayersModel;
  copy.setWeights(model.getWeights());
  const copied = await predict(copy);
  const classNames = copy.layers.map((layer) => layer.getClassName());
  copy.dispose();
  model.optimizer.dispose();
  model.dispose();
  tf.dispose([x, y]);
  return { losses: history.loss as number[], before, after, predictions, copied, classNames };
}
