/** Conditional and residual normalizations as functions and as layers, whose formulas are published, with all gradients. */
import * as tf from '@tensorflow/tfjs';
import * as ours from '../../layers/index.ts';
import { take, withTensors } from './tensors.ts';

export interface Values {
  readonly shape: number[];
  readonly data: number[];
}
type Given = Readonly<Record<string, tf.Tensor>>;

/** A layer without weights to be trained: its inputs are all that it depends on. */
const layer = (layer: tf.layers.Layer, inputs: (tf.Tensor | undefined)[], training = false): tf.Tensor[] => {
  const outputs = layer.apply(inputs as tf.Tensor[], { training }) as tf.Tensor | tf.Tensor[];
  for (const weight of layer.weights) weight.dispose();
  return [outputs].flat();
};

/** By the name of the file, what makes the outputs from the inputs. */
const FORMULAS = {
  'adaptive-instance-norm': ({ x, s }: Given) => [ours.adaptiveInstanceNorm(x!, s!)],
  'adaptive-instance-norm, layer': ({ x, s }: Given) => layer(ours.adaptiveInstanceNormalization(), [x, s]),
  'feature-wise-linear': ({ x, gamma, beta }: Given) => [ours.film(x!, { gamma, beta })],
  'feature-wise-linear, layer': ({ x, gamma, beta }: Given) =>
    layer(ours.featurewiseLinearModulation(), [x, gamma, beta]),
  'conditional-batch-norm': ({ x, gamma, beta }: Given) => [ours.batchNorm(x!, { gamma, beta, epsilon: 1e-5 }).y],
  'conditional-batch-norm, layer': ({ x, gamma, beta }: Given) =>
    layer(ours.conditionalBatchNormalization({ epsilon: 1e-5 }), [x, gamma, beta], true),
  'conditional-group-norm': ({ x, gamma, beta }: Given) => [
    ours.groupNorm(x!, { groups: 2, gamma, beta, epsilon: 1e-5 }),
  ],
  'adaptive-layer-norm-zero': ({ x, scale, shift, gate }: Given) => {
    const y = ours.layerNorm(x!, { gamma: tf.add(scale!, 1), beta: shift, epsilon: 1e-6 });
    return [tf.mul(y, tf.expandDims(gate!, 1))];
  },
  'adaptive-layer-norm-zero, layer': ({ x, scale, shift, gate }: Given) => {
    const [y, factor] = layer(ours.adaptiveLayerNormalizationZero(), [x, scale, shift, gate]);
    return [tf.mul(y!, factor!)];
  },
  'spatially-adaptive': ({ x, gamma, beta }: Given) => [
    ours.batchNorm(x!, { gamma: tf.add(gamma!, 1), beta, epsilon: 1e-5 }).y,
  ],
  'spatially-adaptive, layer': ({ x, gamma, beta }: Given) =>
    layer(ours.spatiallyAdaptiveNormalization(), [x, gamma, beta], true),
  'residual-layer-norm': ({ x, residual, gamma, beta }: Given) => {
    const { y, sum } = ours.addLayerNorm(x!, residual!, { gamma, beta, epsilon: 1e-5 });
    return [y, sum];
  },
  'residual-rms-norm': ({ x, residual, gamma }: Given) => {
    const { y, sum } = ours.addRmsNorm(x!, residual!, { gamma, epsilon: 1e-6, epsilonPlacement: 'inside' });
    return [y, sum];
  },
  'rms-norm-offset': ({ x, gamma }: Given) => [
    ours.rmsNorm(x!, { gamma, gammaOffset: 1, epsilon: 1e-6, epsilonPlacement: 'inside' }),
  ],
};
export type FormulaName = keyof typeof FORMULAS;

/** All outputs in one row, and the gradients of sum(outputs upstream) in every input. */
export const conditional = ({
  name,
  inputs,
  upstream,
}: {
  readonly name: FormulaName;
  readonly inputs: Readonly<Record<string, Values>>;
  readonly upstream: readonly Values[];
}) =>
  withTensors(async (make) => {
    const names = Object.keys(inputs);
    const xs = names.map((input) => make(Float32Array.from(inputs[input]!.data), inputs[input]!.shape));
    const dy = make(Float32Array.from(upstream.flatMap(({ data }) => data)));
    const f = (...given: tf.Tensor[]) => {
      const outputs = FORMULAS[name](Object.fromEntries(names.map((input, i) => [input, given[i]!])));
      return tf.concat(outputs.map((output) => tf.reshape(output, [-1])));
    };
    const { value, grads } = tf.valueAndGrads(f)(xs, dy);
    const gradients: Record<string, Awaited<ReturnType<typeof take>>> = {};
    for (const [i, input] of names.entries()) gradients[input] = await take(grads[i]!);
    return { outputs: await take(value), gradients };
  });
