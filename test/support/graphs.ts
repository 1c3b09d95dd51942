/**
 * Graph models in which a normalization is spelled out, with the operations that each exporter writes: the artifacts of a small model
 * that multiplies its input by weights, normalizes, and goes on with tanh.
 */
import * as tf from '@tensorflow/tfjs';
import type { Attribute, GraphNode } from '../../layers/models/surgery/graph-node.ts';
import { normals } from './random.ts';

const _base64 = (text: string) => Buffer.from(text).toString('base64');

/** Adds nodes one after the other; each method gives the name of what it added. */
export class GraphBuilder {
  readonly nodes: GraphNode[] = [];
  readonly weights: Record<string, tf.Tensor> = {};
  #count = 0;

  add(op: string, input: readonly string[], attr: Record<string, Attribute> = {}): string {
    const name = `node/${op}_${this.#count++}`;
    this.nodes.push({ name, op, input: [...input], attr: { T: {}, ...attr } as Record<string, Attribute> });
    return name;
  }

  constant(
    values: number | readonly number[],
    shape?: readonly number[],
    dtype: 'float32' | 'int32' = 'float32',
  ): string {
    const name = this.add('Const', [], { dtype: {} } as Record<string, Attribute>);
    const list = [values].flat() as number[];
    this.weights[name] = tf.tensor(list, [...(shape ?? (Array.isArray(values) ? [list.length] : []))], dtype);
    return name;
  }

