/** Models before and after surgery, on each backend. */
import * as tf from '@tensorflow/tfjs';
import { countDraws } from '../../examples/benchmark/gpu.ts';
import { batchNormalization } from '../../layers/index.ts';
import { accelerate, foldBatchNormalization, recalibrate } from '../../layers/models/surgery/index.ts';
import { GRAPHS, graphOf } from '../support/graphs.ts';
import { normals } from '../support/random.ts';
import { mobileNet } from '../support/surgery-models.ts';
import type { Data } from './tensors.ts';

export interface BeforeAndAfter {
  readonly before: Data;
  readonly after: Data;
  /** Of a prediction, on webgl. */
  readonly draws?: { readonly before: number; readonly after: number };
  readonly changed: number;
}

interface Model {
  predict(x: tf.Tensor): unknown;
}

async function predictions(before: Model, after: Model, x: tf.Tensor, changed: number): Promise<BeforeAndAfter> {
  const ys = [before, after].map((model) => model.predict(x) as tf.Tensor);
  const [a, b] = (await Promise.all(ys.map((y) => y.data()))) as [Data, Data];
  tf.dispose(ys);
  const count = (model: Model) => countDraws(() => tf.dispose(model.predict(x) as tf.Tensor));
  const draws = tf.getBackend() === 'webgl' ? { before: count(before), after: count(after) } : undefined;
  return { before: a, after: b, changed, ...(draws && { draws }) };
}

/** The inverted residual of MobileNetV2, with its normalizations folded. */
export async function foldedNetwork(_: object): Promise<BeforeAndAfter> {
  const model = mobileNet((args) => batchNormalization(args));
  const { model: folded, changed } = await foldBatchNormalization(model);
  const x = tf.tensor(normals(3, 384), [2, 8, 8, 3]);
  try {
    return await predictions(model, folded, x, changed.length);
  } finally {
    for (const one of [model, folded]) one.dispose();
    x.dispose();
  }
}

/** A graph of an exporter, accelerated. */
export async function acceleratedGraph({
  name,
  shape,
}: {
  name: string;
  shape?: readonly number[];
}): Promise<BeforeAndAfter> {
  const graph = GRAPHS[name]!;
  const artifacts = graphOf(graph);
  const plain = await tf.loadGraphModel({ load: async () => artifacts });
  const { model, changed } = await accelerate(artifacts);
  const sizes = [...(shape ?? graph.shape)];
  const x = tf.tensor(normals(5, tf.util.sizeFromShape(sizes), 0.3), sizes);
  try {
    return await predictions(plain, model, x, changed.length);
  } finally {
    for (const one of [plain, model]) one.dispose();
    x.dispose();
  }
}

/** The moving mean and variance of a layer that is recalibrated. */
export async function recalibrated({
  mean,
  size,
}: {
  mean: number;
  size: number;
}): Promise<{ mean: Data; variance: Data; data: Data }> {
  const model = tf.sequential({ layers: [batchNormalization({ inputShape: [3] })] });
  const data = normals(1, size * 3, mean);
  const x = tf.tensor(data, [size, 3]);
  const { model: exact } = await recalibrate(model, x, { batchSize: 7 });
  const [, , ...statistics] = exact.weights.map((weight) => weight.read());
  const [ofX, byX] = (await Promise.all(statistics.map((statistic) => statistic.data()))) as [Data, Data];
  for (const one of [model, exact]) one.dispose();
  x.dispose();
  return { mean: ofX, variance: byX, data };
}
