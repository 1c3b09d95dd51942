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
    const given = args.mask && make(Float32Array.from(args.mask.values), [...args.mask.shape]);
    const mask = args.mask?.dtype && given ? tf.cast(given, args.mask.dtype) : given;
    const f = (query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, g: tf.Tensor) =>
      library.qkAttention(query, key, value, g, { causal, mask });
    const ofQuery = (query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, g: tf.Tensor) =>
      tf.sum(tf.square(tf.grad((query: tf.Tensor) => tf.sum(tf.mul(f(query, key, value, g), dy)))(query)));
    const { value: y, grads } = penalty
      ? tf.valueAndGrads(ofQuery)([query, key, value, g])
      : tf.valueAndGrads(f)([query, key, value, g], dy);
    const [dquery, dkey, dvalue, dg] = grads;
    if (mask !== given) mask?.dispose();
    return takeAll({ y, dquery, dkey, dvalue, dg });
  });

/** What is said of a mask of these numbers for three keys; `results`: those of an operation, which may be on a GPU. */
export const maskOfNumbers = ({ values, made }: { values: readonly number[]; made: 'a tensor' | 'results' }) =>
  withTensors(async (make) => {
    const x = make(new Float32Array(24).fill(1), [2, 3, 4]);
    const size = made === 'results' ? 300 : 1; // small ones never get to a GPU
    const given = make(
      Float32Array.from({ length: 3 * size }, (_, i) => values[i % 3]!),
      [1, size, 3],
    );
    const mask = made === 'results' ? tf.tidy(() => tf.slice(tf.mul(given, 1), [0, 0, 0], [1, 3, 3])) : tf.clone(given);
    try {
      tf.tidy(() => void library.qkAttention(x, x, x, tf.scalar(2), { mask }));
      return '';
    } catch (error) {
      return (error as Error).message;
    } finally {
      mask.dispose();
    }
  });

/**
 * Attention in which tokens of 0 are masked, by all ways in which a mask gets there; and by parts of it.
 * The graph has two blocks with residuals: expected of the second is what plain functions give for its input.
 */
export async function carriedMasks(_: object) {
  const ids = tf.tensor([
    [3, 1, 2, 0],
    [2, 4, 0, 0],
    [0, 0, 0, 0],
  ]);
  const tokens = tf.input({ shape: [4] });
  const seeded = (seed: number) => ({
    kernelInitializer: tf.initializers.randomNormal({ seed }),
  });
  const embedding = tf.layers.embedding({
    ...{ inputDim: 5, outputDim: 6, maskZero: true },
    embeddingsInitializer: tf.initializers.randomNormal({ seed: 3, stddev: 1 }),
  });
  const x = embedding.apply(tokens) as tf.SymbolicTensor;
  const project = (seed: number, x: tf.SymbolicTensor) =>
    tf.layers.dense({ units: 6, useBias: false, ...seeded(seed) }).apply(x) as tf.SymbolicTensor;
  const layer = () => library.qkNormAttention({ scaleInitializer: tf.initializers.constant({ value: 4 }) });
  const first = layer().apply([project(4, x), project(5, x), project(6, x)]) as tf.SymbolicTensor;
  const block = library.layerNormalization().apply(tf.layers.add().apply([x, first])) as tf.SymbolicTensor;
  const heads = [7, 8, 9].map((seed) => project(seed, block));
  const y = layer().apply(heads) as tf.SymbolicTensor;
  const model = tf.model({ inputs: tokens, outputs: [...heads, y] });
  const copy = (await tf.models.modelFromJSON(saved(model))) as tf.LayersModel;
  copy.setWeights(model.getWeights());

  const results = tf.tidy(() => {
    const [q, k, v, graph] = model.predict(ids) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    const loaded = (copy.predict(ids) as tf.Tensor[])[3] as tf.Tensor;
    const m = tf.notEqual(ids, 0);
    const pairs = tf.logicalAnd(tf.expandDims(m, 2), tf.expandDims(m, 1));
    const g = tf.scalar(4);
    const direct = layer();
    const apply = (mask?: (tf.Tensor | null)[], more: tf.Tensor[] = []) =>
      direct.apply([q, k, v, ...more], mask ? { mask } : {}) as tf.Tensor;
    const carrying = [q, k, v].map((t) => Object.assign(tf.clone(t), { kerasMask: tf.clone(m) }));
    const all = {
      expected: library.qkAttention(q, k, v, g, { mask: pairs }),
      graph,
      loaded,
      call: apply([m, m, m]),
      callOfNumbers: apply([tf.cast(m, 'float32'), tf.cast(m, 'int32'), m]),
      fourthMask: apply([m, m, null, null] as tf.Tensor[], [tf.expandDims(m, 1)]),
      queryAndFourth: apply([m, null, null], [tf.expandDims(m, 1)]),
      tensors: direct.apply(carrying) as tf.Tensor,
      unmasked: apply(),
      ofQuery: apply([m, null, null]),
      ofKey: apply([null, m, null]),
      ofValue: apply([null, null, m]),
    };
    direct.dispose();
    return all;
  });
  copy.dispose();
  model.dispose();
  ids.dispose();
  return takeAll(results);
}

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