  /** A constant of random values. */
  parameter(shape: readonly number[], mean = 0): string {
    return this.constant([...normals(this.#count, tf.util.sizeFromShape([...shape]), mean, 0.5)], shape);
  }

  ints = (...values: number[]) => this.constant(values, [values.length], 'int32');
  int = (value: number) => this.constant(value, [], 'int32');

  op = (name: string, ...input: string[]) => this.add(name, input);
  mul = (a: string, b: string) => this.op('Mul', a, b);
  plus = (a: string, b: string) => this.op('AddV2', a, b);
  minus = (a: string, b: string) => this.op('Sub', a, b);
  square = (a: string) => this.op('Square', a);
  epsilon = (value = 1e-3) => this.constant(value);
  sum = (x: string, axes: number[], keep = false) =>
    this.add('Sum', [x, this.ints(...axes)], { keep_dims: { b: keep } });
  mean = (x: string, axes: number[], keep = true) =>
    this.add('Mean', [x, this.ints(...axes)], { keep_dims: { b: keep } });
  reshape = (x: string, ...shape: number[]) => this.op('Reshape', x, this.ints(...shape));
  /** Sum * 1/n */
  average = (x: string, axes: number[], n: number) => this.mul(this.sum(x, axes), this.constant(Math.fround(1 / n)));

  artifacts(output: string): tf.io.ModelArtifacts {
    const entries = Object.entries(this.weights);
    const data = entries.map(([, tensor]) => tensor.dataSync());
    const bytes = new Uint8Array(data.reduce((sum, { byteLength }) => sum + byteLength, 0));
    let at = 0;
    for (const { buffer, byteOffset, byteLength } of data) {
      bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
      at += byteLength;
    }
    const weightSpecs = entries.map(([name, { shape, dtype }]) => ({ name, shape, dtype: dtype as 'float32' }));
    tf.dispose(this.weights);
    return {
      format: 'graph-model',
      modelTopology: { node: this.nodes, versions: {} },
      weightSpecs,
      weightData: bytes.buffer,
      signature: { inputs: { x: { name: 'x:0' } }, outputs: { y: { name: `${output}:0` } } },
    } as tf.io.ModelArtifacts;
  }
}

/** Sizes of x: of the first axis unknown, as of a batch. */
export interface GraphCase {
  readonly className: string;
  readonly shape: readonly number[];
  /** The steps of the normalization of x; gives its result. */
  readonly steps: (g: GraphBuilder, x: string) => string;
}

/** A graph of a case: x, a step before the normalization, and one after it. */
export function graphOf({ shape, steps }: Pick<GraphCase, 'shape' | 'steps'>): tf.io.ModelArtifacts {
  const g = new GraphBuilder();
  const dim = [-1, ...shape.slice(1)].map((size) => ({ size: String(size) }));
  g.nodes.push({ name: 'x', op: 'Placeholder', input: [], attr: { shape: { shape: { dim } } as Attribute } });
  const before = g.plus(g.mul('x', g.constant(1.5)), g.parameter([shape.at(-1)!]));
  return g.artifacts(g.op('Tanh', steps(g, before)));
}

/** tf.nn.batch_normalization: x inv + (beta - mean inv), inv = rsqrt(variance + epsilon) gamma. */
function batchNormalized(
  g: GraphBuilder,
  x: string,
  mean: string,
  variance: string,
  gamma?: string,
  beta?: string,
): string {
  const rsqrt = g.op('Rsqrt', g.plus(variance, g.epsilon()));
  const inverse = gamma ? g.mul(rsqrt, gamma) : rsqrt;
  const scaledMean = g.mul(mean, inverse);
  const shift = beta ? g.minus(beta, scaledMean) : g.op('Neg', scaledMean);
  return g.plus(g.mul(x, inverse), shift);
}

/** tf.nn.moments */
function moments(g: GraphBuilder, x: string, axes: number[]): [mean: string, variance: string] {
  const mean = g.mean(x, axes);
  return [mean, g.mean(g.op('SquaredDifference', x, g.op('StopGradient', mean)), axes)];
}

/** The shape of x without its last axis, of nodes that are computed as the graph runs, and a 1. */
function keptShape(g: GraphBuilder, rank: number): string {
  const shape = g.op('Shape', 'x');
  const size = (axis: number) =>
    g.add('StridedSlice', [shape, g.ints(axis), g.ints(axis + 1), g.ints(1)], {
      shrink_axis_mask: { i: '1' },
      T: {},
    } as never);
  const sizes = Array.from({ length: rank - 1 }, (_, axis) => size(axis));
  return g.add('Pack', [...sizes, g.int(1)], { axis: { i: '0' }, N: { i: String(rank) } } as never);
}

const c = 6;

export const GRAPHS: Readonly<Record<string, GraphCase>> = {
  'layer normalization of jax2tf: Sum * 1/n, Square, Sub, Maximum, Reshape, Rsqrt, Mul': {
    className: 'LayerNormalization',
    shape: [2, 3, 4, c],
    steps: (g, x) => {
      const mean = g.average(x, [3], c);
      const variance = g.op('Maximum', g.constant(0), g.minus(g.average(g.square(x), [3], c), g.square(mean)));
      const kept = keptShape(g, 4);
      const inverse = g.op('Rsqrt', g.plus(g.op('Reshape', variance, kept), g.epsilon(1e-6)));
      const scale = g.mul(inverse, g.parameter([1, 1, 1, c], 1));
      return g.plus(g.mul(g.minus(x, g.op('Reshape', mean, kept)), scale), g.parameter([1, 1, 1, c]));
    },
  },
  'layer normalization of Keras: Mean, SquaredDifference, Rsqrt, AddV2': {
    className: 'LayerNormalization',
    shape: [2, 5, c],
    steps: (g, x) => batchNormalized(g, x, ...moments(g, x, [2]), g.parameter([c], 1), g.parameter([c])),
  },
  'layer normalization of Keras over several axes, without gamma': {
    className: 'LayerNormalization',
    shape: [2, 5, c],
    steps: (g, x) => batchNormalized(g, x, ...moments(g, x, [-1, 1]), undefined, g.parameter([5, c])),
  },
  'layer normalization of PyTorch by ONNX: Mean, Sub, Pow, Sqrt, RealDiv': {
    className: 'LayerNormalization',
    shape: [2, 5, c],
    steps: (g, x) => {
      const deviation = g.minus(x, g.mean(x, [-1]));
      const variance = g.mean(g.op('Pow', deviation, g.constant(2)), [-1]);
      const y = g.op('RealDiv', deviation, g.op('Sqrt', g.plus(variance, g.epsilon(1e-5))));
      return g.plus(g.mul(y, g.parameter([c], 1)), g.parameter([c]));
    },
  },
  'layer normalization by a product with itself, ExpandDims, Pow(-0.5), a quotient for the mean, and nothing after it':
    {
      className: 'LayerNormalization',
      shape: [2, 5, c],
      steps: (g, x) => {
        const mean = g.op('ExpandDims', g.op('RealDiv', g.sum(x, [2]), g.constant(c)), g.int(-1));
        const deviation = g.minus(x, mean);
        const variance = g.mean(g.mul(deviation, deviation), [2]);
        return g.mul(g.op('Pow', g.plus(g.epsilon(), variance), g.constant(-0.5)), deviation);
      },
    },
  'batch normalization of a training graph: moments, Squeeze': {
    className: 'BatchNormalization',
    shape: [4, 3, 3, c],
    steps: (g, x) => {
      const squeezed = moments(g, x, [0, 1, 2]).map((name) =>
        g.add('Squeeze', [name], { squeeze_dims: { list: { i: ['0', '1', '2'] } } }),
      ) as [string, string];
      return batchNormalized(g, x, ...squeezed, g.parameter([c], 1), g.parameter([c]));
    },
  },
  'batch normalization of dense activations, without keep_dims': {
    className: 'BatchNormalization',
    shape: [7, c],
    steps: (g, x) => {
      const mean = g.mean(x, [0], false);
      const variance = g.mean(g.op('SquaredDifference', mean, x), [0], false);
      return batchNormalized(g, x, mean, variance, g.parameter([c], 1), g.parameter([c]));
    },
  },
  'instance normalization': {
    className: 'InstanceNormalization',
    shape: [2, 4, 4, c],
    steps: (g, x) => batchNormalized(g, x, ...moments(g, x, [1, 2]), g.parameter([c], 1), g.parameter([1, 1, 1, c])),
  },
  'group normalization: Reshape to groups': {
    className: 'GroupNormalization',
    shape: [2, 4, 4, c],
    steps: (g, x) => {
      const groups = g.reshape(x, -1, 4, 4, 3, 2);
      const [gamma, beta] = [g.parameter([1, 1, 1, 3, 2], 1), g.parameter([1, 1, 1, 3, 2])];
      return g.reshape(batchNormalized(g, groups, ...moments(g, groups, [1, 2, 4]), gamma, beta), -1, 4, 4, c);
    },
  },
  'root mean square: Square, Mean, Rsqrt': {
    className: 'RMSNormalization',
    shape: [2, 5, c],
    steps: (g, x) => {
      const inverse = g.op('Rsqrt', g.plus(g.mean(g.square(x), [-1]), g.epsilon(1e-6)));
      return g.mul(g.parameter([c], 1), g.mul(x, inverse));
    },
  },
  'root mean square with epsilon outside: Sqrt, AddV2, RealDiv': {
    className: 'RMSNormalization',
    shape: [2, 5, c],
    steps: (g, x) => {
      const root = g.op('Sqrt', g.mean(g.op('Pow', x, g.constant(2)), [2]));
      return g.plus(g.mul(g.op('RealDiv', x, g.plus(root, g.epsilon(0.1))), g.parameter([c], 1)), g.parameter([c]));
    },
  },
  'length, of tf.math.l2_normalize: Square, Sum, Maximum, Rsqrt': {
    className: 'UnitNormalization',
    shape: [3, c],
    steps: (g, x) => g.mul(x, g.op('Rsqrt', g.op('Maximum', g.sum(g.square(x), [1], true), g.epsilon(1e-12)))),
  },
  'length, of PyTorch: Sqrt, Maximum, RealDiv, and gamma': {
    className: 'UnitNormalization',
    shape: [3, c],
    steps: (g, x) => {
      const length = g.op('Sqrt', g.sum(g.mul(x, x), [-1], true));
      return g.mul(g.op('RealDiv', x, g.op('Maximum', length, g.epsilon(1e-12))), g.parameter([c], 1));
    },
  },
  'length with epsilon inside: Sum, AddV2, Sqrt, Reciprocal': {
    className: 'UnitNormalization',
    shape: [3, c],
    steps: (g, x) => {
      const length = g.op('Sqrt', g.plus(g.sum(g.square(x), [1], true), g.epsilon(0.5)));
      return g.mul(x, g.op('Reciprocal', length));
    },
  },
};

/** Steps that are nearly a normalization, and none. */
export const LOOKALIKES: Readonly<Record<string, Pick<GraphCase, 'shape' | 'steps'>>> = {
  'a variance that is divided by n - 1': {
    shape: [2, 5, c],
    steps: (g, x) => {
      const deviation = g.minus(x, g.mean(x, [2]));
      const variance = g.mul(g.sum(g.square(deviation), [2], true), g.constant(1 / (c - 1)));
      return g.mul(deviation, g.op('Rsqrt', g.plus(variance, g.epsilon())));
    },
  },
  'a mean of other axes than the variance': {
    shape: [2, c, c],
    steps: (g, x) => batchNormalized(g, x, g.mean(x, [1]), moments(g, x, [2])[1]),
  },
  'statistics of another value': {
    shape: [2, 5, c],
    steps: (g, x) => batchNormalized(g, x, ...moments(g, g.op('Tanh', x), [2])),
  },
  'the mean of another value': {
    shape: [2, 5, c],
    steps: (g, x) => batchNormalized(g, x, g.mean(g.op('Tanh', x), [2]), moments(g, x, [2])[1]),
  },
  'a difference the other way round': {
    shape: [2, 5, c],
    steps: (g, x) => {
      const [mean, variance] = moments(g, x, [2]);
      return g.mul(g.minus(mean, x), g.op('Rsqrt', g.plus(variance, g.epsilon())));
    },
  },
  'statistics that meet x at other axes, where sizes are alike': {
    shape: [2, c, c],
    steps: (g, x) => {
      const mean = g.mean(x, [2], false);
      const kept = g.reshape(mean, -1, 1, c);
      const variance = g.reshape(g.mean(g.op('SquaredDifference', x, g.mean(x, [2])), [2], false), -1, 1, c);
      return g.mul(g.minus(x, kept), g.op('Rsqrt', g.plus(variance, g.epsilon())));
    },
  },
  'a mean that is doubled': {
    shape: [2, 5, c],
    steps: (g, x) => {
      const [mean, variance] = moments(g, x, [2]);
      return batchNormalized(g, x, g.mul(mean, g.constant(2)), variance);
    },
  },
  'an epsilon that is computed': {
    shape: [2, 5, c],
    steps: (g, x) => {
      const [mean, variance] = moments(g, x, [2]);
      const epsilon = g.op('Abs', g.mean(x, [0, 1, 2]));
      return g.mul(g.minus(x, mean), g.op('Rsqrt', g.plus(variance, epsilon)));
    },
  },
  'one gamma for x and another for the mean': {
    shape: [2, 5, c],
    steps: (g, x) => {
      const [mean, variance] = moments(g, x, [2]);
      const inverse = g.op('Rsqrt', g.plus(variance, g.epsilon()));
      return g.minus(g.mul(x, g.mul(inverse, g.parameter([c]))), g.mul(mean, g.mul(inverse, g.parameter([c]))));
    },
  },
  'channels first, for which there is no kernel': {
    shape: [2, c, 3, 3],
    steps: (g, x) => batchNormalized(g, x, ...moments(g, x, [0, 2, 3])),
  },
  'a variance that is used elsewhere': {
    shape: [2, 5, c],
    steps: (g, x) => {
      const [mean, variance] = moments(g, x, [2]);
      return g.plus(batchNormalized(g, x, mean, variance), g.op('Tanh', variance));
    },
  },
  'a standard score of the whole batch of unknown size by Sum': {
    shape: [2, c],
    steps: (g, x) => {
      const mean = g.mul(g.sum(x, [0], true), g.constant(0.5));
      const variance = g.mul(g.sum(g.square(g.minus(x, mean)), [0], true), g.constant(0.5));
      return g.mul(g.minus(x, mean), g.op('Rsqrt', g.plus(variance, g.epsilon())));
    },
  },
};

/** The dense normalization of PyTorch twice. */
const TWICE: Pick<GraphCase, 'shape' | 'steps'> = {
  shape: [3, c],
  steps: (g, x) => {
    const { steps } = GRAPHS['length, of PyTorch: Sqrt, Maximum, RealDiv, and gamma']!;
    return steps(g, steps(g, x));
  },
};

/** A graph model as the files of a server; by default with two normalizations. */
export function graphFiles(graph: Pick<GraphCase, 'shape' | 'steps'> = TWICE): Record<string, string | Uint8Array> {
  const { weightSpecs: weights, weightData, ...rest } = graphOf(graph);
  return {
    'model.json': JSON.stringify({ ...rest, weightsManifest: [{ paths: ['graph.bin'], weights }] }),
    'graph.bin': new Uint8Array(weightData as ArrayBuffer),
  };
}
